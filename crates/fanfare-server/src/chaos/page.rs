//! The report as a page of its own: a plot of each run in SVG, light and dark, with no script and nothing to load.

use std::fmt::Write as _;

use super::{
    plot::Plot,
    report::{Report, Row, Run, written},
};

/// The report as HTML.
pub(super) fn page(report: &Report) -> String {
    let title = format!(
        "How soon the count is right again: {} nodes, {} clients",
        report.nodes, report.clients
    );
    let mut body = format!(
        "<h1>{title}</h1>\n<p>{}, by fanfare chaos {}</p>\n",
        escaped(&report.cluster),
        env!("CARGO_PKG_VERSION")
    );
    table(&mut body, report);
    for (fault, runs) in report.by_fault() {
        let _ = writeln!(body, "<h2>{}</h2>", fault.name());
        for run in runs {
            told(&mut body, run);
        }
    }
    format!(
        "<!doctype html>\n<html lang=en>\n<meta charset=utf-8>\n\
         <meta name=viewport content=\"width=device-width\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n{body}</html>\n"
    )
}

fn table(body: &mut String, report: &Report) {
    body.push_str(
        "<table>\n<tr><td><th>runs<th>min<th>median<th>max<th>half<th>over<th>under<th>wrong for<th>never\n",
    );
    for (fault, runs) in report.by_fault() {
        let row = Row::new(&runs);
        let _ = write!(body, "<tr><th>{}<td>{}", fault.name(), runs.len());
        for time in [row.min, row.median, row.max, row.half] {
            let _ = write!(body, "<td>{}", written(time));
        }
        let _ = writeln!(
            body,
            "<td>{}<td>{}<td>{}<td>{} of {}",
            row.overshoot,
            row.undershoot,
            written(Some(row.wrong)),
            row.never,
            runs.len()
        );
    }
    body.push_str("</table>\n");
}

fn told(body: &mut String, run: &Run) {
    let to = match run.node {
        Some(node) => format!(" to node {}", node + 1),
        None => String::new(),
    };
    let nodes = run.verdict.nodes.iter().map(|node| {
        format!(
            "the {} of node {}: {}",
            node.clients,
            node.node + 1,
            written(node.all_s)
        )
    });
    let nodes = nodes.collect::<Vec<_>>().join(", ");
    let _ = writeln!(
        body,
        "<p>Run {}{to}: {}. Until all clients of a node were right: {nodes}.</p>",
        run.number,
        run.told(),
    );
    let mut plot = Plot::new(run.end_s);
    let truth = run.trace.truth.iter();
    let truth = truth.map(|(at, value)| (*at, Some(*value)));
    plot.line("connected", "truth", truth.collect());
    for heard in &run.trace.heard {
        let title = format!("heard at node {}", heard.node + 1);
        let class = format!("line-{}", heard.node % N_COLOURS);
        plot.line(&title, &class, heard.points.clone());
    }
    if 0.0 < run.from_s {
        plot.mark(run.from_s);
    }
    body.push_str(&plot.svg());
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

/// As many as the style has.
const N_COLOURS: usize = 4;
const STYLE: &str = include_str!("page.css");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chaos::{
        args::Fault,
        report::tests::{report, run},
    };

    #[test]
    fn the_page_has_a_plot_of_each_run_and_loads_nothing() {
        let runs = vec![run(Fault::Kill, Some(3.0)), run(Fault::Kill, None)];
        let page = page(&report(runs));
        assert_eq!(page.matches("<svg").count(), 2);
        for part in [
            "three &lt;nodes>",
            "right again after 3.00 s",
            "never right again",
        ] {
            assert!(page.contains(part), "{part}");
        }
        for word in ["http:", "https:", "url(", "@import", "<script", "<link"] {
            assert!(!page.contains(word), "{word}");
        }
    }
}
