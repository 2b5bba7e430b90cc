//! Count: how many are in the whole cluster, right within a bound.
//!
//! A node never says "one more". It says how many it has, and the broker's script adds up what all say, and says it to
//! all: so whatever is lost, repeated or late does no lasting harm.
//!
//! ```text
//! what this node has -> reporter -> Report -> count.lua (the sum, leases, users) -> Reply -> known -> what all others have
//!                                                  └── News, to all nodes ────────────────────┘
//! driver: the clock and the connections of all that; stats: those who do not report, as they say elsewhere
//! ```

mod driver;
#[cfg(test)]
mod held_to;
mod known;
#[cfg(test)]
mod model;
mod report;
mod reporter;
#[cfg(test)]
mod simulation;
mod stats;
mod timing;

pub(crate) use driver::{Census, Names, Settings};
pub(crate) use stats::ADMIN;
