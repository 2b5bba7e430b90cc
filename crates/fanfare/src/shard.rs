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
    emitted::{Part, Turn},
    everyone::Everyone,
    flusher::{self, Pass},
    frame::Encoded,
    members::Members,
    metrics::Holds,
    ranges::{Keep, Lane, Lanes, Range},
    rooms::Watching,
    session::Session,
    slots::{SlotId, Slots, Work},
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
    slots: Slots,
    lanes: Lanes<BytesMut>,
    everyone: Everyone,
    report: Arc<Turn>,
    /// Indexed by the namespace's number.
    members: Vec<Members>,
    deadlines: BinaryHeap<Reverse<Deadline>>,
    is_closed: bool,
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Deadline {
    at: Instant,
    slot: SlotId,
}

impl Shard {
    pub(crate) fn new(holds: Holds) -> Self {
        Self {
            holds,
            turn: Mutex::new(ShardTurn {
                slots: Slots::default(),
                lanes: Lanes::default(),
                everyone: Everyone::default(),
                report: Arc::default(),
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
        self.slots.open(build)
    }

    /// Nothing more is sent through the slot, not even what the turn holds for it. Its session has left all namespaces.
    pub(crate) fn free_slot(&mut self, id: SlotId) {
        if self.slots.of(id).is_some() {
            self.slots.free(id.index);
        }
    }

    /// Whether the slot's last frame is on its way.
    pub(crate) fn is_leaving(&mut self, id: SlotId) -> bool {
        self.slots.of(id).is_some_and(|slot| slot.is_leaving)
    }

    /// The session takes compressed messages from here on.
    pub(crate) fn deflate(&mut self, id: SlotId) {
        self.slots.deflate(id);
    }

    /// Whether anybody here takes compressed messages.
    pub(crate) fn has_deflating(&self) -> bool {
        self.slots.has_deflating()
    }

    /// Sends `frame` behind all else, and frees the slot after that.
    pub(crate) fn free_slot_after(&mut self, id: SlotId, frame: &[u8]) -> Wake {
        let wake = self.push_private(id, frame, Keep::Event);
        if let Some(slot) = self.slots.of(id) {
            slot.is_leaving = true;
        }
        wake
    }

    /// Sends `frame` to one session.
    pub(crate) fn push_private(&mut self, id: SlotId, frame: &[u8], keep: Keep) -> Wake {
        if self.slots.of(id).is_none_or(|slot| slot.is_leaving) {
            return Wake::Nobody;
        }
        let was_clean = self.is_clean();
        self.catch_up(id.index);
        let range = append(&mut self.lanes, Lane::Private, frame, keep);
        self.slots.widen(id.index, range);
        Wake::after(was_clean, range.end)
    }

    /// Sends an event to one session, compressed if it is and the session takes it.
    pub(crate) fn push_event(&mut self, id: SlotId, frames: Encoded<'_>, keep: Keep) -> Wake {
        let deflated = frames.deflated;
        let deflated = deflated.filter(|_| self.slots.is_deflating(id.index));
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
        let was_clean = self.is_clean();
        let deflated = frames.deflated.filter(|_| self.has_deflating());
        let part = match deflated {
            None if select.is_everyone() => {
                self.push_to_everyone(frames.plain, namespace, select.but, keep)
            }
            deflated => {
                let frames = Encoded { deflated, ..frames };
                self.push_to_selected(frames, namespace, select, keep)
            }
        }?;
        let filled = self.lanes.open.len().max(self.lanes.deflated.len());
        Some((part, Wake::after(was_clean, offset(filled))))
    }

    /// Without looking at the members.
    fn push_to_everyone(
        &mut self,
        frames: &[u8],
        namespace: usize,
        but: Option<SocketId>,
        keep: Keep,
    ) -> Option<Part> {
        let members = self.members.get(namespace)?;
        let but = but.and_then(|id| members.slot_of(id));
        let receivers = members.len() - usize::from(but.is_some());
        if receivers == 0 {
            return None;
        }
        if let Some(slot) = but {
            self.catch_up(slot);
        }
        let open = append(&mut self.lanes, Lane::Open, frames, keep);
        self.everyone.push(namespace, open);
        if let Some(slot) = but {
            self.slots.at(slot).caught_up = self.everyone.up_to(self.lanes.open.len());
        }
        Some(Part {
            turn: self.report.clone(),
            open: Some(open),
            deflated: None,
            receivers,
        })
    }

    fn push_to_selected(
        &mut self,
        frames: Encoded<'_>,
        namespace: usize,
        select: &Select,
        keep: Keep,
    ) -> Option<Part> {
        let mut receivers = Vec::new();
        let members = self.members.get(namespace)?;
        members.for_each(select, |slot| receivers.push(slot));
        if receivers.is_empty() {
            return None;
        }
        for slot in &receivers {
            self.catch_up(*slot);
        }
        let takes = |slot: u32| frames.deflated.is_some() && self.slots.is_deflating(slot);
        let n_deflating = receivers.iter().filter(|slot| takes(**slot)).count();
        let lanes = &mut self.lanes;
        let deflated = frames.deflated.filter(|_| 0 < n_deflating);
        let deflated = deflated.map(|frames| append(lanes, Lane::Deflated, frames, keep));
        let open = Some(frames.plain).filter(|_| n_deflating < receivers.len());
        let open = open.map(|frames| append(lanes, Lane::Open, frames, keep));
        for slot in &receivers {
            let is_deflating = self.slots.is_deflating(*slot);
            let range = deflated.filter(|_| is_deflating).or(open);
            self.slots
                .widen(*slot, range.expect("who takes none takes the other"));
        }
        Some(Part {
            turn: self.report.clone(),
            open,
            deflated,
            receivers: receivers.len(),
        })
    }

    /// Nobody is sent anything yet in this turn.
    fn is_clean(&self) -> bool {
        self.slots.are_clean() && self.everyone.is_empty()
    }

    /// Notes for one session what everyone has been sent so far. Before anything else is noted for it, and before it joins or leaves.
    fn catch_up(&mut self, slot: u32) {
        let up_to = self.everyone.up_to(self.lanes.open.len());
        let from = std::mem::replace(&mut self.slots.at(slot).caught_up, up_to);
        for sent in self.everyone.since(from) {
            if self.members[sent.namespace].has_slot(slot) {
                self.slots.widen(slot, sent.range);
            }
        }
    }

    /// Notes for all what everyone has been sent.
    fn catch_up_all(&mut self) {
        for namespace in self.everyone.namespaces() {
            let receivers = Vec::from_iter(self.members[namespace].slots());
            for slot in receivers {
                self.catch_up(slot);
            }
        }
        self.everyone.end_turn(self.lanes.open.len());
    }

    /// What is to be sent, and the buffers it lies in; the next turn begins.
    pub(super) fn swap(&mut self, pass: &mut Pass) {
        self.catch_up_all();
        pass.begin(self.lanes.each_mut().map(|lane| lane.split().freeze()));
        self.slots.take_work(&mut pass.work);
        pass.report = std::mem::take(&mut self.report);
        pass.superseded = std::mem::take(&mut self.slots.superseded);
        pass.refusals = std::mem::take(&mut self.slots.refusals);
    }

    /// Whose `work` is; `None` if the session has ended since the turn did.
    pub(super) fn receiver(&mut self, work: &Work) -> Option<Arc<Session>> {
        self.slots.receiver(work)
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
            let slot = self.slots.of(slot);
            if let Some(session) = slot.and_then(|slot| slot.session.clone()) {
                return Some((session, at));
            }
        }
        None
    }

    pub(crate) fn sessions(&self) -> Vec<Arc<Session>> {
        self.slots.sessions().cloned().collect()
    }

    /// The session is a member of a namespace from here on.
    pub(crate) fn join(&mut self, namespace: usize, slot: SlotId, id: SocketId) -> &mut Members {
        self.catch_up(slot.index);
        let members = self.members_mut(namespace);
        members.join(slot, id);
        members
    }

    /// The session is no member any more. Returns the rooms that it was in.
    pub(crate) fn leave(
        &mut self,
        namespace: usize,
        slot: SlotId,
        id: SocketId,
        watching: Watching<'_>,
    ) -> Vec<Arc<str>> {
        self.catch_up(slot.index);
        self.members_mut(namespace).leave(slot, id, watching)
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
                sessions.extend(self.slots.session(slot).cloned());
            });
        }
        sessions
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
