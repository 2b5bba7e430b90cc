//! Namespace: its handlers, its count, and the one order of its broadcasts.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, Once, OnceLock, PoisonError, RwLock, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use fanfare_proto::socketio::{AckId, Nsp};
use smallvec::SmallVec;

use crate::{
    announce::Announcements,
    book::{Book, Count},
    broadcast::Select,
    clock,
    cluster::Census,
    draft::Draft,
    emitted::Emitted,
    frame::Encoded,
    handler::Handlers,
    namespaces::Namespaces,
    ranges::{Keep, LatestKey},
    reason::DisconnectReason,
    recovery::{Claim, Discarded, Memory, Recovered, Recovery, Trailer},
    room_counts::RoomCounts,
    rooms::{RoomWatch, Watching},
    round::{NewRound, OpenRound, Rounds},
    server::Server,
    shard::{Shard, ShardTurn, Wake},
    socket::Socket,
    socket_id::SocketId,
    untold::Untold,
    users::{UserEvent, UserNews},
};

/// One namespace of a server.
pub(crate) struct Namespace {
    pub(crate) nsp: Nsp,
    /// Where the shards keep its members.
    pub(crate) number: usize,
    pub(crate) announcements: Announcements,
    /// Shared with the other namespaces of its family until one gets handlers of its own.
    handlers: RwLock<Arc<Handlers>>,
    kin: Kin,
    /// Done once the application has been told of it.
    pub(crate) ready: Once,
    book: Arc<Book>,
    /// What is known of other nodes, once anybody wants to know.
    pub(crate) census: OnceLock<Census>,
    /// Whoever holds it decides what comes next in this namespace.
    order: Mutex<Order>,
    /// `None` if nobody who leaves may come back as who they were.
    pub(crate) recovery: Option<Recovery>,
    /// Broadcasts that wait for answers. Locked under the order, or under a session's state.
    pub(crate) rounds: Rounds,
    /// Set where somebody listens to what happens to rooms.
    room_watch: OnceLock<RoomWatch>,
    /// Set where somebody counts rooms.
    pub(crate) room_counts: OnceLock<RoomCounts>,
    /// Set where somebody listens to who comes and who leaves.
    pub(crate) user_watch: OnceLock<Untold<UserNews>>,
    ack_ids: AtomicU64,
}

/// Whether a namespace is of a family.
enum Kin {
    None,
    /// Nobody is ever in it: its children are those that clients ask for.
    Parent(Mutex<HashMap<usize, Weak<Namespace>>>),
    Child {
        parent: Arc<Namespace>,
        home: Weak<Namespaces>,
    },
}

/// What only the holder of the namespace's order may change.
#[derive(Debug, Default)]
pub(crate) struct Order {
    /// How often the count has changed.
    pub(crate) version: u64,
    /// The version that the last newcomer made.
    pub(crate) newcomer: u64,
    memory: Memory,
}

/// Who has to be told once the order is released.
struct Wakes<'a>(SmallVec<[(&'a Shard, Wake); 8]>);

impl Wakes<'_> {
    fn tell(self) {
        for (shard, wake) in self.0 {
            shard.tell(wake);
        }
    }
}

impl Namespace {
    pub(crate) fn new(nsp: Nsp, number: usize, recovery: Option<Recovery>) -> Self {
        Self::of_kin(nsp, number, recovery, Kin::None)
    }

    pub(crate) fn new_parent(nsp: Nsp, recovery: Option<Recovery>) -> Self {
        Self::of_kin(nsp, NOWHERE, recovery, Kin::Parent(Mutex::default()))
    }

    /// A namespace with the handlers and announcements that `parent` has by now.
    pub(crate) fn new_child(
        nsp: Nsp,
        number: usize,
        parent: &Arc<Self>,
        home: &Arc<Namespaces>,
        latest_key: impl Fn(&str) -> LatestKey,
    ) -> Arc<Self> {
        let kin = Kin::Child {
            parent: parent.clone(),
            home: Arc::downgrade(home),
        };
        let mut child = Self::of_kin(nsp, number, parent.recovery.clone(), kin);
        let handlers = parent.handlers.read();
        child.handlers = RwLock::new(handlers.unwrap_or_else(PoisonError::into_inner).clone());
        child.announcements = parent.announcements.copied(latest_key);
        if child.with_handlers(|handlers| !handlers.rooms.is_empty()) {
            child.room_watch = RoomWatch::default().into();
        }
        if child.with_handlers(|handlers| !handlers.users.is_empty()) {
            child.user_watch = Untold::default().into();
        }
        let child = Arc::new(child);
        if let Some(mut siblings) = parent.lock_children() {
            siblings.insert(number, Arc::downgrade(&child));
        }
        child
    }

