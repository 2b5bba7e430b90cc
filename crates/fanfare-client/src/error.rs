//! What can go wrong, by what can be done about it.

use std::{error::Error, io, time::Duration};

use ::http::StatusCode;
use fanfare_proto::websocket;

use crate::event::DisconnectReason;

/// Why a client did not connect.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The server said no, by a CONNECT_ERROR packet.
    #[error("refused: {}", .0.message)]
    Refused(Refusal),
    /// No TCP connection, no HTTP, or nothing that speaks Engine.IO behind it.
    #[error(transparent)]
    Transport(TransportError),
    /// The session ended before the namespace was joined.
    #[error("ended before the namespace was joined: {0}")]
    Ended(DisconnectReason),
    /// [`Options::connect_timeout`](crate::Options::connect_timeout) went by.
    #[error("not connected within {} s", .0.as_secs_f64())]
    TimedOut(Duration),
}

/// A server's answer to a client that it does not admit.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refusal {
    /// Why, for people.
    pub message: String,
    /// Why, for programs: the text of a JSON value.
    pub data: Option<String>,
}

/// What a transport failed of.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// There is no TCP connection.
    #[error("no connection: {0}")]
    Connect(#[source] io::Error),
    /// The TCP connection ended, or carried no HTTP.
    #[error("no HTTP answer: {0}")]
    Http(#[source] Box<dyn Error + Send + Sync>),
    /// A request was answered, but not with success.
    #[error("answered with status {status}: {message}")]
    Status {
        /// The answer's status.
        status: u16,
        /// What it says: Engine.IO's message, or the beginning of its text.
        message: String,
    },
    /// The answer to a WebSocket handshake has a wrong `Sec-WebSocket-Accept`, or none.
    #[error("the WebSocket handshake was answered wrong")]
    Handshake,
    /// A polling body is not UTF-8.
    #[error("a payload is not UTF-8")]
    NotUtf8,
    /// Where the open packet should be, there is none.
    #[error("the answer is not Engine.IO")]
    NotEngineIo,
    /// A WebSocket's TCP connection broke.
    #[error("the WebSocket broke: {0}")]
    Broken(#[source] io::Error),
    /// The server broke the WebSocket protocol.
    #[error("the server broke the WebSocket protocol: {0}")]
    Violation(#[from] websocket::Violation),
    /// The server closed the WebSocket.
    #[error("the server closed the WebSocket")]
    Closed,
}

impl TransportError {
    pub(crate) fn http(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Http(error.into())
    }

    pub(crate) fn status(status: StatusCode, body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body);
        let message = match serde_json::from_str(&text) {
            Ok(EngineError { message }) => message,
            Err(_) => text.trim().chars().take(MAX_MESSAGE_CHARS).collect(),
        };
        Self::Status {
            status: status.as_u16(),
            message,
        }
    }
}

/// Why an event was not sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmitError {
    /// The session is over.
    #[error("not connected any more")]
    Disconnected,
    /// A name that only the library itself may use.
    #[error("the event's name is reserved")]
    ReservedName,
}

/// Why an event was not answered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AckError {
    /// The event was not even sent.
    #[error(transparent)]
    Emit(#[from] EmitError),
    /// The session ended first.
    #[error("disconnected before the answer came")]
    Disconnected,
    /// The time given went by.
    #[error("not answered in time")]
    TimedOut,
}

/// What Engine.IO answers a request with that it refuses.
#[derive(serde::Deserialize)]
struct EngineError {
    message: String,
}

/// Enough to recognize an answer that was not written for us.
const MAX_MESSAGE_CHARS: usize = 120;
