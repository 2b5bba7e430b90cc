//! How many are in a namespace, or in a room, of the whole cluster: this node's own count, and what its adapter says of
//! the others.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::SystemTime,
};

use tokio::sync::Notify;

use super::Adapter;
use crate::{
    book::{Book, Count, Present},
    namespace::Namespace,
    room_counts::RoomBook,
    server::Server,
    users::UserEvent,
};

/// A namespace, or a room of one, whose sockets are counted over the whole cluster, as its [`Adapter`] sees it: what this
/// node has, and where the adapter says what the others have. Keeping one keeps no namespace; it keeps a room counted.
#[derive(Clone)]
pub struct Counted {
    nsp: Arc<str>,
    namespace: Weak<Namespace>,
    what: What,
}

#[derive(Clone)]
enum What {
    /// Its book outlives the namespace: who left it last has to be told of, too.
    Namespace(Arc<Book>),
    Room(Arc<RoomBook>),
}

/// What this node has of a namespace or a room.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Held {
    /// Connected sockets.
    pub sockets: u64,
    /// Those of them without a user key.
    pub anonymous: u64,
    /// Distinct users: user keys, and sockets without one.
    pub users: u64,
}

/// What all other nodes have of a namespace or a room, as far as this one knows.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Elsewhere {
    /// Connected sockets.
    pub sockets: u64,
    /// Distinct users who have no socket on this node.
    pub users: u64,
    /// How many nodes are counted, this one too.
    pub nodes: u64,
    /// When that was so.
    pub as_of: Option<SystemTime>,
    /// Whether it is all there is.
    pub complete: bool,
    /// Of the sockets, those that may be gone.
    pub doubtful: u64,
    /// Whether there may be more sockets than that.
    pub may_be_more: bool,
    /// Servers of the cluster that do not say how many they have.
    pub uncounted_nodes: u64,
}

/// What is shown as the count while nobody knows what the other nodes have.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum WhenUnreachable {
    /// The last number that was known.
    #[default]
    Freeze,
    /// The number of this node alone.
    Local,
    /// Nothing: the count is not announced until it is known again. [`Io::count`](crate::Io::count) gives what was
    /// known last.
    Hide,
}

/// What a namespace or a room knows of the other nodes.
#[derive(Debug)]
pub(crate) struct Census {
    told: Mutex<Told>,
    /// Told when this node's count changes.
    changed: Arc<Notify>,
}

#[derive(Clone, Copy, Debug)]
enum Told {
    /// Nothing yet.
    Nothing,
    Elsewhere(Elsewhere),
    Last(Count),
    Alone,
    Hidden(Count),
}

impl Counted {
    pub(super) fn new(namespace: &Arc<Namespace>) -> Self {
        Self {
            nsp: namespace.nsp.as_str().into(),
            namespace: Arc::downgrade(namespace),
            what: What::Namespace(namespace.book().clone()),
        }
    }

    pub(crate) fn new_room(namespace: &Arc<Namespace>, book: Arc<RoomBook>) -> Self {
        Self {
            what: What::Room(book),
            ..Self::new(namespace)
        }
    }

    /// The namespace's name.
    pub fn nsp(&self) -> &str {
        &self.nsp
    }

    /// The room's name; `None` if it is the whole namespace.
    pub fn room(&self) -> Option<&str> {
        match &self.what {
            What::Namespace(_) => None,
            What::Room(book) => Some(book.room()),
        }
    }

    /// Whether the namespace has not ended.
    pub fn is_there(&self) -> bool {
        0 < self.namespace.strong_count()
    }

    /// Whether it is to be counted even if no other node asks for it: a namespace always, a room while this node's
    /// application wants to know.
    pub fn is_asked_for(&self) -> bool {
        match &self.what {
            What::Namespace(_) => true,
            What::Room(book) => book.is_asked_for(),
        }
    }

    /// What this node has; `None` once the namespace has ended, and of a room that nobody is in, unless
    /// [this node asks](Self::is_asked_for).
    pub fn held(&self) -> Option<Held> {
        let held = self.is_there().then(|| self.book().held())?;
        (held.sockets != 0 || self.is_asked_for()).then_some(held)
    }

    /// The user keys of those who have at least one socket here.
    pub fn users(&self) -> Vec<Box<str>> {
        self.book().user_keys()
    }

    /// The user keys whose first socket came, or whose last one left, since this was last called, and whether they are
    /// here now. Also once the namespace has ended.
    pub fn take_touched(&self) -> BTreeMap<Box<str>, bool> {
        self.book().take_touched()
    }

    /// Says what the other nodes have: the count follows, and is announced.
    pub fn tell(&self, elsewhere: Elsewhere) {
        self.set(|_| Told::Elsewhere(elsewhere));
    }

    /// Nobody knows what the other nodes have, until [`tell`](Self::tell).
    pub fn lose(&self, shown: WhenUnreachable) {
        self.set(|now| match shown {
            WhenUnreachable::Freeze => Told::Last(now),
            WhenUnreachable::Local => Told::Alone,
            WhenUnreachable::Hide => Told::Hidden(now),
        });
    }

