//! `cargo xtask serve`: from whatever state the checkout is in to a running server.

use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result};

use crate::args::Program;
use crate::checkout::{self, Checkout};
use crate::{cargo, needs, setup, step};

/// Sets up what is missing, and becomes `program`.
///
/// # Errors
///
/// If a step fails, or the program does not start.
pub(crate) fn run(checkout: &Checkout, program: &Program) -> Result<ExitCode> {
    let missing = needs::missing(checkout);
    if !missing.is_empty() {
        eprintln!("Missing on this machine:");
        for missing in missing {
            eprintln!("  {missing}");
        }
        return Ok(ExitCode::FAILURE);
    }
    // The room looks itself, and says more.
    let lesson = match program {
        Program::Fanfare(_) => None,
        Program::Lesson { port } => Some(SocketAddr::from(([127, 0, 0, 1], port.unwrap_or(3000)))),
    };
    if let Some(address) = lesson {
        needs::free(address, "serve --lesson")?;
    }
    setup::packages(&checkout.web())?;
    setup::page(checkout)?;
    step::run("build", cargo::command(checkout).args(build(program)))?;
    if let Some(address) = lesson {
        println!("\nOpen http://{address} in two windows: both show 2. Ctrl-C stops this program.");
    }
    become_program(&mut command(program)?)
}

fn build(program: &Program) -> &'static [&'static str] {
    match program {
        Program::Fanfare(_) => &["build", "--release", "--package", "fanfare-server"],
        Program::Lesson { .. } => &[
            "build",
            "--release",
            "--package",
            "fanfare",
            "--example",
            "lesson",
        ],
    }
}

fn command(program: &Program) -> Result<Command> {
    let built = checkout::built("release")?;
    Ok(match program {
        Program::Fanfare(words) => {
            let mut command = Command::new(built.join("fanfare"));
            // So that its advice names the command that was typed.
            command.env("FANFARE_COMMAND", "cargo xtask serve");
            command.arg("serve").args(words);
            command
        }
        Program::Lesson { port } => {
            let mut command = Command::new(built.join("examples/lesson"));
            command.envs(port.map(|port| ("PORT", port.to_string())));
            command
        }
    })
}

/// Puts the program in our place, so that signals and its exit code are its own.
fn become_program(command: &mut Command) -> Result<ExitCode> {
    let error = command.exec();
    Err(error).with_context(|| format!("{} did not start", command.get_program().display()))
}
