//! Outbox: where a session's frames go, and what has to wait before it.

use std::{
    io::{self, ErrorKind, IoSlice},
    time::Instant,
};

use bytes::Bytes;
use fanfare_proto::websocket::{Frames, OpCode, next_frame_len};
use smallvec::SmallVec;
use tokio::sync::oneshot;

use crate::{
    backlog::Backlog,
    config::{Config, Parser, SlowReader},
    emitted::Fate,
    ranges::{Keep, Lanes, Ranges},
    reason::DisconnectReason,
    sync::Stream,
};

/// One session's way out. Whoever holds its lock is the only one to write.
#[derive(Debug)]
pub(crate) struct Outbox {
    sink: Sink,
    backlog: Option<Box<Backlog>>,
    /// What the session's task has taken and not yet written.
    in_flight: Option<Box<InFlight>>,
    /// A ping of ours is still in the backlog: its pong can't be due.
    ping_waits: bool,
    is_ending: bool,
}

/// What the session's task is writing.
#[derive(Debug)]
struct InFlight {
    bytes: usize,
    /// When the stream last took any of it.
    progress_at: Instant,
    /// A ping of ours is among it.
    has_ping: bool,
}

/// Where frames go.
#[derive(Debug)]
pub(crate) enum Sink {
    /// Into the answer of a request, if one waits.
    Polling(Option<oneshot::Sender<Vec<Bytes>>>),
    /// Straight into the kernel.
    Tcp(Stream),
    /// Through the session's own task: TLS, or a stream of unknown kind.
    Task,
    /// Nowhere: the session is over.
    Gone,
}

/// What happened to the frames that were handed over, and what the caller has to do now.
#[derive(Debug, Default)]
pub(crate) struct Delivery {
    pub(crate) written_bytes: usize,
    /// `None` if all was written.
    pub(crate) fate: Option<Fate>,
    pub(crate) dropped_bytes: usize,
    /// The fate of volatile events, where `fate` is one.
    pub(crate) volatile: Fate,
    /// Bytes of volatile events for which the transport was not writable.
    pub(crate) volatile_bytes: usize,
    /// A request that can be answered, and with what.
    pub(crate) poll: Option<PollAnswer>,
    /// The session has to end.
    pub(crate) doom: Option<DisconnectReason>,
    /// The session's task has to look after the backlog.
    pub(crate) wakes_task: bool,
    /// The backlog has just grown over its soft bound.
    pub(crate) has_stalled: bool,
}

/// The answer to a pending poll.
#[derive(Debug)]
pub(crate) struct PollAnswer {
    pub(crate) to: oneshot::Sender<Vec<Bytes>>,
    pub(crate) frames: Vec<Bytes>,
}

impl Delivery {
    /// Nobody is there to take it.
    pub(crate) fn dropped(bytes: usize) -> Self {
        Self {
            fate: Some(Fate::Dropped),
            volatile: Fate::Dropped,
            dropped_bytes: bytes,
            ..Self::default()
        }
    }
}

impl Outbox {
    pub(crate) fn new(sink: Sink) -> Self {
        Self {
            sink,
            backlog: None,
            in_flight: None,
            ping_waits: false,
            is_ending: false,
        }
    }

    pub(crate) fn is_gone(&self) -> bool {
        matches!(self.sink, Sink::Gone)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.backlog.is_none() && self.in_flight.is_none()
    }

    pub(crate) fn waiting_bytes(&self) -> usize {
        self.in_flight_bytes() + self.backlog.as_ref().map_or(0, |backlog| backlog.bytes())
    }

    /// When anything of what waits was last taken.
    pub(crate) fn progress_at(&self) -> Option<Instant> {
        match &self.in_flight {
            Some(in_flight) => Some(in_flight.progress_at),
            None => self.backlog.as_ref().map(|backlog| backlog.progress_at),
        }
    }

    fn in_flight_bytes(&self) -> usize {
        self.in_flight.as_ref().map_or(0, |taken| taken.bytes)
    }

