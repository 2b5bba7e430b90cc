//! Report: all runs, as a table and as JSON.

use std::fmt::Write as _;

use super::{
    args::{Args, Fault},
    trace::Trace,
    verdict::Verdict,
};

/// All that was measured.
#[derive(Clone, Debug, serde::Serialize)]
pub(super) struct Report {
    /// What was measured, such as the command of a node.
    pub(super) cluster: String,
    pub(super) nodes: usize,
    pub(super) clients: usize,
    pub(super) seed: u64,
    /// How long the count had to stay right, in seconds.
    pub(super) stay_s: f64,
    pub(super) runs: Vec<Run>,
}

/// One fault, once.
#[derive(Clone, Debug, serde::Serialize)]
pub(super) struct Run {
    #[serde(serialize_with = "name")]
    pub(super) fault: Fault,
    /// Counted from 1.
    pub(super) number: usize,
    /// The node it was done to, counted from 0; none if it was done to all.
    pub(super) node: Option<usize>,
    /// From when the count could be right, in seconds since the fault.
    pub(super) from_s: f64,
    /// When the watch ended.
    pub(super) end_s: f64,
    pub(super) verdict: Verdict,
    pub(super) trace: Trace,
}

fn name<S: serde::Serializer>(fault: &Fault, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(fault.name())
}

impl Report {
    /// Without a run yet.
    pub(super) fn new(args: &Args) -> Self {
        let (nodes, clients) = (args.n_nodes(), usize::from(args.clients));
        let what = match (&args.node, args.attach.is_empty()) {
            (Some(command), _) => command,
            (None, true) => "fanfare",
            (None, false) => "nodes that ran already",
        };
        Self {
            cluster: format!("{what}: {nodes} nodes, {clients} clients"),
            nodes,
            clients,
            seed: args.seed,
            stay_s: args.stay.as_secs_f64(),
            runs: Vec::new(),
        }
    }

    /// Whether the count was right again for good after everything.
    pub(super) fn is_right(&self) -> bool {
        self.runs.iter().all(|run| run.verdict.all_s.is_some())
    }

    /// The runs of each fault, in the order in which they were done.
    pub(super) fn by_fault(&self) -> Vec<(Fault, Vec<&Run>)> {
        let mut faults: Vec<(Fault, Vec<&Run>)> = Vec::new();
        for run in &self.runs {
            match faults.iter_mut().find(|(fault, _)| *fault == run.fault) {
                Some((_, runs)) => runs.push(run),
                None => faults.push((run.fault, vec![run])),
            }
        }
        faults
    }

    /// Lines that line up: a fault in each.
    pub(super) fn table(&self) -> String {
        let mut text = format!(
            "{:<9}{:>5}{:>10}{:>10}{:>10}{:>10}{:>7}{:>7}{:>11}{:>9}\n",
            "", "runs", "min", "median", "max", "half", "over", "under", "wrong for", "never"
        );
        for (fault, runs) in self.by_fault() {
            let row = Row::new(&runs);
            let _ = writeln!(
                text,
                "{:<9}{:>5}{:>10}{:>10}{:>10}{:>10}{:>7}{:>7}{:>11}{:>9}",
                fault.name(),
                runs.len(),
                written(row.min),
                written(row.median),
                written(row.max),
                written(row.half),
                row.overshoot,
                row.undershoot,
                written(Some(row.wrong)),
                format!("{} of {}", row.never, runs.len()),
            );
        }
        text
    }

    pub(super) fn json(&self) -> String {
        serde_json::to_string(self).expect("numbers, names and lists are JSON")
    }
}

impl Run {
    /// What came of it, in words.
    pub(super) fn told(&self) -> String {
        let verdict = &self.verdict;
        let mut text = match verdict.all_s {
            Some(all) => format!("right again after {}", written(Some(all))),
            None => "never right again".to_owned(),
        };
        let _ = write!(
            text,
            "; {} too many and {} too few at most, wrong for {}",
            verdict.overshoot,
            verdict.undershoot,
            written(Some(verdict.wrong_s))
        );
        if let Some(first) = verdict.first_wrong_s.filter(|first| *first < self.from_s) {
            let _ = write!(
                text,
                ", {} of it meanwhile, from {} on",
                written(Some(verdict.wrong_before_s)),
                written(Some(first))
            );
        }
        text
    }
}

/// All runs of a fault in a few figures; times are in seconds, none is never.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Row {
    /// Until all clients had heard the truth for good.
    pub(super) min: Option<f64>,
    pub(super) median: Option<f64>,
    pub(super) max: Option<f64>,
    /// Until half of them had: the median of the runs.
    pub(super) half: Option<f64>,
    pub(super) overshoot: u64,
    pub(super) undershoot: u64,
    /// For how long anybody had something wrong: the median of the runs.
    pub(super) wrong: f64,
    /// Runs after which it was never right.
    pub(super) never: usize,
}

