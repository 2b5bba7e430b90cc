//! One connection of a client's.

use std::io::{self, ErrorKind};

use crate::stream::Stream;

/// A connection that is being opened, or is open.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) stream: Stream,
    pub(crate) phase: Phase,
    /// What came of an answer or a frame that is not complete yet.
    partial: Vec<u8>,
}

/// What the next bytes are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Phase {
    /// TCP is connecting: none.
    Connecting,
    /// The head of an answer.
    Head,
    /// The rest of an answer.
    Body { left_bytes: usize },
    /// Nothing has been asked: none.
    Free,
    /// WebSocket frames.
    Frames,
}

/// What reading once came to.
pub(crate) enum Pulled {
    /// This many bytes, and there may be more.
    Some(usize),
    /// There is no more for now.
    Drained(usize),
    Closed,
}

impl Line {
    pub(crate) fn new(stream: Stream) -> Self {
        Self {
            stream,
            phase: Phase::Connecting,
            partial: Vec::new(),
        }
    }

    /// Whether TCP has just connected.
    pub(crate) fn is_connected(&self) -> io::Result<bool> {
        if self.phase != Phase::Connecting {
            return Ok(false);
        }
        match self.stream.take_error()? {
            None => Ok(true),
            Some(error) => Err(error),
        }
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.send(bytes)
    }

    /// Sends a request, and expects its answer.
    pub(crate) fn ask(&mut self, request: &[u8]) -> io::Result<()> {
        self.phase = Phase::Head;
        self.send(request)
    }

    /// Reads into `buffer` behind what was incomplete.
    pub(crate) fn pull(&mut self, buffer: &mut [u8]) -> io::Result<Pulled> {
        let kept = self.partial.len();
        buffer[..kept].copy_from_slice(&self.partial);
        self.partial.clear();
        loop {
            match self.stream.receive(&mut buffer[kept..]) {
                Ok(0) => return Ok(Pulled::Closed),
                Ok(read) if kept + read < buffer.len() && self.stream.tells_when_drained() => {
                    return Ok(Pulled::Drained(kept + read));
                }
                Ok(read) => return Ok(Pulled::Some(kept + read)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return Ok(Pulled::Drained(kept));
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Keeps what is not complete for the next [`pull`](Self::pull); fails if that is more than any message.
    pub(crate) fn keep(&mut self, rest: &[u8]) -> Result<(), String> {
        if MAX_PARTIAL_BYTES < rest.len() {
            return Err(format!(
                "was sent {} bytes that make no whole message",
                rest.len()
            ));
        }
        self.partial = rest.to_vec();
        Ok(())
    }
}

/// Well over any message of any scenario.
const MAX_PARTIAL_BYTES: usize = 128 << 10;