    /// Sends the ranges of a turn, as far as they are taken; keeps the rest, within bounds.
    pub(crate) fn deliver(
        &mut self,
        ranges: &Ranges,
        lanes: &Lanes<Bytes>,
        config: &Config,
        now: Instant,
    ) -> Delivery {
        let total = ranges.len_bytes();
        let written = match &self.sink {
            Sink::Gone => return Delivery::dropped(total),
            Sink::Tcp(stream) if self.backlog.is_none() => {
                match write_ranges(stream, ranges, lanes) {
                    Ok(written) => written,
                    Err(_) => {
                        return Delivery {
                            doom: Some(DisconnectReason::TransportClose),
                            ..Delivery::dropped(total)
                        };
                    }
                }
            }
            Sink::Tcp(_) | Sink::Task | Sink::Polling(_) => 0,
        };
        if written == total {
            return Delivery {
                written_bytes: written,
                ..Delivery::default()
            };
        }
        let mut delivery = Delivery {
            written_bytes: written,
            fate: Some(Fate::Queued),
            volatile: match self.is_writable() {
                true => Fate::Queued,
                false => Fate::DroppedVolatile,
            },
            ..Delivery::default()
        };
        self.queue(ranges, lanes, config, now, &mut delivery);
        delivery
    }

    /// Sends a whole frame before all that waits: heartbeats.
    pub(crate) fn send_control(&mut self, frame: &[u8], now: Instant) -> Delivery {
        let written = match &self.sink {
            Sink::Gone => return Delivery::default(),
            Sink::Tcp(stream) if self.backlog.is_none() => {
                match try_write(|| stream.try_write(frame)) {
                    Ok(written) => written,
                    Err(_) => {
                        return Delivery {
                            doom: Some(DisconnectReason::TransportClose),
                            ..Delivery::default()
                        };
                    }
                }
            }
            Sink::Tcp(_) | Sink::Task | Sink::Polling(_) => 0,
        };
        if written == frame.len() {
            return Delivery::default();
        }
        let backlog = self
            .backlog
            .get_or_insert_with(|| Box::new(Backlog::new(now)));
        match written {
            0 => backlog.push_control(frame),
            _ => backlog.push_partial(&Bytes::copy_from_slice(frame), written, None),
        }
        self.ping_waits = true;
        self.wake_or_answer(Delivery::default())
    }

    /// Writes what waits, as far as the kernel takes it. Returns whether it took anything.
    ///
    /// # Errors
    ///
    /// The connection is lost.
    pub(crate) fn flush(&mut self, now: Instant) -> io::Result<bool> {
        let Sink::Tcp(stream) = &self.sink else {
            return Ok(false);
        };
        let mut has_progress = false;
        while let Some(backlog) = &mut self.backlog {
            let mut slices = [IoSlice::new(&[]); GATHERED_SLICES];
            let used = backlog.slices(&mut slices);
            let written = try_write(|| stream.try_write_vectored(&slices[..used]))?;
            if written == 0 {
                break;
            }
            has_progress = true;
            backlog.advance(written, now);
            if backlog.is_empty() {
                self.backlog = None;
            }
        }
        Ok(has_progress)
    }

    /// Whether a pong must be granted more time, given that bytes have just left.
    pub(crate) fn take_ping_progress(&mut self) -> bool {
        let was_waiting = self.ping_waits;
        self.ping_waits = self
            .backlog
            .as_ref()
            .is_some_and(|backlog| backlog.has_control());
        was_waiting
    }

    /// Takes all that waits, to be written by the session's task.
    pub(crate) fn take_for_task(&mut self, now: Instant) -> Vec<Bytes> {
        let has_ping = self.ping_waits;
        let frames = self.take();
        self.in_flight = (!frames.is_empty()).then(|| {
            Box::new(InFlight {
                bytes: frames.iter().map(Bytes::len).sum(),
                progress_at: now,
                has_ping,
            })
        });
        frames
    }

