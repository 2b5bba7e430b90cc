//! What a client may not do, and what it is answered.

use thiserror::Error;

use super::{CloseReason, Via};

/// A way in which the peer broke the protocol.
///
/// What the peer is told is [`Answer`]'s to say, and nobody else's.
#[derive(Clone, Copy, Debug, Eq, Error, Hash, PartialEq)]
#[non_exhaustive]
pub enum Violation {
    /// `transport` is missing, or names none that is served.
    #[error("transport unknown")]
    UnknownTransport,
    /// The `sid` names no session.
    #[error("session id unknown")]
    UnknownSid,
    /// A request without a `sid` that is not a `GET`.
    #[error("bad handshake method")]
    BadHandshakeMethod,
    /// `transport=websocket` on a request that asks for no upgrade, and all else that fits nothing.
    #[error("bad request")]
    BadRequest,
    /// The `Origin` header holds what no header may.
    #[error("invalid origin")]
    InvalidOrigin,
    /// The request's transport is not the one its session is on.
    #[error("transport mismatch")]
    TransportMismatch,
    /// The request's `EIO` is not the one its session was opened with.
    #[error("protocol mismatch")]
    ProtocolMismatch,
    /// The server does not want this client.
    #[error("forbidden")]
    Forbidden,
    /// `EIO` is none that the server speaks.
    #[error("unsupported protocol version")]
    UnsupportedProtocol,
    /// A session's request that is neither `GET` nor `POST`.
    #[error("method not allowed within a session")]
    BadMethod,
    /// A second `GET` arrived while one was pending.
    #[error("two polls at once")]
    ConcurrentPoll,
    /// A second `POST` arrived while one was being read.
    #[error("two posts at once")]
    ConcurrentPost,
    /// A second WebSocket arrived for a session that is upgrading, is on WebSocket, or is ending.
    #[error("session cannot be upgraded now")]
    ConcurrentUpgrade,
    /// A `POST` body or a message exceeded `maxPayload`.
    #[error("payload too large")]
    PayloadTooLarge,
    /// A `POST` of `application/octet-stream`: protocol 4 has text payloads only.
    #[error("binary payload")]
    BinaryPayload,
    /// A packet of no characters; an empty payload holds one, and so does a payload that ends in a separator.
    #[error("packet is empty")]
    EmptyPacket,
    /// A packet whose first character names no type.
    #[error("unknown packet type")]
    UnknownPacketType,
    /// A payload of protocol 3 whose lengths do not fit what they are the lengths of.
    #[error("malformed payload")]
    MalformedPayload,
    /// A server's open packet that is not the JSON object it should be.
    #[error("malformed open packet")]
    MalformedOpen,
}

impl Violation {
    /// How the session ends that this happened to, if it does: a request may be refused and its session go on.
    pub(super) fn close_reason(self, via: Via) -> Option<CloseReason> {
        match self {
            Self::EmptyPacket | Self::UnknownPacketType | Self::MalformedPayload => {
                Some(CloseReason::ParseError)
            }
            Self::BinaryPayload | Self::ConcurrentPoll | Self::ConcurrentPost => {
                Some(CloseReason::TransportError)
            }
            Self::UnknownTransport
            | Self::UnknownSid
            | Self::BadHandshakeMethod
            | Self::BadRequest
            | Self::InvalidOrigin
            | Self::TransportMismatch
            | Self::ProtocolMismatch
            | Self::Forbidden
            | Self::UnsupportedProtocol
            | Self::BadMethod
            | Self::ConcurrentUpgrade
            | Self::PayloadTooLarge
            | Self::MalformedOpen => match via {
                Via::Polling | Via::Probe => None,
                Via::WebSocket => Some(CloseReason::TransportError),
            },
        }
    }
}

/// What a client is told about its [`Violation`] over HTTP.
///
/// On a request that asks for a WebSocket the status is 400 whatever it says here, and the body is `message`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Engine.IO's number of the error. Without one the body is the bare `message`.
    pub code: Option<u8>,
    /// Engine.IO's words for the error.
    pub message: &'static str,
}

impl Answer {
    /// The body: a JSON object with code and message, or the bare message, which may be empty.
    pub fn body(&self) -> String {
        match self.code {
            Some(code) => format!(r#"{{"code":{code},"message":"{}"}}"#, self.message),
            None => self.message.to_owned(),
        }
    }

    const fn numbered(status: u16, code: u8, message: &'static str) -> Self {
        Self {
            status,
            code: Some(code),
            message,
        }
    }

    const fn bare(status: u16, message: &'static str) -> Self {
        Self {
            status,
            code: None,
            message,
        }
    }
}

impl From<Violation> for Answer {
    fn from(violation: Violation) -> Self {
        match violation {
            Violation::UnknownTransport => Self::numbered(400, 0, "Transport unknown"),
            Violation::UnknownSid => Self::numbered(400, 1, "Session ID unknown"),
            Violation::BadHandshakeMethod => Self::numbered(400, 2, "Bad handshake method"),
            Violation::BadRequest
            | Violation::InvalidOrigin
            | Violation::TransportMismatch
            | Violation::ProtocolMismatch
            | Violation::ConcurrentUpgrade
            | Violation::MalformedOpen => Self::numbered(400, 3, "Bad request"),
            Violation::Forbidden => Self::numbered(403, 4, "Forbidden"),
            Violation::UnsupportedProtocol => {
                Self::numbered(400, 5, "Unsupported protocol version")
            }
            Violation::ConcurrentPoll | Violation::ConcurrentPost | Violation::BinaryPayload => {
                Self::bare(400, "")
            }
            Violation::PayloadTooLarge => Self::bare(413, ""),
            Violation::BadMethod => Self::bare(500, ""),
            // The post itself was well-formed; its session is gone by the time the client hears of it.
            Violation::EmptyPacket | Violation::UnknownPacketType | Violation::MalformedPayload => {
                Self::bare(200, "ok")
            }
        }
    }
}
