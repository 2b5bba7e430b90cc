//! `cargo xtask test`: every test there is, after setting up what they need.
//!
//! A part that fails does not keep the next one from running. A part that cannot run is listed at the end with the way
//! to change that; with `CI=true` it has failed.

mod brokers;
mod conformance;
mod foreign;
mod ground;

use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use crate::args::{Part, Selection};
use crate::checkout::Checkout;
use crate::chromium::Place;
use crate::tally::Tally;
use crate::{cargo, setup, step};
use ground::{Ground, Obstacle};

/// Runs what `selection` takes, and prints as its last line `N passed, N failed`.
pub(crate) fn run(checkout: &Checkout, selection: &Selection) -> ExitCode {
    let place = Place::here();
    let ground = Ground::prepare(checkout, selection, place);
    let mut reports = Vec::new();
    for part in Part::ALL {
        if selection.takes(part) {
            println!("\n{}", part.name());
            reports.push(Report::of(part, checkout, selection, &ground));
        }
    }
    reports.extend(table(checkout, selection, &ground, &reports));
    let missing = ground.missing_clients().into_iter();
    let missing = missing.chain(ground.missing_daemons());
    reports.extend(missing.map(|(name, why)| Report::without_run(name, why)));
    summary(&reports, selection, place)
}

/// How a part ended.
#[derive(Debug)]
struct Report {
    name: &'static str,
    tally: Tally,
    time: Duration,
    why: Option<Obstacle>,
}

impl Report {
    fn of(part: Part, checkout: &Checkout, selection: &Selection, ground: &Ground) -> Self {
        let start = Instant::now();
        let tally = ground
            .of(part)
            .and_then(|()| tally(part, checkout, selection, ground).map_err(Obstacle::from));
        match tally {
            Ok(tally) => Self {
                name: part.name(),
                tally,
                time: start.elapsed(),
                why: None,
            },
            Err(why) => Self::without_run(part.name(), why),
        }
    }

    fn without_run(name: &'static str, why: Obstacle) -> Self {
        let [failed, skipped] = match why {
            Obstacle::Missing(_) => [0, 1],
            Obstacle::Broken(_) => [1, 0],
        };
        Self {
            name,
            tally: Tally {
                passed: 0,
                failed,
                skipped,
            },
            time: Duration::ZERO,
            why: Some(why),
        }
    }
}

fn tally(
    part: Part,
    checkout: &Checkout,
    selection: &Selection,
    ground: &Ground,
) -> anyhow::Result<Tally> {
    let mut command = match part {
        Part::Rust => rust(checkout, selection, ground),
        Part::Model => model(checkout),
        Part::Web => web(checkout),
        Part::Brokers => return brokers::run(checkout, ground.brokers()?),
        Part::Conformance => {
            conformance::command(&checkout.conformance(), &selection.names, ground)?
        }
    };
    Ok(Tally::of(&mut command)?)
}

/// The table of clients is what a run of all conformance tests proves; any other run says nothing about it.
fn table(
    checkout: &Checkout,
    selection: &Selection,
    ground: &Ground,
    reports: &[Report],
) -> Option<Report> {
    let conformance = Part::Conformance.name();
    let run = reports.iter().find(|report| report.name == conformance)?;
    let is_whole = selection.names.is_empty() && ground.missing_clients().is_empty();
    if !is_whole || run.why.is_some() || run.tally.failed > 0 {
        return None;
    }
    let start = Instant::now();
    let tally = conformance::table(&checkout.conformance(), selection.table)
        .and_then(|mut command| Ok(Tally::of(&mut command)?));
    Some(match tally {
        Ok(tally) => Report {
            name: "table",
            tally,
            time: start.elapsed(),
            why: None,
        },
        Err(error) => Report::without_run("table", error.into()),
    })
}

/// Unit, integration and documentation tests.
fn rust(checkout: &Checkout, selection: &Selection, ground: &Ground) -> Command {
    let mut command = cargo::command(checkout);
    command.args(["test", "--workspace", "--no-fail-fast"]);
    if !ground.skipped().is_empty() {
        // Nearly all that it does is done with Redis.
        command.args(["--exclude", "fanfare-redis"]);
    }
    command.arg("--").args(&selection.names);
    for word in ground.skipped() {
        command.args(["--skip", word]);
    }
    command
}

