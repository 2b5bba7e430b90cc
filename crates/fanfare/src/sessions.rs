//! Sessions: by sid, for the requests that name one.

use std::{
    collections::{HashMap, hash_map::Entry},
    hash::{BuildHasher, RandomState},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use fanfare_proto::engineio::Sid;

use crate::session::Session;

/// All sessions of a server, in parts with a lock each.
pub(crate) struct Sessions {
    parts: [Mutex<HashMap<Sid, Arc<Session>>>; PARTS],
    hasher: RandomState,
}

impl Sessions {
    pub(crate) fn new() -> Self {
        Self {
            parts: std::array::from_fn(|_| Mutex::default()),
            hasher: RandomState::new(),
        }
    }

    /// Returns whether its id is its own.
    pub(crate) fn insert(&self, session: &Arc<Session>) -> bool {
        match self.part(&session.sid).entry(session.sid) {
            Entry::Vacant(vacant) => {
                vacant.insert(session.clone());
                true
            }
            Entry::Occupied(_) => false,
        }
    }

    pub(crate) fn find(&self, sid: &Sid) -> Option<Arc<Session>> {
        self.part(sid).get(sid).cloned()
    }

    pub(crate) fn remove(&self, sid: &Sid) {
        self.part(sid).remove(sid);
    }

    pub(crate) fn len(&self) -> usize {
        self.parts
            .iter()
            .map(|part| part.lock().unwrap_or_else(PoisonError::into_inner).len())
            .sum()
    }

    fn part(&self, sid: &Sid) -> MutexGuard<'_, HashMap<Sid, Arc<Session>>> {
        let hash = self.hasher.hash_one(sid) as usize;
        self.parts[hash % PARTS]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

const PARTS: usize = 16;
