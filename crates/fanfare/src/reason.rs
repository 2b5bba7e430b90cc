//! Why a socket is no longer connected.

use std::fmt;

use fanfare_proto::engineio::CloseReason;

/// Why a socket is no longer connected, with the reference server's words in
/// [`as_str`](Self::as_str).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum DisconnectReason {
    /// The client closed its transport: a closed tab, a lost network.
    TransportClose,
    /// The transport broke a rule, or the kernel reported an error on it.
    TransportError,
    /// The client did not answer a ping in time.
    PingTimeout,
    /// The client sent what is no Engine.IO packet.
    ParseError,
    /// The client broke the Socket.IO protocol, or the application closed the connection.
    ForcedClose,
    /// The client broke the protocol by a packet that was only out of order, such as a second CONNECT, and no
    /// request of its polling was pending to be told. If one was, or on WebSocket, this is
    /// [`ForcedClose`](Self::ForcedClose).
    ForcedServerClose,
    /// The server is shutting down.
    ServerShuttingDown,
    /// The client left this namespace.
    ClientNamespaceDisconnect,
    /// The application disconnected the socket, or its connect handler panicked.
    ServerNamespaceDisconnect,
    /// The client reads more slowly than it is sent to; see [`SlowReader`](crate::SlowReader).
    /// The reference server has no such reason, since it has no such limit.
    SlowReader,
}

impl DisconnectReason {
    /// Whether the client may not have meant to leave, and may come back as who it was.
    pub(crate) fn may_be_recovered(self) -> bool {
        match self {
            Self::TransportClose
            | Self::TransportError
            | Self::PingTimeout
            | Self::ForcedClose
            | Self::ForcedServerClose
            | Self::ServerShuttingDown
            | Self::SlowReader => true,
            Self::ParseError
            | Self::ClientNamespaceDisconnect
            | Self::ServerNamespaceDisconnect => false,
        }
    }

    /// The reason in the words of the reference server.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TransportClose => "transport close",
            Self::TransportError => "transport error",
            Self::PingTimeout => "ping timeout",
            Self::ParseError => "parse error",
            Self::ForcedClose => "forced close",
            Self::ForcedServerClose => "forced server close",
            Self::ServerShuttingDown => "server shutting down",
            Self::ClientNamespaceDisconnect => "client namespace disconnect",
            Self::ServerNamespaceDisconnect => "server namespace disconnect",
            Self::SlowReader => "slow reader",
        }
    }
}

impl From<CloseReason> for DisconnectReason {
    fn from(reason: CloseReason) -> Self {
        match reason {
            CloseReason::TransportClose => Self::TransportClose,
            CloseReason::TransportError => Self::TransportError,
            CloseReason::PingTimeout => Self::PingTimeout,
            CloseReason::ParseError => Self::ParseError,
            CloseReason::ForcedClose => Self::ForcedClose,
            CloseReason::ServerShuttingDown => Self::ServerShuttingDown,
        }
    }
}

impl fmt::Display for DisconnectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
