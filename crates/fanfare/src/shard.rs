//! Shard: a share of the sessions, what they are to be sent in this turn, and when they are due.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    sync::{
        Arc, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::BytesMut;
use tokio::sync::Notify;

use crate::{
    broadcast::Select,
    emitted::{Fate, Part, Refusal, Turn},
    flusher::{self, Pass},
    frame::Encoded,
    members::Members,
    metrics::Holds,
    ranges::{Keep, Lane, Lanes, Range, Ranges},
    session::Session,
    socket_id::SocketId,
    sync::{Mutex, MutexGuard},
};

/// A share of the sessions. One flusher task belongs to it.
pub(crate) struct Shard {
    turn: Mutex<ShardTurn>,
    /// The pass under way. Whoever holds it may write to this shard's sessions, so passes never
    /// overlap; taken before any session's locks, never while one is held.
    pub(super) pass: Mutex<Pass>,
    pub(crate) wake: Notify,
    last_pass_micros: AtomicU64,
    pub(crate) holds: Holds,
}

/// Everything behind the shard's lock.
pub(crate) struct ShardTurn {
    slots: Vec<Slot>,
    free: Vec<u32>,
    lanes: Lanes<BytesMut>,
    dirty: Vec<u32>,
    report: Arc<Turn>,
    superseded: Vec<(Lane, u32, usize)>,
    /// Slots of sessions that take compressed messages.
    n_deflating: usize,
    /// What the turn held for sessions that ended within it.
    refusals: Vec<Refusal>,
    /// Indexed by the namespace's number.
    members: Vec<Members>,
    deadlines: BinaryHeap<Reverse<Deadline>>,
    is_closed: bool,
}

/// Names a session within its shard, for as long as it has the slot.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct SlotId {
    pub(crate) index: u32,
    generation: u32,
}

#[cfg(test)]
impl SlotId {
    /// The first who has the slot.
    pub(crate) fn first(index: u32) -> Self {
        Self {
            index,
            generation: 0,
        }
    }
}

#[derive(Default)]
struct Slot {
    session: Option<Arc<Session>>,
    generation: u32,
    ranges: Ranges,
    is_leaving: bool,
    is_deflating: bool,
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Deadline {
    at: Instant,
    slot: SlotId,
}

/// What one session gets in a pass.
pub(crate) struct Work {
    pub(crate) session: Arc<Session>,
    pub(crate) ranges: Ranges,
    /// The session's slot is free again: nothing follows.
    pub(crate) is_last: bool,
}

impl Shard {
    pub(crate) fn new(holds: Holds) -> Self {
        Self {
            holds,
            turn: Mutex::new(ShardTurn {
                slots: Vec::new(),
                free: Vec::new(),
                lanes: Lanes::default(),
                n_deflating: 0,
                dirty: Vec::new(),
                report: Arc::default(),
                superseded: Vec::new(),
                refusals: Vec::new(),
                members: Vec::new(),
                deadlines: BinaryHeap::new(),
                is_closed: false,
            }),
            pass: Mutex::default(),
            wake: Notify::new(),
            last_pass_micros: AtomicU64::new(0),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, ShardTurn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long the last pass took.
    pub(crate) fn last_pass(&self) -> Duration {
        Duration::from_micros(self.last_pass_micros.load(Ordering::Relaxed))
    }

    pub(super) fn set_last_pass(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.last_pass_micros.store(micros, Ordering::Relaxed);
    }

    /// Tells whoever has to act on an emit. Never with a lock of ours held.
    pub(crate) fn tell(&self, wake: Wake) {
        match wake {
            Wake::Nobody => {}
            Wake::Flusher => self.wake.notify_one(),
            Wake::Overfull => flusher::write_out_now(self),
        }
    }

    /// Sends something, then tells whoever has to act on it.
    pub(crate) fn tell_after(&self, send: impl FnOnce(&mut ShardTurn) -> Wake) {
        let wake = send(&mut self.lock());
        self.tell(wake);
    }

    /// The flusher ends after its next pass.
    pub(crate) fn close(&self) {
        self.lock().is_closed = true;
        self.wake.notify_one();
    }
}

impl ShardTurn {
    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Gives a new session its slot.
    pub(crate) fn open_slot(&mut self, build: impl FnOnce(SlotId) -> Arc<Session>) -> Arc<Session> {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            u32::try_from(self.slots.len() - 1).expect("sessions are bounded by open files")
        });
        let slot = &mut self.slots[index as usize];
        let session = build(SlotId {
            index,
            generation: slot.generation,
        });
        slot.session = Some(session.clone());
        session
    }

    /// Nothing more is sent through the slot, not even what the turn holds for it.
    pub(crate) fn free_slot(&mut self, id: SlotId) {
        if self.slot(id).is_some() {
            self.take_slot(id.index);
        }
    }

    /// Whether the slot's last frame is on its way.
    pub(crate) fn is_leaving(&mut self, id: SlotId) -> bool {
        self.slot(id).is_some_and(|slot| slot.is_leaving)
    }

