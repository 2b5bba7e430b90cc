//! Local: who has failed too often on this node, and how long they have to wait. Plain data: no clock, no lock.

use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
    time::{Duration, Instant},
};

use super::{FIRST_PAUSE, FORGET, FREE, Key, MAX_PAUSE, keys};

/// Failed attempts to sign in, by address and name, and by address alone. Those that succeed cost nothing.
#[derive(Debug, Default)]
pub(super) struct Local {
    failures: HashMap<Key, Failures>,
    /// When each key was last seen to fail; older entries of a key are passed over.
    order: VecDeque<(Instant, Key)>,
}

#[derive(Clone, Copy, Debug)]
struct Failures {
    n: u32,
    last: Instant,
}

impl Local {
    /// How long this address has to wait before it may try this name again, if it has to.
    pub(super) fn wait(&self, from: IpAddr, name: &str, now: Instant) -> Option<Duration> {
        let keys = keys(from, name);
        let waits = keys.iter().zip(FREE).filter_map(|(key, free)| {
            let failures = self.failures.get(key)?;
            let over = failures.n.checked_sub(free)?;
            let pause = (FIRST_PAUSE * 2_u32.saturating_pow(over)).min(MAX_PAUSE);
            (failures.last + pause).checked_duration_since(now)
        });
        waits.max().filter(|wait| !wait.is_zero())
    }

    /// An attempt begins. It counts as failed until it [succeeds](Self::handle_success), so that many at once
    /// are no way round.
    pub(super) fn handle_attempt(&mut self, from: IpAddr, name: &str, now: Instant) {
        self.forget(now);
        for key in keys(from, name) {
            let failures = self
                .failures
                .entry(key.clone())
                .or_insert(Failures { n: 0, last: now });
            failures.n += 1;
            failures.last = now;
            self.order.push_back((now, key));
        }
    }

    /// The attempt succeeded: earlier failures with this name were slips.
    pub(super) fn handle_success(&mut self, from: IpAddr, name: &str) {
        let [with_name, address] = keys(from, name);
        self.failures.remove(&with_name);
        if let Some(failures) = self.failures.get_mut(&address) {
            failures.n = failures.n.saturating_sub(1);
        }
    }

    fn forget(&mut self, now: Instant) {
        while let Some((at, key)) = self.order.front()
            && (*at + FORGET <= now || MAX_KEPT <= self.order.len())
        {
            if self
                .failures
                .get(key)
                .is_some_and(|failures| failures.last == *at)
            {
                self.failures.remove(key);
            }
            self.order.pop_front();
        }
    }
}

/// Failures remembered; beyond it the oldest go.
const MAX_KEPT: usize = 20_000;

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const THERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

    #[test]
    fn pauses_double_with_each_failure_and_end() {
        let (mut throttle, mut now) = (Local::default(), Instant::now());
        for _ in 0..4 {
            throttle.handle_attempt(HERE, "anna", now);
            assert_eq!(throttle.wait(HERE, "anna", now), None);
        }
        for seconds in [2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900] {
            throttle.handle_attempt(HERE, "anna", now);
            let wait = Duration::from_secs(seconds);
            assert_eq!(throttle.wait(HERE, "anna", now), Some(wait));
            now += wait;
            assert_eq!(throttle.wait(HERE, "anna", now), None);
        }
    }

    #[test]
    fn other_names_and_other_addresses_do_not_wait() {
        let (mut throttle, now) = (Local::default(), Instant::now());
        for _ in 0..10 {
            throttle.handle_attempt(HERE, "anna", now);
        }
        assert!(throttle.wait(HERE, "anna", now).is_some());
        assert_eq!(throttle.wait(HERE, "bert", now), None);
        assert_eq!(throttle.wait(THERE, "anna", now), None);
    }

    #[test]
    fn who_tries_many_names_waits_for_all_of_them() {
        let (mut throttle, now) = (Local::default(), Instant::now());
        for number in 0..50 {
            assert_eq!(throttle.wait(HERE, "anna", now), None);
            throttle.handle_attempt(HERE, &format!("name {number}"), now);
        }
        assert!(throttle.wait(HERE, "anna", now).is_some());
        assert_eq!(throttle.wait(THERE, "anna", now), None);
    }

    #[test]
    fn a_success_forgives_the_slips_before_it() {
        let (mut throttle, now) = (Local::default(), Instant::now());
        for _ in 0..4 {
            throttle.handle_attempt(HERE, "anna", now);
        }
        throttle.handle_success(HERE, "anna");
        throttle.handle_attempt(HERE, "anna", now);
        assert_eq!(throttle.wait(HERE, "anna", now), None);
    }

    #[test]
    fn addresses_of_one_network_are_one() {
        let (mut throttle, now) = (Local::default(), Instant::now());
        for host in 0..5 {
            let from = format!("2001:db8::{host}").parse().unwrap();
            throttle.handle_attempt(from, "anna", now);
        }
        let wait = |from: &str| throttle.wait(from.parse().unwrap(), "anna", now);
        assert!(wait("2001:db8::77").is_some());
        assert_eq!(wait("2001:db8:0:1::77"), None);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let (mut throttle, now) = (Local::default(), Instant::now());
        for number in 0..2 * MAX_KEPT {
            throttle.handle_attempt(HERE, &number.to_string(), now);
        }
        assert!(throttle.order.len() <= MAX_KEPT + 2 && throttle.failures.len() <= MAX_KEPT + 2);
        throttle.handle_attempt(THERE, "anna", now + FORGET);
        assert_eq!(throttle.failures.len(), 2);
    }
}
