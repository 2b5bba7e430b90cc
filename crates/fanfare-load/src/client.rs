//! One client: from its connect to its end.

use std::io;
use std::sync::OnceLock;
use std::time::Instant;

use fanfare_proto::websocket::OpCode;
use serde::Deserialize;

use crate::error::LoadError;
use crate::frame::{self, Frame};
use crate::http::{self, Answer};
use crate::line::{Line, Phase, Pulled};
use crate::site::{ClientId, Lane, Site, Transport};

/// One client, with one connection or two.
///
/// ```text
///  WebSocket   Connecting → Switching → Opening → Joining ──────────────────→ Joined
///  polling     Connecting → Opening → Opened → Joining ─────────────────────→ Joined
///  upgrade     Connecting → Opening → Opened → Joining → Moving → Switching → Joined
/// ```
#[derive(Debug)]
pub(crate) struct Client {
    id: ClientId,
    stage: Stage,
    main: Option<Line>,
    side: Option<Line>,
    /// Its session's, where requests have to name it; else empty.
    sid: Box<str>,
    /// Packets that wait for the post under way to be answered.
    outgoing: Vec<u8>,
    /// Its first connection posts, between two polls.
    is_posting: bool,
    /// It was pinged by the poll whose answer has not ended.
    owes_pong: bool,
    begun: Instant,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stage {
    Connecting,
    /// A WebSocket is asked for.
    Switching,
    /// The Engine.IO open packet has not come.
    Opening,
    /// It has, by a poll whose answer has not ended.
    Opened,
    /// CONNECT is sent; its answer has not come.
    Joining,
    /// Joined by polling, and about to move.
    Moving,
    Joined,
    /// It reads nothing, or what it had not read.
    Lagging,
    /// It has said goodbye.
    Leaving,
}

impl Stage {
    fn name(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Switching => "upgrading to WebSocket",
            Self::Opening => "waiting for the open packet",
            Self::Opened | Self::Joining => "joining",
            Self::Moving => "moving to WebSocket",
            Self::Joined => "joined",
            Self::Lagging => "behind",
            Self::Leaving => "leaving",
        }
    }
}

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
    pub(crate) fn new(id: ClientId, site: &Site) -> Result<Self, LoadError> {
        Ok(Self {
            id,
            stage: Stage::Connecting,
            main: Some(site.open(id, Lane::Main)?),
            side: None,
            sid: Box::default(),
            outgoing: Vec::new(),
            is_posting: false,
            owes_pong: false,
            begun: Instant::now(),
        })
    }

    /// When it began to connect.
    pub(crate) fn begun(&self) -> Instant {
        self.begun
    }

    /// Whether the server may end its connection.
    pub(crate) fn may_end(&self) -> bool {
        matches!(self.stage, Stage::Lagging | Stage::Leaving)
    }

    pub(crate) fn has(&self, lane: Lane) -> bool {
        self.line(lane).is_some()
    }

    /// Asks for what the connection is for, once TCP has connected.
    pub(crate) fn handle_writable(&mut self, lane: Lane, site: &Site) -> Result<(), LoadError> {
        let Some(line) = self.line(lane) else {
            return Ok(());
        };
        match line.is_connected() {
            Ok(false) => return Ok(()),
            Ok(true) => {}
            Err(source) => return Err(self.unconnected(site, source)),
        }
        match (lane, site.transport) {
            (Lane::Main, Transport::WebSocket) | (Lane::Side, Transport::Upgrade) => {
                self.stage = Stage::Switching;
                self.ask(lane, &site.requests.upgrade(&self.sid))
            }
            (Lane::Main, Transport::Polling | Transport::Upgrade) => {
                self.stage = Stage::Opening;
                self.ask(lane, &site.requests.poll(""))
            }
            (Lane::Side, Transport::Polling | Transport::WebSocket) => self.post(site),
        }
    }

    /// Emits a packet, such as `42["say","hello"]`.
    pub(crate) fn emit(&mut self, packet: &[u8], site: &Site) -> Result<(), LoadError> {
        if let Some(line) = self.websocket_mut() {
            let sent = line.send(&frame::text(packet));
            return sent.map_err(|source| self.failed(source));
        }
        if !self.outgoing.is_empty() {
            self.outgoing.push(SEPARATOR);
        }
        self.outgoing.extend_from_slice(packet);
        match &self.side {
            _ if site.transport == Transport::Upgrade => Ok(()),
            None => {
                self.side = Some(site.open(self.id, Lane::Side)?);
                Ok(())
            }
            Some(line) if line.phase == Phase::Free => self.post(site),
            Some(_) => Ok(()),
        }
    }

    /// Leaves as the official client does: a DISCONNECT, and a Close frame.
    pub(crate) fn leave(&mut self, site: &Site) -> Result<(), LoadError> {
        self.emit(b"41", site)?;
        self.stage = Stage::Leaving;
        let goodbye = self.websocket_mut().map(|line| line.send(goodbye()));
        goodbye
            .transpose()
            .map(drop)
            .map_err(|source| self.failed(source))
    }

    /// Reads nothing from now on.
    pub(crate) fn stop_reading(&mut self, site: &Site) -> Result<(), LoadError> {
        self.stage = Stage::Lagging;
        self.websocket()
            .map(|line| site.unwatch(line))
            .unwrap_or(Ok(()))
    }

    /// Reads what it has not read.
    pub(crate) fn go_on_reading(&self, site: &Site) -> Result<(), LoadError> {
        self.websocket()
            .map(|line| site.watch(line, self.id, Lane::Main))
            .unwrap_or(Ok(()))
    }

    /// Reads into `buffer` behind what was incomplete.
    pub(crate) fn pull(&mut self, lane: Lane, buffer: &mut [u8]) -> Result<Pulled, LoadError> {
        let Some(line) = self.line_mut(lane) else {
            return Ok(Pulled::Drained(0));
        };
        match line.pull(buffer) {
            // A server need not keep a connection on which nothing is asked.
            Ok(Pulled::Closed) if lane == Lane::Side && line.phase == Phase::Free => {
                self.side = None;
                Ok(Pulled::Drained(0))
            }
            Ok(Pulled::Closed) if !self.may_end() => Err(self.closed()),
            Ok(pulled) => Ok(pulled),
            // Who goes while it is written to resets the connection.
            Err(_) if self.may_end() => Ok(Pulled::Closed),
            Err(source) => Err(self.failed(source)),
        }
    }

    /// Keeps what is not complete for the next [`pull`](Self::pull).
    pub(crate) fn keep(&mut self, lane: Lane, rest: &[u8]) -> Result<(), LoadError> {
        let id = self.id;
        self.line_mut(lane)
            .map_or(Ok(()), |line| line.keep(rest))
            .map_err(|what| LoadError::Wrong { client: id, what })
    }

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

    /// Posts what is to be said.
    fn post(&mut self, site: &Site) -> Result<(), LoadError> {
        let request = site.requests.post(&self.sid, &self.outgoing);
        self.outgoing.clear();
        self.ask(Lane::Side, &request)
    }

    fn ask(&mut self, lane: Lane, request: &[u8]) -> Result<(), LoadError> {
        self.line_mut(lane)
            .map_or(Ok(()), |line| line.ask(request))
            .map_err(|source| self.failed(source))
    }

    fn send(&mut self, lane: Lane, bytes: &[u8]) -> Result<(), LoadError> {
        self.line_mut(lane)
            .map_or(Ok(()), |line| line.send(bytes))
            .map_err(|source| self.failed(source))
    }

    fn line(&self, lane: Lane) -> Option<&Line> {
        match lane {
            Lane::Main => self.main.as_ref(),
            Lane::Side => self.side.as_ref(),
        }
    }

    fn line_mut(&mut self, lane: Lane) -> Option<&mut Line> {
        match lane {
            Lane::Main => self.main.as_mut(),
            Lane::Side => self.side.as_mut(),
        }
    }

    fn set_phase(&mut self, lane: Lane, phase: Phase) {
        if let Some(line) = self.line_mut(lane) {
            line.phase = phase;
        }
    }

    /// Its WebSocket, if it speaks through one already.
    fn websocket(&self) -> Option<&Line> {
        let lines = [self.side.as_ref(), self.main.as_ref()];
        let mut open = lines.into_iter().flatten();
        open.find(|line| line.phase == Phase::Frames)
            .filter(|_| self.stage != Stage::Switching)
    }

    fn websocket_mut(&mut self) -> Option<&mut Line> {
        let lines = [self.side.as_mut(), self.main.as_mut()];
        let mut open = lines.into_iter().flatten();
        open.find(|line| line.phase == Phase::Frames)
            .filter(|_| self.stage != Stage::Switching)
    }

    fn unconnected(&self, site: &Site, source: io::Error) -> LoadError {
        if source.kind() == io::ErrorKind::ConnectionRefused {
            let address = site.address();
            return LoadError::NotThere { address };
        }
        self.failed(source)
    }

    fn failed(&self, source: io::Error) -> LoadError {
        LoadError::Connection {
            client: self.id,
            stage: self.stage.name(),
            source,
        }
    }

    fn closed(&self) -> LoadError {
        match self.stage {
            Stage::Switching | Stage::Opening => {
                self.not_opened("the end of the connection".to_owned())
            }
            stage => LoadError::Closed {
                client: self.id,
                stage: stage.name(),
            },
        }
    }

    fn not_opened(&self, answer: String) -> LoadError {
        let stage = self.stage.name();
        match self.stage {
            Stage::Connecting | Stage::Switching | Stage::Opening => LoadError::NotOpened {
                client: self.id,
                stage,
                answer,
            },
            Stage::Opened
            | Stage::Joining
            | Stage::Moving
            | Stage::Joined
            | Stage::Lagging
            | Stage::Leaving => self.wrong(format!("was answered with '{answer}' while {stage}")),
        }
    }

    fn unexpected(&self, bytes: &[u8]) -> LoadError {
        self.wrong(format!(
            "was sent {} while {}",
            first_line(bytes),
            self.stage.name()
        ))
    }

    fn wrong(&self, what: String) -> LoadError {
        LoadError::Wrong {
            client: self.id,
            what,
        }
    }
}

/// What is read of an open packet.
#[derive(Deserialize)]
struct Open {
    sid: Box<str>,
}

/// What a person can make of bytes that should not have come.
pub(crate) fn first_line(bytes: &[u8]) -> String {
    let line = bytes
        .split(|byte| matches!(byte, b'\r' | b'\n'))
        .next()
        .unwrap_or_default();
    String::from_utf8_lossy(&line[..line.len().min(SHOWN_BYTES)]).into_owned()
}

fn probe() -> &'static [u8] {
    static PROBE: OnceLock<Vec<u8>> = OnceLock::new();
    PROBE.get_or_init(|| frame::text(b"2probe"))
}

fn moved() -> &'static [u8] {
    static MOVED: OnceLock<Vec<u8>> = OnceLock::new();
    MOVED.get_or_init(|| frame::text(b"5"))
}

fn goodbye() -> &'static [u8] {
    static GOODBYE: OnceLock<Vec<u8>> = OnceLock::new();
    GOODBYE.get_or_init(frame::goodbye)
}

const PONG: &[u8] = b"3";
/// Between the packets of a payload.
const SEPARATOR: u8 = 0x1e;
const SHOWN_BYTES: usize = 120;