    /// The session takes compressed messages from here on.
    pub(crate) fn deflate(&mut self, id: SlotId) {
        if let Some(slot) = self.slot(id).filter(|slot| !slot.is_deflating) {
            slot.is_deflating = true;
            self.n_deflating += 1;
        }
    }

    /// Whether anybody here takes compressed messages.
    pub(crate) fn has_deflating(&self) -> bool {
        0 < self.n_deflating
    }

    /// Sends `frame` behind all else, and frees the slot after that.
    pub(crate) fn free_slot_after(&mut self, id: SlotId, frame: &[u8]) -> Wake {
        let wake = self.push_private(id, frame, Keep::Event);
        if let Some(slot) = self.slot(id) {
            slot.is_leaving = true;
        }
        wake
    }

    /// Sends `frame` to one session.
    pub(crate) fn push_private(&mut self, id: SlotId, frame: &[u8], keep: Keep) -> Wake {
        if self.slot(id).is_none_or(|slot| slot.is_leaving) {
            return Wake::Nobody;
        }
        let range = append(&mut self.lanes, Lane::Private, frame, keep);
        let was_clean = self.dirty.is_empty();
        widen(&mut self.slots, &mut self.dirty, id.index, range);
        Wake::after(was_clean, range.end)
    }

    /// Sends an event to one session, compressed if it is and the session takes it.
    pub(crate) fn push_event(&mut self, id: SlotId, frames: Encoded<'_>, keep: Keep) -> Wake {
        let deflated = frames.deflated;
        let deflated = deflated.filter(|_| self.slot(id).is_some_and(|slot| slot.is_deflating));
        self.push_private(id, deflated.unwrap_or(frames.plain), keep)
    }

    /// Sends an event to one member of a namespace.
    pub(crate) fn push_to_member(
        &mut self,
        slot: SlotId,
        namespace: usize,
        id: SocketId,
        frames: Encoded<'_>,
        keep: Keep,
    ) -> Wake {
        match self.is_member(namespace, id) {
            true => self.push_event(slot, frames, keep),
            false => Wake::Nobody,
        }
    }

    pub(crate) fn is_member(&self, namespace: usize, id: SocketId) -> bool {
        self.members(namespace)
            .is_some_and(|members| members.has(id))
    }

    /// Sends frames to everyone of this shard whom `select` names, compressed to those who take it if they are.
    pub(crate) fn push_broadcast(
        &mut self,
        frames: Encoded<'_>,
        namespace: usize,
        select: &Select,
        keep: Keep,
    ) -> Option<(Part, Wake)> {
        let members = self.members.get(namespace)?;
        let starts = (self.lanes.open.len(), self.lanes.deflated.len());
        let open = append(&mut self.lanes, Lane::Open, frames.plain, keep);
        let deflated = frames
            .deflated
            .filter(|_| 0 < self.n_deflating)
            .map(|frames| append(&mut self.lanes, Lane::Deflated, frames, keep));
        let was_clean = self.dirty.is_empty();
        let (mut receivers, mut n_deflated) = (0, 0);
        let mut send = |slot: u32| {
            let range = match deflated {
                Some(deflated) if self.slots[slot as usize].is_deflating => {
                    n_deflated += 1;
                    deflated
                }
                Some(_) | None => open,
            };
            receivers += 1;
            if let Some(older) = widen(&mut self.slots, &mut self.dirty, slot, range)
                && older.lane != Lane::Private
            {
                let known = self.superseded.iter_mut();
                let mut known =
                    known.filter(|(lane, start, _)| (*lane, *start) == (older.lane, older.start));
                match known.next() {
                    Some((.., times)) => *times += 1,
                    None => self.superseded.push((older.lane, older.start, 1)),
                }
            }
        };
        members.for_each(select, &mut send);
        // Nobody's ranges reach into what is cut off here.
        let open = Some(open).filter(|_| n_deflated < receivers);
        let deflated = deflated.filter(|_| 0 < n_deflated);
        if open.is_none() {
            self.lanes.open.truncate(starts.0);
        }
        if deflated.is_none() {
            self.lanes.deflated.truncate(starts.1);
        }
        if receivers == 0 {
            return None;
        }
        let filled = self.lanes.open.len().max(self.lanes.deflated.len());
        let part = Part {
            turn: self.report.clone(),
            open,
            deflated,
            receivers,
        };
        Some((part, Wake::after(was_clean, offset(filled))))
    }

    /// What is to be sent, and the buffers it lies in; the next turn begins.
    pub(super) fn swap(&mut self, pass: &mut Pass) {
        pass.begin(self.lanes.each_mut().map(|lane| lane.split().freeze()));
        for index in std::mem::take(&mut self.dirty) {
            let slot = &mut self.slots[index as usize];
            let ranges = std::mem::take(&mut slot.ranges);
            let Some(session) = slot.session.clone() else {
                continue;
            };
            if ranges.is_empty() {
                continue;
            }
            let is_last = slot.is_leaving;
            if is_last {
                self.take_slot(index);
            }
            pass.work.push(Work {
                session,
                ranges,
                is_last,
            });
        }
        pass.report = std::mem::take(&mut self.report);
        pass.superseded = std::mem::take(&mut self.superseded);
        pass.refusals = std::mem::take(&mut self.refusals);
    }

