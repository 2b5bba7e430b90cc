//! One client: from its connect to its cut.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::OnceLock;

use fanfare_proto::websocket::OpCode;

use crate::error::LoadError;
use crate::frame::{self, Frame};
use crate::swarm::ClientId;

/// A connection that is being opened, or is open.
#[derive(Debug)]
pub(crate) struct Client {
    stream: TcpStream,
    pub(crate) stage: Stage,
    /// What came of an answer or a frame that is not complete yet.
    partial: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Stage {
    Connecting,
    Upgrading,
    /// Upgraded; the Engine.IO open packet has not come.
    Opening,
    /// CONNECT is sent; its answer has not come.
    Joining,
    Joined,
}

impl Stage {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Upgrading => "upgrading to WebSocket",
            Self::Opening => "waiting for the open packet",
            Self::Joining => "joining",
            Self::Joined => "joined",
        }
    }
}

/// What came from the server.
pub(crate) enum Incoming<'a> {
    /// Nothing that concerns the scenario.
    Nothing,
    /// The client has just joined.
    Joined,
    /// A Socket.IO packet of a joined client, as `42["user count",1]`.
    Packet(&'a [u8]),
}

/// What reading once came to.
pub(crate) enum Pulled {
    /// This many bytes, and there may be more.
    Some(usize),
    /// There is no more for now.
    Drained(usize),
    Closed,
}

