//! Members: who of a shard is in a namespace, and in which of its rooms. Plain data.

use std::{collections::HashMap, sync::Arc};

use roaring::RoaringBitmap;
use smallvec::SmallVec;

use crate::{broadcast::Select, rooms::Watching, slots::SlotId, socket_id::SocketId};

/// Who of a shard is in a namespace, and in which of its rooms, as sets of slots.
#[derive(Default)]
pub(crate) struct Members {
    all: RoaringBitmap,
    rooms: HashMap<Arc<str>, RoaringBitmap>,
    /// Nothing for a socket that is in no room.
    rooms_of: HashMap<u32, SmallVec<[Arc<str>; 1]>>,
    by_id: HashMap<SocketId, u32>,
    /// The user keys of those who have one, in a namespace that counts rooms.
    users: HashMap<u32, Box<str>>,
}

impl Members {
    /// The socket is a member from here on.
    pub(crate) fn join(&mut self, slot: SlotId, id: SocketId) {
        self.all.insert(slot.index);
        self.by_id.insert(id, slot.index);
    }

    /// Whose socket that is. Does nothing for who is no member.
    pub(crate) fn note_user(&mut self, slot: SlotId, id: SocketId, user: &str) {
        if self.has(id) {
            self.users.insert(slot.index, user.into());
        }
    }

    /// The socket is no member any more, and in no room. Returns the rooms that it was in.
    pub(crate) fn leave(
        &mut self,
        slot: SlotId,
        id: SocketId,
        watching: Watching<'_>,
    ) -> Vec<Arc<str>> {
        if self.by_id.remove(&id).is_none() {
            return Vec::new();
        }
        self.all.remove(slot.index);
        let user = self.users.remove(&slot.index);
        let rooms = self.rooms_of.remove(&slot.index).unwrap_or_default();
        for room in &rooms {
            self.take_from(slot.index, room);
            watching.leave(room, || id, user.as_deref());
        }
        rooms.into_vec()
    }

    pub(crate) fn has_slot(&self, slot: u32) -> bool {
        self.all.contains(slot)
    }

    pub(crate) fn slot_of(&self, id: SocketId) -> Option<u32> {
        self.by_id.get(&id).copied()
    }

    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// All members, by their slots.
    pub(crate) fn slots(&self) -> &RoaringBitmap {
        &self.all
    }

    pub(crate) fn has(&self, id: SocketId) -> bool {
        self.by_id.contains_key(&id)
    }

    /// Does nothing for who is no member.
    pub(crate) fn join_room(
        &mut self,
        slot: SlotId,
        id: SocketId,
        room: &str,
        watching: Watching<'_>,
    ) {
        if self.has(id)
            && let Some(room) = self.add_to(slot.index, room)
        {
            watching.join(&room, || id, self.user(slot.index));
        }
    }

    /// Adds everyone whom `select` names to a room.
    pub(crate) fn join_room_all(&mut self, select: &Select, room: &str, watching: Watching<'_>) {
        let ids = self.ids_for(watching);
        for slot in self.selected(select) {
            if let Some(room) = self.add_to(slot, room) {
                watching.join(&room, || ids[&slot], self.user(slot));
            }
        }
    }

    /// Returns the room, unless the slot was in it already.
    fn add_to(&mut self, slot: u32, room: &str) -> Option<Arc<str>> {
        let room: Arc<str> = match self.rooms.get_key_value(room) {
            Some((room, _)) => room.clone(),
            None => room.into(),
        };
        if !self.rooms.entry(room.clone()).or_default().insert(slot) {
            return None;
        }
        self.rooms_of.entry(slot).or_default().push(room.clone());
        Some(room)
    }

    /// Does nothing for who is no member.
    pub(crate) fn leave_room(
        &mut self,
        slot: SlotId,
        id: SocketId,
        room: &str,
        watching: Watching<'_>,
    ) {
        if self.has(id)
            && let Some(room) = self.remove_from(slot.index, room)
        {
            watching.leave(&room, || id, self.user(slot.index));
        }
    }

