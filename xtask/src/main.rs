//! `cargo xtask`: what the project needs more than cargo for.
//!
//! Start reading in `serve` and `test`. Everything either of them installs or builds first is a step of `setup`, and
//! is left out when its result still belongs to its sources (`stamp`).
//!
//! Nothing here knows the protocol or links the library: this has to build within seconds on a fresh machine.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for a terminal"
)]

mod args;
mod bench;
mod cargo;
mod checkout;
mod chromium;
mod cluster;
mod daemons;
mod debian;
mod needs;
mod serve;
mod setup;
mod stamp;
mod step;
mod tally;
mod test;
mod tidy;
mod version;

use std::env;
use std::process::ExitCode;

use args::{Task, Usage};
use checkout::Checkout;

fn main() -> ExitCode {
    let words: Vec<String> = env::args_os()
        .skip(1)
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    match run(&words) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::from(if error.is::<Usage>() { 2 } else { 1 })
        }
    }
}

fn run(words: &[String]) -> anyhow::Result<ExitCode> {
    let checkout = Checkout::here();
    match args::parse(words)? {
        Task::Help => {
            println!("{}", args::HELP);
            Ok(ExitCode::SUCCESS)
        }
        Task::Serve(program) => serve::run(&checkout, &program),
        Task::Cluster(plan) => cluster::run(&checkout, plan),
        Task::Test(selection) => Ok(test::run(&checkout, &selection)),
        Task::Tidy => tidy::run(&checkout),
        Task::Bench(words) => bench::run(&words),
    }
}
