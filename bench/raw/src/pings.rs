//! Whom to ping next: each so long after its last ping, so that the order never changes.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use nix::sys::epoll::EpollTimeout;

pub(crate) struct Pings {
    interval: Duration,
    /// When, and who: the slot, and the number of the client that had it.
    due: VecDeque<(Instant, usize, u64)>,
}

impl Pings {
    pub(crate) fn every(interval: Duration) -> Self {
        Self {
            interval,
            due: VecDeque::new(),
        }
    }

    pub(crate) fn interval(&self) -> Duration {
        self.interval
    }

    pub(crate) fn add(&mut self, slot: usize, number: u64) {
        let at = Instant::now() + self.interval;
        self.due.push_back((at, slot, number));
    }

    /// Takes who is to be pinged now.
    pub(crate) fn next_due(&mut self) -> Option<(usize, u64)> {
        let (at, slot, number) = *self.due.front()?;
        if Instant::now() < at {
            return None;
        }
        self.due.pop_front();
        Some((slot, number))
    }

    /// How long nobody is to be pinged.
    pub(crate) fn timeout(&self) -> EpollTimeout {
        let Some((at, ..)) = self.due.front() else {
            return EpollTimeout::NONE;
        };
        let until = at.saturating_duration_since(Instant::now());
        // Up to the next millisecond: else the loop would spin through the last one.
        EpollTimeout::try_from(until + Duration::from_millis(1)).unwrap_or(EpollTimeout::MAX)
    }
}
