//! The spans of time a session lives by.

use std::time::{Duration, Instant};

/// How long a server's session waits for what.
///
/// Spans are kept in whole milliseconds, the unit of the wire; more than 49 days count as 49 days.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Timing {
    /// From the opening, or the last pong, to the next ping. Told to the client.
    pub ping_interval: Duration,
    /// From a ping to the pong without which the session is lost. Told to the client.
    pub ping_timeout: Duration,
    /// From the opening of an upgrade's WebSocket to the `5` that completes the upgrade.
    pub upgrade_timeout: Duration,
    /// How long a polling session that is being closed waits for the `GET` that takes the news.
    pub close_timeout: Duration,
}

impl Default for Timing {
    /// The reference implementation's.
    fn default() -> Self {
        Self {
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            upgrade_timeout: Duration::from_secs(10),
            close_timeout: Duration::from_secs(30),
        }
    }
}

/// A span in a quarter of `Duration`'s size: a session keeps four, a server keeps thousands of sessions.
///
/// Invariant: adding one to an `Instant` does not overflow, whatever number a peer sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Millis(u32);

impl Millis {
    pub(super) fn after(self, instant: Instant) -> Instant {
        instant + Duration::from(self)
    }
}

impl From<Duration> for Millis {
    fn from(span: Duration) -> Self {
        Self(u32::try_from(span.as_millis()).unwrap_or(u32::MAX))
    }
}

impl From<Millis> for Duration {
    fn from(Millis(span): Millis) -> Self {
        Self::from_millis(u64::from(span))
    }
}
