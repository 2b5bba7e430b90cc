//! A report as a page of its own: plots in SVG, light and dark, with no script and nothing to load.

use std::fmt::Write as _;

use crate::figure::{Figure, Unit};
use crate::plot::{Plot, Scale};
use crate::report::Report;
use crate::table::points;

/// The report on the server at `url` as HTML.
pub fn page(report: &Report, url: &str) -> String {
    let title = format!("{}, {} clients", report.scenario, report.clients);
    let mut body = String::new();
    let _ = writeln!(
        body,
        "<h1>{title}</h1>\n<p>{} over {}, by fanfare bench {}</p>",
        escaped(url),
        report.transport,
        env!("CARGO_PKG_VERSION")
    );
    for doubt in report.doubts() {
        let _ = writeln!(body, "<p class=doubt>{}</p>", escaped(&doubt));
    }
    figures(&mut body, "What was found", &report.findings.figures);
    latencies(&mut body, report);
    moments(&mut body, report);
    figures(&mut body, "The server", &report.server());
    figures(&mut body, "The generator", &report.generator());
    format!(
        "<!doctype html>\n<html lang=en>\n<meta charset=utf-8>\n\
         <meta name=viewport content=\"width=device-width\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n{body}</html>\n"
    )
}

fn figures(body: &mut String, title: &str, figures: &[Figure]) {
    if figures.is_empty() {
        return;
    }
    let _ = writeln!(body, "<h2>{title}</h2>\n<table>");
    for figure in figures {
        let _ = writeln!(
            body,
            "<tr><th>{}<td>{}",
            escaped(figure.title),
            figure.written()
        );
    }
    body.push_str("</table>\n");
}

fn latencies(body: &mut String, report: &Report) {
    let latencies = &report.findings.latencies;
    if latencies.is_empty() {
        return;
    }
    body.push_str(
        "<h2>How long it took</h2>\n<table>\n<tr><td><th>p50<th>p90<th>p99<th>p99.9<th>max\n",
    );
    for (title, latency) in latencies {
        let _ = write!(body, "<tr><th>{}", escaped(title));
        for microseconds in points(&latency.quantiles()) {
            let _ = write!(body, "<td>{}", Unit::Microseconds.written(microseconds));
        }
        body.push('\n');
    }
    body.push_str("</table>\n");
    let mut plot = Plot::new(
        "of all, at most this long",
        Unit::Microseconds,
        Scale::Rarity,
    );
    for (title, latency) in latencies {
        let count = latency.quantiles().count.max(1) as f64;
        let rarest = count.log10();
        let curve = (0..=CURVE_POINTS).map(|i| {
            let nines = rarest * f64::from(i) / f64::from(CURVE_POINTS);
            (nines, latency.at_us(1.0 - 10_f64.powf(-nines)))
        });
        plot.line(title, curve.collect());
    }
    body.push_str(&plot.svg());
}

fn moments(body: &mut String, report: &Report) {
    let moments = &report.moments;
    if moments.len() < 2 {
        return;
    }
    let series = |figure: &dyn Fn(&crate::Moment) -> Option<f64>| {
        let points = moments
            .iter()
            .filter_map(|moment| Some((moment.at_s, figure(moment)?)));
        points.collect::<Vec<_>>()
    };
    body.push_str(
        "<h2>Second by second</h2>\n<p>From the first connect on, joining included.</p>\n",
    );
    let mut busy = Plot::new("of a core", Unit::Share, Scale::Seconds);
    busy.line("the server's CPU", series(&|moment| moment.server_cores));
    busy.line(
        "the generator is busy",
        series(&|moment| Some(moment.generator_busy)),
    );
    body.push_str(&busy.svg());
    let mut received = Plot::new("received by clients", Unit::PerSecond, Scale::Seconds);
    received.line(
        "events and acks",
        series(&|moment| Some(moment.received_per_s)),
    );
    body.push_str(&received.svg());
    let memory = series(&|moment| moment.server_memory_bytes.map(|bytes| bytes as f64));
    if !memory.is_empty() {
        let mut plot = Plot::new("in RAM", Unit::Bytes, Scale::Seconds);
        plot.line("the server's memory", memory);
        body.push_str(&plot.svg());
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

const CURVE_POINTS: u32 = 120;
const STYLE: &str = include_str!("page.css");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_a_page_is_text() {
        assert_eq!(escaped("http://a/<b>&c"), "http://a/&lt;b>&amp;c");
    }

    #[test]
    fn the_page_loads_nothing_and_runs_nothing() {
        for word in ["http:", "https:", "url(", "@import"] {
            assert!(!STYLE.contains(word), "{word}");
        }
    }
}
