//! What a client takes from its server, and what both say in it.

use std::fmt;

use bytes::Bytes;
use fanfare_proto::socketio::AckId;
use serde::{Serialize, de::DeserializeOwned};

/// What a client hears of.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Incoming {
    /// The server emitted something.
    Event(Event),
    /// The session has moved from polling to WebSocket.
    Upgraded,
    /// The session is over. Nothing follows.
    Disconnected(DisconnectReason),
}

/// An event of the server's.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Event {
    /// Its name.
    pub name: String,
    /// What it carries.
    pub args: Args,
    /// Where the server waits for an answer: what [`Client::ack`](crate::Client::ack) wants.
    pub ack: Option<AckId>,
}

/// The arguments of an event or of an ack.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Args {
    /// JSON values joined by commas, empty if there are none. Where an attachment belongs stands
    /// `{"_placeholder":true,"num":k}`.
    pub json: String,
    /// Binary parts, in the order of their numbers.
    pub attachments: Vec<Bytes>,
}

impl Args {
    /// A tuple or a list is so many arguments; any other value is one.
    ///
    /// # Errors
    ///
    /// If `values` can't be JSON, such as a map whose keys are not strings.
    pub fn new(values: &impl Serialize) -> serde_json::Result<Self> {
        let json = serde_json::to_string(values)?;
        let list = json
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        Ok(Self {
            json: list.unwrap_or(&json).to_owned(),
            attachments: Vec::new(),
        })
    }

    /// Reads all arguments, as a tuple or a list.
    ///
    /// # Errors
    ///
    /// If they are more or fewer, or of other types.
    pub fn parse<T: DeserializeOwned>(&self) -> serde_json::Result<T> {
        serde_json::from_str(&format!("[{}]", self.json))
    }
}

/// Why a session ended, in the official client's words.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum DisconnectReason {
    /// The server has put the client out of the namespace.
    IoServerDisconnect,
    /// This side has ended it.
    IoClientDisconnect,
    /// The server has not pinged for `pingInterval` + `pingTimeout`.
    PingTimeout,
    /// The server or the network ended the connection.
    TransportClose,
    /// The connection, a request or the WebSocket failed.
    TransportError,
    /// The server sent what is no packet.
    ParseError,
}

impl DisconnectReason {
    /// The official client's string.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::IoServerDisconnect => "io server disconnect",
            Self::IoClientDisconnect => "io client disconnect",
            Self::PingTimeout => "ping timeout",
            Self::TransportClose => "transport close",
            Self::TransportError => "transport error",
            Self::ParseError => "parse error",
        }
    }
}

impl fmt::Display for DisconnectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use serde::Serialize;

    use super::Args;

    #[track_caller]
    fn check(values: &impl Serialize, json: &str) {
        assert_eq!(Args::new(values).unwrap().json, json);
    }

    #[test]
    fn a_tuple_is_so_many_arguments_and_anything_else_is_one() {
        check(&("hello", 2), r#""hello",2"#);
        check(&"hello", r#""hello""#);
        check(&(), "null");
        check(&[0_u8; 0], "");
        check(&([1, 2],), "[1,2]");
    }

    #[test]
    fn arguments_are_read_as_what_they_are() {
        let args = Args::new(&("hello", 2)).unwrap();
        assert_eq!(
            args.parse::<(String, u8)>().unwrap(),
            ("hello".to_owned(), 2)
        );
        assert!(args.parse::<(String,)>().is_err());
        assert!(args.parse::<(u8, u8)>().is_err());
    }
}
