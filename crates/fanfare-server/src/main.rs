//! `fanfare`: serves the room, and checks and loads other servers.

mod args;
mod auth;
mod bench;
mod broker;
mod chaos;
mod check;
mod clock;
mod history;
mod listen;
mod message;
mod names;
mod nodes;
mod origin;
mod pages;
mod password;
mod people;
mod person;
mod room;
mod serve;
mod signals;
mod site;
mod store;
mod talk;
mod throttle;
mod typing;
mod wire;
mod wording;

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use clap::Parser;

use args::{Args, Command};
use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

#[tokio::main]
async fn main() -> ExitCode {
    match Args::parse().command() {
        Command::Serve(args) => serve::run(args)
            .await
            .unwrap_or_else(|error| not_started(&error)),
        Command::Check(args) => check::run(args).await,
        Command::Bench(args) => bench::run(&args),
        Command::Chaos(args) => chaos::run(args).await,
        Command::ChaosNode(args) => chaos::serve_node(args)
            .await
            .unwrap_or_else(|error| not_started(&error)),
    }
}

fn not_started(error: &anyhow::Error) -> ExitCode {
    let _ = writeln!(io::stderr(), "error: {error:#}");
    ExitCode::from(COULD_NOT_START)
}

/// As clap has it for a command line that it can't read.
const COULD_NOT_START: u8 = 2;
