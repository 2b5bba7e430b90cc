//! What is still to be sent, wherever the session will be by then.

use std::collections::VecDeque;

use fanfare_proto::engineio::{Packet, payload};

use crate::websocket::WebSocket;

/// Packets in the order in which they go out.
#[derive(Debug, Default)]
pub(crate) struct Unsent(VecDeque<Packet>);

impl Unsent {
    pub(crate) fn push(&mut self, packet: Packet) {
        self.0.push_back(packet);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the application may add to it.
    pub(crate) fn has_room(&self) -> bool {
        self.0.len() < MAX_PACKETS
    }

    /// Takes one payload: as many packets as fit in `max_bytes`, but at least one.
    pub(crate) fn take_payload(&mut self, max_bytes: usize) -> Vec<u8> {
        let mut body = Vec::new();
        let mut text = Vec::new();
        while let Some(packet) = self.0.front() {
            text.clear();
            packet.encode_text(&mut text);
            if !body.is_empty() && body.len() + 1 + text.len() > max_bytes {
                break;
            }
            payload::push(&mut body, &text);
            self.0.pop_front();
        }
        body
    }

    /// Hands over to the WebSocket what it can hold.
    pub(crate) fn write_to(&mut self, websocket: &mut WebSocket) {
        while websocket.unwritten_bytes() < MAX_UNWRITTEN_BYTES
            && let Some(packet) = self.0.pop_front()
        {
            websocket.push(&packet);
        }
    }

    pub(crate) fn drain(&mut self) -> impl Iterator<Item = Packet> {
        self.0.drain(..)
    }
}

/// An event with its attachments is up to eleven; pongs come on top.
const MAX_PACKETS: usize = 64;

/// What a WebSocket keeps beyond what its stream has taken.
const MAX_UNWRITTEN_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use fanfare_proto::engineio::{Message, Packet};

    use super::Unsent;

    fn unsent(texts: &[&str]) -> Unsent {
        let mut unsent = Unsent::default();
        for &text in texts {
            unsent.push(Packet::Message(Message::Text(text.to_owned())));
        }
        unsent
    }

    #[test]
    fn a_payload_has_as_many_packets_as_fit() {
        let mut unsent = unsent(&["ab", "cd", "ef"]);
        assert_eq!(unsent.take_payload(7), b"4ab\x1e4cd");
        assert_eq!(unsent.take_payload(7), b"4ef");
        assert!(unsent.is_empty());
    }

    #[test]
    fn a_packet_too_large_for_any_payload_goes_alone() {
        let mut unsent = unsent(&["abcdef", "gh"]);
        assert_eq!(unsent.take_payload(3), b"4abcdef");
        assert_eq!(unsent.take_payload(3), b"4gh");
    }
}