impl Row {
    pub(super) fn new(runs: &[&Run]) -> Self {
        let sorted = |time: &dyn Fn(&Verdict) -> Option<f64>| {
            let times = runs
                .iter()
                .map(|run| time(&run.verdict).unwrap_or(f64::INFINITY));
            let mut times: Vec<f64> = times.collect();
            times.sort_by(f64::total_cmp);
            times
        };
        let all = sorted(&|verdict| verdict.all_s);
        let verdicts = || runs.iter().map(|run| &run.verdict);
        Self {
            min: all.first().copied().and_then(finite),
            median: finite(median(&all)),
            max: all.last().copied().and_then(finite),
            half: finite(median(&sorted(&|verdict| verdict.half_s))),
            overshoot: verdicts()
                .map(|verdict| verdict.overshoot)
                .max()
                .unwrap_or(0),
            undershoot: verdicts()
                .map(|verdict| verdict.undershoot)
                .max()
                .unwrap_or(0),
            wrong: median(&sorted(&|verdict| Some(verdict.wrong_s))),
            never: verdicts().filter(|verdict| verdict.all_s.is_none()).count(),
        }
    }
}

/// Of numbers in order; of an even count the higher of the two in the middle, so that never is not halved.
fn median(sorted: &[f64]) -> f64 {
    sorted
        .get(sorted.len() / 2)
        .copied()
        .unwrap_or(f64::INFINITY)
}

fn finite(time: f64) -> Option<f64> {
    time.is_finite().then_some(time)
}

/// A time as people read it.
pub(super) fn written(seconds: Option<f64>) -> String {
    match seconds {
        None => "never".to_owned(),
        Some(seconds) if seconds < 0.9995 => format!("{:.0} ms", seconds * 1_000.0),
        Some(seconds) => format!("{seconds:.2} s"),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A run of `fault` after which the count was right at `all_s`.
    pub(in crate::chaos) fn run(fault: Fault, all_s: Option<f64>) -> Run {
        Run {
            fault,
            number: 1,
            node: Some(0),
            from_s: 0.0,
            end_s: 30.0,
            verdict: Verdict {
                half_s: Some(0.5),
                all_s,
                nodes: Vec::new(),
                overshoot: 7,
                undershoot: 0,
                first_wrong_s: Some(0.1),
                wrong_s: 2.0,
                wrong_before_s: 0.0,
            },
            trace: Trace {
                truth: vec![(0.0, 3), (1.0, 2), (2.0, 3)],
                heard: Vec::new(),
            },
        }
    }

    pub(in crate::chaos) fn report(runs: Vec<Run>) -> Report {
        Report {
            cluster: "three <nodes>".to_owned(),
            nodes: 3,
            clients: 3,
            seed: 1,
            stay_s: 15.0,
            runs,
        }
    }

    #[test]
    fn a_run_that_was_never_right_is_the_longest() {
        let runs = [Some(3.0), None, Some(0.25)].map(|all_s| run(Fault::Kill, all_s));
        let row = Row::new(&runs.each_ref());
        assert_eq!((row.min, row.median), (Some(0.25), Some(3.0)));
        assert_eq!((row.max, row.never), (None, 1));
        assert_eq!((row.half, row.wrong), (Some(0.5), 2.0));
        assert_eq!((row.overshoot, row.undershoot), (7, 0));
    }

    #[test]
    fn what_was_wrong_meanwhile_is_told() {
        let mut stopped = run(Fault::Stop, Some(0.5));
        let told = "right again after 500 ms; 7 too many and 0 too few at most, wrong for 2.00 s";
        assert_eq!(stopped.told(), told);
        stopped.from_s = 10.0;
        stopped.verdict.wrong_before_s = 1.5;
        let meanwhile = ", 1.50 s of it meanwhile, from 100 ms on";
        assert_eq!(stopped.told(), format!("{told}{meanwhile}"));
    }

    #[test]
    fn each_fault_is_a_line() {
        let report = report(vec![
            run(Fault::Kill, Some(3.0)),
            run(Fault::Wipe, Some(0.25)),
            run(Fault::Kill, None),
        ]);
        assert!(!report.is_right());
        let table = report.table();
        let words = |line: usize| {
            table
                .lines()
                .nth(line)
                .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        };
        assert_eq!(
            words(1).as_deref(),
            Some("kill 2 3.00 s never never 500 ms 7 0 2.00 s 1 of 2")
        );
        assert_eq!(
            words(2).as_deref(),
            Some("wipe 1 250 ms 250 ms 250 ms 500 ms 7 0 2.00 s 0 of 1")
        );
        assert!(report.json().contains(r#""fault":"wipe""#));
    }
}
