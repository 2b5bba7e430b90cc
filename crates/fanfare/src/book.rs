//! Book: how many sockets and distinct users are in a namespace, on this node and in all.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    mem,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use serde::{Serialize, Serializer};

use crate::cluster::Held;

/// How many are in a namespace, or in a [counted room](crate::CountedRoom): on this server if it is alone, else on all
/// nodes of its cluster.
///
/// In a cluster it is right by a bound that the adapter states, and says when it is not: see [`complete`](Self::complete).
/// What this node has is in it as it is now.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Count {
    /// Connected sockets: two tabs of one person are two.
    pub sockets: u64,
    /// Distinct users, by the user key that admission gave; a socket without a key is a user of
    /// its own.
    pub users: u64,
    /// The nodes that are counted, this one too.
    pub nodes: u64,
    /// When the other nodes had what is counted of them, by the broker's clock; `None` if there are none, or nothing is
    /// known of them. As milliseconds since 1970 in JSON.
    #[serde(serialize_with = "as_millis")]
    pub as_of: Option<SystemTime>,
    /// Whether every server of the cluster is counted, and was heard of lately.
    pub complete: bool,
    /// Sockets that are there for sure.
    pub at_least: u64,
    /// More sockets there are not; `None` if nobody can know.
    pub at_most: Option<u64>,
    /// Servers of the cluster that do not say how many they have, and are not counted.
    pub uncounted_nodes: u64,
}

/// How many are in a namespace or a room on this node, at one instant.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq, Serialize)]
pub struct Present {
    /// Connected sockets.
    pub sockets: u64,
    /// Distinct users.
    pub users: u64,
}

impl Count {
    /// The count of a server that is alone, and so knows all.
    pub fn alone(sockets: u64, users: u64) -> Self {
        Self {
            sockets,
            users,
            nodes: 1,
            as_of: None,
            complete: true,
            at_least: sockets,
            at_most: Some(sockets),
            uncounted_nodes: 0,
        }
    }

    /// The count of two namespaces together, each with users of its own.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            sockets: self.sockets + other.sockets,
            users: self.users + other.users,
            nodes: self.nodes.max(other.nodes),
            as_of: self.as_of.min(other.as_of).or(self.as_of).or(other.as_of),
            complete: self.complete && other.complete,
            at_least: self.at_least + other.at_least,
            at_most: self.at_most.zip(other.at_most).map(|(a, b)| a + b),
            uncounted_nodes: self.uncounted_nodes.max(other.uncounted_nodes),
        }
    }
}

fn as_millis<S: Serializer>(time: &Option<SystemTime>, serializer: S) -> Result<S::Ok, S::Error> {
    let since = time.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    match since.and_then(|since| u64::try_from(since.as_millis()).ok()) {
        Some(millis) => serializer.serialize_some(&millis),
        None => serializer.serialize_none(),
    }
}

/// Keeps the count of a namespace, or of a room. Changed only where a socket joins or leaves, under the
/// namespace's order, or a shard's turn; read from anywhere.
#[derive(Debug, Default)]
pub(crate) struct Book {
    /// Sockets in the upper half, users in the lower, so that one load reads a pair that was true.
    count: AtomicU64,
    users: Mutex<Users>,
}

#[derive(Debug, Default)]
struct Users {
    tabs: HashMap<Box<str>, u32>,
    /// Those who came or left since somebody asked; `None` before the first time.
    touched: Option<HashSet<Box<str>>>,
}

impl Book {
    pub(crate) fn count(&self) -> Present {
        let both = self.count.load(Ordering::Acquire);
        Present {
            sockets: both >> 32,
            users: both & u64::from(u32::MAX),
        }
    }

    /// Whether that is its user's first socket.
    pub(crate) fn join(&self, user: Option<&str>) -> bool {
        // Held until it is counted: of a room, sockets of one user may come on several shards at once.
        let mut users = user.map(|user| (self.users(), user));
        let is_new = users.as_mut().is_none_or(|(users, user)| users.join(user));
        self.count
            .fetch_add(ONE_SOCKET + u64::from(is_new), Ordering::AcqRel);
        is_new
    }

    /// Whether that was its user's last socket.
    pub(crate) fn leave(&self, user: Option<&str>) -> bool {
        let mut users = user.map(|user| (self.users(), user));
        let is_last = users.as_mut().is_none_or(|(users, user)| users.leave(user));
        self.count
            .fetch_sub(ONE_SOCKET + u64::from(is_last), Ordering::AcqRel);
        is_last
    }

    pub(crate) fn held(&self) -> Held {
        // Read first: whoever comes or leaves meanwhile is told of in the next round.
        let known = self.users().tabs.len() as u64;
        let Present { sockets, users } = self.count();
        Held {
            sockets,
            anonymous: users.saturating_sub(known),
            users,
        }
    }

    pub(crate) fn user_keys(&self) -> Vec<Box<str>> {
        self.users().tabs.keys().cloned().collect()
    }

    pub(crate) fn take_touched(&self) -> BTreeMap<Box<str>, bool> {
        let mut users = self.users();
        let touched = mem::take(users.touched.get_or_insert_default());
        let is_here = |user: Box<str>| {
            let is_here = users.tabs.contains_key(&user);
            (user, is_here)
        };
        touched.into_iter().map(is_here).collect()
    }

    fn users(&self) -> MutexGuard<'_, Users> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Users {
    /// Whether the user was not here.
    fn join(&mut self, user: &str) -> bool {
        let tabs = self.tabs.entry(user.into()).or_insert(0);
        *tabs += 1;
        let is_first = *tabs == 1;
        if is_first {
            self.touch(user);
        }
        is_first
    }

    /// Whether the user is here no more.
    fn leave(&mut self, user: &str) -> bool {
        let tabs = self.tabs.get_mut(user).expect("who leaves has joined");
        *tabs -= 1;
        let is_last = *tabs == 0;
        if is_last {
            self.tabs.remove(user);
            self.touch(user);
        }
        is_last
    }

    fn touch(&mut self, user: &str) {
        if let Some(touched) = &mut self.touched {
            touched.insert(user.into());
        }
    }
}

const ONE_SOCKET: u64 = 1 << 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(book: &Book, sockets: u64, users: u64) {
        assert_eq!(book.count(), Present { sockets, users });
    }

    #[test]
    fn two_tabs_are_two_sockets_and_one_user() {
        let book = Book::default();
        book.join(Some("ada"));
        book.join(Some("ada"));
        book.join(Some("bob"));
        check(&book, 3, 2);
        book.leave(Some("ada"));
        check(&book, 2, 2);
        book.leave(Some("ada"));
        check(&book, 1, 1);
    }

    #[test]
    fn a_socket_without_a_key_is_a_user_of_its_own() {
        let book = Book::default();
        book.join(None);
        book.join(None);
        check(&book, 2, 2);
        book.leave(None);
        check(&book, 1, 1);
    }
}
