//! One WebSocket, open: packets in, frames out, both in one task and cut wherever it pleases TCP.

use std::{future, io};

use fanfare_proto::{
    Limits,
    engineio::{self, Packet},
    websocket::{CloseFrame, Message, OpCode, Reader, Role, Violation, encode_masked_frame},
};
use tokio::io::Interest;

use crate::{error::TransportError, stream::Stream};

/// An open WebSocket.
#[derive(Debug)]
pub(crate) struct WebSocket {
    stream: Stream,
    reader: Reader,
    /// Read from the stream, but not yet by `reader`.
    input: Vec<u8>,
    /// Frames, or what is left of them, that the stream has not taken.
    output: Vec<u8>,
}

/// What a message is: a packet, or something that is none.
pub(crate) type Decoded = Result<Packet, engineio::Violation>;

impl WebSocket {
    /// `input` came along with the answer to the handshake.
    pub(crate) fn new(stream: Stream, input: &[u8], limits: &Limits) -> Self {
        Self {
            stream,
            reader: Reader::new(Role::Client, limits),
            input: input.to_vec(),
            output: Vec::new(),
        }
    }

    /// Puts a packet behind what is unwritten; [`next`](Self::next) and [`flush`](Self::flush) write.
    pub(crate) fn push(&mut self, packet: &Packet) {
        match packet {
            Packet::Message(engineio::Message::Binary(data)) => {
                self.push_frame(OpCode::Binary, data);
            }
            Packet::Open(_)
            | Packet::Close
            | Packet::Ping(_)
            | Packet::Pong(_)
            | Packet::Message(engineio::Message::Text(_))
            | Packet::Upgrade
            | Packet::Noop => {
                let mut text = Vec::new();
                packet.encode_text(&mut text);
                self.push_frame(OpCode::Text, &text);
            }
        }
    }

    /// Bytes that the stream has not taken.
    pub(crate) fn unwritten_bytes(&self) -> usize {
        self.output.len()
    }

    /// The next packet. Meanwhile what is unwritten is written.
    ///
    /// Cancel-safe: what was read or written stays so.
    pub(crate) async fn next(&mut self) -> Result<Decoded, TransportError> {
        loop {
            match self.receive().await? {
                Message::Text(text) => return Ok(Packet::decode_text(&text)),
                Message::Binary(data) => return Ok(Ok(Packet::decode_binary(data))),
                Message::Ping(data) => self.push_frame(OpCode::Pong, &data),
                Message::Pong(_) => {}
                Message::Close(_) => {
                    self.push_frame(OpCode::Close, &[]);
                    self.write_what_fits();
                    return Err(TransportError::Closed);
                }
            }
        }
    }

    /// Writes what is unwritten, then rests forever: for a time in which nothing is to be read.
    pub(crate) async fn flush(&mut self) -> TransportError {
        while !self.output.is_empty() {
            if let Err(error) = self.turn(Interest::WRITABLE).await {
                return error;
            }
        }
        future::pending().await
    }

    /// Says goodbye, and waits until the server has done so.
    pub(crate) async fn close(mut self) {
        self.push_frame(OpCode::Close, &[]);
        while let Ok(message) = self.receive().await {
            if matches!(message, Message::Close(_)) {
                return;
            }
        }
    }

    fn push_frame(&mut self, opcode: OpCode, payload: &[u8]) {
        let mut mask = [0; 4];
        getrandom::fill(&mut mask).expect("the operating system has random bytes");
        encode_masked_frame(&mut self.output, opcode, &[payload], mask);
    }

    async fn receive(&mut self) -> Result<Message, TransportError> {
        loop {
            let mut rest = &self.input[..];
            let message = self.reader.read(&mut rest);
            let used_bytes = self.input.len() - rest.len();
            self.input.drain(..used_bytes);
            match message {
                Ok(Some(message)) => return Ok(message),
                Ok(None) => self.turn(Interest::READABLE).await?,
                Err(violation) => return Err(self.fail(violation)),
            }
        }
    }

    fn fail(&mut self, violation: Violation) -> TransportError {
        let frame = CloseFrame {
            code: violation.close_code(),
            reason: String::new(),
        };
        let mut payload = Vec::new();
        frame.encode(&mut payload);
        self.push_frame(OpCode::Close, &payload);
        self.write_what_fits();
        violation.into()
    }

    /// For last words, whose arrival nobody waits for.
    fn write_what_fits(&self) {
        let _ = self.stream.try_write(&self.output);
    }

    /// Waits until something can be done, and does it.
    async fn turn(&mut self, interest: Interest) -> Result<(), TransportError> {
        let interest = if self.output.is_empty() {
            interest
        } else {
            interest | Interest::WRITABLE
        };
        let ready = self.stream.ready(interest).await.map_err(broken)?;
        if ready.is_writable() && !self.output.is_empty() {
            let written = self.stream.try_write(&self.output);
            let written_bytes = unless_blocked(written)?.unwrap_or(0);
            self.output.drain(..written_bytes);
        }
        if interest.is_readable() && ready.is_readable() {
            let mut chunk = [0; READ_BYTES];
            match unless_blocked(self.stream.try_read(&mut chunk))? {
                Some(0) => return Err(broken(io::ErrorKind::UnexpectedEof.into())),
                Some(read_bytes) => self.input.extend_from_slice(&chunk[..read_bytes]),
                None => {}
            }
        }
        Ok(())
    }
}

fn unless_blocked(result: io::Result<usize>) -> Result<Option<usize>, TransportError> {
    match result {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(broken(error)),
    }
}

fn broken(error: io::Error) -> TransportError {
    TransportError::Broken(error)
}

/// A page and a half of a busy server's events: more gains nothing, and it lies on the stack.
const READ_BYTES: usize = 8 * 1024;