    /// The stream has taken something of what the task took. Whether a pong must be granted more time: its ping has not left yet.
    pub(crate) fn task_writes(&mut self, now: Instant) -> bool {
        let Some(in_flight) = &mut self.in_flight else {
            return false;
        };
        in_flight.progress_at = now;
        in_flight.has_ping || self.ping_waits
    }

    /// The task has written all that it took. Whether a pong must be granted more time, as above.
    pub(crate) fn task_has_written(&mut self, now: Instant) -> bool {
        let is_deferred = self.task_writes(now);
        self.in_flight = None;
        if let Some(backlog) = &mut self.backlog {
            backlog.progress_at = now;
        }
        is_deferred
    }

    /// A poll has come: its answer at once, or `to` waits.
    pub(crate) fn poll(&mut self, to: oneshot::Sender<Vec<Bytes>>) -> Option<PollAnswer> {
        if self.backlog.is_some() {
            return Some(PollAnswer {
                to,
                frames: self.take(),
            });
        }
        if let Sink::Polling(waiting) = &mut self.sink {
            *waiting = Some(to);
        }
        None
    }

    /// Takes the request that waits, to answer it with something else than frames.
    pub(crate) fn take_poll(&mut self) -> Option<oneshot::Sender<Vec<Bytes>>> {
        match &mut self.sink {
            Sink::Polling(waiting) => waiting.take(),
            Sink::Tcp(_) | Sink::Task | Sink::Gone => None,
        }
    }

    /// The upgrade is done: what waits goes out through the session's task, with no byte changed.
    pub(crate) fn upgrade(&mut self) {
        if !self.is_gone() {
            self.sink = Sink::Task;
        }
    }

    /// The session's task has a stream that can be written to from anywhere.
    pub(crate) fn take_over(&mut self, stream: impl Into<Stream>) {
        if !self.is_gone() {
            self.sink = Sink::Tcp(stream.into());
        }
    }

    /// Nothing follows what waits: the session's task writes that and closes its stream.
    pub(crate) fn end(&mut self) {
        self.is_ending = true;
        if self.backlog.is_none() || matches!(self.sink, Sink::Polling(_)) {
            self.close();
        }
    }

    /// Whether nothing follows what waits.
    pub(crate) fn is_ending(&self) -> bool {
        self.is_ending
    }

    /// The transport is gone: what waits is dropped.
    pub(crate) fn close(&mut self) {
        self.is_ending = true;
        self.sink = Sink::Gone;
        self.backlog = None;
    }

    fn take(&mut self) -> Vec<Bytes> {
        self.ping_waits = false;
        self.backlog
            .take()
            .map(|mut backlog| backlog.take())
            .unwrap_or_default()
    }

    /// Whether what is handed over now leaves now, after [`deliver`](Self::deliver) has tried to
    /// write it itself.
    fn is_writable(&self) -> bool {
        match &self.sink {
            Sink::Polling(waiting) => waiting.is_some() && self.backlog.is_none(),
            Sink::Task => self.is_empty(),
            Sink::Tcp(_) | Sink::Gone => false,
        }
    }

