//! Counts: instructions that the server itself takes for one unit of work, which no noise of the machine changes; then those of its
//! parts, by `micro`.
//!
//! The server runs under valgrind's callgrind, once for a little work and once for a lot. The difference is without the start,
//! the joins and the warm-up. What the kernel does for it is not counted.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process;

use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::micro;
use crate::run::Bench;
use crate::table::Table;

/// One unit of work.
struct Work {
    /// As it stands in the table.
    what: &'static str,
    /// What the generator does: first little, then a lot.
    words: [&'static [&'static str]; 2],
    /// Where the report has the server's microseconds for one unit.
    pointer: &'static str,
    /// What the server is told by the environment.
    environment: Option<(&'static str, &'static str)>,
}

const ALL: [Work; 6] = [
    Work {
        what: "a message to one client, one under way",
        words: [
            &["paced", "--clients", "100", "--brief"],
            &["paced", "--clients", "100"],
        ],
        pointer: "/server_us_per_delivery",
        environment: None,
    },
    Work {
        what: "a message to one client, many at a time",
        words: [
            &["burst", "--clients", "100", "--brief"],
            &["burst", "--clients", "100"],
        ],
        pointer: "/server_us_per_delivery",
        environment: None,
    },
    Work {
        what: "the same, with recovery on",
        words: [
            &["burst", "--clients", "100", "--brief"],
            &["burst", "--clients", "100"],
        ],
        pointer: "/server_us_per_delivery",
        environment: Some(("RECOVERY", "1")),
    },
    Work {
        what: "a message to one of a room of ten",
        words: [
            &["rooms", "--clients", "100", "--brief"],
            &["rooms", "--clients", "100"],
        ],
        pointer: "/server_us_per_delivery",
        environment: None,
    },
    Work {
        what: "an event with an ack, read, handled and answered",
        words: [
            &["echo", "--clients", "100", "--brief"],
            &["echo", "--clients", "100"],
        ],
        pointer: "/server_us_per_ack",
        environment: None,
    },
    Work {
        what: "a visit: connect, join, leave, close",
        words: [
            &["churn", "--clients", "20", "--turns", "5"],
            &["churn", "--clients", "20", "--turns", "55"],
        ],
        pointer: "/server_us_per_visit",
        environment: None,
    },
];

/// Counts all of it.
///
/// # Errors
///
/// If there is no valgrind, or the generator saw something wrong.
pub(crate) fn table(bench: &Bench) -> anyhow::Result<Table> {
    let mut rows = Vec::new();
    for work in &ALL {
        let [little, lot] = work.words.map(|words| count(bench, words, work));
        let (little, lot) = (little?, lot?);
        let each = (lot.instructions - little.instructions) / (lot.units - little.units);
        rows.push(vec![work.what.to_owned(), format!("{each:.0}")]);
    }
    rows.extend(micro::rows()?);
    Ok(Table {
        header: vec!["what".to_owned(), "instructions".to_owned()],
        rows,
    })
}

/// What one run came to.
struct Count {
    units: f64,
    instructions: f64,
}

fn count(bench: &Bench, words: &[&str], work: &Work) -> anyhow::Result<Count> {
    let profile = profile();
    let report = bench.run_counted(words, work.environment, &profile)?;
    let instructions = total(&profile)?;
    let number = |pointer: &str| report.pointer(pointer).and_then(Value::as_f64);
    let (Some(cpu_s), Some(us_each)) = (number("/server_cpu_s"), number(work.pointer)) else {
        bail!("the generator's report has no {}", work.pointer);
    };
    Ok(Count {
        units: (cpu_s * 1e6 / us_each).round(),
        instructions,
    })
}

/// What a profile of callgrind's comes to; then it is removed.
pub(crate) fn total(profile: &Path) -> anyhow::Result<f64> {
    let text = fs::read_to_string(profile).context("callgrind has written nothing")?;
    // A profile that cannot be removed is in nobody's way.
    let _ = fs::remove_file(profile);
    let total = text.lines().rev().find_map(|line| {
        let total = line.strip_prefix("totals: ")?;
        total.split(' ').next()?.parse().ok()
    });
    total.context("callgrind's profile has no total")
}

pub(crate) fn profile() -> PathBuf {
    env::temp_dir().join(format!("fanfare-counts-{}", process::id()))
}
