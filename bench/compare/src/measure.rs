//! From reports to a table: what is shown of each scenario, over all rounds.

use serde_json::Value;

use crate::Scenario;
use crate::table::Table;

/// One result of each contestant, in their order; the first is the reference.
#[derive(Debug, Default)]
pub(crate) struct Round {
    pub(crate) results: Vec<anyhow::Result<Value>>,
}

/// A column: one figure out of each report.
struct Metric {
    title: &'static str,
    /// Where the figure stands in the report, as a JSON pointer.
    pointer: &'static str,
    unit: Unit,
    compared: Compared,
}

/// Whether a column is followed by its ratio to the reference.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Compared {
    Yes,
    No,
}

/// How a figure is written.
#[derive(Clone, Copy)]
enum Unit {
    /// As it is.
    Plain,
    /// As it is, in whole numbers.
    Whole,
    /// Milliseconds, from microseconds.
    Milliseconds,
    /// Percent, from a part of one.
    Percent,
}

/// The figures of all rounds, as a table.
///
pub(crate) fn table(scenario: Scenario, names: &[&str], rounds: &[Round]) -> Table {
    let metrics = metrics(scenario);
    let mut header = vec!["server".to_owned()];
    for metric in &metrics {
        header.push(metric.title.to_owned());
        if metric.compared == Compared::Yes {
            header.push("ratio".to_owned());
        }
    }
    let rows = names.iter().enumerate().map(|(contestant, name)| {
        let mut cells = vec![(*name).to_owned()];
        for metric in &metrics {
            cells.push(spread(&figures(metric, rounds, contestant), metric.unit));
            if metric.compared == Compared::Yes {
                cells.push(spread(&ratios(metric, rounds, contestant), Unit::Plain));
            }
        }
        cells
    });
    Table {
        header,
        rows: rows.collect(),
    }
}

/// The figure that contestants are compared by, of one result.
pub(crate) fn headline(scenario: Scenario, result: &anyhow::Result<Value>) -> String {
    let metric = &metrics(scenario)[0];
    match result {
        Ok(report) => format!(
            "{} {}",
            spread(&Vec::from_iter(metric.of(report)), metric.unit),
            metric.title
        ),
        Err(error) => format!("{error:#}"),
    }
}

/// A sentence for each run that has no report.
pub(crate) fn failures(names: &[&str], rounds: &[Round]) -> Vec<String> {
    let mut failures = Vec::new();
    for (number, round) in rounds.iter().enumerate() {
        for (name, result) in names.iter().zip(&round.results) {
            if let Err(error) = result {
                failures.push(format!("{name}, round {}: {error:#}", number + 1));
            }
        }
    }
    failures
}

fn metrics(scenario: Scenario) -> Vec<Metric> {
    match scenario {
        Scenario::Storm => vec![
            Metric::new("s until all saw all", "/rise/wall_s", Unit::Plain).compared(),
            Metric::new("CPU s", "/rise/server_cpu_s", Unit::Plain).compared(),
            Metric::new("messages", "/rise/messages", Unit::Whole),
            Metric::new("half cut, s", "/fall/wall_s", Unit::Plain),
            Metric::new("user time", "/rise/server_user_share", Unit::Percent),
            Metric::new("generator busy", "/rise/generator_busy", Unit::Percent),
        ],
        Scenario::Paced => vec![
            Metric::new("CPU µs a delivery", "/server_us_per_delivery", Unit::Plain).compared(),
            Metric::new("ms until all have it", "/median_us", Unit::Milliseconds),
            Metric::new("p99, ms", "/p99_us", Unit::Milliseconds),
            Metric::new("user time", "/server_user_share", Unit::Percent),
            Metric::new("generator busy", "/generator_busy", Unit::Percent),
        ],
        Scenario::Burst => vec![
            Metric::new("CPU µs a delivery", "/server_us_per_delivery", Unit::Plain).compared(),
            Metric::new("wall s", "/wall_s", Unit::Plain),
            Metric::new("user time", "/server_user_share", Unit::Percent),
            Metric::new("generator busy", "/generator_busy", Unit::Percent),
        ],
        Scenario::Idle => vec![
            Metric::new("CPU µs a join", "/server_us_per_join", Unit::Plain).compared(),
            Metric::new(
                "private bytes a client",
                "/private_bytes_per_client",
                Unit::Whole,
            ),
            Metric::new("user time", "/server_user_share", Unit::Percent),
        ],
    }
}

