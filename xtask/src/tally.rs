//! Counting tests by what their runners print last.

use std::io::{self, BufRead as _, BufReader};
use std::ops::AddAssign;
use std::process::{Command, ExitStatus, Stdio};

/// How tests ended.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl Tally {
    /// Runs `command`, shows what it prints and counts the tests in it.
    ///
    /// A command that prints no counts is itself one test; one that fails without a failed test counts as one
    /// (it did not compile, or crashed).
    ///
    /// # Errors
    ///
    /// If the command cannot be started.
    pub(crate) fn of(command: &mut Command) -> io::Result<Self> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = child.stdout.take().expect("stdout is piped");
        let mut counted = None;
        for line in BufReader::new(stdout).split(b'\n') {
            let line = line?;
            let line = String::from_utf8_lossy(&line);
            println!("{line}");
            if let Some(tally) = read(&line) {
                *counted.get_or_insert_default() += tally;
            }
        }
        Ok(Self::with_exit(counted, child.wait()?))
    }

    fn with_exit(counted: Option<Self>, status: ExitStatus) -> Self {
        match (counted, status.success()) {
            (Some(tally), true) => tally,
            (None, true) => Self {
                passed: 1,
                ..Self::default()
            },
            (counted, false) => {
                let tally = counted.unwrap_or_default();
                Self {
                    failed: tally.failed.max(1),
                    ..tally
                }
            }
        }
    }
}

/// Reads a line in which cargo's or Node's test runner sums up; nothing for any other.
fn read(line: &str) -> Option<Tally> {
    let line = without_colours(line);
    read_cargo(&line).or_else(|| read_node(&line))
}

/// `test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.05s`
fn read_cargo(line: &str) -> Option<Tally> {
    let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let mut tally = Tally::default();
    for count in counts.split(';') {
        let mut words = count.split_whitespace();
        let (Some(number), Some(what)) = (words.next(), words.next()) else {
            continue;
        };
        match what {
            "passed" => tally.passed = number.parse().ok()?,
            "failed" => tally.failed = number.parse().ok()?,
            "ignored" => tally.skipped = number.parse().ok()?,
            _ => {}
        }
    }
    Some(tally)
}

/// `ℹ pass 12` as the spec reporter says it, `# pass 12` as TAP does.
fn read_node(line: &str) -> Option<Tally> {
    let line = line
        .strip_prefix("ℹ ")
        .or_else(|| line.strip_prefix("# "))?;
    let (what, number) = line.trim_end().split_once(' ')?;
    let mut tally = Tally::default();
    let count = match what {
        "pass" => &mut tally.passed,
        "fail" | "cancelled" => &mut tally.failed,
        "skipped" | "todo" => &mut tally.skipped,
        _ => return None,
    };
    *count = number.parse().ok()?;
    Some(tally)
}

/// The line less its escape sequences (`ESC [ … letter`).
fn without_colours(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut pieces = line.split('\u{1b}');
    plain.extend(pieces.next());
    for piece in pieces {
        let end = piece.find(|c: char| c.is_ascii_alphabetic());
        plain.extend(end.map(|end| &piece[end + 1..]));
    }
    plain
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;

    use super::*;

    #[track_caller]
    fn check(line: &str, passed: u64, failed: u64, skipped: u64) {
        let expected = Tally {
            passed,
            failed,
            skipped,
        };
        assert_eq!(read(line), Some(expected), "reading {line:?}");
    }

    #[test]
    fn cargo_sums_up_each_binary() {
        check(
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.05s",
            12,
            0,
            1,
        );
        check(
            "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            3,
            2,
            0,
        );
    }

    #[test]
    fn colours_do_not_hide_the_result() {
        check(
            "test result: \u{1b}[32mok\u{1b}(B\u{1b}[m. 5 passed; 0 failed; 0 ignored",
            5,
            0,
            0,
        );
        check("\u{1b}[34mℹ pass 7\u{1b}[39m", 7, 0, 0);
    }

    #[test]
    fn node_sums_up_a_line_at_a_time() {
        check("ℹ pass 12", 12, 0, 0);
        check("# fail 2", 0, 2, 0);
        check("ℹ cancelled 1", 0, 1, 0);
        check("# skipped 3", 0, 0, 3);
        check("ℹ todo 1", 0, 0, 1);
    }

    #[test]
    fn other_lines_sum_up_nothing() {
        for line in [
            "",
            "running 3 tests",
            "test a ... ok",
            "ℹ tests 12",
            "ℹ duration_ms 812.4",
            "# Subtest: pass 1",
            "    ℹ pass 3",
            "the test result: ok. 1 passed",
        ] {
            assert_eq!(read(line), None, "reading {line:?}");
        }
    }

    #[test]
    fn a_failure_that_no_test_explains_is_one() {
        let [fine, wrong] = [0, 101 << 8].map(ExitStatus::from_raw);
        let three = Tally {
            passed: 3,
            ..Tally::default()
        };
        let with_one_more = Tally { failed: 1, ..three };
        assert_eq!(Tally::with_exit(Some(three), fine), three);
        assert_eq!(Tally::with_exit(Some(three), wrong), with_one_more);
        assert_eq!(Tally::with_exit(Some(with_one_more), wrong), with_one_more);
        assert_eq!(Tally::with_exit(None, wrong).failed, 1);
        assert_eq!(Tally::with_exit(None, fine).passed, 1);
    }

    #[test]
    fn a_command_is_run_and_counted() {
        let mut shell = Command::new("sh");
        shell.args(["-c", "printf 'ℹ pass 2\\n# fail 1\\n'; exit 1"]);
        let expected = Tally {
            passed: 2,
            failed: 1,
            skipped: 0,
        };
        assert_eq!(Tally::of(&mut shell).unwrap(), expected);
    }
}
