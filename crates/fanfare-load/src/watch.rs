//! Looks at a scenario while it runs, a few times a second.

use std::fmt;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::error::LoadError;
use crate::meter::{Glance, Meter};
use crate::swarm::Progress;

/// What was seen of a scenario since the moment before.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Moment {
    /// Seconds since it began.
    pub at_s: f64,
    /// Events and acks that clients were sent, in a second.
    pub received_per_s: f64,
    /// The part of the time in which the generator had something to do, 0–1.
    pub generator_busy: f64,
    /// CPU time of the server in a second: 1 is one core. Absent if its process is not known.
    pub server_cores: Option<f64>,
    /// Memory of the server that is in RAM, in bytes.
    pub server_memory_bytes: Option<u64>,
}

/// Who is shown each moment.
type Observer = Box<dyn FnMut(Progress, Moment)>;

/// The moments so far.
pub(crate) struct Watch {
    began: Instant,
    next_at: Instant,
    every: Duration,
    last: Seen,
    moments: Vec<Moment>,
    observer: Observer,
}

struct Seen {
    at: Instant,
    n_received: u64,
    glance: Glance,
}

impl Watch {
    pub(crate) fn new(meter: &Meter, observer: Observer) -> Result<Self, LoadError> {
        let now = Instant::now();
        Ok(Self {
            began: now,
            next_at: now + EVERY,
            every: EVERY,
            last: Seen {
                at: now,
                n_received: 0,
                glance: meter.glance()?,
            },
            moments: Vec::new(),
            observer,
        })
    }

    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.next_at <= now
    }

    /// Sees what there is to see, and shows it.
    pub(crate) fn look(
        &mut self,
        now: Instant,
        meter: &Meter,
        n_received: u64,
        progress: Progress,
    ) -> Result<(), LoadError> {
        let seen = Seen {
            at: now,
            n_received,
            glance: meter.glance()?,
        };
        let moment = self.moment(&seen);
        self.last = seen;
        self.next_at = now + self.every;
        self.moments.push(moment);
        if self.moments.len() == MAX_MOMENTS {
            self.thin_out();
        }
        (self.observer)(progress, moment);
        Ok(())
    }

    pub(crate) fn into_moments(self) -> Vec<Moment> {
        self.moments
    }

    fn moment(&self, seen: &Seen) -> Moment {
        let passed_s = (seen.at - self.last.at).as_secs_f64();
        let busy = seen.glance.busy.saturating_sub(self.last.glance.busy);
        let server = self.last.glance.server.zip(seen.glance.server);
        Moment {
            at_s: (seen.at - self.began).as_secs_f64(),
            received_per_s: (seen.n_received - self.last.n_received) as f64 / passed_s,
            generator_busy: busy.as_secs_f64() / passed_s,
            server_cores: server
                .map(|(last, seen)| seen.cpu.saturating_sub(last.cpu).as_secs_f64() / passed_s),
            server_memory_bytes: seen.glance.server.map(|server| server.resident_bytes),
        }
    }

    /// Keeps every second moment, and looks half as often.
    fn thin_out(&mut self) {
        let mut is_kept = false;
        self.moments.retain(|_| {
            is_kept = !is_kept;
            is_kept
        });
        self.every *= 2;
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch")
            .field("moments", &self.moments.len())
            .finish_non_exhaustive()
    }
}

/// Often enough for the eye, and too rare to be felt.
pub(crate) const EVERY: Duration = Duration::from_millis(100);
/// More than a plot has pixels to show.
const MAX_MOMENTS: usize = 1_200;
