//! The packets, as values.

use super::Nsp;

/// Pairs an event with its acknowledgement.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct AckId(pub u64);

/// One Socket.IO packet.
///
/// `args` are JSON values joined by commas, without the brackets of their array, and empty
/// when there are none. A packet with attachments is a BINARY_EVENT or BINARY_ACK on the wire:
/// so many binary messages follow it, and its `args` have `{"_placeholder":true,"num":k}`
/// where they belong.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Packet {
    /// A client asks to join a namespace, or the server says it has.
    Connect {
        /// The namespace.
        nsp: Nsp,
        /// A JSON object: the client's auth, or the server's `sid`.
        data: Option<String>,
    },
    /// The sender leaves the namespace.
    Disconnect {
        /// The namespace.
        nsp: Nsp,
    },
    /// Something happened.
    Event {
        /// The namespace.
        nsp: Nsp,
        /// Asks for an [`Ack`](Self::Ack) with the same id.
        id: Option<AckId>,
        /// The event's name; the JSON text of it where it is a number. `None` when the packet
        /// has no data at all, which is allowed and means nothing.
        event: Option<String>,
        /// What follows the name.
        args: String,
        /// Binary messages that follow the packet.
        attachments: usize,
    },
    /// The answer to an event.
    Ack {
        /// The namespace.
        nsp: Nsp,
        /// The event's id. `None` answers nothing; clients do not send it, but may.
        id: Option<AckId>,
        /// The answer.
        args: String,
        /// Binary messages that follow the packet.
        attachments: usize,
    },
    /// The server does not let the client join the namespace.
    ConnectError {
        /// The namespace.
        nsp: Nsp,
        /// A JSON object with a `message`, or a JSON string.
        data: Option<String>,
    },
}

impl Packet {
    /// The namespace the packet belongs to.
    pub fn nsp(&self) -> &Nsp {
        match self {
            Self::Connect { nsp, .. }
            | Self::Disconnect { nsp }
            | Self::Event { nsp, .. }
            | Self::Ack { nsp, .. }
            | Self::ConnectError { nsp, .. } => nsp,
        }
    }

    /// Binary messages that follow the packet.
    pub fn attachments(&self) -> usize {
        match self {
            Self::Event { attachments, .. } | Self::Ack { attachments, .. } => *attachments,
            Self::Connect { .. } | Self::Disconnect { .. } | Self::ConnectError { .. } => 0,
        }
    }
}

/// Whether `event` is a name that only the library itself may use.
pub fn is_reserved(event: &str) -> bool {
    matches!(
        event,
        "connect"
            | "connect_error"
            | "disconnect"
            | "disconnecting"
            | "newListener"
            | "removeListener"
    )
}
