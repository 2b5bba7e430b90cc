//! Why a session ended.

/// Why a session ended.
///
/// The layer above passes the string on to the application as the reason of a disconnect.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum CloseReason {
    /// The peer ended it, or its connection is gone.
    TransportClose,
    /// The peer misused the transport, or the transport failed.
    TransportError,
    /// The peer fell silent.
    PingTimeout,
    /// The peer sent what is no packet.
    ParseError,
    /// This side ended it.
    ForcedClose,
    /// This side's process is going away.
    ServerShuttingDown,
}

impl CloseReason {
    /// The reference implementation's string.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TransportClose => "transport close",
            Self::TransportError => "transport error",
            Self::PingTimeout => "ping timeout",
            Self::ParseError => "parse error",
            Self::ForcedClose => "forced close",
            Self::ServerShuttingDown => "server shutting down",
        }
    }
}