impl Client {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            stage: Stage::Connecting,
            partial: Vec::new(),
        }
    }

    /// Asks for the upgrade once TCP has connected.
    pub(crate) fn handle_writable(
        &mut self,
        id: ClientId,
        request: &[u8],
    ) -> Result<(), LoadError> {
        if self.stage != Stage::Connecting {
            return Ok(());
        }
        match self.stream.take_error() {
            Ok(None) => {}
            Ok(Some(source)) | Err(source) => return Err(self.failed(id, source)),
        }
        self.send(id, request)?;
        self.stage = Stage::Upgrading;
        Ok(())
    }

    /// Sends `bytes` whole.
    ///
    /// What a client sends is short and rare: it always fits into the kernel's buffer.
    pub(crate) fn send(&self, id: ClientId, bytes: &[u8]) -> Result<(), LoadError> {
        (&self.stream)
            .write_all(bytes)
            .map_err(|source| self.failed(id, source))
    }

    /// Reads into `buffer` behind what was incomplete.
    pub(crate) fn pull(&mut self, id: ClientId, buffer: &mut [u8]) -> Result<Pulled, LoadError> {
        let kept = self.partial.len();
        buffer[..kept].copy_from_slice(&self.partial);
        self.partial.clear();
        loop {
            match (&self.stream).read(&mut buffer[kept..]) {
                Ok(0) => return Ok(Pulled::Closed),
                // A stream that gives less than was asked for has no more, as epoll(7) has it.
                Ok(read) if kept + read < buffer.len() => return Ok(Pulled::Drained(kept + read)),
                Ok(read) => return Ok(Pulled::Some(kept + read)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return Ok(Pulled::Drained(kept));
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(source) => return Err(self.failed(id, source)),
            }
        }
    }

    /// Takes one thing from the start of `bytes`; returns what it means and its length, `None` if it is not complete.
    pub(crate) fn take<'a>(
        &mut self,
        id: ClientId,
        bytes: &'a [u8],
    ) -> Result<Option<(Incoming<'a>, usize)>, LoadError> {
        if self.stage == Stage::Upgrading {
            return self.take_answer(id, bytes);
        }
        let frame =
            frame::first(bytes).map_err(|source| LoadError::Violation { client: id, source })?;
        let Some(Frame {
            header,
            payload,
            frame_bytes,
        }) = frame
        else {
            return Ok(None);
        };
        let incoming = match header.opcode {
            OpCode::Text if header.fin && header.mask.is_none() => self.take_packet(id, payload)?,
            OpCode::Text | OpCode::Continuation => {
                let what = "was sent a masked or a fragmented message".to_owned();
                return Err(LoadError::Wrong { client: id, what });
            }
            OpCode::Close => {
                return Err(LoadError::Closed {
                    client: id,
                    stage: self.stage.name(),
                });
            }
            OpCode::Binary | OpCode::Ping | OpCode::Pong => Incoming::Nothing,
        };
        Ok(Some((incoming, frame_bytes)))
    }

    /// Keeps what is not complete for the next [`pull`](Self::pull).
    pub(crate) fn keep(&mut self, id: ClientId, rest: &[u8]) -> Result<(), LoadError> {
        if MAX_PARTIAL_BYTES < rest.len() {
            let what = format!("was sent {} bytes that make no whole message", rest.len());
            return Err(LoadError::Wrong { client: id, what });
        }
        self.partial = rest.to_vec();
        Ok(())
    }

    fn take_answer(
        &mut self,
        id: ClientId,
        bytes: &[u8],
    ) -> Result<Option<(Incoming<'static>, usize)>, LoadError> {
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
            return Ok(None);
        };
        let head = String::from_utf8_lossy(&bytes[..end]);
        let is_accepted = head.starts_with("HTTP/1.1 101 ") && head.contains(ACCEPT);
        if !is_accepted {
            return Err(LoadError::Refused {
                client: id,
                answer: first_line(&bytes[..end]),
            });
        }
        self.stage = Stage::Opening;
        Ok(Some((Incoming::Nothing, end + 4)))
    }

    fn take_packet<'a>(
        &mut self,
        id: ClientId,
        packet: &'a [u8],
    ) -> Result<Incoming<'a>, LoadError> {
        match (self.stage, packet) {
            (Stage::Joined, [b'4', b'2', ..]) => Ok(Incoming::Packet(packet)),
            (Stage::Opening, [b'0', ..]) => {
                self.send(id, connect())?;
                self.stage = Stage::Joining;
                Ok(Incoming::Nothing)
            }
            (Stage::Joining, [b'4', b'0', ..]) => {
                self.stage = Stage::Joined;
                Ok(Incoming::Joined)
            }
            (_, [b'2']) => {
                self.send(id, pong())?;
                Ok(Incoming::Nothing)
            }
            (_, [b'1'] | [b'4', b'1', ..]) => Err(LoadError::Closed {
                client: id,
                stage: self.stage.name(),
            }),
            (_, [b'4', b'4', ..]) => Err(LoadError::Refused {
                client: id,
                answer: first_line(packet),
            }),
            (_, _) => Err(LoadError::Wrong {
                client: id,
                what: format!(
                    "was sent {} while {}",
                    first_line(packet),
                    self.stage.name()
                ),
            }),
        }
    }

    fn failed(&self, id: ClientId, source: io::Error) -> LoadError {
        LoadError::Connection {
            client: id,
            stage: self.stage.name(),
            source,
        }
    }
}

/// The request that opens a session over WebSocket.
pub(crate) fn upgrade_request(host: &str, path: &str) -> String {
    format!(
        "GET {path}?EIO=4&transport=websocket HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n"
    )
}

/// What a person can make of bytes that should not have come.
pub(crate) fn first_line(bytes: &[u8]) -> String {
    let line = bytes
        .split(|byte| matches!(byte, b'\r' | b'\n'))
        .next()
        .unwrap_or_default();
    String::from_utf8_lossy(&line[..line.len().min(SHOWN_BYTES)]).into_owned()
}

fn connect() -> &'static [u8] {
    static CONNECT: OnceLock<Vec<u8>> = OnceLock::new();
    CONNECT.get_or_init(|| frame::text(b"40"))
}

fn pong() -> &'static [u8] {
    static PONG: OnceLock<Vec<u8>> = OnceLock::new();
    PONG.get_or_init(|| frame::text(b"3"))
}

/// The key of RFC 6455 §1.3 and its answer: one pair does for all clients, and nothing need be hashed here.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
/// Well over any message of any scenario.
const MAX_PARTIAL_BYTES: usize = 128 << 10;
const SHOWN_BYTES: usize = 120;
