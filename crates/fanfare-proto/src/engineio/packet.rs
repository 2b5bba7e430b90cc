//! One packet ⇄ text, or the bytes of a binary message.

use bytes::Bytes;
use data_encoding::{BASE64, BASE64_MIME_PERMISSIVE};

use super::Violation;

/// One packet.
///
/// Engine.IO v4, [Protocol](https://github.com/socketio/socket.io/blob/main/docs/engine.io-protocol/v4-current.md#protocol).
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Packet {
    /// `0`: the session's parameters as JSON text; see [`Open`](super::Open).
    Open(String),
    /// `1`: the session is over.
    Close,
    /// `2`, with what follows it: `probe` during an upgrade, else nothing.
    Ping(String),
    /// `3`, with what follows it.
    Pong(String),
    /// `4`, or bytes.
    Message(Message),
    /// `5`: the WebSocket is the transport from here on.
    Upgrade,
    /// `6`: releases a pending `GET`.
    Noop,
}

/// What a message packet carries; its meaning is the layer above's.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Message {
    /// Text.
    Text(String),
    /// Bytes.
    Binary(Bytes),
}

impl Packet {
    /// The packet that `text` is: a WebSocket text message, or one element of a payload.
    ///
    /// `b` and base64 is a binary message, on either transport. Base64 is read as leniently as the reference
    /// does: both alphabets, padding or none, foreign characters skipped.
    ///
    /// # Errors
    ///
    /// [`EmptyPacket`](Violation::EmptyPacket) or [`UnknownPacketType`](Violation::UnknownPacketType).
    pub fn decode_text(text: &str) -> Result<Self, Violation> {
        let Some(kind) = text.chars().next() else {
            return Err(Violation::EmptyPacket);
        };
        let data = &text[kind.len_utf8()..];
        match kind {
            '0' => Ok(Self::Open(data.to_owned())),
            '1' => Ok(Self::Close),
            '2' => Ok(Self::Ping(data.to_owned())),
            '3' => Ok(Self::Pong(data.to_owned())),
            '4' => Ok(Self::Message(Message::Text(data.to_owned()))),
            '5' => Ok(Self::Upgrade),
            '6' => Ok(Self::Noop),
            'b' => Ok(Self::decode_binary(decode_base64(data).into())),
            _ => Err(Violation::UnknownPacketType),
        }
    }

    /// The packet that a binary WebSocket message is; it has no type byte.
    pub fn decode_binary(data: Bytes) -> Self {
        Self::Message(Message::Binary(data))
    }

    /// Appends the text form; a binary message becomes `b` and padded base64.
    pub fn encode_text(&self, out: &mut Vec<u8>) {
        match self {
            Self::Open(json) => encode_with(b'0', json, out),
            Self::Close => out.push(b'1'),
            Self::Ping(data) => encode_with(b'2', data, out),
            Self::Pong(data) => encode_with(b'3', data, out),
            Self::Message(Message::Text(text)) => encode_with(b'4', text, out),
            Self::Message(Message::Binary(data)) => encode_base64(data, out),
            Self::Upgrade => out.push(b'5'),
            Self::Noop => out.push(b'6'),
        }
    }
}

fn encode_with(kind: u8, data: &str, out: &mut Vec<u8>) {
    out.push(kind);
    out.extend_from_slice(data.as_bytes());
}

pub(super) fn encode_base64(data: &[u8], out: &mut Vec<u8>) {
    out.push(b'b');
    let start = out.len();
    out.resize(start + BASE64.encode_len(data.len()), 0);
    BASE64.encode_mut(data, &mut out[start..]);
}

pub(super) fn decode_base64(text: &str) -> Vec<u8> {
    BASE64
        .decode(text.as_bytes())
        .unwrap_or_else(|_| decode_base64_leniently(text))
}

fn decode_base64_leniently(text: &str) -> Vec<u8> {
    let mut sextets: Vec<u8> = text.bytes().filter_map(standard_sextet).collect();
    if sextets.len() % 4 == 1 {
        sextets.pop();
    }
    sextets.resize(sextets.len().next_multiple_of(4), b'=');
    BASE64_MIME_PERMISSIVE
        .decode(&sextets)
        .expect("whole groups of the alphabet, padded, are base64")
}

fn standard_sextet(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' => Some(byte),
        b'-' => Some(b'+'),
        b'_' => Some(b'/'),
        _ => None,
    }
}
