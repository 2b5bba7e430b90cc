//! `fanfare-load`: one scenario against one server, one line of JSON.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use fanfare_load::{Leaving, Load, Swarm, burst, idle, paced, storm};
use serde_json::Value;

/// Loads a Socket.IO server with many clients, and checks what each of them is told.
#[derive(Debug, Parser)]
struct Args {
    /// Where the server listens
    #[arg(long, default_value = "127.0.0.1:3000", global = true)]
    address: SocketAddr,
    /// Path of Socket.IO there
    #[arg(long, default_value = "/socket.io/", global = true)]
    path: String,
    /// Process id of the server, to measure what it uses
    #[arg(long, global = true)]
    server_pid: Option<u32>,
    /// Seconds that a wait may take
    #[arg(long, default_value_t = 120, global = true)]
    within: u64,
    #[command(subcommand)]
    scenario: Scenario,
}

#[derive(Clone, Copy, Debug, Subcommand)]
enum Scenario {
    /// All join at once; until all have seen exactly their number
    Storm {
        clients: usize,
        /// Cut half of them then, until the others have seen theirs
        #[arg(long)]
        halve: bool,
    },
    /// One says 128 bytes to all, again and again, one message under way
    Paced { clients: usize },
    /// One has the server say many messages at once
    Burst { clients: usize },
    /// All do nothing
    Idle {
        clients: usize,
        /// Seconds until memory is looked at
        #[arg(long, default_value_t = 10)]
        settle: u64,
    },
}

#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the report is what this program is for"
)]
fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> anyhow::Result<Value> {
    let mut swarm = Swarm::new(Load {
        path: args.path.clone(),
        server_pid: args.server_pid,
        within: Duration::from_secs(args.within),
        ..Load::new(args.address, args.scenario.clients())
    })?;
    let mut report = match args.scenario {
        Scenario::Storm { halve: true, .. } => {
            serde_json::to_value(storm(&mut swarm, Leaving::Half)?)
        }
        Scenario::Storm { halve: false, .. } => {
            serde_json::to_value(storm(&mut swarm, Leaving::Nobody)?)
        }
        Scenario::Paced { .. } => serde_json::to_value(paced(&mut swarm)?),
        Scenario::Burst { .. } => serde_json::to_value(burst(&mut swarm)?),
        Scenario::Idle { settle, .. } => {
            serde_json::to_value(idle(&mut swarm, Duration::from_secs(settle))?)
        }
    }?;
    if let Value::Object(report) = &mut report {
        report.insert("scenario".to_owned(), args.scenario.name().into());
    }
    Ok(report)
}

impl Scenario {
    fn name(self) -> &'static str {
        match self {
            Self::Storm { .. } => "storm",
            Self::Paced { .. } => "paced",
            Self::Burst { .. } => "burst",
            Self::Idle { .. } => "idle",
        }
    }

    fn clients(self) -> usize {
        match self {
            Self::Storm { clients, .. }
            | Self::Paced { clients }
            | Self::Burst { clients }
            | Self::Idle { clients, .. } => clients,
        }
    }
}
