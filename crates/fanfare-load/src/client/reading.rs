//! What comes on a client's connections, and what it does about that.

use std::sync::OnceLock;

use fanfare_proto::websocket::OpCode;
use serde::Deserialize;

use super::{Client, SEPARATOR, Stage, first_line};
use crate::error::LoadError;
use crate::frame::{self, Frame};
use crate::http::{self, Answer};
use crate::line::Phase;
use crate::site::{Lane, Site, Transport};

/// What came from the server.
pub(crate) enum Incoming<'a> {
    /// Nothing that concerns the scenario.
    Nothing,
    /// The client has just joined.
    Joined,
    /// A ping; it is answered.
    Ping,
    /// An event or an ack for a joined client, as `42["user count",1]`.
    Packet(&'a [u8]),
    /// The same, compressed.
    Compressed(&'a [u8]),
    /// The server has said goodbye to a client that may go.
    Ended,
}

impl Client {
    /// Takes one thing from the start of `bytes`; returns what it means and its length, `None` if it is not complete.
    pub(crate) fn take<'a>(
        &mut self,
        lane: Lane,
        bytes: &'a [u8],
        site: &Site,
    ) -> Result<Option<(Incoming<'a>, usize)>, LoadError> {
        let Some(line) = self.line(lane) else {
            return Ok(None);
        };
        match line.phase {
            _ if bytes.is_empty() => Ok(None),
            Phase::Head => self.take_head(lane, bytes, site),
            Phase::Body { left_bytes } => self.take_body(lane, bytes, left_bytes, site),
            Phase::Frames => self.take_frame(bytes, site),
            Phase::Connecting | Phase::Free => Err(self.unexpected(bytes)),
        }
    }

    fn take_head(
        &mut self,
        lane: Lane,
        bytes: &[u8],
        site: &Site,
    ) -> Result<Option<(Incoming<'static>, usize)>, LoadError> {
        let Some(head) = http::head(bytes) else {
            return Ok(None);
        };
        match (head.answer, self.stage) {
            (Answer::Switched, Stage::Switching) => {
                self.set_phase(lane, Phase::Frames);
                if self.sid.is_empty() {
                    self.stage = Stage::Opening;
                } else {
                    self.send(lane, probe())?;
                }
            }
            (Answer::Body(0), stage) if stage != Stage::Switching => self.end_body(lane, site)?,
            (Answer::Body(left_bytes), stage) if stage != Stage::Switching => {
                self.set_phase(lane, Phase::Body { left_bytes });
            }
            (Answer::Body(_), _) => return Err(self.not_opened(first_line(bytes))),
            (Answer::Other(answer), _) => return Err(self.not_opened(answer)),
            (Answer::Switched, _) => return Err(self.unexpected(bytes)),
        }
        Ok(Some((Incoming::Nothing, head.head_bytes)))
    }

    fn take_body<'a>(
        &mut self,
        lane: Lane,
        bytes: &'a [u8],
        left_bytes: usize,
        site: &Site,
    ) -> Result<Option<(Incoming<'a>, usize)>, LoadError> {
        let here = &bytes[..bytes.len().min(left_bytes)];
        let is_whole = here.len() == left_bytes;
        let is_poll = lane == Lane::Main && !self.is_posting;
        let separator = here
            .iter()
            .position(|byte| *byte == SEPARATOR)
            .filter(|_| is_poll);
        let (packet, taken_bytes) = match separator {
            Some(end) => (&here[..end], end + 1),
            None if is_whole || !is_poll => (here, here.len()),
            None => return Ok(None),
        };
        let incoming = if is_poll {
            self.take_packet(packet, site)?
        } else {
            Incoming::Nothing
        };
        if taken_bytes == left_bytes {
            self.end_body(lane, site)?;
        } else {
            let left_bytes = left_bytes - taken_bytes;
            self.set_phase(lane, Phase::Body { left_bytes });
        }
        Ok(Some((incoming, taken_bytes)))
    }

    /// An answer has ended: what is next on this connection.
    fn end_body(&mut self, lane: Lane, site: &Site) -> Result<(), LoadError> {
        self.set_phase(lane, Phase::Free);
        match (lane, self.stage) {
            (Lane::Side, _) if self.outgoing.is_empty() => Ok(()),
            (Lane::Side, _) => self.post(site),
            (Lane::Main, _) if self.is_posting => {
                self.is_posting = false;
                self.ask(lane, &site.requests.poll(&self.sid))
            }
            (Lane::Main, Stage::Opened) => {
                self.stage = Stage::Joining;
                self.is_posting = true;
                self.ask(lane, &site.requests.post(&self.sid, b"40"))
            }
            // A second connection for this would not be there yet, or not any more, and cost as much as a client.
            (Lane::Main, Stage::Joining | Stage::Joined) if self.owes_pong => {
                self.owes_pong = false;
                self.is_posting = true;
                self.ask(lane, &site.requests.post(&self.sid, PONG))
            }
            (Lane::Main, Stage::Moving) => {
                self.side = Some(site.open(self.id, Lane::Side)?);
                Ok(())
            }
            (Lane::Main, Stage::Joining | Stage::Joined) => {
                self.ask(lane, &site.requests.poll(&self.sid))
            }
            (Lane::Main, Stage::Opening) => {
                Err(self.not_opened("an answer without an open packet".to_owned()))
            }
            (
                Lane::Main,
                Stage::Connecting | Stage::Switching | Stage::Lagging | Stage::Leaving,
            ) => Ok(()),
        }
    }

    fn take_frame<'a>(
        &mut self,
        bytes: &'a [u8],
        site: &Site,
    ) -> Result<Option<(Incoming<'a>, usize)>, LoadError> {
        let frame = frame::first(bytes).map_err(|source| LoadError::Violation {
            client: self.id,
            source,
        })?;
        let Some(Frame {
            header,
            payload,
            frame_bytes,
        }) = frame
        else {
            return Ok(None);
        };
        let incoming = match header.opcode {
            OpCode::Text if header.is_compressed && !site.requests.offers_compression => {
                return Err(
                    self.wrong("was sent a compressed message and had not offered that".to_owned())
                );
            }
            OpCode::Text if header.is_compressed && header.fin && header.mask.is_none() => {
                Incoming::Compressed(payload)
            }
            OpCode::Text if header.fin && header.mask.is_none() => {
                self.take_packet(payload, site)?
            }
            OpCode::Text | OpCode::Continuation => {
                return Err(self.wrong("was sent a masked or a fragmented message".to_owned()));
            }
            OpCode::Close if self.may_end() => Incoming::Ended,
            OpCode::Close => return Err(self.closed()),
            OpCode::Binary | OpCode::Ping | OpCode::Pong => Incoming::Nothing,
        };
        Ok(Some((incoming, frame_bytes)))
    }

    /// What a packet means that was compressed; `None` stands for bytes that are none.
    pub(crate) fn take_inflated<'a>(
        &mut self,
        packet: Option<&'a [u8]>,
        site: &Site,
    ) -> Result<Incoming<'a>, LoadError> {
        match packet {
            Some(packet) => self.take_packet(packet, site),
            None => Err(self.wrong("was sent a compressed message that cannot be read".to_owned())),
        }
    }

    fn take_packet<'a>(
        &mut self,
        packet: &'a [u8],
        site: &Site,
    ) -> Result<Incoming<'a>, LoadError> {
        match (self.stage, packet) {
            (
                Stage::Joined | Stage::Lagging | Stage::Moving | Stage::Switching,
                [b'4', b'2' | b'3', ..],
            ) => Ok(Incoming::Packet(packet)),
            (Stage::Leaving, [b'4', ..]) | (_, [b'6']) => Ok(Incoming::Nothing),
            (Stage::Opening, [b'0', ..]) if site.transport == Transport::WebSocket => {
                self.stage = Stage::Joining;
                self.emit(b"40", site)?;
                Ok(Incoming::Nothing)
            }
            (Stage::Opening, [b'0', open @ ..]) => {
                let Ok(Open { sid }) = serde_json::from_slice(open) else {
                    return Err(self.unexpected(packet));
                };
                self.sid = sid;
                self.stage = Stage::Opened;
                Ok(Incoming::Nothing)
            }
            (Stage::Joining, [b'4', b'0', ..]) if site.transport == Transport::Upgrade => {
                self.stage = Stage::Moving;
                Ok(Incoming::Nothing)
            }
            (Stage::Joining, [b'4', b'0', ..]) => {
                self.stage = Stage::Joined;
                Ok(Incoming::Joined)
            }
            (Stage::Switching, b"3probe") => {
                self.stage = Stage::Joined;
                self.main = None;
                self.send(Lane::Side, moved())?;
                if !self.outgoing.is_empty() {
                    let outgoing = std::mem::take(&mut self.outgoing);
                    for packet in outgoing.split(|byte| *byte == SEPARATOR) {
                        self.emit(packet, site)?;
                    }
                }
                Ok(Incoming::Joined)
            }
            (Stage::Leaving, [b'2']) => Ok(Incoming::Nothing),
            (_, [b'2']) => {
                match site.transport {
                    Transport::Polling => self.owes_pong = true,
                    Transport::WebSocket | Transport::Upgrade => self.emit(PONG, site)?,
                }
                Ok(Incoming::Ping)
            }
            (Stage::Lagging | Stage::Leaving, [b'1'] | [b'4', b'1', ..]) => Ok(Incoming::Ended),
            (_, [b'1'] | [b'4', b'1', ..]) => Err(self.closed()),
            (_, [b'4', b'4', ..]) => Err(LoadError::Refused {
                client: self.id,
                answer: first_line(packet),
            }),
            (_, _) => Err(self.unexpected(packet)),
        }
    }
}

/// What is read of an open packet.
#[derive(Deserialize)]
struct Open {
    sid: Box<str>,
}

fn probe() -> &'static [u8] {
    static PROBE: OnceLock<Vec<u8>> = OnceLock::new();
    PROBE.get_or_init(|| frame::text(b"2probe"))
}

fn moved() -> &'static [u8] {
    static MOVED: OnceLock<Vec<u8>> = OnceLock::new();
    MOVED.get_or_init(|| frame::text(b"5"))
}

const PONG: &[u8] = b"3";
