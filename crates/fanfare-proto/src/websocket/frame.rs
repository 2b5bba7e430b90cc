//! One frame's header ⇄ bytes, RFC 6455 §5.2; and the frames that we send.

use super::{Violation, mask};

/// What a frame is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OpCode {
    /// More of the message begun before.
    Continuation,
    /// A message of UTF-8 text, or its beginning.
    Text,
    /// A message of bytes, or its beginning.
    Binary,
    /// The sender will send no more.
    Close,
    /// Asks for a Pong with the same payload.
    Ping,
    /// Answers a Ping, or comes unasked.
    Pong,
}

impl OpCode {
    /// Whether it is Close, Ping or Pong, which may come between the frames of a message.
    pub fn is_control(self) -> bool {
        match self {
            Self::Continuation | Self::Text | Self::Binary => false,
            Self::Close | Self::Ping | Self::Pong => true,
        }
    }

    fn decode(nibble: u8) -> Result<Self, Violation> {
        match nibble {
            0x0 => Ok(Self::Continuation),
            0x1 => Ok(Self::Text),
            0x2 => Ok(Self::Binary),
            0x8 => Ok(Self::Close),
            0x9 => Ok(Self::Ping),
            0xa => Ok(Self::Pong),
            _ => Err(Violation::ReservedOpCode),
        }
    }

    fn encode(self) -> u8 {
        match self {
            Self::Continuation => 0x0,
            Self::Text => 0x1,
            Self::Binary => 0x2,
            Self::Close => 0x8,
            Self::Ping => 0x9,
            Self::Pong => 0xa,
        }
    }
}

/// The first two to fourteen bytes of a frame.
///
/// ```text
///  byte 0             byte 1          then
///  FIN RSV×3 opcode   MASK length     16- or 64-bit length   masking key
///   1    3     4        1     7       0, 2 or 8 bytes        0 or 4 bytes
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Header {
    /// Whether this is the last frame of its message.
    pub fin: bool,
    /// Whether RSV1 is set: its message is compressed, if that was agreed on. Only with Text and Binary.
    pub is_compressed: bool,
    /// What the frame is.
    pub opcode: OpCode,
    /// The key its payload is masked with, if it is.
    pub mask: Option<[u8; 4]>,
    /// Bytes of payload that follow.
    pub payload_bytes: u64,
}

impl Header {
    /// Bytes of the longest header.
    pub const MAX_BYTES: usize = 14;

    /// Reads a header from the front of `bytes`, with its length; `None` when more bytes are needed.
    ///
    /// A length that would fit in fewer bytes is taken as it is: the RFC binds the sender, does
    /// not tell the receiver to fail, and the reference's library does not.
    ///
    /// # Errors
    ///
    /// A [`Violation`] of §5.2 or §5.5 that the header shows by itself.
    pub fn decode(bytes: &[u8]) -> Result<Option<(Self, usize)>, Violation> {
        let &[first, second, ref rest @ ..] = bytes else {
            return Ok(None);
        };
        if first & RSV_2_3 != 0 {
            return Err(Violation::ReservedBits);
        }
        let opcode = OpCode::decode(first & OPCODE)?;
        let is_compressed = first & RSV_1 != 0;
        if is_compressed && !matches!(opcode, OpCode::Text | OpCode::Binary) {
            return Err(Violation::ReservedBits);
        }
        let fin = first & FIN != 0;
        let length = second & LENGTH;
        if opcode.is_control() && !fin {
            return Err(Violation::FragmentedControl);
        }
        if opcode.is_control() && length > MAX_CONTROL_BYTES {
            return Err(Violation::ControlTooLong);
        }
        let Some((payload_bytes, rest)) = decode_length(length, rest)? else {
            return Ok(None);
        };
        let (mask, rest) = if second & MASK == 0 {
            (None, rest)
        } else {
            match rest.split_first_chunk() {
                Some((key, rest)) => (Some(*key), rest),
                None => return Ok(None),
            }
        };
        let header = Self {
            fin,
            is_compressed,
            opcode,
            mask,
            payload_bytes,
        };
        Ok(Some((header, bytes.len() - rest.len())))
    }
}

