//! Micro-benchmarks: fanfare's own, counted by callgrind. They are tests of the library, where all its parts can be reached.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::counts;

/// As they stand in the table, and the tests that do it.
const ALL: [(&str, &str); 9] = [
    ("encode: an event, to frames", "encode_an_event"),
    (
        "compress: an event of 8 kB, once for all who take it so",
        "compress_an_event",
    ),
    ("decode: a client's frame, to a message", "read_a_frame"),
    ("decode: a message, to an event", "decode_an_event"),
    ("rooms: select one of 100", "select_one_room_of_a_hundred"),
    (
        "rooms: select two of 100, but one more and one's self",
        "select_two_rooms_but_one_of_a_hundred_each",
    ),
    ("rooms: join one and leave it", "join_a_room_and_leave_it"),
    (
        "outbox: keep an event, and give it to its task",
        "outbox_keeps_a_turn_and_gives_it_to_its_task",
    ),
    (
        "backlog: take an event, and give it to the kernel",
        "backlog_takes_and_gives_an_event",
    ),
];

/// A row for each.
///
/// # Errors
///
/// If cargo does not build them, or valgrind is not there.
pub(crate) fn rows() -> anyhow::Result<Vec<Vec<String>>> {
    let program = program()?;
    let rows = ALL.iter().map(|(what, test)| {
        let [none, many] = [0, TIMES].map(|times| count(&program, test, times));
        let each = (many? - none?) / f64::from(TIMES);
        Ok(vec![(*what).to_owned(), format!("{each:.0}")])
    });
    rows.collect()
}

fn count(program: &PathBuf, test: &str, times: u32) -> anyhow::Result<f64> {
    let profile = counts::profile();
    let status = Command::new("valgrind")
        .args(["--quiet", "--tool=callgrind"])
        .arg(format!("--callgrind-out-file={}", profile.display()))
        .arg(program)
        .args(["--exact", &format!("micro::{test}")])
        .args(["--test-threads=1", "--quiet"])
        .env("FANFARE_TIMES", times.to_string())
        .stdout(Stdio::null())
        .status()
        .context("cannot start valgrind; Debian's package of that name has it")?;
    ensure!(status.success(), "the micro-benchmark {test} failed");
    counts::total(&profile)
}

/// Builds the library's tests with the profile of published figures; where they are.
fn program() -> anyhow::Result<PathBuf> {
    let output = Command::new("cargo")
        .args(["test", "--profile", "bench", "--package", "fanfare"])
        .args(["--lib", "--no-run", "--message-format", "json"])
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start cargo")?;
    ensure!(output.status.success(), "the micro-benchmarks do not build");
    let messages = String::from_utf8_lossy(&output.stdout).into_owned();
    let messages = messages.lines().map(serde_json::from_str::<Value>);
    let mut executables = messages.filter_map(|message| {
        let message = message.ok()?;
        Some(PathBuf::from(message.get("executable")?.as_str()?))
    });
    executables.next_back().context("cargo built no tests")
}

const TIMES: u32 = 1_000;
