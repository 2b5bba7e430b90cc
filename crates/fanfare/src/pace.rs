//! Pace: how often everyone is told of a number that changes all the time.
//!
//! At once after a rest, then once in each pause. What has stood still for a moment is told before the pause is over, so that a
//! crowd that has come sees its number soon; but once only after each rest of two pauses, so that in a time t there are
//! at most 2 + t / pause turns.

use std::time::Duration;

use tokio::time::Instant;

/// Says when it is time to tell everyone.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    last: Option<Instant>,
    /// An early turn may be taken.
    has_spare: bool,
}

/// What to do about a change.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Turn {
    /// Tell everyone now.
    Now,
    /// Ask again after this time.
    Wait(Duration),
}

impl Pace {
    /// Whether there is a turn `now` for what has changed since the last one. `has_moved` says whether it has changed since
    /// this was last asked, too.
    pub(crate) fn turn(&mut self, now: Instant, pause: Duration, has_moved: bool) -> Turn {
        let rest = self.last.map(|last| now - last);
        let is_due = rest.is_none_or(|rest| rest >= pause);
        if is_due {
            self.has_spare |= rest.is_none_or(|rest| rest >= 2 * pause);
        } else if self.has_spare && !has_moved {
            self.has_spare = false;
        } else {
            let left = pause - rest.unwrap_or_default();
            return Turn::Wait(left.min(STILL));
        }
        self.last = Some(now);
        Turn::Now
    }
}

/// What has not changed for so long stands still. In a cluster of few nodes sums come each 50 ms while something changes.
const STILL: Duration = Duration::from_millis(60);

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_millis(250);

    /// When there is a turn for changes at these milliseconds, which are in order.
    fn turns(changes: &[u64]) -> Vec<u64> {
        let (began, mut pace) = (Instant::now(), Pace::default());
        let (mut turns, mut told, mut seen) = (Vec::new(), 0, 0);
        let mut now = 0;
        while told < changes.len() {
            now = now.max(changes[told]);
            let there = changes.iter().filter(|at| **at <= now).count();
            let has_moved = there != seen;
            seen = there;
            match pace.turn(began + Duration::from_millis(now), PAUSE, has_moved) {
                Turn::Now => {
                    turns.push(now);
                    told = there;
                }
                Turn::Wait(wait) => now += u64::try_from(wait.as_millis()).expect("it is short"),
            }
        }
        turns
    }

    #[test]
    fn a_single_change_has_its_turn_at_once() {
        assert_eq!(turns(&[0, 600, 1_200]), [0, 600, 1_200]);
    }

    #[test]
    fn a_second_one_waits_until_it_stands_still() {
        assert_eq!(turns(&[0, 100]), [0, 160]);
        assert_eq!(turns(&[0, 100, 110, 120]), [0, 220]);
    }

    #[test]
    fn a_storm_has_a_turn_in_each_pause_and_its_end_soon() {
        let storm: Vec<u64> = (0..=530).collect();
        assert_eq!(turns(&storm), [0, 250, 500, 621]);
    }

    #[test]
    fn an_early_turn_is_taken_once_until_there_was_a_rest() {
        assert_eq!(turns(&[0, 10, 200, 700, 701]), [0, 70, 320, 700, 950]);
        assert_eq!(turns(&[0, 10, 600, 601]), [0, 70, 600, 661]);
    }

    #[test]
    fn there_are_no_more_turns_than_pauses_and_two() {
        for seed in 0..2_000 {
            let mut random = fastrand::Rng::with_seed(seed);
            let longest = random.u64(1..=800);
            let changes: Vec<u64> = (0..60)
                .scan(0, |at, _| {
                    *at += random.u64(0..=longest);
                    Some(*at)
                })
                .collect();
            let turns = turns(&changes);
            for (first, from) in turns.iter().enumerate() {
                for (last, to) in turns.iter().enumerate().skip(first) {
                    let most = 2 + (to - from) / 250;
                    let n = (last - first + 1) as u64;
                    assert!(n <= most, "seed {seed}: {n} turns from {from} to {to}");
                }
            }
            for change in changes {
                let told = turns.iter().find(|turn| **turn >= change);
                assert!(
                    told.is_some_and(|told| told - change <= 250),
                    "seed {seed}: what changed at {change} was told at {told:?}"
                );
            }
        }
    }
}