/// Reads the extended length if `length` announces one; `None` when more bytes are needed.
fn decode_length(length: u8, rest: &[u8]) -> Result<Option<(u64, &[u8])>, Violation> {
    match length {
        LENGTH_16 => Ok(rest
            .split_first_chunk()
            .map(|(bytes, rest)| (u64::from(u16::from_be_bytes(*bytes)), rest))),
        LENGTH_64 => match rest.split_first_chunk() {
            Some((bytes, _)) if bytes[0] & 0x80 != 0 => Err(Violation::LengthTopBit),
            Some((bytes, rest)) => Ok(Some((u64::from_be_bytes(*bytes), rest))),
            None => Ok(None),
        },
        length => Ok(Some((u64::from(length), rest))),
    }
}

/// Appends a final, unmasked frame, as servers send them. Its payload is `parts`, joined.
///
/// Control frames carry at most 125 bytes; that is the caller's to keep.
pub fn encode_frame(out: &mut Vec<u8>, opcode: OpCode, parts: &[&[u8]]) {
    let payload_bytes = parts.iter().map(|part| part.len()).sum();
    encode_header(out, FIN | opcode.encode(), payload_bytes, 0);
    for part in parts {
        out.extend_from_slice(part);
    }
}

/// Appends a final frame masked with `mask`, as clients send them. Its payload is `parts`, joined.
///
/// `mask` is to be random, and new for each frame (RFC 6455 §5.3).
pub fn encode_masked_frame(out: &mut Vec<u8>, opcode: OpCode, parts: &[&[u8]], mask: [u8; 4]) {
    let payload_bytes = parts.iter().map(|part| part.len()).sum();
    encode_header(out, FIN | opcode.encode(), payload_bytes, MASK);
    out.extend_from_slice(&mask);
    let start = out.len();
    for part in parts {
        out.extend_from_slice(part);
    }
    mask::apply(&mut out[start..], mask);
}

/// Appends a final, unmasked frame of a message that is compressed.
pub(super) fn encode_compressed_frame(out: &mut Vec<u8>, opcode: OpCode, message: &[u8]) {
    encode_header(out, FIN | RSV_1 | opcode.encode(), message.len(), 0);
    out.extend_from_slice(message);
}

/// Appends a header up to its length, and makes room for the frame.
fn encode_header(out: &mut Vec<u8>, first: u8, payload_bytes: usize, mask_bit: u8) {
    out.reserve(Header::MAX_BYTES + payload_bytes);
    out.push(first);
    match (u8::try_from(payload_bytes), u16::try_from(payload_bytes)) {
        (Ok(length), _) if length < LENGTH_16 => out.push(mask_bit | length),
        (_, Ok(length)) => {
            out.push(mask_bit | LENGTH_16);
            out.extend_from_slice(&length.to_be_bytes());
        }
        (_, Err(_)) => {
            let length = u64::try_from(payload_bytes).expect("a usize has at most 64 bits");
            out.push(mask_bit | LENGTH_64);
            out.extend_from_slice(&length.to_be_bytes());
        }
    }
}

/// Bytes of the first of our own frames in `bytes`, header and payload; 0 when there is none.
pub fn next_frame_len(bytes: &[u8]) -> usize {
    match Header::decode(bytes) {
        Ok(Some((header, header_len))) => usize::try_from(header.payload_bytes)
            .unwrap_or(usize::MAX)
            .saturating_add(header_len),
        Ok(None) | Err(_) => 0,
    }
}

/// Walks over whole frames that [`encode_frame`] made: what each is, and its payload.
///
/// Ends where no whole frame is left.
#[derive(Clone, Debug)]
pub struct Frames<'a> {
    rest: &'a [u8],
}

impl<'a> Frames<'a> {
    /// Starts at the front of `bytes`, which begins where a frame begins.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = (OpCode, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (header, header_len) = Header::decode(self.rest).ok()??;
        let (frame, rest) = self.rest.split_at_checked(next_frame_len(self.rest))?;
        self.rest = rest;
        Some((header.opcode, &frame[header_len..]))
    }
}

const FIN: u8 = 0b1000_0000;
const RSV_1: u8 = 0b0100_0000;
const RSV_2_3: u8 = 0b0011_0000;
const OPCODE: u8 = 0b0000_1111;
const MASK: u8 = 0b1000_0000;
const LENGTH: u8 = 0b0111_1111;

/// Says that the length is in the next 16 bits.
const LENGTH_16: u8 = 126;
/// Says that the length is in the next 64 bits.
const LENGTH_64: u8 = 127;
const MAX_CONTROL_BYTES: u8 = 125;
