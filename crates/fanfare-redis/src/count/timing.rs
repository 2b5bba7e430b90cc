//! How often, how long, how many: the count's constants, each with its reason.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    time::Duration,
};

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

/// Signs of life arrive on multiples of this, by the broker's clock: one that follows others at once finds their code and data in the
/// processor's caches, and takes half the time of one that comes alone.
const SLOT: Duration = Duration::from_millis(200);

/// How many of them there are.
const SLOTS: u64 = (QUIET.as_millis() / SLOT.as_millis()) as u64;

/// Where in each [`QUIET`] of the broker's clock a node's signs of life belong: on a slot of its own choice, so that each slot has its
/// share of the nodes, also after all of them have reported at once.
pub(crate) fn home(node: &str) -> Duration {
    // It has fixed keys: the node has the same home for as long as it runs. Whether others agree does not matter.
    let mut hasher = DefaultHasher::new();
    node.hash(&mut hasher);
    SLOT * (hasher.finish() % SLOTS) as u32
}

/// From a report that arrived at `arrived`, by the broker's clock, to the next if nothing changes: [`QUIET`], and the shorter way
/// towards `home`, by half a [`SLOT`] at most so that no pause is much longer than others.
pub(crate) fn quiet(arrived: Duration, home: Duration) -> Duration {
    let [arrived, home, round, step] =
        [arrived, home, QUIET, SLOT / 2].map(|time| time.as_millis() as u64);
    let ahead = (home + round - arrived % round) % round;
    let pause = match ahead <= round / 2 {
        true => round + ahead.min(step),
        false => round - (round - ahead).min(step),
    };
    Duration::from_millis(pause)
}

/// The longest of these.
#[cfg(test)]
pub(crate) fn quiet_at_most() -> Duration {
    QUIET + SLOT / 2
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_of_life_come_home_and_stay_there() {
        for (arrived, slot) in (0..1000).flat_map(|arrived| (0..5).map(move |slot| (arrived, slot)))
        {
            let home = SLOT * slot;
            let mut arrived = Duration::from_millis(1_700_000_000_000 + arrived);
            for _ in 0..5 {
                let pause = quiet(arrived, home);
                assert!(QUIET - SLOT / 2 <= pause && pause <= quiet_at_most());
                arrived += pause;
            }
            assert_eq!(arrived.as_millis() % QUIET.as_millis(), home.as_millis());
            assert_eq!(quiet(arrived, home), QUIET);
        }
    }

    #[test]
    fn each_slot_is_home_to_its_share_of_the_nodes() {
        let mut nodes = [0; 5];
        for node in 0..1000 {
            let home = home(&format!("node {node}"));
            nodes[(home.as_millis() / SLOT.as_millis()) as usize] += 1;
        }
        assert!(nodes.iter().all(|n| (150..250).contains(n)), "{nodes:?}");
    }
}
