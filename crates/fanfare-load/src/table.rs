//! A report as text for a terminal.

use std::fmt::Write as _;

use crate::figure::{Figure, Unit};
use crate::latency::Quantiles;
use crate::report::Report;

/// The report as lines that line up.
pub fn table(report: &Report) -> String {
    let mut text = String::new();
    section(&mut text, "", &report.findings.figures);
    if !report.findings.latencies.is_empty() {
        let _ = writeln!(
            text,
            "\n{:<TITLE$}{:>CELL$}{:>CELL$}{:>CELL$}{:>CELL$}{:>CELL$}",
            "how long it took", "p50", "p90", "p99", "p99.9", "max"
        );
    }
    for (title, latency) in &report.findings.latencies {
        let _ = write!(text, "  {title:<width$}", width = TITLE - 2);
        for microseconds in points(&latency.quantiles()) {
            let _ = write!(text, "{:>CELL$}", Unit::Microseconds.written(microseconds));
        }
        text.push('\n');
    }
    section(&mut text, "the server", &report.server());
    section(&mut text, "the generator", &report.generator());
    for doubt in report.doubts() {
        let _ = writeln!(text, "\n! {doubt}");
    }
    text
}

/// The points of a distribution, in the order of the columns.
pub(crate) fn points(quantiles: &Quantiles) -> [f64; 5] {
    [
        quantiles.p50_us,
        quantiles.p90_us,
        quantiles.p99_us,
        quantiles.p999_us,
        quantiles.max_us,
    ]
}

fn section(text: &mut String, title: &str, figures: &[Figure]) {
    if figures.is_empty() {
        return;
    }
    if !title.is_empty() {
        let _ = writeln!(text, "\n{title}");
    }
    for figure in figures {
        let _ = writeln!(
            text,
            "  {:<width$}{:>CELL$}",
            figure.title,
            figure.written(),
            width = TITLE - 2
        );
    }
}

const TITLE: usize = 36;
const CELL: usize = 11;
