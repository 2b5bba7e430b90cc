//! The page: docs/performance.md has what was measured last between two marks, and a plot beside it.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;

use crate::Plan;
use crate::interval;
use crate::measure;
use crate::summary::Summary;
use crate::table::Table;

/// A scenario's table, as Markdown.
pub(crate) struct Section {
    pub(crate) plan: Plan,
    pub(crate) title: String,
    pub(crate) table: String,
    pub(crate) failures: Vec<String>,
}

/// Puts all into the page, in place of what was there.
///
/// # Errors
///
/// If the page has not both marks, in their order, or cannot be written.
pub(crate) fn write(summary: &Summary, sections: &[Section], machine: &str) -> anyhow::Result<()> {
    let mut figures = format!(
        "{}\n{machine}\n\n![The table as a plot](performance.svg)\n",
        summary.table().markdown()
    );
    for section in sections {
        let name = section.plan.scenario.name();
        let clients = section.plan.clients;
        write!(
            figures,
            "\n### {name}, {clients} clients\n\n{}\n\n{}",
            section.title, section.table
        )?;
        for failure in &section.failures {
            write!(figures, "\n{failure}\n")?;
        }
    }
    replace(FIGURES, &figures)?;
    let plot = docs().join("performance.svg");
    fs::write(&plot, draw(summary)).with_context(|| format!("cannot write {}", plot.display()))
}

/// Puts the counts into the page, in place of those that were there.
///
/// # Errors
///
/// As [`write()`] has them.
pub(crate) fn write_counts(table: &Table) -> anyhow::Result<()> {
    replace(COUNTS, &table.markdown())
}

/// Puts `text` between two marks of the page.
fn replace([begin, end]: [&str; 2], text: &str) -> anyhow::Result<()> {
    let page = docs().join("performance.md");
    let old =
        fs::read_to_string(&page).with_context(|| format!("cannot read {}", page.display()))?;
    let marked = old.split_once(begin).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(end)?;
        Some(format!("{before}{begin}\n\n{text}\n{end}{after}"))
    });
    let new = marked.with_context(|| format!("docs/performance.md has no {begin} with its end"))?;
    fs::write(&page, new).with_context(|| format!("cannot write {}", page.display()))
}

/// A line for each scenario, from 0 to 2.5 times the reference, with its interval and its goal.
fn draw(summary: &Summary) -> String {
    let lines = summary.lines.iter().filter(|line| line.is_ratio());
    let height = TOP + ROW * lines.clone().count() + 10;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#fff\"/>\n\
         <text x=\"10\" y=\"18\" font-weight=\"bold\">What fanfare takes, the reference being 1</text>\n"
    );
    for tick in [0.0, 0.5, 1.0, 1.5, 2.0, 2.5] {
        let (x, color) = (across(tick), if tick == 1.0 { "#888" } else { "#ddd" });
        let _ = writeln!(
            svg,
            "<path d=\"M{x:.1} 34V{height}\" stroke=\"{color}\"/><text x=\"{x:.1}\" y=\"30\" text-anchor=\"middle\">{tick}</text>"
        );
    }
    for (place, line) in lines.enumerate() {
        let y = TOP + ROW * place + ROW / 2;
        let _ = writeln!(svg, "<text x=\"10\" y=\"{}\">{}</text>", y + 4, line.what);
        if let Some(goal) = line.goal {
            let x = across(goal);
            let _ = writeln!(
                svg,
                "<path d=\"M{x:.1} {}v14\" stroke=\"#1a7f37\" stroke-width=\"2\"/>",
                y - 7
            );
        }
        let sorted = measure::sorted(&line.figures);
        let (Some(least), Some(most)) = (sorted.first(), sorted.last()) else {
            continue;
        };
        let (low, high) = interval::ranks(sorted.len())
            .map_or((*least, *most), |(low, high)| (sorted[low], sorted[high]));
        let (low, high, middle) = (across(low), across(high), across(measure::median(&sorted)));
        let _ = writeln!(
            svg,
            "<path d=\"M{low:.1} {y}H{high:.1}\" stroke=\"#0969da\" stroke-width=\"3\"/><circle cx=\"{middle:.1}\" cy=\"{y}\" r=\"5\" fill=\"#0969da\"/>"
        );
    }
    svg.push_str("</svg>\n");
    svg
}

fn across(ratio: f64) -> f64 {
    LEFT + ratio.min(MOST) / MOST * (WIDTH as f64 - LEFT - 20.0)
}

fn docs() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}

/// Begin and end.
const FIGURES: [&str; 2] = [
    "<!-- The figures: made by `cargo xtask bench --all --write`. -->",
    "<!-- The end of the figures. -->",
];
const COUNTS: [&str; 2] = [
    "<!-- The counts: made by `cargo xtask bench --counts --write`. -->",
    "<!-- The end of the counts. -->",
];
const WIDTH: usize = 900;
const LEFT: f64 = 330.0;
const TOP: usize = 40;
const ROW: usize = 24;
const MOST: f64 = 2.5;
