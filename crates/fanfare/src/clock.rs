//! The clock: the runtime's, so that tests can stop it.

use std::time::{Duration, Instant, SystemTime};

pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// By the clock on the wall, in milliseconds since 1970.
pub(crate) fn unix_ms() -> u64 {
    let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// When a patience that begins now ends.
pub(crate) fn after(patience: Duration) -> tokio::time::Instant {
    let now = tokio::time::Instant::now();
    now.checked_add(patience).unwrap_or(now + FOREVER)
}

/// So long before `until`, or now.
pub(crate) fn before(until: tokio::time::Instant, span: Duration) -> tokio::time::Instant {
    until
        .checked_sub(span)
        .unwrap_or_else(tokio::time::Instant::now)
}

/// What stands for durations that no clock can hold. 30 years: servers are restarted sooner.
const FOREVER: Duration = Duration::from_secs(30 * 365 * 24 * 3600);
