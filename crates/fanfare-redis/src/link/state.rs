//! State: whether a node can hear and be heard, and for how long it could not.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::watch, time::Instant};
use tracing::{info, warn};

/// How the link is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum State {
    /// It has not been up yet, and has not failed.
    Connecting,
    /// It was up so many times before.
    Up(u64),
    /// Redis is out of reach, or what it sends does not arrive.
    Down,
}

/// A state that can be waited for.
#[derive(Debug)]
pub(crate) struct Watched {
    told: watch::Sender<State>,
    halves: Mutex<Halves>,
}

#[derive(Debug)]
struct Halves {
    can_speak: bool,
    can_hear: bool,
    times_up: u64,
    /// Since when the link is not up.
    down_since: Option<Instant>,
    /// How long it was down before.
    down_before: Duration,
}

impl Watched {
    pub(super) fn new() -> Self {
        Self {
            told: watch::Sender::new(State::Connecting),
            halves: Mutex::new(Halves {
                can_speak: false,
                can_hear: false,
                times_up: 0,
                down_since: Some(Instant::now()),
                down_before: Duration::ZERO,
            }),
        }
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<State> {
        self.told.subscribe()
    }

    pub(crate) fn is_up(&self) -> bool {
        matches!(*self.told.borrow(), State::Up(_))
    }

    /// How often the link has come back.
    pub(crate) fn n_reconnects(&self) -> u64 {
        self.lock().times_up.saturating_sub(1)
    }

    /// For how long it has not been up, all in all.
    pub(crate) fn down_for(&self) -> Duration {
        let halves = self.lock();
        let now = halves.down_since.map(|since| since.elapsed());
        halves.down_before + now.unwrap_or_default()
    }

    pub(super) fn set_speaking(&self, can_speak: bool) {
        self.change(|halves| halves.can_speak = can_speak);
    }

    pub(super) fn set_hearing(&self, can_hear: bool) {
        self.change(|halves| halves.can_hear = can_hear);
    }

    /// A connection could not be made, or has been lost.
    pub(super) fn fail(&self, what: &str, why: &dyn std::fmt::Display) {
        let mut halves = self.lock();
        if *self.told.borrow() == State::Down {
            return;
        }
        warn!(what, %why, "the cluster is out of reach; who is connected here goes on");
        halves.down_since.get_or_insert_with(Instant::now);
        self.told.send_replace(State::Down);
    }

    fn change(&self, change: impl FnOnce(&mut Halves)) {
        let mut halves = self.lock();
        change(&mut halves);
        let is_up = halves.can_speak && halves.can_hear;
        if !is_up || self.is_up() {
            return;
        }
        if let Some(since) = halves.down_since.take() {
            halves.down_before += since.elapsed();
        }
        info!(down = ?halves.down_before, "the cluster is in reach");
        self.told.send_replace(State::Up(halves.times_up));
        halves.times_up += 1;
    }

    fn lock(&self) -> MutexGuard<'_, Halves> {
        self.halves.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
