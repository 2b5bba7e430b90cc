//! The clock: the runtime's, so that tests can stop it.

use std::time::{Duration, Instant};

pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// When a patience that begins now ends.
pub(crate) fn after(patience: Duration) -> tokio::time::Instant {
    let now = tokio::time::Instant::now();
    now.checked_add(patience).unwrap_or(now + FOREVER)
}

/// What stands for durations that no clock can hold. 30 years: servers are restarted sooner.
const FOREVER: Duration = Duration::from_secs(30 * 365 * 24 * 3600);
