//! Encoding: an event or answer as the WebSocket frames that carry it, once for all receivers.

use std::cell::RefCell;

use fanfare_proto::{
    engineio,
    socketio::{self, AckId, Nsp},
    websocket::{Frames, OpCode, encode_frame},
};

use crate::{
    args::{ArgsError, IntoArgs},
    emitted::EmitError,
    recovery::{OFFSET_CHARS, Trailer},
};

/// An event: a text frame, then one binary frame for each attachment.
///
/// # Errors
///
/// [`EmitError`] if clients would not understand or accept it.
pub(crate) fn event(
    nsp: &Nsp,
    id: Option<AckId>,
    trailer: Trailer,
    event: &str,
    args: impl IntoArgs,
    max_bytes: usize,
) -> Result<Vec<u8>, EmitError> {
    if socketio::is_reserved(event) {
        return Err(EmitError::Reserved(event.to_owned()));
    }
    let frames = encode(args, trailer, |packet, json, attachments| {
        socketio::encode_event(packet, nsp, id, event, json, attachments);
    })
    .map_err(|source| EmitError::Args {
        event: event.to_owned(),
        source,
    })?;
    match frames.len() {
        bytes if max_bytes < bytes => Err(EmitError::TooLarge {
            event: event.to_owned(),
            bytes,
            max: max_bytes,
        }),
        _ => Ok(frames),
    }
}

/// The answer to an event.
///
/// # Errors
///
/// If the arguments can't be written as JSON.
pub(crate) fn ack(nsp: &Nsp, id: AckId, args: impl IntoArgs) -> Result<Vec<u8>, ArgsError> {
    encode(args, Trailer::None, |packet, json, attachments| {
        socketio::encode_ack(packet, nsp, id, json, attachments);
    })
}

/// Any other Socket.IO packet.
pub(crate) fn packet(packet: &socketio::Packet) -> Vec<u8> {
    let mut text = Vec::new();
    packet.encode(&mut text);
    message(&text)
}

/// A text message of the layer above Engine.IO.
pub(crate) fn message(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + FRAME_BYTES);
    encode_frame(&mut out, OpCode::Text, &[MESSAGE, text]);
    out
}

/// An Engine.IO packet that is text already.
pub(crate) fn text(packet: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(packet.len() + FRAME_BYTES);
    encode_frame(&mut out, OpCode::Text, &[packet]);
    out
}

/// An Engine.IO packet.
pub(crate) fn engine_packet(packet: &engineio::Packet) -> Vec<u8> {
    let mut out = Vec::new();
    match packet {
        engineio::Packet::Message(engineio::Message::Binary(data)) => {
            encode_frame(&mut out, OpCode::Binary, &[data]);
        }
        engineio::Packet::Open(_)
        | engineio::Packet::Close
        | engineio::Packet::Ping(_)
        | engineio::Packet::Pong(_)
        | engineio::Packet::Message(engineio::Message::Text(_))
        | engineio::Packet::Upgrade
        | engineio::Packet::Noop => {
            let mut text = Vec::new();
            packet.encode_text(&mut text);
            encode_frame(&mut out, OpCode::Text, &[&text]);
        }
    }
    out
}

/// An empty Close frame: all that the reference ever closes with.
pub(crate) fn close() -> Vec<u8> {
    let mut out = Vec::new();
    encode_frame(&mut out, OpCode::Close, &[]);
    out
}

/// Where an event with a [place](Trailer::Place) has it: at the end of its text, within a string.
pub(crate) fn offset_at(frames: &[u8]) -> usize {
    let text = Frames::new(frames).next().map_or(&[][..], |(_, text)| text);
    let header = text.as_ptr() as usize - frames.as_ptr() as usize;
    header + text.len() - OFFSET_CHARS - r#""]"#.len()
}

fn encode(
    args: impl IntoArgs,
    trailer: Trailer,
    encode_packet: impl FnOnce(&mut Vec<u8>, &str, usize),
) -> Result<Vec<u8>, ArgsError> {
    let mut attachments = Vec::new();
    // Taken, not borrowed: a user's Serialize may emit something itself.
    let (mut json, mut packet) = SCRATCH.take();
    args.write_args(&mut json, &mut attachments)?;
    match trailer {
        Trailer::None => {}
        Trailer::Place => {
            if !json.is_empty() {
                json.push(b',');
            }
            json.push(b'"');
            json.resize(json.len() + OFFSET_CHARS, b'-');
            json.push(b'"');
        }
        Trailer::Shield if json.trim_ascii_end().ends_with(b"\"") => json.extend(b",null"),
        Trailer::Shield => {}
    }
    let text =
        std::str::from_utf8(&json).expect("serde_json writes UTF-8, and raw arguments are text");
    encode_packet(&mut packet, text, attachments.len());
    let binary_bytes: usize = attachments
        .iter()
        .map(|data| data.len() + FRAME_BYTES)
        .sum();
    let mut frames = Vec::with_capacity(packet.len() + FRAME_BYTES + binary_bytes);
    encode_frame(&mut frames, OpCode::Text, &[MESSAGE, &packet]);
    for data in &attachments {
        encode_frame(&mut frames, OpCode::Binary, &[data]);
    }
    for scratch in [&mut json, &mut packet] {
        scratch.clear();
        scratch.shrink_to(SCRATCH_BYTES);
    }
    SCRATCH.set((json, packet));
    Ok(frames)
}

thread_local! {
    /// The arguments and the packet while they are written: an emit allocates only what it keeps.
    static SCRATCH: RefCell<(Vec<u8>, Vec<u8>)> = const { RefCell::new((Vec::new(), Vec::new())) };
}

/// What the scratch buffers keep between two emits.
const SCRATCH_BYTES: usize = 64 * 1024;

/// The header of the largest frame, and the packet's type.
const FRAME_BYTES: usize = 11;

/// Engine.IO's packet type of a message.
const MESSAGE: &[u8] = b"4";
