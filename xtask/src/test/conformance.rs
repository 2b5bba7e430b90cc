//! The tests by other makers' clients: which of them, and what they are told.
//!
//! They are `conformance/*.test.mjs`, for Node's own test runner. In the environment they find `FANFARE_BIN`, the binary;
//! `FANFARE_EXAMPLES`, the folder of the examples; `FANFARE_ORACLE`, the server that is compared with the reference;
//! `FANFARE_CLUSTER`, the node of clusters; `CHROMIUM`, `FANFARE_PYTHON` and `FANFARE_FOREIGN`, unless there is none; and
//! `FANFARE_PROVEN`, the file for notes of what they prove, of which the table of clients is made.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, io};

use anyhow::{Context as _, Result, ensure};

use super::ground::Ground;
use crate::args::Table;
use crate::checkout;

/// The run of the tests in `folder` that `names` choose.
///
/// # Errors
///
/// If there are none, or the folder cannot be read.
pub(super) fn command(folder: &Path, names: &[String], ground: &Ground) -> Result<Command> {
    let files = test_files(folder).with_context(|| format!("reading {}", folder.display()))?;
    let chosen = choose(&files, names);
    let built = checkout::built("debug")?;
    let proven = proven()?;
    if let Err(error) = fs::remove_file(&proven) {
        ensure!(
            error.kind() == io::ErrorKind::NotFound,
            "{error}: {}",
            proven.display()
        );
    }
    let [python, foreign] = ground.foreign();
    let mut command = Command::new("node");
    command
        .current_dir(folder)
        .args(["--test", "--test-reporter=spec"])
        .arg(format!("--test-timeout={FILE_TIMEOUT_MS}"))
        .args(
            chosen
                .pattern
                .map(|pattern| format!("--test-name-pattern={pattern}")),
        )
        .args(chosen.files)
        .env("FANFARE_BIN", built.join("fanfare"))
        .env("FANFARE_EXAMPLES", built.join("examples"))
        .env("FANFARE_PROVEN", proven)
        .env("FANFARE_ORACLE", built.join("fanfare-oracle"))
        .env("FANFARE_CLUSTER", built.join("fanfare-cluster"))
        .env_remove("CHROMIUM")
        .envs(ground.chromium().map(|chromium| ("CHROMIUM", chromium)))
        .envs(python.map(|python| ("FANFARE_PYTHON", python)))
        .envs(foreign.map(|foreign| ("FANFARE_FOREIGN", foreign)));
    Ok(command)
}

/// What the tests in `folder` have proven, compared with the table of the page or written there.
///
/// # Errors
///
/// If there is no place for the notes.
pub(super) fn table(folder: &Path, table: Table) -> Result<Command> {
    let mut command = Command::new("node");
    command
        .current_dir(folder)
        .arg("table.mjs")
        .arg(match table {
            Table::Compare => "compare",
            Table::Write => "write",
        })
        .arg(proven()?);
    Ok(command)
}

fn proven() -> Result<PathBuf> {
    Ok(checkout::target()?.join("proven.jsonl"))
}

/// A file of tests that takes longer hangs. The slowest waits out heartbeats of 45 s several times.
const FILE_TIMEOUT_MS: u32 = 600_000;

fn test_files(folder: &Path) -> Result<Vec<String>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".test.mjs") {
            files.push(name);
        }
    }
    ensure!(!files.is_empty(), "there is no *.test.mjs");
    files.sort();
    Ok(files)
}

/// The files and tests of one run.
#[derive(Debug, Eq, PartialEq)]
struct Chosen {
    files: Vec<String>,
    /// A regular expression.
    pattern: Option<String>,
}

/// A name that is part of a file's chooses all in the file; otherwise names choose tests in every file.
fn choose(files: &[String], names: &[String]) -> Chosen {
    let named: Vec<String> = files
        .iter()
        .filter(|file| names.iter().any(|name| file.contains(name)))
        .cloned()
        .collect();
    if !named.is_empty() {
        return Chosen {
            files: named,
            pattern: None,
        };
    }
    let escaped: Vec<String> = names.iter().map(|name| escape(name)).collect();
    Chosen {
        files: files.to_vec(),
        pattern: (!escaped.is_empty()).then(|| escaped.join("|")),
    }
}

/// The name as a regular expression that means only itself.
fn escape(name: &str) -> String {
    let mut escaped = String::new();
    for c in name.chars() {
        if r"\^$.|?*+()[]{}/".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(words: &[&str]) -> Vec<String> {
        words.iter().map(|&word| word.to_owned()).collect()
    }

    #[test]
    fn a_name_chooses_a_file_or_else_tests_in_all_of_them() {
        let files = names(&["browser.test.mjs", "client.test.mjs"]);
        let by_file = choose(&files, &names(&["browser"]));
        assert_eq!(by_file.files, names(&["browser.test.mjs"]));
        assert_eq!(by_file.pattern, None);
        let by_test = choose(&files, &names(&["falls at once", "a.b"]));
        assert_eq!(by_test.files, files);
        assert_eq!(by_test.pattern.as_deref(), Some(r"falls at once|a\.b"));
        assert_eq!(choose(&files, &[]).pattern, None);
    }
}
