//! Several packets in the body of one polling request or response.
//!
//! Engine.IO v4, [Packet encoding](https://github.com/socketio/socket.io/blob/main/docs/engine.io-protocol/v4-current.md#http-long-polling-1).

use super::{Packet, Violation, packet};

/// Stands between two packets, never after the last.
pub const SEPARATOR: u8 = 0x1e;

/// The packets of `body`, up to and including the first that is none.
///
/// An empty body holds one empty packet, which is a violation.
pub fn decode(body: &str) -> impl Iterator<Item = Result<Packet, Violation>> {
    let mut is_broken = false;
    body.split(char::from(SEPARATOR)).map_while(move |text| {
        if is_broken {
            return None;
        }
        let packet = Packet::decode_text(text);
        is_broken = packet.is_err();
        Some(packet)
    })
}

/// Appends a packet's text form to the payload in `out`.
pub fn push(out: &mut Vec<u8>, packet_text: &[u8]) {
    separate(out);
    out.extend_from_slice(packet_text);
}

/// Appends a binary message to the payload in `out`, as base64.
pub fn push_binary(out: &mut Vec<u8>, data: &[u8]) {
    separate(out);
    packet::encode_base64(data, out);
}

fn separate(out: &mut Vec<u8>) {
    if !out.is_empty() {
        out.push(SEPARATOR);
    }
}
