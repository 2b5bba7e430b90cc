//! Packets in MessagePack, as `socket.io-msgpack-parser` 3 has them: each is one binary message, a map of `type`,
//! `data`, `nsp` and `id`, with binary values where they belong.
//!
//! On this side of the wire a packet looks the same whichever form it had: arguments are JSON text, and binary
//! values are attachments of it.
//!
//! [MessagePack](https://github.com/msgpack/msgpack/blob/master/spec.md)

mod decode;
mod encode;

pub use decode::{decode, decode_value};
pub use encode::{encode, encode_ack, encode_event, encode_value};

/// How deep values may nest, as in JSON here.
const MAX_DEPTH: usize = 127;

/// How much deeper what wraps a client's value may be.
const ENVELOPE_DEPTH: usize = 8;

/// The type of the extensions that the official parser writes.
const EXT_TYPE: u8 = 0;

/// The type of MessagePack's own timestamps, which servers write: -1.
const TIMESTAMP_TYPE: u8 = 0xff;
