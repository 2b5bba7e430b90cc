//! What carries a session's packets.

/// What carries the packets of a session.
///
/// Engine.IO v4, [Transports](https://github.com/socketio/socket.io/blob/main/docs/engine.io-protocol/v4-current.md#transports).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Transport {
    /// HTTP long-polling: `GET` to receive, `POST` to send.
    Polling,
    /// WebSocket: one packet a message.
    WebSocket,
}

impl Transport {
    /// The transport that the wire calls `name`.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "polling" => Some(Self::Polling),
            "websocket" => Some(Self::WebSocket),
            _ => None,
        }
    }

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Polling => "polling",
            Self::WebSocket => "websocket",
        }
    }

    /// What a session born on this transport may move to: the `upgrades` of its [`Open`](super::Open) packet.
    pub fn upgrades(self) -> &'static [Self] {
        match self {
            Self::Polling => &[Self::WebSocket],
            Self::WebSocket => &[],
        }
    }

    /// Where its packets come from while it is the active one.
    pub(super) fn via(self) -> Via {
        match self {
            Self::Polling => Via::Polling,
            Self::WebSocket => Via::WebSocket,
        }
    }
}

/// Which of a session's transports something came over.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Via {
    /// A `GET` or `POST`.
    Polling,
    /// The WebSocket that is the session's transport.
    WebSocket,
    /// The WebSocket that an upgrade is trying out.
    Probe,
}
