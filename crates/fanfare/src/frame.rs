//! Encoding: an event or answer as the WebSocket frames that carry it, once for all receivers.

use std::cell::RefCell;

use bytes::Bytes;
use fanfare_proto::{
    engineio,
    socketio::{self, AckId, Nsp, msgpack},
    websocket::{OpCode, encode_frame},
};

use crate::{
    args::{ArgsError, IntoArgs},
    config::{Config, Parser},
    emitted::EmitError,
    recovery::{OFFSET_CHARS, Trailer},
};

/// The frames of one event, and the same for those who take compressed messages, if that makes a difference.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Encoded<'a> {
    pub(crate) plain: &'a [u8],
    pub(crate) deflated: Option<&'a [u8]>,
}

impl<'a> Encoded<'a> {
    /// Frames that nobody gets compressed.
    pub(crate) fn plain(plain: &'a [u8]) -> Self {
        Self {
            plain,
            deflated: None,
        }
    }
}

/// An event: a text frame, then one binary frame for each attachment.
///
/// # Errors
///
/// [`EmitError`] if clients would not understand or accept it.
pub(crate) fn event(
    config: &Config,
    nsp: &Nsp,
    id: Option<AckId>,
    trailer: Trailer,
    event: &str,
    args: impl IntoArgs,
) -> Result<Vec<u8>, EmitError> {
    if socketio::is_reserved(event) {
        return Err(EmitError::Reserved(event.to_owned()));
    }
    let encoded = match config.parser {
        Parser::Json => encode(args, trailer, |packet, json, attachments| {
            socketio::encode_event(packet, nsp, id, event, json, attachments.len());
            Ok(Wire::Text(attachments))
        }),
        Parser::MessagePack => encode(args, trailer, |packet, json, attachments| {
            msgpack::encode_event(packet, nsp, id, event, json, &attachments)?;
            Ok(Wire::Binary)
        }),
    };
    let frames = encoded.map_err(|source| EmitError::Args {
        event: event.to_owned(),
        source,
    })?;
    match (frames.len(), config.limits.max_backlog_bytes) {
        (bytes, max) if max < bytes => Err(EmitError::TooLarge {
            event: event.to_owned(),
            bytes,
            max,
        }),
        _ => Ok(frames),
    }
}

/// The answer to an event.
///
/// # Errors
///
/// If the arguments can't be written as JSON.
pub(crate) fn ack(
    parser: Parser,
    nsp: &Nsp,
    id: AckId,
    args: impl IntoArgs,
) -> Result<Vec<u8>, ArgsError> {
    match parser {
        Parser::Json => encode(args, Trailer::None, |packet, json, attachments| {
            socketio::encode_ack(packet, nsp, id, json, attachments.len());
            Ok(Wire::Text(attachments))
        }),
        Parser::MessagePack => encode(args, Trailer::None, |packet, json, attachments| {
            msgpack::encode_ack(packet, nsp, id, json, &attachments)?;
            Ok(Wire::Binary)
        }),
    }
}

/// Any other Socket.IO packet.
pub(crate) fn packet(parser: Parser, packet: &socketio::Packet) -> Vec<u8> {
    let mut out = Vec::new();
    match parser {
        Parser::Json => {
            packet.encode(&mut out);
            message(&out)
        }
        Parser::MessagePack => {
            msgpack::encode(&mut out, packet).expect("what the server says itself is JSON");
            let mut frame = Vec::with_capacity(out.len() + FRAME_BYTES);
            encode_frame(&mut frame, OpCode::Binary, &[&out]);
            frame
        }
    }
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

/// What a packet is sent as.
enum Wire {
    /// A text message, and the attachments behind it.
    Text(Vec<Bytes>),
    /// A binary message that has everything.
    Binary,
}

fn encode(
    args: impl IntoArgs,
    trailer: Trailer,
    encode_packet: impl FnOnce(&mut Vec<u8>, &str, Vec<Bytes>) -> serde_json::Result<Wire>,
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
    let wire = encode_packet(&mut packet, text, attachments).map_err(ArgsError::from_json)?;
    let frames = match wire {
        Wire::Text(attachments) => {
            let with_header = |data: &Bytes| data.len() + FRAME_BYTES;
            let binary_bytes: usize = attachments.iter().map(with_header).sum();
            let mut frames = Vec::with_capacity(packet.len() + FRAME_BYTES + binary_bytes);
            encode_frame(&mut frames, OpCode::Text, &[MESSAGE, &packet]);
            for data in &attachments {
                encode_frame(&mut frames, OpCode::Binary, &[data]);
            }
            frames
        }
        Wire::Binary => {
            let mut frames = Vec::with_capacity(packet.len() + FRAME_BYTES);
            encode_frame(&mut frames, OpCode::Binary, &[&packet]);
            frames
        }
    };
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
