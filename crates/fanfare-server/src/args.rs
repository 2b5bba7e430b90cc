//! What the command line says.

use clap::{Parser, Subcommand};

use crate::check;

/// A Socket.IO server that tells everyone, and knows how many are there.
#[derive(Debug, Parser)]
#[command(name = "fanfare", version, args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Serve,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve the room: a page where everyone sees how many are there
    Serve(Serve),
    /// Check whether a Socket.IO server counts right
    Check(check::Args),
}

/// How the room is served.
#[derive(Debug, clap::Args)]
pub(crate) struct Serve {}

impl Args {
    /// The command, which is `serve` unless another one is named.
    pub(crate) fn command(self) -> Command {
        self.command.unwrap_or(Command::Serve(self.serve))
    }
}
