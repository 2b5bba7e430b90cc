//! What `fanfare bench` is told.

use std::{path::PathBuf, time::Duration};

use fanfare_client::Address;
use fanfare_load::{Scenario, Transport};

/// Which server is loaded, and how.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(crate) struct Args {
    /// Where the server is, such as http://127.0.0.1:3000
    #[arg(value_name = "URL")]
    pub(super) address: Address,
    /// How many clients there are
    #[arg(long, value_name = "N", default_value_t = 1_000, global = true, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) clients: u32,
    /// How they come
    #[arg(long, value_name = "WAY", default_value = "websocket", global = true)]
    pub(super) transport: Transport,
    /// The server's process, if it is on this machine: then its CPU time and memory are measured
    #[arg(long, value_name = "PID", global = true)]
    pub(super) pid: Option<u32>,
    /// Bytes of headers in each request besides those that it needs, such as a browser sends
    #[arg(long, value_name = "BYTES", default_value_t = 0, global = true, value_parser = clap::value_parser!(u16).range(..=16_384))]
    pub(super) header_bytes: u16,
    /// WebSockets offer compression, as browsers do
    #[arg(long, global = true)]
    pub(super) compression: bool,
    /// Do a hundredth of it: enough to see whether the server does it right
    #[arg(long, global = true)]
    pub(super) brief: bool,
    /// Where on the server Socket.IO answers
    #[arg(long, value_name = "PATH", default_value = "/socket.io/", global = true, value_parser = crate::check::path)]
    pub(super) path: String,
    /// How long one wait may take, such as that for all to be told a message
    #[arg(long, value_name = "SECONDS", default_value = "120", global = true, value_parser = crate::check::seconds)]
    pub(super) within: Duration,
    /// Print one line of JSON instead of a table
    #[arg(long, global = true)]
    pub(super) json: bool,
    /// Write a page with plots to this file, too
    #[arg(long, value_name = "FILE", global = true)]
    pub(super) html: Option<PathBuf>,
    /// What is done to it
    #[command(subcommand)]
    pub(super) scenario: Scenario,
}

const AFTER: &str = "The server has to answer a few events: docs/bench.md has them.\n\
    Exit code: 0 if all was right, 1 if the server did something wrong, 2 if it could not be loaded.";
