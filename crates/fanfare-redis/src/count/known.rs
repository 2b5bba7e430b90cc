//! What a node knows of all others: the newest totals, without its own part of them, and how far they can be trusted.

use std::{collections::BTreeMap, time::Duration};

use super::{
    report::{Key, Standing, Total, parts_of},
    reporter::{Held, Time},
    timing,
};

/// What all other nodes have of a key, and how far that can be trusted.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Elsewhere {
    pub(crate) sockets: u64,
    /// Distinct users who have no socket here.
    pub(crate) users: u64,
    /// Nodes that report, this one too.
    pub(crate) nodes: u64,
    /// By the broker's clock, since 1970; `None` before the first answer.
    pub(crate) as_of: Option<Duration>,
    pub(crate) trust: Trust,
    /// Of the sockets, those that may be gone.
    pub(crate) doubtful: u64,
    /// There may be more: servers that do not report, or the broker is away.
    pub(crate) may_be_more: bool,
    /// Servers that do not report.
    pub(crate) strangers: u64,
    /// Nodes that have told the broker all they have since it began to count the key; 0 while that is not known.
    pub(crate) told: u64,
}

/// How far a number can be trusted.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Trust {
    /// No node is missing, late, or counted twice.
    Complete,
    /// Some may be.
    Incomplete,
    /// The broker has not known the key for long: not all nodes may have told it yet.
    Young,
    /// The broker has not answered for a lease, or never.
    #[default]
    OutOfReach,
}

/// The newest totals.
#[derive(Debug)]
pub(crate) struct Known {
    lease: Duration,
    views: BTreeMap<Key, View>,
    /// How things stood when the broker last answered, and when it was asked.
    standing: Option<(Time, Standing)>,
    /// Nodes that are late, and lives that are unsettled, as the broker last said to anybody.
    doubts: u64,
    /// The broker may have a report of ours, or may have lost one.
    is_doubted: bool,
    /// News that may or may not hold our newest report.
    held_back: BTreeMap<Key, Total>,
    /// The broker that answered last does not know us: its clock may be another's.
    is_other_broker: bool,
    /// The broker has forgotten something that we know: it has to tell all it has.
    asks_all: bool,
    /// Until then the others may not have told the broker again what it has forgotten.
    rebuilt_at: Time,
    strangers: Strangers,
}

/// Servers that do not report, by namespace: subscribed ones without a row. When one that reports is killed, its subscription is gone at
/// once, but its row stands for a lease and hides a stranger; so there are not fewer of them before that has passed.
#[derive(Debug, Default)]
struct Strangers {
    /// When the broker last answered, by its clock.
    answered: Duration,
    namespaces: BTreeMap<Key, Falling>,
}

/// A number that does not fall at once.
#[derive(Debug, Default)]
struct Falling {
    number: u64,
    /// Since when it has been told a lower one, and the highest of these.
    lower: Option<(Duration, u64)>,
}

/// One key.
#[derive(Clone, Copy, Debug, Default)]
struct View {
    total: Total,
    /// This node's part of it.
    own: Held,
}

impl Elsewhere {
    pub(crate) fn is_complete(&self) -> bool {
        self.trust == Trust::Complete
    }

    pub(crate) fn is_out_of_reach(&self) -> bool {
        self.trust == Trust::OutOfReach
    }
}

impl Known {
    pub(crate) fn new(lease: Duration) -> Self {
        Self {
            lease,
            views: BTreeMap::new(),
            standing: None,
            doubts: 0,
            is_doubted: false,
            held_back: BTreeMap::new(),
            is_other_broker: false,
            asks_all: false,
            rebuilt_at: Time::ZERO,
            strangers: Strangers::default(),
        }
    }

    /// The version after which the broker is to answer.
    pub(crate) fn seen(&self) -> u64 {
        match self.asks_all {
            true => 0,
            false => self.version(),
        }
    }

