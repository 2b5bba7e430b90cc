//! `rawcast`: the least that a server can do for a broadcast, as a measure for those that do more.
//!
//! One thread, one epoll, nothing allocated on the way out. It speaks as much Engine.IO 4 and Socket.IO 5 over
//! WebSocket as the load generator needs, trusts its clients, and never pings them. It is a limit, not a server.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Context as _;
use clap::Parser;

use crate::server::{Play, Sending, Server};

mod client;
mod greeting;
mod incoming;
mod log;
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
}

#[expect(clippy::print_stdout, reason = "whoever starts it waits for this line")]
fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, args.port));
    let mut server = Server::bind(address, args.sending, args.play)
        .with_context(|| format!("cannot listen on {address}"))?;
    println!("listening on {}", server.local_addr()?);
    server.run().context("the loop ended")
}
