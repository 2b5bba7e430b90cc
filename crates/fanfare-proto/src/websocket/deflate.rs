//! Compression of messages, permessage-deflate, [RFC 7692](https://www.rfc-editor.org/rfc/rfc7692).
//!
//! Each message is compressed by itself: neither side keeps a window, so a connection costs nothing between two
//! messages, and one compressed frame is the same bytes for every receiver.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::{OpCode, Violation, frame};

/// The extension's name.
const NAME: &str = "permessage-deflate";

/// What accepts an offer: neither side keeps a window.
pub const ACCEPTANCE: &str =
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

/// Whether one of the offers in `Sec-WebSocket-Extensions` can be met by [`ACCEPTANCE`]. §7.1
///
/// One that asks for a window of less than 32 KiB from us can't, nor one with a parameter that is unknown, comes
/// twice or has no such value.
pub fn is_offered(extensions: &str) -> bool {
    elements(extensions, ',').any(can_meet)
}

fn can_meet(offer: &str) -> bool {
    let mut parts = elements(offer, ';');
    if parts.next() != Some(NAME) {
        return false;
    }
    let mut seen = Vec::new();
    parts.all(|parameter| {
        let (name, value) = match parameter.split_once('=') {
            Some((name, value)) => (name.trim_ascii(), Some(unquoted(value.trim_ascii()))),
            None => (parameter, None),
        };
        let is_first = !seen.contains(&name);
        seen.push(name);
        is_first
            && match (name, value) {
                ("server_no_context_takeover" | "client_no_context_takeover", None) => true,
                ("client_max_window_bits", None) => true,
                ("client_max_window_bits", Some(bits)) => window_bits(bits).is_some(),
                ("server_max_window_bits", Some(bits)) => window_bits(bits) == Some(15),
                _ => false,
            }
    })
}

/// §7.1.2.1: 8 to 15, without leading zeros.
fn window_bits(text: &str) -> Option<u8> {
    let bits = text.parse().ok()?;
    ((8..=15).contains(&bits) && !text.starts_with(['0', '+'])).then_some(bits)
}

fn unquoted(value: &str) -> &str {
    let inside = value
        .strip_prefix('"')
        .and_then(|value| value.strip_suffix('"'));
    inside.unwrap_or(value)
}

/// The elements of a list, without the quoted strings in it being cut.
fn elements(list: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut is_quoted = false;
    list.split(move |char| {
        is_quoted ^= char == '"';
        char == separator && !is_quoted
    })
    .map(str::trim_ascii)
}

/// Compresses messages, one after the other. It takes some 300 kB: best kept by a thread, not by a connection.
#[derive(Debug)]
pub struct Deflater(Compress);

impl Default for Deflater {
    /// At the fastest level: what is sent to many is compressed while all of them wait.
    fn default() -> Self {
        Self(Compress::new(Compression::fast(), false))
    }
}

impl Deflater {
    /// Appends a final, unmasked frame of a compressed message. The last `stored` bytes of `payload` stand in it as
    /// they are, so that whoever shares the frame can still fill them in: see [`stored_at`].
    ///
    /// §7.2.1
    pub fn encode_frame(
        &mut self,
        out: &mut Vec<u8>,
        opcode: OpCode,
        payload: &[u8],
        stored: usize,
    ) {
        let (packed, plain) = payload.split_at(payload.len().saturating_sub(stored));
        let mut message = self.deflate(packed);
        match u16::try_from(plain.len()) {
            Ok(len) if 0 < len => {
                message.push(STORED_BLOCK);
                message.extend_from_slice(&len.to_le_bytes());
                message.extend_from_slice(&(!len).to_le_bytes());
                message.extend_from_slice(plain);
                // The empty block that ends every message; the rest of it is left out.
                message.push(STORED_BLOCK);
            }
            Ok(_) | Err(_) => message.truncate(message.len() - TAIL.len()),
        }
        frame::encode_compressed_frame(out, opcode, &message);
    }

    /// Raw DEFLATE, up to and with the empty block that a flush ends with.
    fn deflate(&mut self, payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(payload.len() / 2 + 64);
        let mut rest = payload;
        self.0.reset();
        loop {
            let before = self.0.total_in();
            let status = self.0.compress_vec(rest, &mut out, FlushCompress::Sync);
            status.expect("a stream that is not finished takes all");
            let taken = usize::try_from(self.0.total_in() - before).unwrap_or(usize::MAX);
            rest = rest.get(taken..).unwrap_or_default();
            // With room left, nothing is held back.
            if rest.is_empty() && out.len() < out.capacity() {
                return out;
            }
            out.reserve(out.len().max(256));
        }
    }
}

/// Where the bytes begin that a frame of `len` bytes has stored at its end.
pub fn stored_at(len: usize, stored: usize) -> usize {
    len - stored - 1
}

