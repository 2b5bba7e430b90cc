//! Reads `tests/vectors`: what stands on the wire, and what it means.
//!
//! A case is a paragraph: its first line is the wire, the others the meaning. Lines that begin
//! with `#` are remarks. With `UPDATE_VECTORS=1` in the environment the meanings are written anew,
//! for the difference to be reviewed.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

use proptest::test_runner::{Config, RngSeed};

/// Checks that each case of `file` means what `meaning` finds.
#[track_caller]
pub(crate) fn check(file: &str, meaning: impl Fn(&str) -> String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/vectors")
        .join(file);
    let expected = fs::read_to_string(&path).expect("the file of vectors is there");
    let actual = rewrite(&expected, meaning);
    if env::var_os("UPDATE_VECTORS").is_some() {
        fs::write(&path, actual).expect("the file of vectors can be written");
        return;
    }
    for (expected, actual) in expected.split("\n\n").zip(actual.split("\n\n")) {
        assert_eq!(actual, expected, "in {file}");
    }
    assert_eq!(actual, expected, "in {file}");
}

fn rewrite(text: &str, meaning: impl Fn(&str) -> String) -> String {
    let paragraphs: Vec<String> = text
        .trim_end()
        .split("\n\n")
        .map(|paragraph| {
            let mut actual = String::new();
            for line in paragraph.lines() {
                writeln!(actual, "{line}").expect("a String takes all text");
                if !line.starts_with('#') {
                    actual.push_str(&meaning(line));
                    break;
                }
            }
            actual.trim_end().to_owned()
        })
        .collect();
    paragraphs.join("\n\n") + "\n"
}

/// The same cases in each run, and no files of failures.
pub(crate) fn properties() -> Config {
    Config {
        rng_seed: RngSeed::Fixed(0x666e_6672),
        failure_persistence: None,
        ..Config::default()
    }
}
