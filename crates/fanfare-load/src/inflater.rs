//! Inflater: messages that servers have compressed each by itself, as RFC 7692 §7.2.2 has it.

use flate2::{Decompress, FlushDecompress};

/// Reads compressed messages of all clients: where no window is kept, whose one is does not matter.
#[derive(Debug)]
pub(crate) struct Inflater {
    state: Decompress,
    compressed: Vec<u8>,
    message: Vec<u8>,
    n_messages: u64,
}

impl Inflater {
    pub(crate) fn new() -> Self {
        Self {
            state: Decompress::new(false),
            compressed: Vec::new(),
            message: Vec::with_capacity(MAX_MESSAGE_BYTES),
            n_messages: 0,
        }
    }

    /// The message that `payload` was made of; `None` if it was made of none, or of a longer one than any scenario has.
    pub(crate) fn inflate(&mut self, payload: &[u8]) -> Option<&[u8]> {
        self.n_messages += 1;
        self.state.reset(false);
        self.compressed.clear();
        self.compressed.extend_from_slice(payload);
        self.compressed.extend_from_slice(&TAIL);
        self.message.clear();
        let flush = FlushDecompress::Sync;
        let read = self
            .state
            .decompress_vec(&self.compressed, &mut self.message, flush);
        let is_whole = self.state.total_in() == self.compressed.len() as u64
            && self.message.len() < MAX_MESSAGE_BYTES;
        (read.is_ok() && is_whole).then_some(&self.message)
    }

    /// How many there have been.
    pub(crate) fn n_messages(&self) -> u64 {
        self.n_messages
    }
}

/// What the sender has left out.
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];
const MAX_MESSAGE_BYTES: usize = 128 << 10;

#[cfg(test)]
mod tests {
    use flate2::{Compress, Compression, FlushCompress};

    use super::*;

    fn deflated(message: &[u8]) -> Vec<u8> {
        let mut compressed = Vec::with_capacity(message.len() + 100);
        Compress::new(Compression::fast(), false)
            .compress_vec(message, &mut compressed, FlushCompress::Sync)
            .expect("there is room");
        let payload = compressed.strip_suffix(&TAIL);
        payload.expect("a sync flush ends so").to_vec()
    }

    #[test]
    fn each_message_is_read_by_itself() {
        let mut inflater = Inflater::new();
        for message in ["42[\"say\",\"one\"]".to_owned(), "two ".repeat(4_000)] {
            let payload = deflated(message.as_bytes());
            assert_eq!(inflater.inflate(&payload), Some(message.as_bytes()));
        }
        assert_eq!(inflater.n_messages(), 2);
    }

    #[test]
    fn what_is_no_message_or_too_long_is_none() {
        let mut inflater = Inflater::new();
        assert_eq!(inflater.inflate(b"42[\"say\",\"as it is\"]"), None);
        assert_eq!(inflater.inflate(&deflated(&[b'x'; 200_000])), None);
        assert_eq!(inflater.inflate(&deflated(b"hi")), Some(&b"hi"[..]));
    }
}
