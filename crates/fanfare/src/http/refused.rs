//! Refused: why a request is refused, what its client is told, and what the application.

use fanfare_proto::engineio::{Answer, Violation};

use super::hooks::{ConnectionError, Forbidden};
use crate::server::NotOpened;

/// Why a request is refused.
pub(super) enum Refused {
    /// As the protocol has it.
    Violation(Violation),
    /// Not as the protocol has it: for people to read.
    Origin(String),
    /// By the application.
    Forbidden(Forbidden),
    /// The opening handshake of a WebSocket is wrong, in the words of RFC 6455.
    Handshake(String),
    /// The same: it asks for another version of RFC 6455 than there is.
    WebSocketVersion,
    Closing,
    /// The application has made no id for the session, or one that another session has.
    NoSid,
    /// Of its address too many sessions have not joined yet.
    TooMany,
}

/// What the client of a refused request is told.
pub(super) struct Told<'a> {
    /// HTTP's, for a plain request.
    pub(super) status: u16,
    pub(super) code: Option<u8>,
    pub(super) message: &'a str,
}

impl Refused {
    pub(super) fn told(&self) -> Told<'_> {
        let (status, code, message) = match self {
            Self::Violation(violation) => {
                let Answer {
                    status,
                    code,
                    message,
                } = Answer::from(*violation);
                (status, code, message)
            }
            Self::Origin(message) => (403, Some(4), message.as_str()),
            Self::Forbidden(forbidden) => (403, Some(4), forbidden.reason()),
            Self::Handshake(message) => (400, None, message.as_str()),
            Self::WebSocketVersion => {
                let words = "Missing or invalid Sec-WebSocket-Version header";
                (400, None, words)
            }
            Self::NoSid => (400, Some(3), "Bad request"),
            Self::Closing => (503, None, "the server is shutting down"),
            Self::TooMany => (503, None, TOO_MANY),
        };
        Told {
            status,
            code,
            message,
        }
    }

    pub(super) fn to_error(&self) -> ConnectionError {
        let Told { code, message, .. } = self.told();
        ConnectionError {
            code,
            message: message.to_owned(),
            context: self.context(),
        }
    }

    /// The reference's name of what was wrong, where it has one.
    fn context(&self) -> &'static str {
        match self {
            Self::Violation(violation) => match violation {
                Violation::UnknownTransport => "UNKNOWN_TRANSPORT",
                Violation::UnknownSid => "UNKNOWN_SID",
                Violation::BadHandshakeMethod => "BAD_HANDSHAKE_METHOD",
                Violation::BadRequest => "TRANSPORT_HANDSHAKE_ERROR",
                Violation::TransportMismatch => "TRANSPORT_MISMATCH",
                Violation::ProtocolMismatch => "PROTOCOL_MISMATCH",
                Violation::UnsupportedProtocol => "UNSUPPORTED_PROTOCOL_VERSION",
                Violation::BadMethod => "BAD_METHOD",
                Violation::ConcurrentPoll => "CONCURRENT_POLL",
                Violation::ConcurrentPost => "CONCURRENT_POST",
                Violation::PayloadTooLarge => "PAYLOAD_TOO_LARGE",
                Violation::BinaryPayload => "BINARY_PAYLOAD",
                // These are never why a request is refused.
                _ => "BAD_REQUEST",
            },
            Self::Origin(_) => "INVALID_ORIGIN",
            Self::Forbidden(_) => "FORBIDDEN",
            Self::Handshake(_) | Self::WebSocketVersion => "WEBSOCKET_HANDSHAKE_ERROR",
            Self::NoSid => "ID_GENERATION_ERROR",
            Self::Closing => "SERVER_CLOSING",
            Self::TooMany => "TOO_MANY_JOINING",
        }
    }
}

impl From<Forbidden> for Refused {
    fn from(forbidden: Forbidden) -> Self {
        Self::Forbidden(forbidden)
    }
}

impl From<NotOpened> for Refused {
    fn from(wrong: NotOpened) -> Self {
        match wrong {
            NotOpened::TooManyJoining => Self::TooMany,
            NotOpened::SidTaken => Self::NoSid,
        }
    }
}

impl From<Violation> for Refused {
    fn from(violation: Violation) -> Self {
        Self::Violation(violation)
    }
}

const TOO_MANY: &str = "too many connections of this address have not joined yet; the limit is `max_joining_per_address`";
