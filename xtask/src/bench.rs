//! `cargo xtask bench`: the measurements of docs/performance.md.
//!
//! This builds what is measured; `bench/compare` measures it.

use std::process::{Command, ExitCode};

use anyhow::Context as _;

use crate::checkout::{self, Checkout};
use crate::{cargo, step};

/// Builds the servers, the load generator and `compare`, and hands `words` to it.
///
/// # Errors
///
/// If something does not build, or `compare` does not start.
pub(crate) fn run(words: &[String]) -> anyhow::Result<ExitCode> {
    let checkout = Checkout::here();
    let built = checkout::built(BUILT_INTO)?;
    build(&checkout)?;
    // Polling is measured beside Node.
    let is_node_needed =
        |word: &String| ["--peers", "--all", "--goals", "polling"].contains(&word.as_str());
    if words.iter().any(is_node_needed) {
        let peers = checkout.root().join("bench/peers");
        step::run(
            "bench: npm packages",
            Command::new("npm").arg("ci").current_dir(peers),
        )?;
    }
    if words.iter().any(|word| word == "--peers") {
        build_oxide(&checkout)?;
    }
    let status = Command::new(built.join("compare"))
        .args(words)
        .current_dir(checkout.root())
        .status()
        .context("`compare` did not start")?;
    Ok(match status.code() {
        Some(0) => ExitCode::SUCCESS,
        Some(2) => ExitCode::from(2),
        Some(_) | None => ExitCode::FAILURE,
    })
}

/// Both builds are with the profile of published figures.
fn build(checkout: &Checkout) -> anyhow::Result<()> {
    let mut tools = cargo::command(checkout);
    tools.args(["build", "--profile", "bench"]);
    for package in [
        "fanfare-bench-compare",
        "fanfare-bench-raw",
        "fanfare-bench-say",
        "fanfare-load",
    ] {
        tools.args(["--package", package]);
    }
    step::run("bench: servers, generator", &mut tools)?;
    let mut examples = cargo::command(checkout);
    examples.args([
        "build",
        "--profile",
        "bench",
        "--package",
        "fanfare",
        "--example",
        "lesson",
        "--example",
        "count",
    ]);
    step::run("bench: examples", &mut examples)
}

/// A workspace of its own, so that its packages are nobody else's.
fn build_oxide(checkout: &Checkout) -> anyhow::Result<()> {
    let mut oxide = cargo::command(checkout);
    oxide.args([
        "build",
        "--profile",
        "bench",
        "--manifest-path",
        "bench/oxide/Cargo.toml",
    ]);
    oxide.args(["--target-dir", "target/oxide"]);
    step::run("bench: socketioxide", &mut oxide)
}

/// Where cargo puts what it builds with the profile `bench`.
const BUILT_INTO: &str = "release";
