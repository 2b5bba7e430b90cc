//! Protocol 3, where it differs from 4: packets with binary data, and payloads.
//!
//! [Engine.IO v3](https://github.com/socketio/engine.io-protocol/tree/v3). Clients of the official library up to
//! 2.x speak it. Who pings whom is the [`Heartbeat`](super::Heartbeat)'s business.

use bytes::{BufMut as _, Bytes};
use data_encoding::BASE64;

use super::{Message, Packet, Violation, packet::decode_base64};

/// A packet as a payload holds it, in the form of a WebSocket message less its frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Part<'a> {
    /// A packet's text.
    Text(&'a str),
    /// A binary message, without the byte that says so.
    Binary(&'a [u8]),
}

/// Which payloads a client can read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PayloadForm {
    /// Text alone: binary messages are base64 in it.
    Text,
    /// Bytes, where there is a binary message among the packets.
    Bytes,
}

/// A payload, and how its response has to be labelled.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Payload {
    /// For a `text/plain` response.
    Text(Vec<u8>),
    /// For an `application/octet-stream` response.
    Bytes(Vec<u8>),
}

/// The packet that `text` is: a WebSocket text message, or one element of a payload. `b4` and base64 is a
/// binary message.
///
/// # Errors
///
/// [`EmptyPacket`](Violation::EmptyPacket) or [`UnknownPacketType`](Violation::UnknownPacketType).
pub fn decode_text(text: &str) -> Result<Packet, Violation> {
    match text.strip_prefix('b') {
        Some(rest) => match rest.strip_prefix(char::from(b'0' + MESSAGE)) {
            Some(base64) => Ok(Packet::decode_binary(decode_base64(base64).into())),
            None => Err(Violation::UnknownPacketType),
        },
        None => Packet::decode_text(text),
    }
}

/// The packet that a binary WebSocket message is: a byte for its type, then its data.
///
/// # Errors
///
/// [`EmptyPacket`](Violation::EmptyPacket), or [`UnknownPacketType`](Violation::UnknownPacketType) unless it
/// is a message.
pub fn decode_binary(mut data: Bytes) -> Result<Packet, Violation> {
    match data.first() {
        None => Err(Violation::EmptyPacket),
        Some(&MESSAGE) => Ok(Packet::Message(Message::Binary(data.split_off(1)))),
        Some(_) => Err(Violation::UnknownPacketType),
    }
}

/// The bytes of a binary WebSocket message, in front of its data.
pub const BINARY_PREFIX: [u8; 1] = [MESSAGE];

/// Appends a binary message as text: `b4` and padded base64.
pub fn encode_base64(data: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"b4");
    let start = out.len();
    out.resize(start + BASE64.encode_len(data.len()), 0);
    BASE64.encode_mut(data, &mut out[start..]);
}

/// The packets of a text payload, up to and including the first that is none: `<length>:<packet>` for each,
/// the length in UTF-16 code units, as JavaScript counts. Packets of length 0 are passed over.
pub fn decode_payload(body: &str) -> impl Iterator<Item = Result<Packet, Violation>> {
    let mut rest = Some(body);
    std::iter::from_fn(move || {
        loop {
            let now = rest.take()?;
            match split_text(now) {
                Some(("", "")) => return None,
                Some(("", after)) => rest = Some(after),
                Some((packet, after)) => {
                    let packet = decode_text(packet);
                    rest = Some(after).filter(|after| packet.is_ok() && !after.is_empty());
                    return Some(packet);
                }
                None => return Some(Err(Violation::MalformedPayload)),
            }
        }
    })
}