/// The feature's locks work in a model only, so no other test may have them.
fn model(checkout: &Checkout) -> Command {
    let mut command = cargo::command(checkout);
    command.args([
        "test",
        "--package",
        "fanfare",
        "--features",
        "__model",
        "--lib",
        "model::",
    ]);
    command
}

fn web(checkout: &Checkout) -> Command {
    let mut command = setup::npm(&checkout.web());
    command.args(["run", "--silent", "check"]);
    command
}

fn summary(reports: &[Report], selection: &Selection, place: Place) -> ExitCode {
    let [part, passed, failed, skipped, time] = ["part", "passed", "failed", "skipped", "time"];
    println!("\n{part:<14}{passed:>8}{failed:>8}{skipped:>9}{time:>11}");
    for report in reports {
        let Tally {
            passed,
            failed,
            skipped,
        } = report.tally;
        let [name, time] = [report.name, &step::seconds(report.time)];
        println!("{name:<14}{passed:>8}{failed:>8}{skipped:>9}{time:>11}");
    }
    for report in reports {
        match &report.why {
            Some(Obstacle::Missing(why)) => println!("skipped: {}: {why}", report.name),
            Some(Obstacle::Broken(why)) => println!("failed: {}: {why}", report.name),
            None => {}
        }
    }
    let tallies = reports.iter().map(|report| report.tally);
    let verdict = Verdict::of(tallies, selection, place);
    if let Some(remark) = verdict.remark {
        println!("{remark}");
    }
    println!("{} passed, {} failed", verdict.passed, verdict.failed);
    ExitCode::from(u8::from(!verdict.is_good()))
}

/// The last line, and what goes before it.
#[derive(Debug, Eq, PartialEq)]
struct Verdict {
    passed: u64,
    failed: u64,
    remark: Option<&'static str>,
}

impl Verdict {
    fn of(tallies: impl Iterator<Item = Tally>, selection: &Selection, place: Place) -> Self {
        let mut all = Tally::default();
        tallies.for_each(|tally| all += tally);
        // Node's runner calls tests that no name chose skipped.
        let skips_count = place == Place::Ci && selection.names.is_empty();
        let remark = match (all.skipped, all.passed + all.failed) {
            (_, 0) if !selection.names.is_empty() => Some("no test has such a name"),
            (1.., _) if skips_count => Some("what was skipped has failed: CI=true"),
            _ => None,
        };
        Self {
            passed: all.passed,
            failed: all.failed + if skips_count { all.skipped } else { 0 },
            remark,
        }
    }

    fn is_good(&self) -> bool {
        self.passed > 0 && self.failed == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(tally: [u64; 3], place: Place, passed: u64, failed: u64) -> Verdict {
        let [p, f, skipped] = tally;
        let tally = Tally {
            passed: p,
            failed: f,
            skipped,
        };
        let verdict = Verdict::of([tally].into_iter(), &Selection::default(), place);
        assert_eq!([verdict.passed, verdict.failed], [passed, failed]);
        verdict
    }

    #[test]
    fn a_skip_fails_only_where_nobody_reads_the_list() {
        assert!(check([5, 0, 2], Place::Desk, 5, 0).is_good());
        assert!(!check([5, 0, 2], Place::Ci, 5, 2).is_good());
        assert!(check([5, 0, 0], Place::Ci, 5, 0).is_good());
    }

    #[test]
    fn a_run_of_nothing_is_not_good() {
        assert!(!check([0, 0, 0], Place::Desk, 0, 0).is_good());
    }

    #[test]
    fn what_is_missing_is_skipped_and_what_broke_has_failed() {
        let of = |why: fn(String) -> Obstacle| Report::without_run("web", why(String::new())).tally;
        assert_eq!(of(Obstacle::Broken).failed, 1);
        assert_eq!(of(Obstacle::Missing).skipped, 1);
    }
}
