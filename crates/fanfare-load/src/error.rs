//! What ends a scenario early.

use std::io;
use std::time::Duration;

use fanfare_proto::websocket;

use crate::swarm::ClientId;

/// Why a scenario has no report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// A load of no clients.
    #[error("a load has at least one client")]
    NoClients,
    /// This process may not open that many sockets.
    #[error(
        "{clients} clients need more than the {open_files} files that this process may open (ulimit -n)"
    )]
    TooManyClients {
        /// Clients that were asked for.
        clients: usize,
        /// The limit of this process.
        open_files: u64,
    },
    /// A system call of the generator's own failed.
    #[error("cannot {doing}")]
    Io {
        /// What for.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// A client's connection failed.
    #[error("{client}: connection failed while {stage}")]
    Connection {
        /// Whose.
        client: ClientId,
        /// What it waited for.
        stage: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The server ended a connection.
    #[error("{client}: the server closed the connection while {stage}")]
    Closed {
        /// Whose.
        client: ClientId,
        /// What it waited for.
        stage: &'static str,
    },
    /// The server did not open a session, or did not let the client join.
    #[error("{client}: refused: {answer}")]
    Refused {
        /// Who.
        client: ClientId,
        /// The first line of what the server answered.
        answer: String,
    },
    /// The server broke RFC 6455.
    #[error("{client}: the server broke the protocol")]
    Violation {
        /// To whom.
        client: ClientId,
        /// How.
        source: websocket::Violation,
    },
    /// A client was sent something that the scenario rules out.
    #[error("{client}: {what}")]
    Wrong {
        /// Who saw it.
        client: ClientId,
        /// What it saw, and what it should have seen.
        what: String,
    },
    /// The scenario's deadline passed.
    #[error("not done after {} s: {left} of {clients} clients still wait for {goal}", .after.as_secs())]
    TimedOut {
        /// The deadline.
        after: Duration,
        /// Clients that had not reached the goal.
        left: usize,
        /// Clients in all.
        clients: usize,
        /// What they waited for.
        goal: String,
    },
}
