//! One client: from its connect to its end.

mod blame;
mod reading;

pub(crate) use blame::first_line;
pub(crate) use reading::Incoming;

use std::sync::OnceLock;
use std::time::Instant;

use crate::error::LoadError;
use crate::frame;
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
}

fn goodbye() -> &'static [u8] {
    static GOODBYE: OnceLock<Vec<u8>> = OnceLock::new();
    GOODBYE.get_or_init(frame::goodbye)
}

/// Between the packets of a payload.
const SEPARATOR: u8 = 0x1e;
