//! `fanfare-load`: one scenario against one server, one line of JSON; for programs that measure many of them.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Context as _;
use clap::Parser;
use fanfare_load::{Length, Load, Scenario, Swarm, Tls, Transport};
use serde_json::Value;

/// Loads a Socket.IO server with many clients, and checks what each of them is told.
#[derive(Debug, Parser)]
struct Args {
    /// Where the server listens
    #[arg(long, default_value = "127.0.0.1:3000", global = true)]
    address: SocketAddr,
    /// Clients in all
    #[arg(long, default_value_t = 1_000, global = true)]
    clients: usize,
    /// How they come
    #[arg(long, default_value = "websocket", global = true)]
    transport: Transport,
    /// Path of Socket.IO there
    #[arg(long, default_value = "/socket.io/", global = true)]
    path: String,
    /// Speak TLS, and trust the certificates in this PEM file
    #[arg(long, value_name = "FILE", global = true)]
    tls_certificate: Option<PathBuf>,
    /// Process id of the server, to measure what it uses
    #[arg(long, global = true)]
    server_pid: Option<u32>,
    /// Bytes of headers in each request besides those that it needs
    #[arg(long, default_value_t = 0, global = true)]
    header_bytes: usize,
    /// WebSockets offer compression
    #[arg(long, global = true)]
    compression: bool,
    /// Do a hundredth of it
    #[arg(long, global = true)]
    brief: bool,
    /// Seconds that a wait may take
    #[arg(long, default_value_t = 120, global = true)]
    within: u64,
    #[command(subcommand)]
    scenario: Scenario,
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
    let tls = args.tls_certificate.as_deref().map(|file| {
        Tls::trusting(file, args.address.ip().to_string())
            .with_context(|| format!("cannot trust {}", file.display()))
    });
    let swarm = Swarm::new(Load {
        tls: tls.transpose()?,
        path: args.path.clone(),
        transport: args.transport,
        header_bytes: args.header_bytes,
        compression: args.compression,
        server_pid: args.server_pid,
        length: match args.brief {
            true => Length::Brief,
            false => Length::Full,
        },
        within: Duration::from_secs(args.within),
        ..Load::new(args.address, args.clients)
    })?;
    Ok(args.scenario.run(swarm)?.json())
}
