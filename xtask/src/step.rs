//! Named steps with the time they took.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

/// Runs `command` as the step `name`; its output goes where ours goes.
///
/// # Errors
///
/// If it cannot be started, or says by its exit code that it failed.
pub(crate) fn run(name: &str, command: &mut Command) -> Result<()> {
    println!("{name} …");
    let start = Instant::now();
    let status = command
        .stdin(Stdio::null())
        .status()
        .with_context(|| format!("{name}: {} did not start", spelled(command)))?;
    if !status.success() {
        bail!("{name}: {} ended with {status}", spelled(command));
    }
    println!("{name:<28} {}", seconds(start.elapsed()));
    Ok(())
}

/// Says that the step `name` had nothing to do.
pub(crate) fn skip(name: &str) {
    println!("{name:<28} up to date");
}

/// `12.3 s`.
pub(crate) fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

/// The command as one would type it.
fn spelled(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let mut words = vec![program.file_name().unwrap_or_default().to_string_lossy()];
    words.extend(command.get_args().map(|word| word.to_string_lossy()));
    format!("`{}`", words.join(" "))
}
