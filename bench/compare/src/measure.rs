//! From reports to a table: what is shown of each scenario, over all rounds.

use serde_json::Value;

use crate::interval;
use crate::metric::{Compared, Metric, Unit};
use crate::scenario::Scenario;
use crate::table::Table;

/// One result of each contestant, in their order; the first is the reference.
#[derive(Debug, Default)]
pub(crate) struct Round {
    pub(crate) results: Vec<anyhow::Result<Value>>,
}

/// The figures of all rounds, as a table.
///
pub(crate) fn table(scenario: Scenario, names: &[&str], rounds: &[Round]) -> Table {
    let metrics = scenario.metrics();
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
                cells.push(ratio(&ratios(metric, rounds, contestant)));
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
    let metric = &scenario.metrics()[0];
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

/// The ratios of a contestant's headline figure to the reference's.
pub(crate) fn headline_ratios(scenario: Scenario, rounds: &[Round], contestant: usize) -> Vec<f64> {
    ratios(&scenario.metrics()[0], rounds, contestant)
}

/// What `metric` is of one contestant, in all rounds.
pub(crate) fn figures(metric: &Metric, rounds: &[Round], contestant: usize) -> Vec<f64> {
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
    let sorted = sorted(figures);
    match (sorted.first(), sorted.last()) {
        (Some(least), Some(most)) => between(median(&sorted), *least, *most, unit),
        _ => "–".to_owned(),
    }
}

fn ratio(ratios: &[f64]) -> String {
    within(ratios, Unit::Plain)
}

/// `median (where it is with 95 %)`, if there are figures enough to say that.
pub(crate) fn within(figures: &[f64], unit: Unit) -> String {
    let sorted = sorted(figures);
    match interval::ranks(sorted.len()) {
        Some((low, high)) => between(median(&sorted), sorted[low], sorted[high], unit),
        None => spread(figures, unit),
    }
}

pub(crate) fn median(sorted: &[f64]) -> f64 {
    f64::midpoint(sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2])
}

pub(crate) fn sorted(figures: &[f64]) -> Vec<f64> {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

fn between(median: f64, least: f64, most: f64, unit: Unit) -> String {
    let [median, least, most] = [median, least, most].map(|figure| unit.write(figure));
    if least == most {
        median
    } else {
        format!("{median} ({least}–{most})")
    }
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