impl Metric {
    fn new(title: &'static str, pointer: &'static str, unit: Unit) -> Self {
        Self {
            title,
            pointer,
            unit,
            compared: Compared::No,
        }
    }

    fn compared(self) -> Self {
        Self {
            compared: Compared::Yes,
            ..self
        }
    }

    fn of(&self, report: &Value) -> Option<f64> {
        report.pointer(self.pointer)?.as_f64()
    }
}

fn figures(metric: &Metric, rounds: &[Round], contestant: usize) -> Vec<f64> {
    rounds
        .iter()
        .filter_map(|round| figure(metric, round, contestant))
        .collect()
}

fn ratios(metric: &Metric, rounds: &[Round], contestant: usize) -> Vec<f64> {
    rounds
        .iter()
        .filter_map(|round| Some(figure(metric, round, contestant)? / figure(metric, round, 0)?))
        .collect()
}

fn figure(metric: &Metric, round: &Round, contestant: usize) -> Option<f64> {
    metric.of(round.results[contestant].as_ref().ok()?)
}

/// `median (least–most)`; a dash if there is nothing.
fn spread(figures: &[f64], unit: Unit) -> String {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (Some(least), Some(most)) = (sorted.first(), sorted.last()) else {
        return "–".to_owned();
    };
    let median = f64::midpoint(sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2]);
    let [median, least, most] = [median, *least, *most].map(|figure| written(figure, unit));
    if least == most {
        median
    } else {
        format!("{median} ({least}–{most})")
    }
}

fn written(figure: f64, unit: Unit) -> String {
    match unit {
        Unit::Plain => significant(figure),
        Unit::Whole => format!("{figure:.0}"),
        Unit::Milliseconds => significant(figure / 1000.0),
        Unit::Percent => format!("{:.0} %", 100.0 * figure),
    }
}

/// With as many decimals as there is something to say: 0.126, 1.26, 12.6, 126.
fn significant(figure: f64) -> String {
    let decimals = match figure.abs() {
        0.0..1.0 => 3,
        1.0..10.0 => 2,
        10.0..100.0 => 1,
        _ => 0,
    };
    format!("{figure:.decimals$}")
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;
    use serde_json::json;

    use super::*;

    #[test]
    fn ratios_are_taken_within_a_round() {
        let round = |reference, other| Round {
            results: vec![
                Ok(json!({"server_us_per_delivery": reference})),
                Ok(json!({"server_us_per_delivery": other})),
            ],
        };
        let rounds = [round(8.0, 8.0), round(16.0, 24.0), round(10.0, 11.0)];
        let table = table(Scenario::Paced, &["raw", "fanfare"], &rounds);
        assert_eq!(table.rows[0][1..3], ["10.0 (8.00–16.0)", "1.00"]);
        assert_eq!(
            table.rows[1][1..3],
            ["11.0 (8.00–24.0)", "1.10 (1.00–1.50)"]
        );
    }

    #[test]
    fn a_failed_run_leaves_its_figure_out_and_is_named() {
        let rounds = [Round {
            results: vec![
                Ok(json!({"server_us_per_delivery": 8.0})),
                Err(anyhow!("client 3: gone")),
            ],
        }];
        let table = table(Scenario::Paced, &["raw", "fanfare"], &rounds);
        assert_eq!(table.rows[1][1..3], ["–", "–"]);
        assert_eq!(
            failures(&["raw", "fanfare"], &rounds),
            ["fanfare, round 1: client 3: gone"]
        );
    }
}
