//! `rawcast`: the least that a server can do for a broadcast, as a measure for those that do more.
//!
//! One thread, one epoll, nothing allocated on the way out. It speaks as much Engine.IO 4 and Socket.IO 5 over
//! WebSocket as the load generator needs, trusts its clients, and has nobody leave who does not answer a ping. It is a limit, not a server.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser;

use crate::server::{Play, Sending, Server};

mod client;
mod greeting;
mod holds;
mod incoming;
mod log;
mod pings;
mod server;

/// Broadcasts with nothing but epoll and send(2).
#[derive(Debug, Parser)]
struct Args {
    /// How what is pending for a client is sent
    #[arg(long, value_enum)]
    sending: Sending,
    /// What is said, and when
    #[arg(long, value_enum)]
    play: Play,
    /// Port on 127.0.0.1; 0 takes any that is free
    #[arg(long, env = "PORT", default_value_t = 3000)]
    port: u16,
    /// Milliseconds from one ping to the next: a day, so that there is none, unless that is what is measured
    #[arg(long, env = "PING_INTERVAL", default_value_t = 86_400_000)]
    ping_interval: u64,
}

#[expect(clippy::print_stdout, reason = "whoever starts it waits for this line")]
fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, args.port));
    let ping_interval = Duration::from_millis(args.ping_interval);
    let mut server = Server::bind(address, args.sending, args.play, ping_interval)
        .with_context(|| format!("cannot listen on {address}"))?;
    println!("listening on {}", server.local_addr()?);
    server.run().context("the loop ended")
}
