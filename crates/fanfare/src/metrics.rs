//! Metrics: what a server counts, as plain numbers; exporting them is the application's business.

use std::sync::atomic::{AtomicU64, Ordering};

/// A server's counters since it began.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Metrics {
    /// Engine.IO sessions opened.
    pub sessions_opened: u64,
    /// Engine.IO sessions that are open.
    pub sessions: u64,
    /// Deliveries, each of one turn to one session, of which something was dropped.
    pub drops: u64,
    /// Bytes that were dropped.
    pub dropped_bytes: u64,
    /// Deliveries, each of one turn to one session, of which something volatile was dropped.
    pub volatile_drops: u64,
    /// Bytes of volatile events that were dropped.
    pub volatile_dropped_bytes: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    sessions_opened: AtomicU64,
    drops: AtomicU64,
    dropped_bytes: AtomicU64,
    volatile_drops: AtomicU64,
    volatile_dropped_bytes: AtomicU64,
}

impl Counters {
    pub(crate) fn count_session(&self) {
        self.sessions_opened.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_dropped(&self, bytes: usize) {
        self.drops.fetch_add(1, Ordering::Relaxed);
        self.dropped_bytes
            .fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn count_volatile(&self, bytes: usize) {
        self.volatile_drops.fetch_add(1, Ordering::Relaxed);
        self.volatile_dropped_bytes
            .fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn read(&self, sessions: usize) -> Metrics {
        Metrics {
            sessions_opened: self.sessions_opened.load(Ordering::Relaxed),
            sessions: sessions as u64,
            drops: self.drops.load(Ordering::Relaxed),
            dropped_bytes: self.dropped_bytes.load(Ordering::Relaxed),
            volatile_drops: self.volatile_drops.load(Ordering::Relaxed),
            volatile_dropped_bytes: self.volatile_dropped_bytes.load(Ordering::Relaxed),
        }
    }
}