    /// What the broker's clock shows now, or what it will after a round trip; `None` unless it is the same broker that answered.
    pub(crate) fn broker_time(&self, now: Time) -> Option<Duration> {
        let (asked_at, standing) = self.standing.as_ref().filter(|_| !self.is_other_broker)?;
        Some(standing.now + now.saturating_sub(*asked_at))
    }

    /// Every total up to this version has been answered.
    fn version(&self) -> u64 {
        self.standing.as_ref().map_or(0, |(_, s)| s.version)
    }

    /// Nodes that report, as far as this one knows.
    pub(crate) fn nodes(&self) -> u64 {
        self.standing.as_ref().map_or(0, |(_, s)| s.live)
    }

    /// Since when a key is counted.
    pub(crate) fn since(&self, key: &str) -> Option<Duration> {
        Some(self.views.get(key)?.total.since)
    }

    /// Whether nobody counts anything.
    pub(crate) fn is_empty(&self) -> bool {
        self.views.is_empty()
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.views.keys()
    }

    /// From now on until the broker answers, nobody knows which of our reports a total holds.
    pub(crate) fn doubt(&mut self) {
        self.is_doubted = true;
    }

    /// The broker does not know this node any more. Unless the node was silent itself, the broker has lost its memory.
    pub(crate) fn is_unknown(&mut self, now: Time) {
        self.doubt();
        self.is_other_broker = true;
        self.asks_all = true;
        if self.is_fresh(now, self.lease) {
            self.rebuilt_at = now + self.lease;
        }
    }

    /// The broker has answered a report, sent at `asked_at` by a node that had seen version `seen`.
    pub(crate) fn stand(
        &mut self,
        asked_at: Time,
        seen: u64,
        mut standing: Standing,
        acked: &BTreeMap<Key, Held>,
    ) {
        // It answers with all that it has, also if it has lost its memory.
        if seen == 0 || standing.version < seen {
            self.views.clear();
        }
        let newest = self.views.values().map(|view| view.total.version).max();
        // What it has published since it was asked last is in its answer, unless it has lost that: it is another broker by now.
        let mut news = self
            .views
            .iter()
            .filter(|(_, view)| seen < view.total.version);
        let has_lost = news.any(|(key, _)| !standing.totals.contains_key(key));
        self.asks_all = has_lost || newest.is_some_and(|newest| standing.version < newest);
        if self.asks_all || standing.version < seen {
            self.rebuilt_at = asked_at + self.lease;
        }
        let news = std::mem::take(&mut self.held_back);
        let later = news
            .into_iter()
            .filter(|(_, total)| standing.version < total.version);
        for (key, total) in std::mem::take(&mut standing.totals)
            .into_iter()
            .chain(later)
        {
            let own = acked.get(&key).copied().unwrap_or_default();
            self.views.insert(key, View { total, own });
        }
        self.views.retain(|_, view| !view.total.since.is_zero());
        self.strangers.hold(self.lease, &mut standing);
        self.doubts = standing.doubts();
        self.standing = Some((asked_at, standing));
        self.is_doubted = false;
        self.is_other_broker = false;
    }

    pub(crate) fn hear_doubts(&mut self, doubts: u64) {
        // It may be older than the last answer, so it only adds.
        self.doubts = self.doubts.max(doubts);
    }

    /// All nodes have been told of a total. `may_miss_ours`: a report of ours is under way.
    pub(crate) fn hear(
        &mut self,
        now: Time,
        key: &Key,
        total: Total,
        acked: Option<&Held>,
        may_miss_ours: bool,
    ) {
        let is_held_back =
            may_miss_ours || self.is_doubted || !self.is_fresh(now, timing::late(self.lease));
        let newest = if is_held_back {
            self.held_back.get(key).map(|held| held.version)
        } else {
            self.views.get(key).map(|view| view.total.version)
        };
        if total.version <= newest.unwrap_or(0).max(self.version()) {
            return;
        }
        if is_held_back {
            self.held_back.insert(key.clone(), total);
            return;
        }
        let own = acked.copied().unwrap_or_default();
        self.views.insert(key.clone(), View { total, own });
    }

