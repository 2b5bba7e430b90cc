//! A node's part in the count: what it reports and when, and what it knows from what it hears. It does no I/O, and has
//! no clock: whoever drives it does [`poll`](Reporter::poll), sends what comes back, and tells it what came of that.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    time::Duration,
};

use super::{
    known::{Elsewhere, Known},
    report::{Key, News, Reply, Report, Row, Stage, Standing},
    timing,
};

/// What this node has, read when a report is made.
pub(crate) trait Local {
    /// All keys of which this node has anything to say.
    fn held(&self) -> BTreeMap<Key, Held>;

    /// The users of a key who have at least one socket here.
    fn users(&self, key: &str) -> Vec<Box<str>>;

    /// Users whose first socket came, or whose last one left, since this was last called, and whether they are here.
    fn take_touched(&mut self) -> BTreeMap<(Key, Box<str>), bool>;
}

/// What this node has of a key.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Held {
    pub(crate) row: Row,
    /// Distinct users here.
    pub(crate) users: u64,
}

/// A point in time, by whatever clock the driver has; only differences matter.
pub(crate) type Time = Duration;

/// A node that reports.
#[derive(Debug)]
pub(crate) struct Reporter {
    node: Box<str>,
    /// Where its signs of life belong.
    home: Duration,
    epoch: u64,
    seq: u64,
    base: u64,
    /// Not all users with whom this life began are known to have arrived.
    is_beginning: bool,
    /// Rows that the broker has.
    acked: BTreeMap<Key, Held>,
    /// Rows that were in a report of which nobody knows whether it arrived.
    unsure: BTreeSet<Key>,
    /// Users still to be reported.
    users: BTreeMap<(Key, Box<str>), bool>,
    flying: Option<Flying>,
    sent_at: Option<Time>,
    has_changed: bool,
    due: Time,
    doing: Doing,
    known: Known,
}

/// What a node is at.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Doing {
    Reporting,
    /// Nobody in the cluster counts anything, so nobody reports.
    Nothing,
    Ended,
}

/// A report under way.
#[derive(Debug)]
struct Flying {
    stage: Stage,
    held: BTreeMap<Key, Option<Held>>,
    users: BTreeMap<(Key, Box<str>), bool>,
    seen: u64,
}

impl Reporter {
    /// A node that has not reported yet, and does so as soon as it is asked.
    pub(crate) fn new(node: &str, lease: Duration) -> Self {
        Self {
            node: node.into(),
            home: timing::home(node),
            epoch: 1,
            seq: 0,
            base: 0,
            is_beginning: true,
            acked: BTreeMap::new(),
            unsure: BTreeSet::new(),
            users: BTreeMap::new(),
            flying: None,
            sent_at: None,
            has_changed: false,
            due: Time::ZERO,
            doing: Doing::Reporting,
            known: Known::new(lease),
        }
    }

    /// When to poll again; `None` while a report is under way, while nobody counts anything, or after the last.
    pub(crate) fn due(&self) -> Option<Time> {
        let is_due = self.flying.is_none() && self.doing == Doing::Reporting;
        is_due.then_some(self.due)
    }

    /// Whether the broker may have anything of this node.
    pub(crate) fn is_there(&self) -> bool {
        self.seq != 0 && self.doing == Doing::Reporting
    }

    /// Something of what this node has is different.
    pub(crate) fn changed(&mut self, now: Time) {
        self.has_changed = true;
        if self.doing == Doing::Nothing {
            self.doing = Doing::Reporting;
        }
        let pause = timing::changing(self.known.nodes());
        let next = self.sent_at.map_or(now, |at| at + pause);
        self.due = self.due.min(next.max(now));
    }

    /// The report that is due, if one is. It has to be followed by [`replied`](Self::replied) or
    /// [`lost`](Self::lost).
    pub(crate) fn poll(&mut self, now: Time, local: &mut impl Local) -> Option<Report> {
        if self.due().is_none_or(|due| now < due) {
            return None;
        }
        let held = local.held();
        self.gather_users(&held, local);
        let rows = self.rows_to_send(&held);
        let users = self.take_users();
        let has_more = self.is_beginning && !self.users.is_empty();
        let stage = match self.base {
            0 => Stage::Begins { has_more },
            _ => Stage::Goes { has_more },
        };
        Some(self.send(now, stage, rows, users))
    }