    fn of_kin(nsp: Nsp, number: usize, recovery: Option<Recovery>, kin: Kin) -> Self {
        Self {
            nsp,
            number,
            announcements: Announcements::default(),
            handlers: RwLock::default(),
            kin,
            ready: Once::new(),
            book: Arc::default(),
            census: OnceLock::new(),
            order: Mutex::default(),
            recovery,
            rounds: Rounds::default(),
            room_watch: OnceLock::new(),
            room_counts: OnceLock::new(),
            user_watch: OnceLock::new(),
            ack_ids: AtomicU64::new(0),
        }
    }

    /// The namespaces that clients have had made of this family; `None` if it is no family's parent.
    pub(crate) fn children(&self) -> Option<Vec<Arc<Self>>> {
        let children = self.lock_children()?;
        Some(children.values().filter_map(Weak::upgrade).collect())
    }

    pub(crate) fn n_children(&self) -> usize {
        self.lock_children().map_or(0, |children| children.len())
    }

    fn lock_children(&self) -> Option<MutexGuard<'_, HashMap<usize, Weak<Self>>>> {
        match &self.kin {
            Kin::Parent(children) => Some(children.lock().unwrap_or_else(PoisonError::into_inner)),
            Kin::None | Kin::Child { .. } => None,
        }
    }

    /// Whether it ends when nobody is in it.
    pub(crate) fn is_child(&self) -> bool {
        matches!(self.kin, Kin::Child { .. })
    }

    pub(crate) fn order(&self) -> MutexGuard<'_, Order> {
        self.order.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many are in it: on all nodes, if anybody has wanted to know.
    pub(crate) fn count(&self) -> Count {
        let here = self.book.count();
        match self.census.get() {
            Some(census) => census.count(here),
            None => Count::alone(here.sockets, here.users),
        }
    }

    pub(crate) fn book(&self) -> &Arc<Book> {
        &self.book
    }

    pub(crate) fn census(&self) -> Option<&Census> {
        self.census.get()
    }

    pub(crate) fn next_ack_id(&self) -> AckId {
        AckId(self.ack_ids.fetch_add(1, Ordering::Relaxed))
    }

    pub(crate) fn with_handlers<T>(&self, choose: impl FnOnce(&Handlers) -> T) -> T {
        choose(&self.handlers.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether handlers are told of what sockets are sent.
    pub(crate) fn tells_of_sent(&self) -> bool {
        self.with_handlers(|handlers| !handlers.any_outgoing.is_empty())
    }

    pub(crate) fn change_handlers(&self, change: impl FnOnce(&mut Handlers)) {
        let mut handlers = self
            .handlers
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        change(Arc::make_mut(&mut handlers));
    }

    pub(crate) fn room_watch(&self) -> Option<&RoomWatch> {
        self.room_watch.get()
    }

    /// Who wants to know what happens to rooms.
    pub(crate) fn watching(&self) -> Watching<'_> {
        Watching {
            events: self.room_watch.get(),
            counts: self.room_counts.get(),
        }
    }

    /// Has what happens to rooms told from here on.
    pub(crate) fn watch_rooms(self: &Arc<Self>, server: &Arc<Server>) {
        let _order = self.order();
        // Shards may be made while there were none to hold.
        loop {
            let shards = server.shards();
            // Nobody else holds more than one at a time.
            let turns: Vec<_> = shards.iter().map(|shard| shard.lock()).collect();
            let watch = self.room_watch.get_or_init(RoomWatch::default);
            watch.begin(self.number, &turns);
            if shards.len() == server.shards().len() {
                watch.untold.start(server, self);
                return;
            }
        }
    }

    pub(crate) fn user_watch(&self) -> Option<&Untold<UserNews>> {
        self.user_watch.get()
    }

    /// What an event needs that its client does not answer.
    pub(crate) fn trailer(&self, keep: Keep) -> Trailer {
        Trailer::of(self.recovery.as_ref(), keep)
    }

    /// Whether who claims to have been here could be recovered.
    pub(crate) fn knows(&self, claim: &Claim) -> bool {
        self.recovery.is_some() && self.order().memory.knows(claim)
    }

    /// Gives a socket back whose client has come back, by who holds the order and lets it in.
    ///
    /// # Errors
    ///
    /// What is left of it, if it can't be given back.
    pub(crate) fn recover(&self, order: &mut Order, claim: &Claim) -> Result<Recovered, Discarded> {
        let settings = self.recovery.as_ref().ok_or_else(Discarded::default)?;
        order.memory.recover(claim, settings, clock::now())
    }

    /// Lets `socket` in, at one point of the order, by who holds it: it is sent `first`, is in `rooms` and a
    /// receiver of every broadcast from here on, and is counted.
    pub(crate) fn join_in(
        &self,
        mut order: MutexGuard<'_, Order>,
        socket: &Socket,
        first: &[u8],
        rooms: &[Arc<str>],
    ) -> Wake {
        let session = socket.session();
        let wake = {
            let mut turn = session.shard.lock();
            let members = turn.join(self.number, session.slot, socket.id());
            if self.room_counts.get().is_some()
                && let Some(user) = socket.user()
            {
                members.note_user(session.slot, socket.id(), user);
            }
            for room in rooms {
                members.join_room(session.slot, socket.id(), room, self.watching());
            }
            turn.push_private(session.slot, first, Keep::Event)
        };
        let is_first = self.book.join(socket.user());
        self.tell_own_user(socket, is_first, UserEvent::Came);
        order.version += 1;
        order.newcomer = order.version;
        drop(order);
        self.tell_census();
        wake
    }

    /// Takes `socket` out, at one point of the order. Returns the rooms that it was in, and what is left
    /// of those who are forgotten for it.
    pub(crate) fn leave(
        &self,
        socket: &Socket,
        reason: DisconnectReason,
    ) -> (Vec<Arc<str>>, Discarded) {
        let session = socket.session();
        let mut discarded = Discarded::default();
        let rooms = {
            let mut order = self.order();
            let rooms =
                session
                    .shard
                    .lock()
                    .leave(self.number, session.slot, socket.id(), self.watching());
            let is_last = self.book.leave(socket.user());
            self.tell_own_user(socket, is_last, UserEvent::Left);
            order.version += 1;
            if let Some(settings) = &self.recovery
                && let Some(pid) = socket.pid()
                && reason.may_be_recovered()
            {
                let away = socket.as_away(rooms.clone());
                discarded = order.memory.keep(pid, away, settings, clock::now());
            }
            rooms
        };
        self.announcements.changed.notify_one();
        self.tell_census();
        (rooms, discarded)
    }

    /// Sends frames to everyone whom `select` names, at one point of the order, in all shards; and to other
    /// nodes by `publish`.
    pub(crate) fn broadcast(
        &self,
        shards: &[Arc<Shard>],
        draft: &mut Draft,
        trailer: Trailer,
        select: &Select,
        keep: Keep,
        publish: impl FnOnce(),
    ) -> Emitted {
        let mut order = self.order();
        self.log(&mut order, draft, trailer, select);
        publish();
        self.broadcast_in(order, shards, draft.encoded(), select, keep)
    }

    /// The same, by who holds the order already; it is released before anybody is told.
    pub(crate) fn broadcast_in(
        &self,
        order: MutexGuard<'_, Order>,
        shards: &[Arc<Shard>],
        frames: Encoded<'_>,
        select: &Select,
        keep: Keep,
    ) -> Emitted {
        let (emitted, wakes) = self.append(shards, frames, select, keep, |_| ());
        drop(order);
        wakes.tell();
        emitted
    }

    /// Sends frames to everyone whom `select` names, and waits for their answers.
    ///
    /// # Errors
    ///
    /// How many broadcasts wait already, when that is the most.
    pub(crate) fn ask(
        self: &Arc<Self>,
        shards: &[Arc<Shard>],
        frames: Encoded<'_>,
        select: &Select,
        new: NewRound,
        publish: impl FnOnce(),
    ) -> Result<OpenRound, usize> {
        let order = self.order();
        // Held until the round is open: an answer might come sooner.
        let mut rounds = self.rounds.lock();
        if new.max <= rounds.len() {
            return Err(rounds.len());
        }
        let mut asked = Vec::new();
        let (_, wakes) = self.append(shards, frames, select, Keep::Event, |turn| {
            asked.extend(turn.select(self.number, select));
        });
        let round = rounds.open(self, new, asked.into_iter());
        drop(rounds);
        publish();
        drop(order);
        wakes.tell();
        Ok(round)
    }

    /// Appends frames to the turn of each shard, by who holds the order; `witness` sees each turn.
    fn append<'a>(
        &self,
        shards: &'a [Arc<Shard>],
        frames: Encoded<'_>,
        select: &Select,
        keep: Keep,
        mut witness: impl FnMut(&ShardTurn),
    ) -> (Emitted, Wakes<'a>) {
        let began = clock::now();
        let mut emitted = Emitted::new();
        let mut wakes = SmallVec::new();
        for shard in shards {
            let mut turn = shard.lock();
            if let Some((part, wake)) = turn.push_broadcast(frames, self.number, select, keep) {
                emitted.push(part);
                wakes.push((&**shard, wake));
                witness(&turn);
            }
        }
        if let Some(shard) = shards.first() {
            shard.holds.note(clock::now() - began);
        }
        (emitted, Wakes(wakes))
    }

    /// Sends frames with a place in the log to one socket, at one point of the order.
    pub(crate) fn send_logged(&self, socket: &Socket, draft: &mut Draft) {
        let session = socket.session();
        let wake = {
            let mut order = self.order();
            let mut turn = session.shard.lock();
            if !turn.is_member(self.number, socket.id()) {
                return;
            }
            let select = Select::only(socket.id());
            self.log(&mut order, draft, Trailer::Place, &select);
            turn.push_event(session.slot, draft.encoded(), Keep::Event)
        };
        session.shard.tell(wake);
    }

    fn log(&self, order: &mut Order, draft: &mut Draft, trailer: Trailer, select: &Select) {
        if trailer == Trailer::Place
            && let Some(settings) = &self.recovery
        {
            order.memory.log(draft, select, settings, clock::now());
        }
    }

    /// Sends frames to one socket, by who holds the order.
    pub(crate) fn send_in(
        &self,
        order: MutexGuard<'_, Order>,
        socket: &Socket,
        frames: &[u8],
        latest: LatestKey,
    ) {
        let session = socket.session();
        let wake = {
            let mut turn = session.shard.lock();
            match turn.is_member(self.number, socket.id()) {
                true => turn.push_private(session.slot, frames, Keep::Latest(latest)),
                false => Wake::Nobody,
            }
        };
        drop(order);
        session.shard.tell(wake);
    }

    /// Adds everyone whom `select` names to `room`, at one point of the order.
    pub(crate) fn join_room(
        &self,
        shards: &[Arc<Shard>],
        select: &Select,
        room: &str,
        publish: impl FnOnce(),
    ) {
        let _order = self.order();
        publish();
        for shard in shards {
            shard
                .lock()
                .members_mut(self.number)
                .join_room_all(select, room, self.watching());
        }
    }

    /// Takes everyone whom `select` names out of `room`, at one point of the order.
    pub(crate) fn leave_room(
        &self,
        shards: &[Arc<Shard>],
        select: &Select,
        room: &str,
        publish: impl FnOnce(),
    ) {
        let _order = self.order();
        publish();
        for shard in shards {
            shard
                .lock()
                .members_mut(self.number)
                .leave_room_all(select, room, self.watching());
        }
    }

    /// Everyone but `ids`.
    pub(crate) fn all_but(ids: &[SocketId]) -> Select {
        Select {
            except: ids.iter().map(|id| id.as_str().into()).collect(),
            ..Select::default()
        }
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        self.announcements.changed.notify_one();
        if let Some(watch) = self.room_watch() {
            watch.untold.end();
        }
        if let Some(watch) = self.user_watch() {
            watch.end();
        }
        if let Kin::Child { parent, home } = &self.kin {
            if let Some(mut siblings) = parent.lock_children() {
                siblings.remove(&self.number);
            }
            if let Some(home) = home.upgrade() {
                home.forget(self);
            }
        }
    }
}

/// The number of a namespace that nobody is ever in.
const NOWHERE: usize = usize::MAX;
