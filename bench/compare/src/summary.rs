//! Summary: each scenario in a line, beside what it is to be.

use crate::Plan;
use crate::contestant::Contestant;
use crate::measure::{self, Round};
use crate::table::Table;

/// A line for each scenario, of what fanfare takes in proportion to the reference.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    pub(crate) lines: Vec<Line>,
}

/// One of our servers in one scenario.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) what: String,
    reference: &'static str,
    pub(crate) ratios: Vec<f64>,
    pub(crate) goal: Option<f64>,
}

impl Summary {
    pub(crate) fn add(&mut self, plan: Plan, contestants: &[Contestant], rounds: &[Round]) {
        let metrics = plan.scenario.metrics();
        let ours = contestants.iter().enumerate().skip(1);
        let Some((place, _)) = ours.into_iter().find(|(_, one)| one.is_ours()) else {
            return;
        };
        let what = format!(
            "{}, {} clients: {}",
            plan.scenario.name(),
            plan.clients,
            metrics[0].title
        );
        self.lines.push(Line {
            what,
            reference: contestants[0].name,
            ratios: measure::headline_ratios(plan.scenario, rounds, place),
            goal: plan.scenario.goal(plan.clients),
        });
    }

    pub(crate) fn table(&self) -> Table {
        let header = ["what", "beside", "fanfare's part", "goal", ""];
        let rows = self.lines.iter().map(|line| {
            let (goal, verdict) = match line.goal {
                Some(goal) => (format!("≤ {goal}"), line.verdict(goal)),
                None => ("–".to_owned(), ""),
            };
            vec![
                line.what.clone(),
                line.reference.to_owned(),
                measure::ratio(&line.ratios),
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
    fn verdict(&self, goal: f64) -> &'static str {
        let sorted = measure::sorted(&self.ratios);
        match sorted.is_empty() {
            true => "not measured",
            false if measure::median(&sorted) <= goal => "met",
            false => "not met",
        }
    }
}