    /// The last report: the node stops, and is not counted from then on.
    pub(crate) fn end(&mut self, now: Time) -> Report {
        self.doing = Doing::Ended;
        self.send(now, Stage::Ends, BTreeMap::new(), BTreeMap::new())
    }

    /// The broker has answered the report under way.
    pub(crate) fn replied(&mut self, now: Time, reply: Reply) {
        let Some(flying) = self.flying.take() else {
            return;
        };
        match reply {
            Reply::Accepted(standing) => self.accepted(now, flying, standing),
            Reply::Unknown | Reply::Late => self.begin_anew(now),
        }
    }

    /// Nobody knows whether the report under way has arrived.
    pub(crate) fn lost(&mut self, now: Time) {
        let Some(flying) = self.flying.take() else {
            return;
        };
        self.unsure.extend(flying.held.into_keys());
        for (user, is_here) in flying.users {
            self.users.entry(user).or_insert(is_here);
        }
        self.known.doubt();
        self.due = now + timing::CHANGING;
    }

    /// All nodes have been told of totals.
    pub(crate) fn heard(&mut self, now: Time, news: &News) {
        self.known.hear_doubts(news.doubts);
        if self.doing == Doing::Nothing {
            self.changed(now);
        }
        let may_miss_ours = self.flying.is_some();
        for (key, total) in &news.totals {
            // The broker has lost its memory, and somebody else was the first to notice.
            if self.acked.contains_key(key) && self.known.since(key) < Some(total.since) {
                self.changed(now);
            }
            self.known
                .hear(now, key, *total, self.acked.get(key), may_miss_ours);
        }
    }

