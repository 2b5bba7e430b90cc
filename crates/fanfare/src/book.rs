//! Book: how many sockets and distinct users are in a namespace.

use std::{
    collections::HashMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use serde::Serialize;

/// How many are in a namespace at one instant.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq, Serialize)]
pub struct Count {
    /// Connected sockets: two tabs of one person are two.
    pub sockets: u64,
    /// Distinct users, by the user key that admission gave; a socket without a key is a user of
    /// its own.
    pub users: u64,
}

/// Keeps the count of a namespace. Changed only where a socket joins or leaves, under the
/// namespace's order; read from anywhere.
#[derive(Debug, Default)]
pub(crate) struct Book {
    /// Sockets in the upper half, users in the lower, so that one load reads a pair that was true.
    count: AtomicU64,
    tabs: Mutex<HashMap<Box<str>, u32>>,
}

impl Book {
    pub(crate) fn count(&self) -> Count {
        let both = self.count.load(Ordering::Acquire);
        Count {
            sockets: both >> 32,
            users: both & u64::from(u32::MAX),
        }
    }

    pub(crate) fn join(&self, user: Option<&str>) {
        let is_new = user.is_none_or(|user| {
            let mut tabs = self.tabs.lock().unwrap_or_else(PoisonError::into_inner);
            let tabs = tabs.entry(user.into()).or_insert(0);
            *tabs += 1;
            *tabs == 1
        });
        self.count
            .fetch_add(ONE_SOCKET + u64::from(is_new), Ordering::AcqRel);
    }

    pub(crate) fn leave(&self, user: Option<&str>) {
        let is_last = user.is_none_or(|user| {
            let mut all = self.tabs.lock().unwrap_or_else(PoisonError::into_inner);
            let tabs = all.get_mut(user).expect("who leaves has joined");
            *tabs -= 1;
            let is_last = *tabs == 0;
            if is_last {
                all.remove(user);
            }
            is_last
        });
        self.count
            .fetch_sub(ONE_SOCKET + u64::from(is_last), Ordering::AcqRel);
    }
}

const ONE_SOCKET: u64 = 1 << 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(book: &Book, sockets: u64, users: u64) {
        assert_eq!(book.count(), Count { sockets, users });
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
