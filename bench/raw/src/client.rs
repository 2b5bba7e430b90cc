//! One client: its TCP connection, and how far it has got.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use fanfare_proto::websocket::next_frame_len;

use crate::greeting;
use crate::log::Log;
use crate::server::Sending;

/// Invariant: `position` and `unsent` mean something only while `stage` is `Following` or `Blocked`.
pub(crate) struct Client {
    stream: TcpStream,
    /// Tells it from others that have had its slot.
    pub(crate) number: u64,
    pub(crate) stage: Stage,
    /// Bytes still to be sent of the frame that `position` stands in; 0 between frames.
    unsent: u32,
    /// Up to where it has been sent the log.
    position: u64,
    /// What came of a request or a frame that is not complete yet.
    partial: Option<Box<[u8]>>,
}

/// How far a client has come.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum Stage {
    /// Its request to upgrade is awaited.
    Greeting,
    /// Its CONNECT packet is awaited.
    Opened,
    /// It is sent what the log holds.
    Following,
    /// Its buffer in the kernel is full.
    Blocked,
    /// It was following, and cannot be written to any more; epoll is about to say that it is closed.
    Lost,
}

impl Stage {
    pub(crate) fn is_counted(self) -> bool {
        match self {
            Self::Greeting | Self::Opened => false,
            Self::Following | Self::Blocked | Self::Lost => true,
        }
    }
}

impl Client {
    pub(crate) fn new(stream: TcpStream, number: u64) -> Self {
        Self {
            stream,
            number,
            stage: Stage::Greeting,
            unsent: 0,
            position: 0,
            partial: None,
        }
    }

    /// Sends what is to go to this client alone.
    ///
    /// # Errors
    ///
    /// Also when not all of it fits: it is sent to new clients only, whose buffers are empty.
    pub(crate) fn send(&self, bytes: &[u8]) -> io::Result<()> {
        (&self.stream).write_all(bytes)
    }

    /// Sends whatever `log` holds from now on.
    pub(crate) fn follow(&mut self, log: &Log) {
        self.stage = Stage::Following;
        self.position = log.end();
    }

    /// Sends what `log` holds for this client, until the kernel takes no more.
    pub(crate) fn catch_up(&mut self, log: &Log, sending: Sending) {
        while self.stage == Stage::Following && self.position < log.end() {
            let pending = log.since(self.position);
            let chunk = match sending {
                Sending::Gather => pending,
                Sending::Write if 0 < self.unsent => &pending[..self.unsent as usize],
                Sending::Write => &pending[..next_frame_len(pending)],
            };
            match (&self.stream).write(chunk) {
                Ok(sent) => {
                    self.position += sent as u64;
                    self.unsent = u32::try_from(chunk.len() - sent).expect("the log is smaller");
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.stage = Stage::Blocked,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => self.stage = Stage::Lost,
            }
        }
    }

    pub(crate) fn handle_writable(&mut self) {
        if self.stage == Stage::Blocked {
            self.stage = Stage::Following;
        }
    }

    /// Reads what has come, behind what was left of the last time; `None` if the client has gone.
    ///
    /// Edge-triggered: reads until there is no more, which a read that does not fill the buffer says too.
    pub(crate) fn read<'a>(&mut self, buffer: &'a mut Vec<u8>) -> Option<&'a mut [u8]> {
        let mut filled = 0;
        if let Some(partial) = self.partial.take() {
            buffer[..partial.len()].copy_from_slice(&partial);
            filled = partial.len();
        }
        loop {
            if filled == buffer.len() {
                buffer.resize(2 * filled, 0);
            }
            match (&self.stream).read(&mut buffer[filled..]) {
                Ok(0) => return None,
                Ok(read) => {
                    filled += read;
                    if filled < buffer.len() {
                        return Some(&mut buffer[..filled]);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return Some(&mut buffer[..filled]);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return None,
            }
        }
    }

    /// Keeps what is not complete for the next [`read`](Self::read).
    pub(crate) fn keep(&mut self, rest: &[u8]) {
        if !rest.is_empty() {
            self.partial = Some(rest.into());
        }
    }

    /// Answers the request to upgrade at the start of `bytes`; returns its length.
    pub(crate) fn greet(
        &mut self,
        bytes: &[u8],
        session: usize,
        ping_interval: Duration,
    ) -> io::Result<usize> {
        let Some(length) = greeting::request_bytes(bytes) else {
            return Ok(0);
        };
        let answer = greeting::answer(&bytes[..length], session, ping_interval)
            .ok_or(ErrorKind::InvalidData)?;
        self.send(&answer)?;
        self.stage = Stage::Opened;
        Ok(length)
    }
}
