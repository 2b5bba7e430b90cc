//! What ends a scenario early.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use fanfare_proto::websocket;

use crate::site::{ClientId, Transport};

/// Why a scenario has no report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// A load of no clients.
    #[error("a load has at least one client")]
    NoClients,
    /// This process may not open that many sockets.
    #[error(
        "{clients} clients need {needed} open files, and this process may have {open_files}: raise the limit (ulimit -Hn) or take fewer clients"
    )]
    TooManyClients {
        /// Clients that were asked for.
        clients: usize,
        /// Files that they need.
        needed: u64,
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
    /// Nobody listens where the server should be.
    #[error(
        "nobody listens at {address}: start the server there, or name the address at which it is"
    )]
    NotThere {
        /// Where it should be.
        address: SocketAddr,
    },
    /// Somebody listens, and lets nobody in.
    #[error(
        "nobody could join within {} s: is that a Socket.IO server, and is its path the right one?",
        .after.as_secs()
    )]
    NobodyJoins {
        /// How long was waited.
        after: Duration,
    },
    /// The scenario asks of clients what only those on WebSocket can do here.
    #[error("{scenario} is over websocket only, not over {transport}")]
    OnlyWebSocket {
        /// The scenario.
        scenario: &'static str,
        /// What was asked for.
        transport: Transport,
    },
    /// The server does not do what the scenario asks of it.
    #[error(
        "the server does not answer '{event}': nobody was told anything for {} s; docs/bench.md has the few lines that it needs",
        .after.as_secs()
    )]
    Unanswered {
        /// The event.
        event: &'static str,
        /// How long was waited.
        after: Duration,
    },
    /// The server has not pinged anybody.
    #[error(
        "nobody was pinged in {} s: have the server ping more often (pingInterval), or watch for longer",
        .watched.as_secs_f64()
    )]
    NoPings {
        /// How long it was watched.
        watched: Duration,
    },
    /// Some clients were not pinged.
    #[error("{n_left_out} clients were not pinged once, while another was {most} times")]
    LeftOut {
        /// How many.
        n_left_out: usize,
        /// Pings of the client that had the most.
        most: u32,
    },
    /// Nobody is left to be told.
    #[error(
        "{readers} of {clients} clients are to read slowly, and somebody has to read: take more clients, or fewer slow ones"
    )]
    OnlySlow {
        /// Clients in all.
        clients: usize,
        /// The slow ones.
        readers: usize,
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
    /// An answer of the server's is none that Engine.IO has.
    #[error(
        "{client}: {stage}, its answer was '{answer}': is that a Socket.IO server, and is its path the right one?"
    )]
    NotOpened {
        /// Whose request it was.
        client: ClientId,
        /// What it waited for.
        stage: &'static str,
        /// The first line of the answer.
        answer: String,
    },
    /// The server did not let the client join.
    #[error("{client}: not let in: {answer}; it came without a cookie and without auth")]
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

impl LoadError {
    /// Whether the server did something wrong, rather than that it could not be loaded at all.
    pub fn is_the_servers(&self) -> bool {
        match self {
            Self::Unanswered { .. }
            | Self::LeftOut { .. }
            | Self::Connection { .. }
            | Self::Closed { .. }
            | Self::Violation { .. }
            | Self::Wrong { .. }
            | Self::TimedOut { .. } => true,
            Self::NoClients
            | Self::TooManyClients { .. }
            | Self::Io { .. }
            | Self::NotThere { .. }
            | Self::NobodyJoins { .. }
            | Self::OnlyWebSocket { .. }
            | Self::NoPings { .. }
            | Self::OnlySlow { .. }
            | Self::NotOpened { .. }
            | Self::Refused { .. } => false,
        }
    }
}

/// A system call of our own failed.
pub(crate) fn failed(doing: &'static str, source: io::Error) -> LoadError {
    LoadError::Io { doing, source }
}
