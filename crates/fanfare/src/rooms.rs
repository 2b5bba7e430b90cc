//! Rooms: which of a namespace begin and end, and who comes and goes, told to whoever watches.

use std::{
    collections::{HashMap, VecDeque},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::{runtime::Handle, sync::Notify};

use crate::{io::Io, namespace::Namespace, server::Server, shard::ShardTurn, socket_id::SocketId};

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

/// The rooms of a namespace, kept where somebody listens to what happens to them.
#[derive(Default)]
pub(crate) struct RoomWatch {
    /// Locked under any shard's turn.
    state: Mutex<State>,
    changed: Arc<Notify>,
    is_running: AtomicBool,
}

#[derive(Default)]
struct State {
    /// How many sockets are in each, over all shards.
    sizes: HashMap<Arc<str>, usize>,
    /// What listeners have yet to be told.
    untold: VecDeque<(Arc<str>, RoomEvent)>,
}

impl RoomWatch {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn join(&self, room: &Arc<str>, id: SocketId) {
        let mut state = self.lock();
        let size = state.sizes.entry(room.clone()).or_default();
        *size += 1;
        if *size == 1 {
            state.untold.push_back((room.clone(), RoomEvent::Created));
        }
        state
            .untold
            .push_back((room.clone(), RoomEvent::Joined(id)));
        self.changed.notify_one();
    }

    pub(crate) fn leave(&self, room: &Arc<str>, id: SocketId) {
        let mut state = self.lock();
        state.untold.push_back((room.clone(), RoomEvent::Left(id)));
        if let Some(size) = state.sizes.get_mut(room) {
            *size -= 1;
            if *size == 0 {
                state.sizes.remove(room);
                state.untold.push_back((room.clone(), RoomEvent::Deleted));
            }
        }
        self.changed.notify_one();
    }

    /// Counts the members that there are already, by who holds the turns of all shards.
    pub(crate) fn begin(&self, namespace: usize, turns: &[MutexGuard<'_, ShardTurn>]) {
        let mut sizes = HashMap::new();
        let members = turns.iter().filter_map(|turn| turn.members(namespace));
        for (room, size) in members.flat_map(|members| members.room_sizes()) {
            *sizes.entry(room.clone()).or_default() += size;
        }
        self.lock().sizes = sizes;
    }

    /// Has listeners told from here on, if a runtime is there; else whoever comes next does.
    pub(crate) fn start(&self, server: &Arc<Server>, namespace: &Arc<Namespace>) {
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        if !self.is_running.swap(true, Ordering::AcqRel) {
            let (server, namespace) = (Arc::downgrade(server), Arc::downgrade(namespace));
            runtime.spawn(tell(server, namespace, self.changed.clone()));
        }
    }

    /// Nobody is there to be told any more.
    pub(crate) fn end(&self) {
        self.changed.notify_one();
    }
}

/// Tells listeners what has happened, in its order, until the namespace or the server is gone.
async fn tell(server: Weak<Server>, namespace: Weak<Namespace>, changed: Arc<Notify>) {
    loop {
        let (Some(server), Some(namespace)) = (server.upgrade(), namespace.upgrade()) else {
            return;
        };
        let io = Io::new_in(server, namespace);
        let listeners = io
            .namespace()
            .with_handlers(|handlers| handlers.rooms.clone());
        while let Some((room, event)) = next(&io) {
            for listener in &listeners {
                let told = || listener(io.clone(), &room, event);
                if catch_unwind(AssertUnwindSafe(told)).is_err() {
                    tracing::error!(
                        nsp = io.nsp(),
                        room = &*room,
                        "a listener to rooms panicked"
                    );
                }
            }
            tokio::task::consume_budget().await;
        }
        drop(io);
        changed.notified().await;
    }
}

fn next(io: &Io) -> Option<(Arc<str>, RoomEvent)> {
    let watch = io.namespace().room_watch()?;
    let mut state = watch.lock();
    let next = state.untold.pop_front();
    if next.is_none() {
        state.untold = VecDeque::new();
    }
    next
}
