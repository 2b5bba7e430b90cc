//! Slots: the sessions of a shard by number, and what each is to be sent in this turn.

use std::sync::Arc;

use crate::{
    emitted::{Fate, Refusal},
    everyone::CaughtUp,
    ranges::{Keep, Lane, Range, Ranges},
    session::Session,
};

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

/// A place for one session.
#[derive(Default)]
pub(crate) struct Slot {
    pub(crate) session: Option<Arc<Session>>,
    generation: u32,
    ranges: Ranges,
    pub(crate) caught_up: CaughtUp,
    pub(crate) is_leaving: bool,
    is_deflating: bool,
}

/// The slots of a shard.
#[derive(Default)]
pub(crate) struct Slots {
    all: Vec<Slot>,
    free: Vec<u32>,
    /// Who has ranges.
    dirty: Vec<u32>,
    /// Who takes compressed messages.
    n_deflating: usize,
    /// What the turn held for sessions that ended within it.
    pub(crate) refusals: Vec<Refusal>,
    /// Where events lie that a newer value replaced, and for how many receivers.
    pub(crate) superseded: Vec<(Lane, u32, usize)>,
}

/// What one session gets in a pass.
pub(crate) struct Work {
    /// Whose it is, if it still has the slot when it is written: to touch the sessions of all at the start of a pass would keep the
    /// thread, and the turn's lock, for as long as that takes.
    slot: SlotId,
    /// The session whose slot is free already: nothing follows.
    leaving: Option<Arc<Session>>,
    pub(crate) ranges: Ranges,
}

impl Work {
    pub(crate) fn is_last(&self) -> bool {
        self.leaving.is_some()
    }
}

impl Slots {
    /// Gives a new session its slot.
    pub(crate) fn open(&mut self, build: impl FnOnce(SlotId) -> Arc<Session>) -> Arc<Session> {
        let index = self.free.pop().unwrap_or_else(|| {
            self.all.push(Slot::default());
            u32::try_from(self.all.len() - 1).expect("sessions are bounded by open files")
        });
        let slot = &mut self.all[index as usize];
        let session = build(SlotId {
            index,
            generation: slot.generation,
        });
        slot.session = Some(session.clone());
        session
    }

    /// Frees a slot, with what the turn holds for it.
    pub(crate) fn free(&mut self, index: u32) {
        let slot = &mut self.all[index as usize];
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

    /// The slot, if the session still has it.
    pub(crate) fn of(&mut self, id: SlotId) -> Option<&mut Slot> {
        self.all
            .get_mut(id.index as usize)
            .filter(|slot| slot.generation == id.generation && slot.session.is_some())
    }

    pub(crate) fn at(&mut self, index: u32) -> &mut Slot {
        &mut self.all[index as usize]
    }

    pub(crate) fn session(&self, index: u32) -> Option<&Arc<Session>> {
        self.all[index as usize].session.as_ref()
    }

    pub(crate) fn sessions(&self) -> impl Iterator<Item = &Arc<Session>> {
        self.all.iter().filter_map(|slot| slot.session.as_ref())
    }

    /// The session takes compressed messages from here on.
    pub(crate) fn deflate(&mut self, id: SlotId) {
        if let Some(slot) = self.of(id).filter(|slot| !slot.is_deflating) {
            slot.is_deflating = true;
            self.n_deflating += 1;
        }
    }

    pub(crate) fn is_deflating(&self, index: u32) -> bool {
        self.all[index as usize].is_deflating
    }

    /// Whether anybody takes compressed messages.
    pub(crate) fn has_deflating(&self) -> bool {
        0 < self.n_deflating
    }

    /// Nobody has ranges.
    pub(crate) fn are_clean(&self) -> bool {
        self.dirty.is_empty()
    }

    /// Adds a range to what a session is sent, unless its last frame is among that.
    pub(crate) fn widen(&mut self, index: u32, range: Range) {
        let slot = &mut self.all[index as usize];
        if slot.is_leaving || slot.session.is_none() {
            return;
        }
        if slot.ranges.is_empty() {
            self.dirty.push(index);
        }
        let older = match range.keep {
            Keep::Event | Keep::Nothing => {
                slot.ranges.push(range);
                None
            }
            Keep::Latest(_) => slot.ranges.push_latest(range),
        };
        if let Some(older) = older.filter(|older| older.lane != Lane::Private) {
            self.count_superseded(&older);
        }
    }

    fn count_superseded(&mut self, older: &Range) {
        let mut known = self.superseded.iter_mut();
        match known.find(|(lane, start, _)| (*lane, *start) == (older.lane, older.start)) {
            Some((.., times)) => *times += 1,
            None => self.superseded.push((older.lane, older.start, 1)),
        }
    }

    /// Takes what all are sent, and frees the slots of those for whom that is the last.
    pub(crate) fn take_work(&mut self, work: &mut Vec<Work>) {
        for index in std::mem::take(&mut self.dirty) {
            let slot = &mut self.all[index as usize];
            let ranges = std::mem::take(&mut slot.ranges);
            // Its session has ended; another may have the slot, and be in here once more.
            if ranges.is_empty() {
                continue;
            }
            let id = SlotId {
                index,
                generation: slot.generation,
            };
            let leaving = slot.session.take_if(|_| slot.is_leaving);
            if leaving.is_some() {
                self.free(index);
            }
            work.push(Work {
                slot: id,
                leaving,
                ranges,
            });
        }
    }

    /// Whose `work` is; `None` if the session has ended since the turn did.
    pub(crate) fn receiver(&mut self, work: &Work) -> Option<Arc<Session>> {
        let leaving = work.leaving.as_ref();
        let session = leaving.or_else(|| self.of(work.slot)?.session.as_ref());
        session.cloned()
    }
}
