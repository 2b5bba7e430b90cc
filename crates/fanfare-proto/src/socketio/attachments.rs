//! A packet's header and the binary messages that follow it, put together.

use bytes::Bytes;

use super::{Packet, Violation};
use crate::Limits;

/// A packet with all that belongs to it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Assembled {
    /// The packet.
    pub packet: Packet,
    /// As many as the packet announced; empty for most.
    pub attachments: Vec<Bytes>,
}

/// Takes the messages of one connection in order and gives whole packets.
///
/// Holds memory only while attachments are outstanding.
#[derive(Debug, Default)]
pub struct Assembly {
    /// Invariant: lacks at least one attachment.
    unfinished: Option<Box<Assembled>>,
}

impl Assembly {
    /// Waits for a packet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A text message came in, to be held to `limits`. `None` when its attachments are still to come.
    ///
    /// # Errors
    ///
    /// The packet's [`Violation`], or [`Violation::TextAmidAttachments`].
    pub fn handle_text(
        &mut self,
        text: &str,
        limits: &Limits,
    ) -> Result<Option<Assembled>, Violation> {
        if self.unfinished.is_some() {
            return Err(Violation::TextAmidAttachments);
        }
        let packet = Packet::decode(text, limits)?;
        let assembled = Assembled {
            attachments: Vec::with_capacity(packet.attachments()),
            packet,
        };
        Ok(self.finish(assembled))
    }

    /// A binary message came in. `None` when further attachments are to come.
    ///
    /// # Errors
    ///
    /// [`Violation::UnexpectedAttachment`].
    pub fn handle_binary(&mut self, data: Bytes) -> Result<Option<Assembled>, Violation> {
        let mut assembled = self
            .unfinished
            .take()
            .ok_or(Violation::UnexpectedAttachment)?;
        assembled.attachments.push(data);
        Ok(self.finish(*assembled))
    }

    /// Gives the packet if it is whole, else keeps it.
    fn finish(&mut self, assembled: Assembled) -> Option<Assembled> {
        if assembled.attachments.len() == assembled.packet.attachments() {
            return Some(assembled);
        }
        self.unfinished = Some(Box::new(assembled));
        None
    }
}
