//! The script's semantics over again, in plain values: what the simulation runs on, and the script is held to.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{
    report::{Key, News, Reply, Report, Row, Stage, Standing, Total, parts_of},
    timing,
};

/// The broker.
#[derive(Clone, Debug, Default)]
pub(crate) struct Broker {
    pub(crate) nodes: BTreeMap<Box<str>, Node>,
    sums: BTreeMap<Key, Sum>,
    lives: BTreeMap<Life, BTreeSet<(Key, Box<str>)>>,
    users: BTreeMap<Key, BTreeMap<Box<str>, u64>>,
    reaping: BTreeSet<Life>,
    /// When anybody was last heard.
    pub(crate) last: Duration,
    top: u64,
    versions: BTreeMap<Key, u64>,
    published: BTreeMap<Key, Duration>,
    dirty: BTreeSet<Key>,
    /// Servers that hold a namespace, whether they report or not; `None`: those that report.
    pub(crate) servers: BTreeMap<Key, u64>,
    /// A fault that is planted on purpose.
    pub(crate) fault: Option<Fault>,
}

/// What the simulation must find.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fault {
    /// A lease ends one millisecond too late.
    LeaseOffByOne,
    /// Nobody notices that a broker has an older state than it had.
    NoBase,
    /// Who is taken out is subtracted twice.
    SubtractsTwice,
}

type Life = (Box<str>, u64);

#[derive(Clone, Debug)]
pub(crate) struct Node {
    epoch: u64,
    seq: u64,
    pub(crate) heard: Duration,
    /// When it is taken out.
    pub(crate) lease: Duration,
    rows: BTreeMap<Key, Row>,
    is_syncing: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    row: Row,
    rows: u64,
    since: Duration,
}

/// One run of the script.
struct Run<'a> {
    broker: &'a mut Broker,
    now: Duration,
    touched: BTreeSet<Key>,
    edges: Vec<(Key, Box<str>, bool)>,
}

impl Broker {
    /// One that has nothing yet.
    pub(crate) fn with(fault: Option<Fault>) -> Self {
        Self {
            fault,
            ..Self::default()
        }
    }

    /// Runs the script at `now`.
    pub(crate) fn run(&mut self, now: Duration, report: &Report) -> (Reply, Option<News>) {
        let mut run = Run {
            broker: self,
            now,
            touched: BTreeSet::new(),
            edges: Vec::new(),
        };
        run.expire();
        let refusal = run.judge(report);
        if refusal.is_none() {
            run.broker.last = now;
            run.take(report);
        }
        run.reap();
        run.stamp();
        let (wait, news) = run.publish();
        let reply = match refusal {
            Some(refusal) => refusal,
            None => Reply::Accepted(self.standing(now, report, wait)),
        };
        (reply, news)
    }

    fn total(&self, key: &Key) -> Total {
        let version = self.versions.get(key).copied().unwrap_or(0);
        let users = self.users.get(key).map_or(0, BTreeMap::len) as u64;
        match self.sums.get(key) {
            Some(sum) => Total {
                sockets: sum.row.sockets,
                users: sum.row.anonymous + users,
                version,
                since: sum.since,
            },
            None => Total {
                version,
                ..Total::default()
            },
        }
    }

    fn late(&self, now: Duration) -> impl Iterator<Item = &Node> {
        let nodes = self.nodes.values();
        nodes.filter(move |node| node.heard + timing::late(timing::LEASE) <= now)
    }

    fn unsettled(&self) -> u64 {
        let syncing = self.nodes.values().filter(|node| node.is_syncing).count();
        (syncing + self.reaping.len()) as u64
    }

