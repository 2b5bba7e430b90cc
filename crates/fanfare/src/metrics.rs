//! Metrics: what a server counts, as plain numbers; exporting them is the application's business.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

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
    /// The longest that an emit to many, or one step of writing it out, has kept a thread from its other tasks.
    ///
    /// Writing pauses for them after about a millisecond. What is not in here is an emit that finds the turn's buffers full and writes
    /// them out itself.
    pub longest_hold: Duration,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) holds: Holds,
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
            longest_hold: self.holds.longest(),
        }
    }
}

/// How long threads were kept, at most.
#[derive(Clone, Debug, Default)]
pub(crate) struct Holds(Arc<AtomicU64>);

impl Holds {
    pub(crate) fn note(&self, held: Duration) {
        let nanoseconds = u64::try_from(held.as_nanos()).unwrap_or(u64::MAX);
        // Nearly always it is less, and nothing is written.
        if self.0.load(Ordering::Relaxed) < nanoseconds {
            self.0.fetch_max(nanoseconds, Ordering::Relaxed);
        }
    }

    fn longest(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }
}
