//! Deadlines: no wait of a test is for ever.

use std::{future::Future, panic::Location, time::Duration};

use tokio::time::{Instant, sleep, timeout};

/// How long any wait may take: more than a loaded machine needs, and short enough to sit through.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// Awaits `future`, for `what`.
///
/// # Panics
///
/// After [`DEADLINE`], naming `what` and the caller.
#[track_caller]
pub fn within<F: Future>(what: &str, future: F) -> impl Future<Output = F::Output> {
    let caller = Location::caller();
    async move {
        timeout(DEADLINE, future)
            .await
            .unwrap_or_else(|_| panic!("{caller}: waited {DEADLINE:?} for {what}"))
    }
}

/// Waits until `is_so`, looking again and again.
///
/// # Panics
///
/// After [`DEADLINE`], naming `what` and the caller.
#[track_caller]
pub fn eventually(what: &str, mut is_so: impl FnMut() -> bool) -> impl Future<Output = ()> {
    let caller = Location::caller();
    async move {
        let end = Instant::now() + DEADLINE;
        while !is_so() {
            assert!(
                Instant::now() < end,
                "{caller}: waited {DEADLINE:?} until {what}"
            );
            sleep(GLANCE).await;
        }
    }
}

/// Between two looks.
pub(crate) const GLANCE: Duration = Duration::from_millis(1);
