//! Metrics: what an adapter counts.

use std::time::Duration;

/// An adapter's counters since its server began.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Metrics {
    /// Messages that Redis has taken.
    pub published: u64,
    /// Messages of which nobody knows whether Redis has taken them: its connection failed meanwhile.
    pub lost_messages: u64,
    /// Messages that were dropped since more waited for Redis than
    /// [may](crate::RedisAdapter::with_max_backlog_bytes).
    pub dropped_messages: u64,
    /// About how many bytes were dropped.
    pub dropped_bytes: u64,
    /// About how many bytes wait for Redis just now.
    pub backlog_bytes: usize,
    /// How often the cluster has been reached again.
    pub reconnects: u64,
    /// For how long, all in all, what other nodes say did not arrive.
    pub deaf: Duration,
}
