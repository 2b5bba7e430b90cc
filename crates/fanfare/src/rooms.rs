//! Rooms: which of a namespace begin and end, and who comes and goes, told to whoever watches or counts them.

use std::{
    collections::HashMap,
    ops::Deref,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    io::Io,
    namespace::Namespace,
    room_counts::RoomCounts,
    shard::ShardTurn,
    socket_id::SocketId,
    untold::{Listener, Tell, Untold},
};

/// What happens to a room on this node; see [`Io::on_room`].
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum RoomEvent {
    /// The first socket is about to be in it.
    Created,
    /// A socket is in it from here on.
    Joined(SocketId),
    /// A socket is no longer in it.
    Left(SocketId),
    /// The last socket has left it.
    Deleted,
}

pub(crate) type OnRoom = Arc<dyn Fn(Io, &str, RoomEvent) + Send + Sync>;

/// A room, and what happened to it.
pub(crate) type RoomNews = (Arc<str>, RoomEvent);

/// Who wants to know what happens to a namespace's rooms.
#[derive(Clone, Copy, Default)]
pub(crate) struct Watching<'a> {
    pub(crate) events: Option<&'a RoomWatch>,
    pub(crate) counts: Option<&'a RoomCounts>,
}

/// The rooms of a namespace, kept where somebody listens to what happens to them.
#[derive(Default)]
pub(crate) struct RoomWatch {
    /// How many sockets are in each, over all shards. Locked under any shard's turn.
    sizes: Mutex<HashMap<Arc<str>, usize>>,
    pub(crate) untold: Untold<RoomNews>,
}

impl Watching<'_> {
    pub(crate) fn join(self, room: &Arc<str>, id: impl FnOnce() -> SocketId, user: Option<&str>) {
        if let Some(events) = self.events {
            events.join(room, id());
        }
        if let Some(counts) = self.counts {
            counts.join(room, user);
        }
    }

    pub(crate) fn leave(self, room: &Arc<str>, id: impl FnOnce() -> SocketId, user: Option<&str>) {
        if let Some(events) = self.events {
            events.leave(room, id());
        }
        if let Some(counts) = self.counts {
            counts.leave(room, user);
        }
    }
}

impl RoomWatch {
    fn sizes(&self) -> MutexGuard<'_, HashMap<Arc<str>, usize>> {
        self.sizes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn join(&self, room: &Arc<str>, id: SocketId) {
        // Held until all is noted, so that it is in its order.
        let mut sizes = self.sizes();
        let size = sizes.entry(room.clone()).or_default();
        *size += 1;
        if *size == 1 {
            self.untold.push((room.clone(), RoomEvent::Created));
        }
        self.untold.push((room.clone(), RoomEvent::Joined(id)));
    }

    fn leave(&self, room: &Arc<str>, id: SocketId) {
        let mut sizes = self.sizes();
        self.untold.push((room.clone(), RoomEvent::Left(id)));
        if let Some(size) = sizes.get_mut(room) {
            *size -= 1;
            if *size == 0 {
                sizes.remove(room);
                self.untold.push((room.clone(), RoomEvent::Deleted));
            }
        }
    }

    /// Counts the members that there are already, by who holds the turns of all shards.
    pub(crate) fn begin(&self, namespace: usize, turns: &[impl Deref<Target = ShardTurn>]) {
        let mut sizes = HashMap::new();
        let members = turns.iter().filter_map(|turn| turn.members(namespace));
        for (room, size) in members.flat_map(|members| members.room_sizes()) {
            *sizes.entry(room.clone()).or_default() += size;
        }
        *self.sizes() = sizes;
    }
}

impl Tell for RoomNews {
    fn untold(namespace: &Namespace) -> Option<&Untold<Self>> {
        Some(&namespace.room_watch()?.untold)
    }

    fn listeners(io: &Io) -> Vec<Listener<Self>> {
        let listeners = io
            .namespace()
            .with_handlers(|handlers| handlers.rooms.clone());
        let tell = |listener: OnRoom| -> Listener<Self> {
            Box::new(move |io, (room, event)| listener(io, room, *event))
        };
        listeners.into_iter().map(tell).collect()
    }
}