    fn standing(&self, now: Duration, report: &Report, wait: Option<Duration>) -> Standing {
        let seen = if self.top < report.seen {
            0
        } else {
            report.seen
        };
        let newer = self.versions.iter().filter(|(_, version)| seen < **version);
        let mut doubtful = BTreeMap::new();
        for (key, row) in self.late(now).flat_map(|node| &node.rows) {
            if row.sockets != 0 {
                *doubtful.entry(key.clone()).or_insert(0) += row.sockets;
            }
        }
        let own = self.nodes.get(&report.node).map(|node| &node.rows);
        let strangers = own.into_iter().flatten().filter_map(|(key, _)| {
            let servers = self.servers.get(key).copied().unwrap_or(0);
            let more = servers.saturating_sub(self.sums.get(key).map_or(0, |sum| sum.rows));
            (more != 0 && parts_of(key).1.is_none()).then(|| (key.clone(), more))
        });
        Standing {
            now,
            version: self.top,
            live: self.nodes.len() as u64,
            late: self.late(now).count() as u64,
            unsettled: self.unsettled(),
            wait,
            totals: newer
                .map(|(key, _)| (key.clone(), self.total(key)))
                .collect(),
            doubtful,
            strangers: strangers.collect(),
        }
    }
}

impl Run<'_> {
    fn expire(&mut self) {
        // Nobody could report, so nobody is to blame.
        if self.broker.last + timing::late(timing::LEASE) <= self.now {
            for node in self.broker.nodes.values_mut() {
                node.lease = self.now + timing::LEASE;
            }
        }
        let more = match self.broker.fault {
            Some(Fault::LeaseOffByOne) => Duration::from_millis(1),
            _ => Duration::ZERO,
        };
        let ended = self.broker.nodes.iter();
        let ended = ended.filter(|(_, node)| node.lease + more <= self.now);
        let ended: Vec<_> = ended.map(|(id, _)| id.clone()).collect();
        for id in ended {
            self.take_out(&id);
        }
    }

    fn judge(&self, report: &Report) -> Option<Reply> {
        let begins = matches!(report.stage, Stage::Begins { .. });
        let is_old = report
            .made
            .is_some_and(|made| made + timing::ANSWER < self.now);
        let has_ended = self
            .broker
            .reaping
            .contains(&(report.node.clone(), report.epoch));
        let has_lost =
            |node: &Node| node.seq < report.base && self.broker.fault != Some(Fault::NoBase);
        match self.broker.nodes.get(&report.node) {
            _ if is_old => Some(Reply::Late),
            Some(node) if (report.epoch, report.seq) <= (node.epoch, node.seq) => Some(Reply::Late),
            Some(node) if !begins && (report.epoch != node.epoch || has_lost(node)) => {
                Some(Reply::Unknown)
            }
            None if !begins => Some(Reply::Unknown),
            Some(_) | None if begins && has_ended => Some(Reply::Unknown),
            Some(_) | None => None,
        }
    }

    fn take(&mut self, report: &Report) {
        let kept = self.broker.nodes.get(&report.node);
        let is_new = kept.is_none_or(|node| node.epoch != report.epoch);
        if is_new || report.stage == Stage::Ends {
            self.take_out(&report.node);
        }
        if report.stage == Stage::Ends {
            return;
        }
        let (Stage::Begins { has_more } | Stage::Goes { has_more }) = report.stage else {
            return;
        };
        let mut node = self.broker.nodes.remove(&report.node).unwrap_or(Node {
            epoch: report.epoch,
            seq: 0,
            heard: self.now,
            lease: self.now,
            rows: BTreeMap::new(),
            is_syncing: false,
        });
        (node.seq, node.is_syncing) = (report.seq, has_more);
        (node.heard, node.lease) = (self.now, self.now + timing::LEASE);
        for (key, row) in &report.rows {
            let had = match row {
                Some(row) => node.rows.insert(key.clone(), *row),
                None => node.rows.remove(key),
            };
            if had != *row {
                self.add(key, had, *row);
            }
        }
        let life = (report.node.clone(), report.epoch);
        for ((key, user), is_here) in &report.users {
            self.user(&life, key, user, *is_here);
        }
        self.broker.nodes.insert(report.node.clone(), node);
    }

    fn add(&mut self, key: &Key, had: Option<Row>, has: Option<Row>) {
        let sum = self.broker.sums.entry(key.clone()).or_insert(Sum {
            since: self.now,
            ..Sum::default()
        });
        let (before, after) = (had.unwrap_or_default(), has.unwrap_or_default());
        let with = |sum: u64, before: u64, after: u64| (sum + after).saturating_sub(before);
        sum.row.sockets = with(sum.row.sockets, before.sockets, after.sockets);
        sum.row.anonymous = with(sum.row.anonymous, before.anonymous, after.anonymous);
        sum.rows = with(sum.rows, had.is_some().into(), has.is_some().into());
        self.touched.insert(key.clone());
    }

    fn user(&mut self, life: &Life, key: &Key, user: &str, is_here: bool) {
        let entry = (key.clone(), user.into());
        let all = self.broker.lives.entry(life.clone()).or_default();
        match is_here {
            true if all.insert(entry.clone()) => {
                self.touched.insert(key.clone());
                let lives = self.broker.users.entry(key.clone()).or_default();
                let lives = lives.entry(user.into()).or_insert(0);
                *lives += 1;
                if *lives == 1 {
                    self.edge(key, user, true);
                }
            }
            false if all.remove(&entry) => self.out(key, user),
            true | false => {}
        }
    }

    fn out(&mut self, key: &Key, user: &str) {
        self.touched.insert(key.clone());
        let of_key = self.broker.users.entry(key.clone()).or_default();
        let lives = of_key.entry(user.into()).or_insert(0);
        *lives = lives.saturating_sub(1);
        if *lives == 0 {
            of_key.remove(user);
            self.edge(key, user, false);
        }
    }

    fn edge(&mut self, key: &Key, user: &str, is_here: bool) {
        if parts_of(key).1.is_none() {
            self.edges.push((key.clone(), user.into(), is_here));
        }
    }

    fn take_out(&mut self, id: &str) {
        let Some(node) = self.broker.nodes.remove(id) else {
            return;
        };
        for (key, row) in &node.rows {
            self.add(key, Some(*row), None);
            if self.broker.fault == Some(Fault::SubtractsTwice) {
                self.add(key, Some(*row), None);
            }
        }
        let life = (id.into(), node.epoch);
        if self
            .broker
            .lives
            .get(&life)
            .is_some_and(|all| !all.is_empty())
        {
            self.broker.reaping.insert(life);
        }
    }

    fn reap(&mut self) {
        let mut budget = timing::MAX_REAPED;
        while budget != 0
            && let Some(life) = self.broker.reaping.first().cloned()
        {
            let all = self.broker.lives.entry(life.clone()).or_default();
            let taken: Vec<_> = all.iter().take(budget).cloned().collect();
            for entry in &taken {
                all.remove(entry);
            }
            if taken.len() < budget {
                self.broker.reaping.remove(&life);
                self.broker.lives.remove(&life);
            }
            budget -= taken.len();
            for (key, user) in taken {
                self.out(&key, &user);
            }
        }
    }

    fn stamp(&mut self) {
        let now = millis(self.now);
        for key in &self.touched {
            if self.broker.sums.get(key).is_some_and(|sum| sum.rows == 0) {
                self.broker.sums.remove(key);
            }
            self.broker.top = (self.broker.top + 1).max(now);
            self.broker.versions.insert(key.clone(), self.broker.top);
            self.broker.dirty.insert(key.clone());
        }
    }

    fn publish(self) -> (Option<Duration>, Option<News>) {
        let Self {
            broker, now, edges, ..
        } = self;
        let gap = timing::changing(broker.nodes.len() as u64);
        let mut wait: Option<Duration> = None;
        let mut totals = BTreeMap::new();
        for key in broker.dirty.clone() {
            let last = broker.published.get(&key).copied().unwrap_or_default();
            let next = last + gap;
            if now < next && next <= now + gap {
                let left = next - now;
                wait = Some(wait.map_or(left, |wait| wait.min(left)));
                continue;
            }
            broker.dirty.remove(&key);
            broker.published.insert(key.clone(), now);
            totals.insert(key.clone(), broker.total(&key));
        }
        let has_news = !totals.is_empty() || !edges.is_empty();
        let news = has_news.then(|| News {
            doubts: broker.late(now).count() as u64 + broker.unsettled(),
            totals,
            edges,
        });
        (wait, news)
    }
}

fn millis(time: Duration) -> u64 {
    time.as_millis().try_into().unwrap_or(u64::MAX)
}
