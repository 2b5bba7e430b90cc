//! How long a few sends take at most: where the system lets nobody wait longer, a server that pauses after as many need not either.

use std::time::{Duration, Instant};

#[derive(Default)]
pub(crate) struct Holds {
    longest: Duration,
    began: Option<Instant>,
    n_sends: usize,
}

impl Holds {
    /// The sends that follow are of another pass.
    pub(crate) fn begin(&mut self) {
        self.began = Some(Instant::now());
        self.n_sends = 0;
    }

    pub(crate) fn count_send(&mut self) {
        self.n_sends += 1;
        if self.n_sends < SENDS_PER_LOOK {
            return;
        }
        let took = self.began.map_or(Duration::ZERO, |began| began.elapsed());
        self.longest = self.longest.max(took);
        self.begin();
    }

    pub(crate) fn longest_us(&self) -> usize {
        usize::try_from(self.longest.as_micros()).unwrap_or(usize::MAX)
    }
}

/// As many as fanfare writes between two looks at the clock.
const SENDS_PER_LOOK: usize = 16;