    pub(crate) fn valid_until(&self) -> Option<Time> {
        let (asked_at, _) = self.standing.as_ref()?;
        Some(*asked_at + self.lease)
    }

    pub(crate) fn elsewhere(&self, now: Time, key: &str) -> Elsewhere {
        let is_fresh = self.is_fresh(now, timing::late(self.lease));
        let is_out_of_reach = !self.is_fresh(now, self.lease);
        let (Some((_, standing)), Some(view)) = (&self.standing, self.views.get(key)) else {
            return Elsewhere {
                may_be_more: true,
                trust: match is_out_of_reach {
                    true => Trust::OutOfReach,
                    false => Trust::Young,
                },
                ..Elsewhere::default()
            };
        };
        let View { total, own } = *view;
        let sockets = total.sockets.saturating_sub(own.row.sockets);
        // Who is in a namespace and does not report may have some in its rooms.
        let (nsp, _) = parts_of(key);
        let strangers = standing.strangers.get(nsp).copied().unwrap_or(0);
        // Which nodes are late is known only from an answer.
        let is_known = is_fresh && self.doubts == standing.doubts();
        let doubtful = match is_known {
            true => standing.doubtful.get(key).copied().unwrap_or(0),
            false => sockets,
        };
        let is_young = standing.now < total.since + self.lease || now < self.rebuilt_at;
        let all_report = self.doubts == 0 && strangers == 0;
        // An answer from before the broker lost its memory says nothing of those who have told it again.
        let is_answered = !self.is_other_broker && total.since <= standing.now;
        let told = match is_answered && self.doubts == 0 {
            true => standing.live,
            false => 0,
        };
        Elsewhere {
            sockets,
            users: total.users.saturating_sub(own.users),
            nodes: standing.live,
            as_of: Some(standing.now),
            trust: match is_fresh && all_report {
                _ if is_out_of_reach => Trust::OutOfReach,
                _ if is_young => Trust::Young,
                true => Trust::Complete,
                false => Trust::Incomplete,
            },
            doubtful: doubtful.min(sockets),
            may_be_more: strangers != 0 || !is_fresh || is_young,
            strangers,
            told,
        }
    }

    /// Whether the broker has answered a question of the last `time`.
    fn is_fresh(&self, now: Time, time: Duration) -> bool {
        self.standing
            .as_ref()
            .is_some_and(|(asked_at, _)| now < *asked_at + time)
    }
}

impl Strangers {
    /// Has the answer say as many strangers as there may be.
    fn hold(&mut self, lease: Duration, standing: &mut Standing) {
        let now = standing.now;
        // A broker that was away gives all rows another lease.
        let goes_on = self.answered <= now && now < self.answered + timing::late(lease);
        self.answered = now;
        let told = std::mem::take(&mut standing.strangers);
        for key in told.keys() {
            self.namespaces.entry(key.clone()).or_default();
        }
        self.namespaces.retain(|key, strangers| {
            if !goes_on {
                strangers.lower = None;
            }
            strangers.hear(now, lease, told.get(key).copied().unwrap_or(0));
            strangers.number != 0
        });
        let held = self.namespaces.iter();
        standing.strangers = held.map(|(key, all)| (key.clone(), all.number)).collect();
    }
}

