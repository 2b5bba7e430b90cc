//! The shipped reporter against the script's semantics, on a network and among machines that fail in all ways, in
//! virtual time. A seed says all that happens; `FANFARE_SEED=n` runs one alone, `FANFARE_SEEDS=n` so many.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
    time::Duration,
};

use fanfare_testkit::Random;

use super::{
    model::{Broker, Fault},
    report::{Key, News, Reply, Report, Row},
    reporter::{Held, Local, Reporter},
    timing,
};

mod machine;
mod world;

use world::World;

/// How many seeds an ordinary run takes.
const SEEDS: u64 = 3000;

#[test]
fn every_number_is_right_in_the_end_and_within_its_bounds_before() {
    if let Some(seed) = std::env::var("FANFARE_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
    {
        World::new(seed, None)
            .run()
            .unwrap_or_else(|wrong| panic!("{wrong}"));
        return;
    }
    let seeds = std::env::var("FANFARE_SEEDS").ok();
    let seeds = seeds.and_then(|seeds| seeds.parse().ok()).unwrap_or(SEEDS);
    for seed in 0..seeds {
        if let Err(wrong) = World::new(seed, None).run() {
            panic!("seed {seed} (alone: FANFARE_SEED={seed}): {wrong}");
        }
    }
}

#[test]
fn a_seed_repeats_itself() {
    for seed in 0..20 {
        let trace = || {
            let mut world = World::new(seed, Some(Fault::SubtractsTwice));
            let end = world.run();
            (end, world.happened)
        };
        assert_eq!(trace(), trace());
    }
}

#[track_caller]
fn is_found(fault: Fault) {
    let found = (0..1000).find(|seed| World::new(*seed, Some(fault)).run().is_err());
    assert!(found.is_some(), "{fault:?} was not found");
}

#[test]
fn a_lease_that_is_off_by_one_is_found() {
    is_found(Fault::LeaseOffByOne);
}

#[test]
fn a_loss_that_nobody_notices_is_found() {
    is_found(Fault::NoBase);
}

#[test]
fn subtracting_twice_is_found() {
    is_found(Fault::SubtractsTwice);
}