    /// Keeps what was not written, as far as the bounds allow.
    fn queue(
        &mut self,
        ranges: &Ranges,
        lanes: &Lanes<Bytes>,
        config: &Config,
        now: Instant,
        delivery: &mut Delivery,
    ) {
        let was_waiting = self.waiting_bytes();
        let max = config
            .limits
            .max_backlog_bytes
            .saturating_sub(self.in_flight_bytes());
        let mut skip = delivery.written_bytes;
        for range in ranges.iter() {
            if range.len() <= skip {
                skip -= range.len();
                continue;
            }
            let lane = lanes.get(range.lane);
            let mut frames = range.start as usize..range.end as usize;
            if range.keep == Keep::Nothing && delivery.volatile == Fate::DroppedVolatile {
                frames.end =
                    frames.start + begun_events_end(&lane[frames.clone()], skip, config.parser);
                delivery.volatile_bytes += range.end as usize - frames.end;
                if frames.len() <= skip {
                    skip = 0;
                    continue;
                }
            }
            let backlog = self
                .backlog
                .get_or_insert_with(|| Box::new(Backlog::new(now)));
            // The rest of what has begun is kept in any case: a frame must not be cut off.
            let must_fit = skip == 0;
            if must_fit && !make_room(backlog, frames.len(), max, config.slow_reader, delivery) {
                delivery.fate = Some(Fate::Dropped);
                delivery.dropped_bytes += frames.len();
                continue;
            }
            // A few bytes must not keep a whole turn's buffer alive.
            let kept = match 2 * frames.len() < lane.len() {
                true => Bytes::copy_from_slice(&lane[frames]),
                false => lane.slice(frames),
            };
            backlog.push_partial(&kept, std::mem::take(&mut skip), range.keep.latest());
        }
        if self
            .backlog
            .as_ref()
            .is_none_or(|backlog| backlog.is_empty())
        {
            self.backlog = None;
            return;
        }
        let soft = config.limits.soft_backlog_bytes;
        delivery.has_stalled = was_waiting <= soft && soft < self.waiting_bytes();
        *delivery = self.wake_or_answer(std::mem::take(delivery));
    }

    fn wake_or_answer(&mut self, mut delivery: Delivery) -> Delivery {
        match self.take_poll() {
            Some(to) => {
                delivery.poll = Some(PollAnswer {
                    to,
                    frames: self.take(),
                });
                delivery.has_stalled = false;
                if delivery.fate == Some(Fate::Queued) {
                    delivery.fate = None;
                }
            }
            None => delivery.wakes_task = true,
        }
        delivery
    }
}

/// Where the last event ends of which some of the first `written` bytes of `frames` are part: in JSON an
/// event is a text frame and the binary frames that follow it, in MessagePack any frame.
fn begun_events_end(frames: &[u8], written: usize, parser: Parser) -> usize {
    let mut end = 0;
    while let Some((opcode, _)) = Frames::new(&frames[end..]).next() {
        if written <= end && (opcode == OpCode::Text || parser == Parser::MessagePack) {
            break;
        }
        end += next_frame_len(&frames[end..]);
    }
    end
}

/// Whether `bytes` more may wait, after what the application's policy drops for them.
fn make_room(
    backlog: &mut Backlog,
    bytes: usize,
    max: usize,
    policy: SlowReader,
    delivery: &mut Delivery,
) -> bool {
    while max < backlog.bytes() + bytes {
        let dropped = match policy {
            SlowReader::Disconnect => {
                delivery.doom = Some(DisconnectReason::SlowReader);
                None
            }
            SlowReader::DropNewest => None,
            SlowReader::DropOldest => backlog.drop_oldest(),
        };
        match dropped {
            Some(bytes) => delivery.dropped_bytes += bytes,
            None => return false,
        }
    }
    true
}

fn write_ranges(stream: &Stream, ranges: &Ranges, lanes: &Lanes<Bytes>) -> io::Result<usize> {
    let slices: SmallVec<[IoSlice<'_>; GATHERED_SLICES]> = ranges
        .iter()
        .map(|range| IoSlice::new(&lanes.get(range.lane)[range.start as usize..range.end as usize]))
        .collect();
    if let [one] = &slices[..] {
        return try_write(|| stream.try_write(one));
    }
    let mut written = 0;
    for gathered in slices.chunks(MAX_SLICES) {
        let wanted: usize = gathered.iter().map(|slice| slice.len()).sum();
        let taken = try_write(|| stream.try_write_vectored(gathered))?;
        written += taken;
        if taken < wanted {
            break;
        }
    }
    Ok(written)
}

/// A kernel buffer that is full takes nothing, and that is no error.
fn try_write(write: impl FnOnce() -> io::Result<usize>) -> io::Result<usize> {
    match write() {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
        result => result,
    }
}

/// Slices of one gathering write that need no allocation.
const GATHERED_SLICES: usize = 16;

/// Slices of one gathering write; Linux takes 1,024 at the most (`IOV_MAX`).
const MAX_SLICES: usize = 512;
