//! `compare`: servers against one another, under the same load, in one table.
//!
//! Servers take turns within a round, so that whatever else the machine does meanwhile hurts all alike; ratios are
//! taken within a round. `cargo xtask bench` builds everything and runs this.

use std::process::ExitCode;

use clap::{Parser, ValueEnum};

mod contestant;
mod machine;
mod measure;
mod run;
mod table;

use measure::Round;
use run::Bench;

/// Measures servers under the same load, and prints one table.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask bench")]
struct Args {
    /// What the clients do
    #[arg(value_enum)]
    scenario: Scenario,
    /// Clients in all [default: 1,000; idle: 10,000]
    #[arg(long)]
    clients: Option<usize>,
    /// Times that each server is measured [default: 5; idle: 1]
    #[arg(long)]
    rounds: Option<usize>,
    /// Also measure other makers' servers
    #[arg(long)]
    peers: bool,
    /// Only servers whose name contains this; the reference always runs
    #[arg(long)]
    only: Option<String>,
    /// Print the table as it goes into docs/performance.md
    #[arg(long)]
    markdown: bool,
}

/// What the clients do.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Scenario {
    /// All join at once; everybody sees how many are here
    Storm,
    /// One speaks to all, one message under way
    Paced,
    /// One has many messages sent to all at once
    Burst,
    /// Nobody does anything
    Idle,
}

#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the table is what this program is for"
)]
fn main() -> anyhow::Result<ExitCode> {
    let args = Args::parse();
    let clients = args.clients.unwrap_or(args.scenario.default_clients());
    let rounds = args.rounds.unwrap_or(args.scenario.default_rounds());
    let contestants: Vec<_> = contestant::of(args.scenario, clients)
        .filter(|contestant| args.peers || !contestant.is_peer())
        .filter(|contestant| contestant.is_wanted(args.only.as_deref()))
        .collect();
    let bench = Bench::new(args.scenario, clients)?;
    let machine = machine::describe(&bench);
    let mut measured: Vec<Round> = Vec::new();
    for number in 1..=rounds {
        let mut round = Round::default();
        for contestant in &contestants {
            let result = bench.run(contestant);
            eprintln!(
                "{} {number}/{rounds}  {:<26} {}",
                args.scenario.name(),
                contestant.name,
                measure::headline(args.scenario, &result)
            );
            round.results.push(result);
        }
        measured.push(round);
    }
    let names: Vec<&str> = contestants
        .iter()
        .map(|contestant| contestant.name)
        .collect();
    let table = measure::table(args.scenario, &names, &measured);
    println!("{}", args.scenario.title(clients, rounds));
    println!();
    print!(
        "{}",
        if args.markdown {
            table.markdown()
        } else {
            table.plain()
        }
    );
    println!();
    println!("{machine}");
    let failures = measure::failures(&names, &measured);
    for failure in &failures {
        println!("{failure}");
    }
    Ok(if failures.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

impl Scenario {
    fn name(self) -> &'static str {
        match self {
            Self::Storm => "storm",
            Self::Paced => "paced",
            Self::Burst => "burst",
            Self::Idle => "idle",
        }
    }

    fn default_clients(self) -> usize {
        match self {
            Self::Storm | Self::Paced | Self::Burst => 1_000,
            Self::Idle => 10_000,
        }
    }

    fn default_rounds(self) -> usize {
        match self {
            Self::Storm | Self::Paced | Self::Burst => 5,
            Self::Idle => 1,
        }
    }

    fn title(self, clients: usize, rounds: usize) -> String {
        let what = match self {
            Self::Storm => "join at once, until all have seen the full number",
            Self::Paced => "are told 128 bytes, one message under way",
            Self::Burst => "are told 128 bytes, many messages from one handler",
            Self::Idle => "idle for 10 s",
        };
        format!("{clients} clients {what}; median (least–most) of {rounds}.")
    }
}
