//! Bytes → messages: frames unmasked, fragments joined, text checked. RFC 6455 §5.4–§6.2.

use std::mem;

use bytes::Bytes;

use super::{CloseFrame, Header, OpCode, Violation, deflate, mask};
use crate::Limits;

/// A whole message, or a control frame.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Message {
    /// UTF-8 text.
    Text(String),
    /// Bytes.
    Binary(Bytes),
    /// To be answered with a Pong of the same payload.
    Ping(Bytes),
    /// An answer to a Ping, or unasked for.
    Pong(Bytes),
    /// The peer will send no more; the last message.
    Close(Option<CloseFrame>),
}

/// Which side we are: it decides which frames have to be masked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    /// We read masked frames.
    Server,
    /// We read unmasked frames.
    Client,
}

/// Reads messages from a stream of bytes, however they are cut.
///
/// Holds memory only while a frame or message is incomplete, and then for the bytes that have
/// arrived, not for those announced.
#[derive(Debug)]
pub struct Reader {
    role: Role,
    max_payload_bytes: usize,
    max_fragments: usize,
    /// Whether messages may be compressed.
    inflates: bool,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Between messages.
    Idle,
    Within(Box<Partial>),
    /// After a Close, or a violation.
    Ended,
}

impl Reader {
    /// Starts after the handshake.
    pub fn new(role: Role, limits: &Limits) -> Self {
        Self {
            role,
            max_payload_bytes: limits.max_payload_bytes,
            max_fragments: limits.max_fragments,
            inflates: false,
            state: State::Idle,
        }
    }

    /// The same, where [compression](super::deflate) has been agreed on.
    #[must_use]
    pub fn inflating(self) -> Self {
        Self {
            inflates: true,
            ..self
        }
    }

    /// Takes bytes from the front of `input` up to the end of the next message.
    ///
    /// `None` means that `input` is used up and more is needed. After a Close or a violation
    /// everything is swallowed.
    ///
    /// # Errors
    ///
    /// The [`Violation`] to fail the connection with.
    pub fn read(&mut self, input: &mut &[u8]) -> Result<Option<Message>, Violation> {
        let mut partial = match mem::replace(&mut self.state, State::Ended) {
            State::Idle => Partial::default(),
            State::Within(partial) => *partial,
            State::Ended => {
                *input = &[];
                return Ok(None);
            }
        };
        let message = self.advance(&mut partial, input)?;
        self.state = match message {
            Some(Message::Close(_)) => State::Ended,
            _ if partial.is_empty() => State::Idle,
            _ => State::Within(Box::new(partial)),
        };
        Ok(message)
    }

    fn advance(
        &self,
        partial: &mut Partial,
        input: &mut &[u8],
    ) -> Result<Option<Message>, Violation> {
        loop {
            if partial.frame.is_none() {
                let Some(header) = partial.read_header(input)? else {
                    return Ok(None);
                };
                self.begin_frame(header, partial)?;
            }
            if !partial.read_payload(input) {
                return Ok(None);
            }
            if let Some(message) = partial.end_frame(self.max_payload_bytes)? {
                return Ok(Some(message));
            }
        }
    }

    /// Checks what a header alone cannot show: who sends it, after what, and how much in all.
    fn begin_frame(&self, header: Header, partial: &mut Partial) -> Result<(), Violation> {
        match (self.role, header.mask) {
            (Role::Server, None) => return Err(Violation::NotMasked),
            (Role::Client, Some(_)) => return Err(Violation::Masked),
            (Role::Server, Some(_)) | (Role::Client, None) => {}
        }
        match (header.opcode, &partial.message) {
            (OpCode::Text | OpCode::Binary, Some(_)) => {
                return Err(Violation::ExpectedContinuation);
            }
            (OpCode::Continuation, None) => return Err(Violation::UnexpectedContinuation),
            (OpCode::Text | OpCode::Binary, None) if header.is_compressed && !self.inflates => {
                return Err(Violation::ReservedBits);
            }
            (OpCode::Text | OpCode::Binary, None) => {
                partial.message = Some(Fragments::new(header.opcode, header.is_compressed));
            }
            (OpCode::Continuation, Some(_)) | (OpCode::Close | OpCode::Ping | OpCode::Pong, _) => {}
        }
        let payload_bytes =
            usize::try_from(header.payload_bytes).map_err(|_| Violation::MessageTooBig)?;
        if let Some(message) = &mut partial.message
            && !header.opcode.is_control()
        {
            message.count += 1;
            if payload_bytes > self.max_payload_bytes.saturating_sub(message.data.len()) {
                return Err(Violation::MessageTooBig);
            }
            if message.count > self.max_fragments + message.data.len() / BYTES_PER_FRAGMENT {
                return Err(Violation::TooManyFragments);
            }
        }
        partial.frame = Some(Frame {
            fin: header.fin,
            opcode: header.opcode,
            mask: header.mask,
            missing_bytes: payload_bytes,
        });
        Ok(())
    }
}

/// What has arrived of a frame and of the message it belongs to.
#[derive(Debug, Default)]
struct Partial {
    header: [u8; Header::MAX_BYTES],
    /// Invariant: less than `header.len()`, and 0 while `frame` is there.
    header_len: usize,
    frame: Option<Frame>,
    /// The payload of a control frame.
    control: Vec<u8>,
    message: Option<Fragments>,
}