    /// Takes everyone whom `select` names out of a room.
    pub(crate) fn leave_room_all(&mut self, select: &Select, room: &str, watching: Watching<'_>) {
        let ids = self.ids_for(watching);
        for slot in self.selected(select) {
            if let Some(room) = self.remove_from(slot, room) {
                watching.leave(&room, || ids[&slot], self.user(slot));
            }
        }
    }

    /// Returns the room, if the slot was in it.
    fn remove_from(&mut self, slot: u32, room: &str) -> Option<Arc<str>> {
        let rooms = self.rooms_of.get_mut(&slot)?;
        let at = rooms.iter().position(|joined| **joined == *room)?;
        let room = rooms.remove(at);
        if rooms.is_empty() {
            self.rooms_of.remove(&slot);
        }
        self.take_from(slot, &room);
        Some(room)
    }

    /// Who has which slot, if anybody is told of that.
    fn ids_for(&self, watching: Watching<'_>) -> HashMap<u32, SocketId> {
        match watching.events {
            Some(_) => self.by_id.iter().map(|(id, slot)| (*slot, *id)).collect(),
            None => HashMap::new(),
        }
    }

    fn user(&self, slot: u32) -> Option<&str> {
        self.users.get(&slot).map(|user| &**user)
    }

    /// Calls `see` with the user key of each who is in a room.
    pub(crate) fn for_each_user(&self, room: &str, mut see: impl FnMut(Option<&str>)) {
        for slot in self.rooms.get(room).into_iter().flatten() {
            see(self.user(slot));
        }
    }

    /// Its rooms, and how many of the shard are in each.
    pub(crate) fn room_sizes(&self) -> impl Iterator<Item = (&Arc<str>, usize)> {
        let sizes = self.rooms.iter();
        sizes.map(|(room, members)| (room, usize::try_from(members.len()).unwrap_or(usize::MAX)))
    }

    pub(crate) fn rooms_of(&self, slot: SlotId, id: SocketId) -> Vec<Arc<str>> {
        match self.has(id) {
            true => self
                .rooms_of
                .get(&slot.index)
                .map_or_else(Vec::new, |rooms| rooms.to_vec()),
            false => Vec::new(),
        }
    }

    /// How many `select` names. For one room, without looking at its members.
    pub(crate) fn count(&self, select: &Select) -> usize {
        match select.only_room() {
            Some(room) => {
                let members = self.rooms.get(room).map_or(0, RoaringBitmap::len);
                usize::try_from(members).unwrap_or(usize::MAX)
            }
            None => {
                let mut receivers = 0;
                self.for_each(select, |_| receivers += 1);
                receivers
            }
        }
    }

    /// Calls `send` once for each member whom `select` names.
    pub(crate) fn for_each(&self, select: &Select, mut send: impl FnMut(u32)) {
        if select.rooms.is_empty() && select.except.is_empty() {
            let skip = select.but.and_then(|id| self.by_id.get(&id).copied());
            self.all
                .iter()
                .filter(|slot| Some(*slot) != skip)
                .for_each(send);
            return;
        }
        let mut receivers = match select.rooms.is_empty() {
            true => self.all.clone(),
            false => self.union(&select.rooms),
        };
        receivers -= self.union(&select.except);
        if let Some(slot) = select.but.and_then(|id| self.by_id.get(&id)) {
            receivers.remove(*slot);
        }
        for slot in receivers {
            send(slot);
        }
    }

    fn selected(&self, select: &Select) -> Vec<u32> {
        let mut slots = Vec::new();
        self.for_each(select, |slot| slots.push(slot));
        slots
    }

    /// A socket's id names a room that holds just this socket.
    fn union(&self, rooms: &[Arc<str>]) -> RoaringBitmap {
        let mut union = RoaringBitmap::new();
        for room in rooms {
            if let Some(members) = self.rooms.get(room) {
                union |= members;
            }
            if let Some(slot) = SocketId::parse(room).and_then(|id| self.by_id.get(&id)) {
                union.insert(*slot);
            }
        }
        union
    }

    fn take_from(&mut self, slot: u32, room: &str) {
        if let Some(members) = self.rooms.get_mut(room) {
            members.remove(slot);
            if members.is_empty() {
                self.rooms.remove(room);
            }
        }
    }
}
