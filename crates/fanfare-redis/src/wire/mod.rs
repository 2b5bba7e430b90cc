//! The wire of `@socket.io/redis-adapter` 8, the classic one: what nodes publish, as values in and bytes out.
//!
//! | what | channel | form |
//! |---|---|---|
//! | an event for sockets | `socket.io#<nsp>#`, with `<room>#` behind it for exactly one room | MessagePack |
//! | a request: all else that is told or asked | `socket.io-request#<nsp>#` | JSON, MessagePack where it holds binary data |
//! | a response | `socket.io-response#<nsp>#`, with `<uid>#` behind it where the asker listens there | the same |
//!
//! Between two nodes that are fanfare's the same messages carry fields that others ignore: ids of sockets that
//! answered, user keys, further arguments. No bytes of a peer make it panic, and nothing here knows Redis.

mod channels;
mod emit;
mod field;
mod packet;
mod request;
mod response;
mod socket;
mod text;

use std::sync::Arc;

use bytes::Bytes;
use fanfare::{Message, Reply};
use fanfare_proto::socketio::Violation;

pub(crate) use channels::{Channels, Responses, Source};

/// One node's end of the wire.
#[derive(Clone, Debug)]
pub(crate) struct Wire {
    /// What the node is called in its cluster.
    pub(crate) uid: Arc<str>,
    pub(crate) channels: Channels,
    /// Where those of other makers are answered.
    pub(crate) responses: Responses,
}

/// What is to be published.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Publication {
    pub(crate) channel: String,
    pub(crate) payload: Vec<u8>,
}

/// What has come in on a channel.
#[derive(Debug, PartialEq)]
pub(crate) enum Inbound {
    Message(Message),
    Reply(Reply),
}

impl Wire {
    /// What says `message` to all other nodes.
    ///
    /// # Errors
    ///
    /// [`Wrong`] if its arguments are not what they should be.
    pub(crate) fn encode(&self, message: &Message) -> Result<Publication, Wrong> {
        match message {
            Message::Emit {
                nsp,
                to,
                event,
                args,
                manner,
            } => Ok(Publication {
                channel: self.channels.broadcast(nsp, to),
                payload: emit::encode(&self.uid, nsp, to, (event, args), *manner)?,
            }),
            request => request::encode(self, request),
        }
    }

    /// What tells the node that asked; `None` if there is nothing that it would understand.
    ///
    /// # Errors
    ///
    /// [`Wrong`] if the answer is not what it should be.
    pub(crate) fn encode_reply(&self, reply: &Reply) -> Result<Option<Publication>, Wrong> {
        response::encode(self, reply)
    }

    /// What came in on a channel; nothing if it is this node's own, or another's affair.
    ///
    /// # Errors
    ///
    /// [`Wrong`] if it is none of this wire.
    pub(crate) fn decode(
        &self,
        source: Source,
        nsp: &str,
        payload: &Bytes,
    ) -> Result<Vec<Inbound>, Wrong> {
        match source {
            Source::Broadcasts => {
                let message = emit::decode(&self.uid, nsp, payload)?;
                Ok(message.into_iter().map(Inbound::Message).collect())
            }
            Source::Requests => {
                let messages = request::decode(&self.uid, nsp, payload)?;
                Ok(messages.into_iter().map(Inbound::Message).collect())
            }
            Source::Responses => {
                let reply = response::decode(&self.uid, nsp, payload)?;
                Ok(reply.into_iter().map(Inbound::Reply).collect())
            }
        }
    }
}

/// Why a message is none.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Wrong {
    /// It is no MessagePack.
    #[error("no MessagePack: {0}")]
    MessagePack(#[from] Violation),
    /// It is no JSON, or its fields are not what they should be.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// It is no text.
    #[error("no text: {0}")]
    Utf8(#[from] std::str::Utf8Error),
    /// Its type is unknown.
    #[error("unknown type {0}")]
    Type(u8),
    /// It lacks what its type needs.
    #[error("'{0}' is missing")]
    Missing(&'static str),
    /// The packet is no event.
    #[error("packet of type {0} is no event")]
    NoEvent(u8),
}

#[cfg(test)]
mod tests;
