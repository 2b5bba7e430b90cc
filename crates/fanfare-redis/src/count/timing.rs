//! How often, how long, how many: the count's constants, each with its reason.

use std::time::Duration;

/// Between two reports while something changes, and between two publications of a key, in a cluster of so many nodes. The
/// first change is reported and published at once. So Redis has no more to do for a hundred nodes than for twenty.
pub(crate) fn changing(nodes: u64) -> Duration {
    Duration::from_micros(2_500 * nodes.min(100)).max(CHANGING_OF_FEW)
}

/// The same among few nodes.
pub(crate) const CHANGING_OF_FEW: Duration = Duration::from_millis(50);

/// The same among a hundred or more.
pub(crate) const CHANGING: Duration = Duration::from_millis(250);

/// Between two reports while nothing changes: they only keep the lease.
pub(crate) const QUIET: Duration = Duration::from_secs(1);

/// A node that is silent for so long is taken out: three missed reports. A false alarm costs a dip, until the next one.
///
/// A key that has been counted for less than this may not have all nodes' parts: each learns of it within [`QUIET`] and
/// reports what it has; who is silent for longer is not counted anyway.
pub(crate) const LEASE: Duration = Duration::from_secs(3);

/// A node that is silent for so long may be gone, and its sockets with it.
pub(crate) const fn late(lease: Duration) -> Duration {
    Duration::from_millis(lease.as_millis() as u64 * 2 / 3)
}

/// Users in one report: the script holds the broker up for some 10 ms with them.
pub(crate) const MAX_USERS: usize = 4000;

/// Users of an ended life that one run of the script takes out.
pub(crate) const MAX_REAPED: usize = 2000;

/// How long an answer is waited for, and a report is worth taking: who gave it up has a newer one.
pub(crate) const ANSWER: Duration = Duration::from_secs(1);
