//! `cargo xtask bench`: the measurements of docs/performance.md.

use std::process::ExitCode;

use crate::args::Usage;

/// Runs the measurement that `words` name.
///
/// # Errors
///
/// [`Usage`] if the words name none.
pub(crate) fn run(words: &[String]) -> anyhow::Result<ExitCode> {
    Err(Usage(format!("there is no bench '{}'", words.join(" "))).into())
}
