//! Summary: each scenario in a line, beside what it is to be.

use crate::Plan;
use crate::contestant::Contestant;
use crate::measure::{self, Round};
use crate::metric::Unit;
use crate::table::Table;

/// A line for each figure that matters most.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    pub(crate) lines: Vec<Line>,
}

/// A figure of ours in one scenario.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) what: String,
    /// Whom the figures are in proportion to; without one they are in their own unit.
    reference: Option<&'static str>,
    pub(crate) figures: Vec<f64>,
    unit: Unit,
    /// What the figure is to be, at most.
    pub(crate) goal: Option<f64>,
}

impl Summary {
    pub(crate) fn add(&mut self, plan: Plan, contestants: &[Contestant], rounds: &[Round]) {
        let Some(place) = contestants.iter().rposition(Contestant::is_ours) else {
            return;
        };
        let what = |title: &str| {
            let Plan { scenario, clients } = plan;
            format!("{}, {clients} clients: {title}", scenario.name())
        };
        if let Some(place) = contestants.iter().skip(1).position(Contestant::is_ours) {
            self.lines.push(Line {
                what: what(plan.scenario.metrics()[0].title),
                reference: Some(contestants[0].name),
                figures: measure::headline_ratios(plan.scenario, rounds, place + 1),
                unit: Unit::Plain,
                goal: plan.scenario.goal(plan.clients),
            });
        }
        for bound in plan.scenario.bounds() {
            self.lines.push(Line {
                what: what(bound.metric.title),
                reference: None,
                figures: measure::figures(&bound.metric, rounds, place),
                unit: bound.metric.unit,
                goal: Some(bound.most),
            });
        }
    }

    pub(crate) fn table(&self) -> Table {
        let header = ["what", "beside", "fanfare's part, or its own", "goal", ""];
        let rows = self.lines.iter().map(|line| {
            let (goal, verdict) = match line.goal {
                Some(goal) => (format!("≤ {}", line.unit.write(goal)), line.verdict(goal)),
                None => ("–".to_owned(), ""),
            };
            vec![
                line.what.clone(),
                line.reference.unwrap_or("–").to_owned(),
                measure::within(&line.figures, line.unit),
                goal,
                verdict.to_owned(),
            ]
        });
        Table {
            header: header.map(str::to_owned).to_vec(),
            rows: rows.collect(),
        }
    }
}

impl Line {
    /// Whether it is in proportion to something.
    pub(crate) fn is_ratio(&self) -> bool {
        self.reference.is_some()
    }

    fn verdict(&self, goal: f64) -> &'static str {
        let sorted = measure::sorted(&self.figures);
        match sorted.is_empty() {
            true => "not measured",
            false if measure::median(&sorted) <= goal => "met",
            false => "not met",
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::contestant;
    use crate::scenario::Scenario;

    #[test]
    fn a_bound_of_its_own_is_in_its_unit() {
        let plan = Plan {
            scenario: Scenario::Held,
            clients: 15_000,
        };
        let contestants = Vec::from_iter(contestant::of(plan.scenario, plan.clients));
        let round = |held_us: f64| Round {
            results: [500.0, held_us]
                .map(|held_us| Ok(json!({ "longest_hold_us": held_us })))
                .into(),
        };
        let mut summary = Summary::default();
        summary.add(
            plan,
            &contestants,
            &[round(1_200.0), round(1_300.0), round(2_900.0)],
        );
        let rows = &summary.table().rows;
        assert_eq!(
            rows[0][1..],
            ["raw loop, a send each", "2.60 (2.40–5.80)", "–", ""]
        );
        assert_eq!(rows[1][1..], ["–", "1.30 (1.20–2.90)", "≤ 2.00", "met"]);
    }
}