impl Falling {
    fn hear(&mut self, now: Duration, time: Duration, told: u64) {
        let (since, highest) = self.lower.unwrap_or((now, told));
        let highest = highest.max(told);
        self.lower = Some((since, highest));
        if self.number <= told || since + time <= now {
            self.number = highest;
            self.lower = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is known of strangers after each answer, given as its second, and what the broker said of them.
    fn strangers(answers: &[(u64, u64)]) -> Vec<u64> {
        let key = Key::from("/");
        let total = Total {
            version: 1,
            since: Duration::from_secs(1),
            ..Total::default()
        };
        let mut known = Known::new(timing::LEASE);
        let known_after = |&(second, told): &(u64, u64)| {
            let at = Duration::from_secs(second);
            let standing = Standing {
                now: at + Duration::from_secs(100),
                version: 1,
                totals: [(key.clone(), total)].into(),
                strangers: (told != 0)
                    .then(|| (key.clone(), told))
                    .into_iter()
                    .collect(),
                ..Standing::default()
            };
            known.stand(at, known.seen(), standing, &BTreeMap::new());
            let there = known.elsewhere(at, "/");
            assert_eq!(there.is_complete(), there.strangers == 0);
            there.strangers
        };
        answers.iter().map(known_after).collect()
    }

    #[test]
    fn strangers_are_not_hidden_by_the_row_of_a_node_that_was_killed() {
        let killed_at_1_and_taken_out_at_4 = [(0, 1), (1, 0), (2, 0), (3, 0), (4, 1), (5, 1)];
        assert_eq!(strangers(&killed_at_1_and_taken_out_at_4), [1; 6]);
    }

    #[test]
    fn there_are_fewer_strangers_once_that_has_stood_for_a_lease() {
        let all_leave = [(0, 3), (1, 0), (2, 1), (3, 0), (4, 0), (5, 0)];
        assert_eq!(strangers(&all_leave), [3, 3, 3, 3, 1, 1]);
        let one_leaves = [(0, 1), (1, 0), (2, 0), (3, 0), (4, 0), (5, 2)];
        assert_eq!(strangers(&one_leaves), [1, 1, 1, 1, 0, 2]);
        // Nobody could report, and rows were spared.
        let is_away = [(0, 1), (1, 0), (3, 0), (4, 0), (5, 0), (6, 0)];
        assert_eq!(strangers(&is_away), [1, 1, 1, 1, 1, 0]);
    }

    #[test]
    fn a_total_that_no_answer_confirms_is_asked_for_again() {
        let total = |version| Total {
            sockets: 3,
            version,
            since: Duration::from_secs(1),
            ..Total::default()
        };
        let standing = |version, keys: &[(&str, u64)]| Standing {
            now: Duration::from_secs(100),
            version,
            live: 2,
            totals: keys
                .iter()
                .map(|(key, version)| (Key::from(*key), total(*version)))
                .collect(),
            ..Standing::default()
        };
        let (first, second, third) = (Time::ZERO, timing::QUIET, 2 * timing::QUIET);
        let nothing = BTreeMap::new();
        let mut known = Known::new(timing::LEASE);
        known.stand(first, 0, standing(10, &[("/", 10)]), &nothing);
        known.hear(first, &"/chat".into(), total(12), None, false);
        assert_eq!(known.elsewhere(second, "/chat").sockets, 3);
        // Another broker, which has been told nothing of it, but something else since.
        known.stand(second, known.seen(), standing(13, &[("/", 13)]), &nothing);
        assert_eq!(known.seen(), 0);
        assert!(!known.elsewhere(second, "/chat").is_complete());
        known.stand(third, known.seen(), standing(13, &[("/", 13)]), &nothing);
        assert_eq!(known.elsewhere(third, "/chat").sockets, 0);
        assert_eq!(known.seen(), 13);
    }

    #[test]
    fn a_total_that_the_next_answer_has_is_kept() {
        let total = Total {
            sockets: 3,
            version: 12,
            since: Duration::from_secs(1),
            ..Total::default()
        };
        let standing = |version, totals| Standing {
            version,
            totals,
            ..Standing::default()
        };
        let nothing = BTreeMap::new();
        let mut known = Known::new(timing::LEASE);
        known.stand(Time::ZERO, 0, standing(10, BTreeMap::new()), &nothing);
        known.hear(Time::ZERO, &"/".into(), total, None, false);
        let totals = [("/".into(), total)].into();
        known.stand(timing::QUIET, 10, standing(12, totals), &nothing);
        assert_eq!(known.seen(), 12);
        // Nothing new is nothing lost.
        known.stand(
            2 * timing::QUIET,
            12,
            standing(12, BTreeMap::new()),
            &nothing,
        );
        assert_eq!(known.seen(), 12);
        assert_eq!(known.elsewhere(2 * timing::QUIET, "/").sockets, 3);
    }
}