/// The packets of a binary payload, up to and including the first that is none: for each a byte 0 (text) or 1
/// (binary), the digits of its length in bytes, a byte each, 255, and the packet.
pub fn decode_binary_payload(body: Bytes) -> impl Iterator<Item = Result<Packet, Violation>> {
    let mut rest = Some(body);
    std::iter::from_fn(move || {
        let now = rest.take()?;
        let Some((is_text, data, after)) = split_bytes(now) else {
            return Some(Err(Violation::MalformedPayload));
        };
        let packet = match is_text {
            true => decode_text(&String::from_utf8_lossy(&data)),
            false => decode_binary(data),
        };
        rest = Some(after).filter(|after| packet.is_ok() && !after.is_empty());
        Some(packet)
    })
}

/// The payload of these packets, as a client of this `form` reads it.
pub fn encode_payload<'a>(
    parts: impl Iterator<Item = Part<'a>> + Clone,
    form: PayloadForm,
) -> Payload {
    let has_binary = parts.clone().any(|part| matches!(part, Part::Binary(_)));
    let mut out = Vec::new();
    if form == PayloadForm::Bytes && has_binary {
        for part in parts {
            match part {
                Part::Text(text) => encode_bytes(0, &[text.as_bytes()], &mut out),
                Part::Binary(data) => encode_bytes(1, &[&BINARY_PREFIX, data], &mut out),
            }
        }
        return Payload::Bytes(out);
    }
    for part in parts {
        match part {
            Part::Text(text) => encode_text(text, &mut out),
            Part::Binary(data) => {
                let mut text = Vec::new();
                encode_base64(data, &mut text);
                out.extend_from_slice(text.len().to_string().as_bytes());
                out.push(b':');
                out.append(&mut text);
            }
        }
    }
    Payload::Text(out)
}

fn encode_text(text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(units(text).to_string().as_bytes());
    out.push(b':');
    out.extend_from_slice(text.as_bytes());
}

fn encode_bytes(kind: u8, chunks: &[&[u8]], out: &mut Vec<u8>) {
    let length: usize = chunks.iter().map(|chunk| chunk.len()).sum();
    out.put_u8(kind);
    out.extend(length.to_string().bytes().map(|digit| digit - b'0'));
    out.put_u8(LENGTH_END);
    chunks.iter().for_each(|chunk| out.put_slice(chunk));
}

/// UTF-16 code units.
fn units(text: &str) -> usize {
    match text.is_ascii() {
        true => text.len(),
        false => text.chars().map(char::len_utf16).sum(),
    }
}

/// The first packet's text, and what follows it.
fn split_text(payload: &str) -> Option<(&str, &str)> {
    let (digits, rest) = payload.split_once(':')?;
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let length: usize = digits.parse().ok()?;
    if rest.is_ascii() {
        return rest.split_at_checked(length);
    }
    let mut left = length;
    for (at, c) in rest.char_indices() {
        if left == 0 {
            return Some(rest.split_at(at));
        }
        left = left.checked_sub(c.len_utf16())?;
    }
    (left == 0).then_some((rest, ""))
}

/// Whether the first packet is text, its bytes, and what follows them.
fn split_bytes(mut payload: Bytes) -> Option<(bool, Bytes, Bytes)> {
    let is_text = match payload.first()? {
        0 => true,
        1 => false,
        _ => return None,
    };
    let header = payload.iter().take(1 + MAX_LENGTH_DIGITS + 1);
    let end = header.skip(1).position(|byte| *byte == LENGTH_END)? + 1;
    let mut length = 0_usize;
    for digit in &payload[1..end] {
        length = length.checked_mul(10)?.checked_add(usize::from(*digit))?;
        if 9 < *digit {
            return None;
        }
    }
    let mut data = payload.split_off(end + 1);
    if end == 1 || data.len() < length {
        return None;
    }
    let after = data.split_off(length);
    Some((is_text, data, after))
}

/// The type of a message, as a byte and as a digit.
const MESSAGE: u8 = 4;

/// Stands behind the digits of a length.
const LENGTH_END: u8 = 255;

/// Digits of a length: more than any body of ours can need.
const MAX_LENGTH_DIGITS: usize = 20;