    /// A user has come to the cluster, or left it. Nobody is told that of a room.
    pub fn tell_user(&self, user: &str, event: UserEvent) {
        if let What::Namespace(_) = &self.what
            && let Some(namespace) = self.namespace.upgrade()
        {
            namespace.tell_user(user, event);
        }
    }

    fn book(&self) -> &Book {
        match &self.what {
            What::Namespace(book) => book,
            What::Room(book) => book.book(),
        }
    }

    fn set(&self, told: impl FnOnce(Count) -> Told) {
        match &self.what {
            What::Namespace(_) => {
                if let Some(namespace) = self.namespace.upgrade() {
                    namespace.change_census(told);
                }
            }
            What::Room(book) => book.change_census(told),
        }
    }
}

impl fmt::Debug for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Counted")
            .field("nsp", &self.nsp)
            .field("room", &self.room())
            .finish_non_exhaustive()
    }
}

impl Census {
    /// From now on `namespace` is counted over the cluster.
    pub(crate) fn begin(namespace: &Arc<Namespace>, adapter: &dyn Adapter, changed: &Arc<Notify>) {
        if namespace.begin_census(|| Self::new(changed)) {
            adapter.count(Counted::new(namespace));
        }
    }

    pub(crate) fn new(changed: &Arc<Notify>) -> Self {
        Self {
            told: Mutex::new(Told::Nothing),
            changed: changed.clone(),
        }
    }

    /// This node's count has changed.
    pub(crate) fn changed(&self) {
        self.changed.notify_one();
    }

    /// The count of the cluster, with what this node has now.
    pub(crate) fn count(&self, here: Present) -> Count {
        match *self.told() {
            Told::Nothing | Told::Alone => Count {
                complete: false,
                at_most: None,
                ..Count::alone(here.sockets, here.users)
            },
            Told::Last(count) | Told::Hidden(count) => count,
            Told::Elsewhere(there) => there.with(here),
        }
    }

    /// Whether the count is not to be shown now.
    pub(crate) fn is_hidden(&self) -> bool {
        matches!(*self.told(), Told::Hidden(_))
    }

    /// Something else is known of the other nodes. Whether that makes another count.
    fn change(&self, book: &Book, told: impl FnOnce(Count) -> Told) -> bool {
        let before = self.count(book.count());
        let was_hidden = self.is_hidden();
        let new = told(Count {
            complete: false,
            at_least: book.count().sockets,
            at_most: None,
            ..before
        });
        // What was lost once is not lost again.
        match (&mut *self.told(), new) {
            (Told::Last(_), Told::Last(_)) | (Told::Hidden(_), Told::Hidden(_)) => return false,
            (told, new) => *told = new,
        }
        let after = self.count(book.count());
        let says_the_same = Count {
            as_of: None,
            ..before
        } == Count {
            as_of: None,
            ..after
        };
        !says_the_same || was_hidden
    }

    fn told(&self) -> std::sync::MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Elsewhere {
    fn with(self, here: Present) -> Count {
        let sockets = here.sockets.saturating_add(self.sockets);
        Count {
            sockets,
            users: here.users.saturating_add(self.users).min(sockets),
            nodes: self.nodes.max(1),
            as_of: self.as_of,
            complete: self.complete,
            at_least: sockets - self.doubtful.min(self.sockets),
            at_most: (!self.may_be_more).then_some(sockets),
            uncounted_nodes: self.uncounted_nodes,
        }
    }
}

impl Namespace {
    /// From now on the namespace is counted on all nodes. Whether it was not before.
    pub(crate) fn begin_census(&self, census: impl FnOnce() -> Census) -> bool {
        let mut is_new = false;
        self.census.get_or_init(|| {
            is_new = true;
            // From here on it is noted who comes and who leaves.
            self.book().take_touched();
            census()
        });
        is_new
    }

    /// Sees to it that the namespace is counted on all nodes, if there may be others.
    pub(crate) fn count_everywhere(self: &Arc<Self>, server: &Server) {
        if let Some(adapter) = &server.cluster.adapter
            && self.census.get().is_none()
        {
            Census::begin(self, &**adapter, &server.cluster.count_changed);
        }
    }

    /// This node's part of the count is another.
    pub(crate) fn tell_census(&self) {
        if let Some(census) = self.census.get() {
            census.changed();
        }
    }

    /// Something else is known of the other nodes.
    fn change_census(&self, told: impl FnOnce(Count) -> Told) {
        let Some(census) = self.census() else { return };
        let mut order = self.order();
        if census.change(self.book(), told) {
            order.version += 1;
            drop(order);
            self.announcements.changed.notify_one();
        }
    }
}

impl RoomBook {
    fn change_census(&self, told: impl FnOnce(Count) -> Told) {
        if let Some(census) = self.census()
            && census.change(self.book(), told)
        {
            self.tell_changed();
        }
    }
}