/// A frame whose header has been read.
#[derive(Debug)]
struct Frame {
    fin: bool,
    opcode: OpCode,
    /// The key for the bytes that are missing.
    mask: Option<[u8; 4]>,
    missing_bytes: usize,
}

/// The frames of one message, joined.
#[derive(Debug)]
struct Fragments {
    /// Text or Binary.
    opcode: OpCode,
    is_compressed: bool,
    count: usize,
    data: Vec<u8>,
}

impl Partial {
    fn is_empty(&self) -> bool {
        self.header_len == 0 && self.frame.is_none() && self.message.is_none()
    }

    fn read_header(&mut self, input: &mut &[u8]) -> Result<Option<Header>, Violation> {
        if self.header_len == 0
            && let Some((header, header_len)) = Header::decode(input)?
        {
            *input = &input[header_len..];
            return Ok(Some(header));
        }
        while let Some((&byte, rest)) = input.split_first() {
            *input = rest;
            self.header[self.header_len] = byte;
            self.header_len += 1;
            if let Some((header, _)) = Header::decode(&self.header[..self.header_len])? {
                self.header_len = 0;
                return Ok(Some(header));
            }
        }
        Ok(None)
    }

    /// Takes what there is of the frame's payload; whether that is all of it.
    fn read_payload(&mut self, input: &mut &[u8]) -> bool {
        let Some(frame) = &mut self.frame else {
            return true;
        };
        let buffer = match &mut self.message {
            Some(message) if !frame.opcode.is_control() => &mut message.data,
            Some(_) | None => &mut self.control,
        };
        let (payload, rest) = input.split_at(frame.missing_bytes.min(input.len()));
        *input = rest;
        if buffer.is_empty() {
            buffer.reserve_exact(payload.len());
        }
        let start = buffer.len();
        buffer.extend_from_slice(payload);
        if let Some(key) = frame.mask {
            mask::apply(&mut buffer[start..], key);
            frame.mask = Some(mask::advance(key, payload.len()));
        }
        frame.missing_bytes -= payload.len();
        frame.missing_bytes == 0
    }

    /// What a frame that is complete makes complete.
    fn end_frame(&mut self, max_payload_bytes: usize) -> Result<Option<Message>, Violation> {
        let Some(frame) = self.frame.take() else {
            return Ok(None);
        };
        match frame.opcode {
            OpCode::Close => {
                let close = CloseFrame::decode(&self.control)?;
                Ok(Some(Message::Close(close)))
            }
            OpCode::Ping => Ok(Some(Message::Ping(mem::take(&mut self.control).into()))),
            OpCode::Pong => Ok(Some(Message::Pong(mem::take(&mut self.control).into()))),
            OpCode::Continuation | OpCode::Text | OpCode::Binary if !frame.fin => Ok(None),
            OpCode::Continuation | OpCode::Text | OpCode::Binary => {
                let message = self.message.take();
                message
                    .map(|message| message.finish(max_payload_bytes))
                    .transpose()
            }
        }
    }
}

impl Fragments {
    fn new(opcode: OpCode, is_compressed: bool) -> Self {
        Self {
            opcode,
            is_compressed,
            count: 0,
            data: Vec::new(),
        }
    }

    fn finish(self, max_payload_bytes: usize) -> Result<Message, Violation> {
        let data = match self.is_compressed {
            true => deflate::inflate(&self.data, max_payload_bytes)?,
            false => self.data,
        };
        if self.opcode == OpCode::Text {
            let text = String::from_utf8(data).map_err(|_| Violation::InvalidUtf8)?;
            Ok(Message::Text(text))
        } else {
            Ok(Message::Binary(data.into()))
        }
    }
}

/// So many bytes of a message allow one frame more: a client that streams a long message in
/// small frames is honest.
const BYTES_PER_FRAGMENT: usize = 64;

#[cfg(test)]
mod tests {
    use super::{Message, Reader, Role, State};
    use crate::Limits;
    use crate::websocket::{OpCode, encode_masked_frame};

    #[test]
    fn between_messages_nothing_is_held() {
        let mut bytes = Vec::new();
        encode_masked_frame(&mut bytes, OpCode::Text, &[b"hello"], [1, 2, 3, 4]);
        for cut in 1..bytes.len() {
            let mut reader = Reader::new(Role::Server, &Limits::default());
            assert_eq!(reader.read(&mut &bytes[..cut]), Ok(None));
            assert!(matches!(reader.state, State::Within(_)), "cut at {cut}");
            let message = reader.read(&mut &bytes[cut..]);
            assert_eq!(message, Ok(Some(Message::Text("hello".to_owned()))));
            assert!(matches!(reader.state, State::Idle), "cut at {cut}");
        }
    }

    #[test]
    fn memory_is_taken_for_what_has_arrived_not_for_what_is_announced() {
        let mut bytes = Vec::new();
        encode_masked_frame(&mut bytes, OpCode::Binary, &[&[0; 900_000]], [0; 4]);
        let mut reader = Reader::new(Role::Server, &Limits::default());
        assert_eq!(reader.read(&mut &bytes[..114]), Ok(None));
        let State::Within(partial) = reader.state else {
            panic!("a message has begun");
        };
        let message = partial.message.expect("its first frame has begun");
        assert!(message.data.capacity() < 1_000);
    }
}
