//! Room counts: how many are in those rooms of a namespace that somebody counts, kept where sockets join and leave them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, Weak},
};

use tokio::sync::watch;

use crate::{
    book::{Book, Count},
    cluster::Census,
    io::Io,
    namespace::Namespace,
    server::Server,
};

/// The books of a namespace's rooms, one for each room that is counted.
#[derive(Default)]
pub(crate) struct RoomCounts {
    /// Done once the users are known of all who were there before anybody counted a room.
    users: OnceLock<()>,
    /// Locked under any shard's turn.
    books: RwLock<HashMap<Arc<str>, Weak<RoomBook>>>,
}

/// Keeps the count of a room, as long as anybody wants to know: this node's application, or another node by the adapter.
pub(crate) struct RoomBook {
    namespace: Weak<Namespace>,
    room: Arc<str>,
    book: Book,
    /// What is known of other nodes; `None` if the server is alone.
    census: Option<Census>,
    /// How many of the application ask.
    n_asking: Mutex<usize>,
    changed: watch::Sender<()>,
}

impl RoomCounts {
    /// Does nothing if nobody counts the room.
    pub(crate) fn join(&self, room: &str, user: Option<&str>) {
        if let Some(book) = self.get(room) {
            book.book.join(user);
            book.tell_all();
        }
    }

    /// Does nothing if nobody counts the room.
    pub(crate) fn leave(&self, room: &str, user: Option<&str>) {
        if let Some(book) = self.get(room) {
            book.book.leave(user);
            book.tell_all();
        }
    }

    fn get(&self, room: &str) -> Option<Arc<RoomBook>> {
        let books = self.books.read().unwrap_or_else(PoisonError::into_inner);
        books.get(room)?.upgrade()
    }

    fn insert(&self, book: &Arc<RoomBook>) {
        let mut books = self.books.write().unwrap_or_else(PoisonError::into_inner);
        books.insert(book.room.clone(), Arc::downgrade(book));
    }

    fn remove_unless_kept(&self, room: &str) {
        let mut books = self.books.write().unwrap_or_else(PoisonError::into_inner);
        // Somebody may have begun anew.
        if books.get(room).is_some_and(|book| book.strong_count() == 0) {
            books.remove(room);
        }
    }
}

impl Namespace {
    /// The book of a room, kept from here on if nobody has kept it before.
    pub(crate) fn room_book(self: &Arc<Self>, server: &Arc<Server>, room: &str) -> Arc<RoomBook> {
        let counts = self.room_counts.get_or_init(RoomCounts::default);
        counts.users.get_or_init(|| self.note_users(server));
        if let Some(book) = counts.get(room) {
            return book;
        }
        // Nobody joins the namespace meanwhile, and nobody a room.
        let _order = self.order();
        let turns: Vec<_> = server.shards().iter().map(|shard| shard.lock()).collect();
        if let Some(book) = counts.get(room) {
            return book;
        }
        let book = Arc::new(RoomBook::new(self, server, room));
        for members in turns.iter().filter_map(|turn| turn.members(self.number)) {
            members.for_each_user(room, |user| _ = book.book.join(user));
        }
        counts.insert(&book);
        book
    }

    /// Has shards know whose sockets those are that have joined before `room_counts` was there.
    fn note_users(self: &Arc<Self>, server: &Arc<Server>) {
        for socket in Io::new_in(server.clone(), self.clone()).sockets() {
            if let Some(user) = socket.user() {
                let session = socket.session();
                let mut turn = session.shard.lock();
                let members = turn.members_mut(self.number);
                members.note_user(session.slot, socket.id(), user);
            }
        }
    }
}

impl RoomBook {
    fn new(namespace: &Arc<Namespace>, server: &Server, room: &str) -> Self {
        let is_alone = server.cluster.adapter.is_none();
        let book = Book::default();
        if !is_alone {
            // From here on it is noted who comes and who leaves.
            book.take_touched();
        }
        Self {
            namespace: Arc::downgrade(namespace),
            room: room.into(),
            book,
            census: (!is_alone).then(|| Census::new(&server.cluster.count_changed)),
            n_asking: Mutex::new(0),
            changed: watch::Sender::default(),
        }
    }

    pub(crate) fn room(&self) -> &Arc<str> {
        &self.room
    }

    pub(crate) fn book(&self) -> &Book {
        &self.book
    }

    pub(crate) fn census(&self) -> Option<&Census> {
        self.census.as_ref()
    }

    pub(crate) fn count(&self) -> Count {
        let here = self.book.count();
        match &self.census {
            Some(census) => census.count(here),
            None => Count::alone(here.sockets, here.users),
        }
    }

    /// Told whenever the count changes.
    pub(crate) fn changed(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Whether the application wants to know.
    pub(crate) fn is_asked_for(&self) -> bool {
        *self.asking() != 0
    }

    /// How many of the application ask; whoever holds it may change that.
    pub(crate) fn asking(&self) -> MutexGuard<'_, usize> {
        self.n_asking.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The count has changed.
    pub(crate) fn tell_changed(&self) {
        self.changed.send_replace(());
    }

    /// This node's part of the count has changed.
    pub(crate) fn tell_all(&self) {
        self.tell_changed();
        if let Some(census) = &self.census {
            census.changed();
        }
    }
}

impl Drop for RoomBook {
    fn drop(&mut self) {
        if let Some(namespace) = self.namespace.upgrade()
            && let Some(counts) = namespace.room_counts.get()
        {
            counts.remove_unless_kept(&self.room);
        }
    }
}
