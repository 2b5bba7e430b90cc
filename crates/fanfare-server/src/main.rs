//! `fanfare`: serves the room, and checks other servers.

mod args;
mod check;

use std::process::ExitCode;

use clap::Parser;

use args::{Args, Command};

#[tokio::main]
async fn main() -> ExitCode {
    match Args::parse().command() {
        Command::Serve(_) => ExitCode::SUCCESS,
        Command::Check(check) => check::run(check).await,
    }
}