    /// Gives the buffers of a pass back for the next turn, unless they grew past use.
    pub(super) fn recycle(&mut self, spare: Lanes<Option<BytesMut>>) {
        let mine = self.lanes.each_mut().into_array();
        for (mine, spare) in mine.into_iter().zip(spare.into_array()) {
            if let Some(mut spare) = spare
                && mine.is_empty()
                && mine.capacity() < spare.capacity()
                && spare.capacity() <= 2 * OPEN_BYTES
            {
                spare.clear();
                *mine = spare;
            }
        }
    }

    /// Wakes the session not later than `at`.
    pub(crate) fn arm(&mut self, slot: SlotId, at: Instant) {
        self.deadlines.push(Reverse(Deadline { at, slot }));
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.peek().map(|Reverse(next)| next.at)
    }

    /// Takes a session whose deadline has come, and that deadline.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<(Arc<Session>, Instant)> {
        while self.next_deadline().is_some_and(|at| at <= now) {
            let Reverse(Deadline { at, slot }) = self.deadlines.pop()?;
            if let Some(session) = self.slot(slot).and_then(|slot| slot.session.clone()) {
                return Some((session, at));
            }
        }
        None
    }

    pub(crate) fn sessions(&self) -> Vec<Arc<Session>> {
        self.slots
            .iter()
            .filter_map(|slot| slot.session.clone())
            .collect()
    }

    /// Who is in a namespace; nobody yet, if it is new.
    pub(crate) fn members_mut(&mut self, namespace: usize) -> &mut Members {
        if self.members.len() <= namespace {
            self.members.resize_with(namespace + 1, Members::default);
        }
        &mut self.members[namespace]
    }

    /// Who is in a namespace, if anybody ever was.
    pub(crate) fn members(&self, namespace: usize) -> Option<&Members> {
        self.members.get(namespace)
    }

    /// The sessions whom `select` names, for operations on sockets.
    pub(crate) fn select(&self, namespace: usize, select: &Select) -> Vec<Arc<Session>> {
        let mut sessions = Vec::new();
        if let Some(members) = self.members(namespace) {
            members.for_each(select, |slot| {
                sessions.extend(self.slots[slot as usize].session.clone());
            });
        }
        sessions
    }

    fn slot(&mut self, id: SlotId) -> Option<&mut Slot> {
        self.slots
            .get_mut(id.index as usize)
            .filter(|slot| slot.generation == id.generation && slot.session.is_some())
    }

    fn take_slot(&mut self, index: u32) {
        let slot = &mut self.slots[index as usize];
        let generation = slot.generation.wrapping_add(1);
        let ended = std::mem::take(slot);
        slot.generation = generation;
        self.n_deflating -= usize::from(ended.is_deflating);
        if !ended.ranges.is_empty() {
            self.refusals.push(Refusal {
                ranges: ended.ranges,
                written_bytes: 0,
                fate: Fate::Dropped,
                volatile: Fate::Dropped,
            });
        }
        self.free.push(index);
    }
}

/// Who has to be told about an emit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Wake {
    Nobody,
    Flusher,
    /// The turn's buffer is over its bound: whoever emits writes it out before going on.
    Overfull,
}

impl Wake {
    fn after(was_clean: bool, buffered_bytes: u32) -> Self {
        match (was_clean, buffered_bytes as usize > OPEN_BYTES) {
            (_, true) => Self::Overfull,
            (true, false) => Self::Flusher,
            (false, false) => Self::Nobody,
        }
    }
}

fn widen(slots: &mut [Slot], dirty: &mut Vec<u32>, index: u32, range: Range) -> Option<Range> {
    let slot = &mut slots[index as usize];
    if slot.is_leaving {
        return None;
    }
    if slot.ranges.is_empty() {
        dirty.push(index);
    }
    match range.keep {
        Keep::Event | Keep::Nothing => {
            slot.ranges.push(range);
            None
        }
        Keep::Latest(_) => slot.ranges.push_latest(range),
    }
}

fn append(lanes: &mut Lanes<BytesMut>, lane: Lane, frames: &[u8], keep: Keep) -> Range {
    let buffer = match lane {
        Lane::Open => &mut lanes.open,
        Lane::Deflated => &mut lanes.deflated,
        Lane::Private => &mut lanes.private,
    };
    let start = offset(buffer.len());
    buffer.extend_from_slice(frames);
    Range {
        lane,
        start,
        end: offset(buffer.len()),
        keep,
    }
}

fn offset(len: usize) -> u32 {
    u32::try_from(len).expect("a turn's buffers are bounded by OPEN_BYTES and one event")
}

/// What a turn may gather before whoever emits has to write it out. 1 MiB: large enough that a
/// pass pays for its system calls, small enough to stay in the processor's cache.
const OPEN_BYTES: usize = if cfg!(feature = "__model") {
    16
} else {
    1024 * 1024
};