/// The payload of a compressed message. §7.2.2
///
/// # Errors
///
/// [`Violation::InvalidDeflate`], or [`Violation::MessageTooBig`] when it is more than `max_bytes`; no more than
/// that is ever taken.
pub(super) fn inflate(message: &[u8], max_bytes: usize) -> Result<Vec<u8>, Violation> {
    let mut out = Vec::with_capacity(message.len().saturating_mul(2).clamp(64, max_bytes.max(64)));
    let mut decompress = Decompress::new(false);
    let is_over = inflate_part(&mut decompress, message, &mut out, max_bytes)?;
    let n = out.len();
    // The tail ends a block that has ended: what it adds to was cut off.
    if !is_over && (inflate_part(&mut decompress, &TAIL, &mut out, max_bytes)? || n < out.len()) {
        return Err(Violation::InvalidDeflate);
    }
    Ok(out)
}

/// Inflates all of `part`; whether a final block has ended the message (§7.2.3.5). What follows that is passed over.
fn inflate_part(
    decompress: &mut Decompress,
    part: &[u8],
    out: &mut Vec<u8>,
    max_bytes: usize,
) -> Result<bool, Violation> {
    let mut rest = part;
    loop {
        if out.len() == out.capacity() {
            let more = out.len().min(max_bytes.saturating_sub(out.len()));
            // One more than allowed shows what is too much.
            out.reserve_exact(more.max(1));
        }
        let (read, written) = (decompress.total_in(), out.len());
        let status = decompress.decompress_vec(rest, out, FlushDecompress::Sync);
        let taken = usize::try_from(decompress.total_in() - read).unwrap_or(usize::MAX);
        rest = rest.get(taken..).unwrap_or_default();
        let is_stuck = taken == 0 && out.len() == written;
        match status.map_err(|_| Violation::InvalidDeflate)? {
            _ if max_bytes < out.len() => return Err(Violation::MessageTooBig),
            Status::StreamEnd => return Ok(true),
            Status::Ok | Status::BufError if rest.is_empty() && out.len() < out.capacity() => {
                return Ok(false);
            }
            Status::Ok | Status::BufError if is_stuck => return Err(Violation::InvalidDeflate),
            Status::Ok | Status::BufError => {}
        }
    }
}

/// What ends a flushed stream, and is left out of messages. §7.2.1
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// The header of a block that is not the last and not compressed, at a byte's boundary.
const STORED_BLOCK: u8 = 0;

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of §7.2.3.
    #[test]
    fn the_examples_of_the_rfc_are_read() {
        for message in [
            &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00][..],
            // Not compressed, a final block, and two blocks.
            &[
                0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00,
            ],
            &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00],
            &[
                0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00,
            ],
        ] {
            assert_eq!(
                inflate(message, 5).as_deref(),
                Ok(&b"Hello"[..]),
                "{message:x?}"
            );
        }
    }

    #[test]
    fn what_inflates_to_more_than_allowed_is_given_up() {
        let bomb = {
            let mut out = Vec::new();
            let all = vec![b'a'; 900_000];
            Deflater::default().encode_frame(&mut out, OpCode::Text, &all, 0);
            out[4..].to_vec()
        };
        assert!(bomb.len() < 10_000);
        assert_eq!(inflate(&bomb, 900_000).map(|out| out.len()), Ok(900_000));
        assert_eq!(inflate(&bomb, 899_999), Err(Violation::MessageTooBig));
        assert_eq!(inflate(&bomb, 10), Err(Violation::MessageTooBig));
        assert_eq!(inflate(&bomb, 0), Err(Violation::MessageTooBig));
    }

    #[test]
    fn what_is_no_deflate_is_refused() {
        for message in [
            &[0xff][..],
            &[0x07, 0x11],
            &[0x00, 0x05, 0x00, 0xfa, 0xfe, 0x48],
            // Cut off: a stored block of nine bytes with one, and a code.
            &[0x00, 0x09, 0x00, 0xf6, 0xff, 0x48],
            &[0xf2],
        ] {
            assert_eq!(
                inflate(message, 100),
                Err(Violation::InvalidDeflate),
                "{message:x?}"
            );
        }
    }

    #[test]
    fn offers_that_can_be_met_are_accepted() {
        for offer in [
            "permessage-deflate",
            "permessage-deflate; client_max_window_bits",
            "permessage-deflate; client_max_window_bits=8; server_max_window_bits=15",
            "permessage-deflate;server_no_context_takeover;client_no_context_takeover",
            "x-webkit-deflate-frame, permessage-deflate; client_max_window_bits=\"10\"",
            "permessage-deflate; server_max_window_bits=10, permessage-deflate",
            "other; a=\"x, y\", permessage-deflate",
        ] {
            assert!(is_offered(offer), "{offer}");
        }
        for offer in [
            "",
            "deflate",
            "permessage-deflate; server_max_window_bits=10",
            "permessage-deflate; server_max_window_bits",
            "permessage-deflate; client_max_window_bits=16",
            "permessage-deflate; client_max_window_bits=08",
            "permessage-deflate; server_no_context_takeover=1",
            "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
            "permessage-deflate; unknown",
            "other; a=\"x, permessage-deflate\"",
        ] {
            assert!(!is_offered(offer), "{offer}");
        }
    }
}
