//! The frames that somebody has yet to be sent.

use fanfare_proto::websocket::{Header, OpCode, encode_frame};

/// Bytes of every broadcast, in their order, shared by all clients: each keeps only how far it has got.
///
/// Positions count from the server's start and are never reused. Invariant: the bytes never outgrow the capacity they
/// were given at the start, so appending never allocates.
pub(crate) struct Log {
    base: u64,
    bytes: Vec<u8>,
}

impl Log {
    pub(crate) fn new() -> Self {
        Self {
            base: 0,
            bytes: Vec::with_capacity(CAPACITY_BYTES),
        }
    }

    /// Appends one text frame whose payload is `parts`, one after the other; `false` if there is no room for it.
    pub(crate) fn push(&mut self, parts: &[&[u8]]) -> bool {
        let payload_bytes = parts.iter().map(|part| part.len()).sum::<usize>();
        if CAPACITY_BYTES < self.bytes.len() + Header::MAX_BYTES + payload_bytes {
            return false;
        }
        encode_frame(&mut self.bytes, OpCode::Text, parts);
        true
    }

    /// Forgets everything: all clients have got to the end.
    pub(crate) fn clear(&mut self) {
        self.base = self.end();
        self.bytes.clear();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Where the next frame will begin.
    pub(crate) fn end(&self) -> u64 {
        self.base + self.bytes.len() as u64
    }

    /// All from `position` on.
    pub(crate) fn since(&self, position: u64) -> &[u8] {
        &self.bytes[usize::try_from(position - self.base).expect("the log is in memory")..]
    }
}

/// What clients that stopped reading may hold back in all, before they are cut.
const CAPACITY_BYTES: usize = 64 << 20;

#[cfg(test)]
mod tests {
    use fanfare_proto::websocket::next_frame_len;

    use super::*;

    #[test]
    fn frames_of_every_length_are_found_again() {
        let mut log = Log::new();
        for payload_bytes in [0, 1, 125, 126, 65_535, 65_536] {
            let start = log.end();
            assert!(log.push(&[&vec![b'x'; payload_bytes]]));
            assert_eq!(next_frame_len(log.since(start)) as u64, log.end() - start);
        }
    }

    #[test]
    fn a_position_outlives_a_clear() {
        let mut log = Log::new();
        assert!(log.push(&[b"one"]));
        let end = log.end();
        log.clear();
        assert_eq!(log.since(end), b"");
        assert!(log.push(&[b"t", b"wo"]));
        assert_eq!(log.since(end), b"\x81\x03two");
    }
}