    /// Keys that somebody in the cluster counts.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.known.keys()
    }

    /// Whether anybody in the cluster counts a key.
    pub(crate) fn counts(&self, key: &str) -> bool {
        self.known.since(key).is_some()
    }

    /// What the other nodes have of a key, as far as this one knows.
    pub(crate) fn elsewhere(&self, now: Time, key: &str) -> Elsewhere {
        self.known.elsewhere(now, key)
    }

    /// When what is known stops being known.
    pub(crate) fn valid_until(&self) -> Option<Time> {
        self.known
            .valid_until()
            .filter(|_| self.doing != Doing::Nothing)
    }

    /// Whether the broker has answered before, but not for a lease.
    pub(crate) fn is_out_of_reach(&self, now: Time) -> bool {
        self.valid_until().is_some_and(|until| until <= now)
    }

    fn accepted(&mut self, now: Time, flying: Flying, standing: Standing) {
        self.base = self.seq;
        for (key, held) in flying.held {
            self.unsure.remove(&key);
            match held {
                Some(held) => self.acked.insert(key, held),
                None => self.acked.remove(&key),
            };
        }
        if let Stage::Begins { has_more: false } | Stage::Goes { has_more: false } = flying.stage {
            self.is_beginning = false;
        }
        let sent_at = self.sent_at.unwrap_or(now);
        self.due = match (self.users.is_empty(), self.has_changed) {
            (false, _) => now,
            (true, true) => sent_at + timing::changing(standing.live),
            (true, false) => sent_at + timing::quiet(standing.now, self.home),
        };
        if let Some(wait) = standing.wait {
            self.due = self.due.min(now + wait);
        }
        self.known
            .stand(sent_at, flying.seen, standing, &self.acked);
        let counts_nothing = self.acked.is_empty() && self.known.is_empty();
        if !self.has_changed && counts_nothing && self.doing == Doing::Reporting {
            self.doing = Doing::Nothing;
        }
    }

    /// A new life, of which the broker has nothing yet.
    fn begin_anew(&mut self, now: Time) {
        self.epoch += 1;
        self.base = 0;
        self.is_beginning = true;
        self.acked.clear();
        self.unsure.clear();
        self.users.clear();
        self.known.is_unknown(now);
        self.due = now;
    }

    /// Of a key that the broker does not have yet all users, else those who came or left.
    fn gather_users(&mut self, held: &BTreeMap<Key, Held>, local: &mut impl Local) {
        let touched = local.take_touched();
        let is_told = |key: &Key| self.acked.contains_key(key) || self.unsure.contains(key);
        let untold: Vec<_> = held.keys().filter(|key| !is_told(key)).collect();
        self.is_beginning |= !untold.is_empty();
        for key in untold {
            let all = local.users(key).into_iter();
            self.users
                .extend(all.map(|user| ((key.clone(), user), true)));
        }
        self.users.extend(touched);
    }

    fn rows_to_send(&self, held: &BTreeMap<Key, Held>) -> BTreeMap<Key, Option<Held>> {
        let is_new =
            |key: &Key, held: &Held| self.acked.get(key) != Some(held) || self.unsure.contains(key);
        let mut rows: BTreeMap<_, _> = held
            .iter()
            .filter(|(key, held)| is_new(key, held))
            .map(|(key, held)| (key.clone(), Some(*held)))
            .collect();
        let had = self.acked.keys().chain(&self.unsure);
        let gone = had.filter(|key| !held.contains_key(*key));
        rows.extend(gone.map(|key| (key.clone(), None)));
        rows
    }

    fn take_users(&mut self) -> BTreeMap<(Key, Box<str>), bool> {
        match self.users.keys().nth(timing::MAX_USERS).cloned() {
            None => mem::take(&mut self.users),
            Some(first_left) => {
                let left = self.users.split_off(&first_left);
                mem::replace(&mut self.users, left)
            }
        }
    }

    fn send(
        &mut self,
        now: Time,
        stage: Stage,
        held: BTreeMap<Key, Option<Held>>,
        users: BTreeMap<(Key, Box<str>), bool>,
    ) -> Report {
        self.seq += 1;
        self.sent_at = Some(now);
        self.has_changed = false;
        let seen = self.known.seen();
        let rows = held
            .iter()
            .map(|(key, held)| (key.clone(), held.map(|held| held.row)))
            .collect();
        let report = Report {
            node: self.node.clone(),
            epoch: self.epoch,
            seq: self.seq,
            base: self.base,
            stage,
            made: self.known.broker_time(now),
            seen,
            rows,
            users: users.clone(),
        };
        self.flying = Some(Flying {
            stage,
            held,
            users,
            seen,
        });
        report
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A node with one socket, which somebody counts.
    struct OneSocket;

    impl Local for OneSocket {
        fn held(&self) -> BTreeMap<Key, Held> {
            let row = Row {
                sockets: 1,
                anonymous: 1,
            };
            [("/".into(), Held { row, users: 0 })].into()
        }

        fn users(&self, _: &str) -> Vec<Box<str>> {
            Vec::new()
        }

        fn take_touched(&mut self) -> BTreeMap<(Key, Box<str>), bool> {
            BTreeMap::new()
        }
    }

    /// When the signs of life of a node arrive within their second, in milliseconds of the broker's clock. The first arrives at
    /// 780.
    fn arrivals(node: &str) -> [u128; 8] {
        let way = Duration::from_millis(3);
        let brokers_clock = |now: Time| Duration::from_millis(1_700_000_000_777) + now;
        let mut reporter = Reporter::new(node, timing::LEASE);
        [(); 8].map(|()| {
            let now = reporter.due().expect("it reports");
            assert!(reporter.poll(now, &mut OneSocket).is_some());
            let standing = Standing {
                now: brokers_clock(now + way),
                live: 1,
                ..Standing::default()
            };
            let arrived = standing.now.as_millis() % 1_000;
            reporter.replied(now + 2 * way, Reply::Accepted(standing));
            arrived
        })
    }

    #[test]
    fn nodes_that_have_reported_at_once_part_for_their_homes_and_stay_there() {
        let mut homes = BTreeSet::new();
        for node in ["a", "b", "c", "d", "e", "f", "g", "h"] {
            let home = timing::home(node).as_millis();
            let arrived = arrivals(node);
            assert_eq!(arrived[0], 780);
            assert!(arrived[5..].iter().all(|at| *at == home), "{arrived:?}");
            homes.insert(home);
        }
        assert!(homes.len() > 2, "{homes:?}");
    }
}
