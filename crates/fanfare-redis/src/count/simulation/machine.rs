//! A node's machine: its sockets, and what can happen to it.

use super::{BTreeMap, BTreeSet, Duration, Held, Key, Local, Reporter, Row, timing};

pub(super) struct Machine {
    pub(super) reporter: Reporter,
    pub(super) local: Sockets,
    /// Its clock is ahead by this.
    pub(super) skew: Duration,
    /// Nothing runs on it until then.
    pub(super) stalled_until: Duration,
    /// Nothing reaches the broker or comes from it until then.
    pub(super) cut_until: Duration,
    /// It hears no news until then.
    pub(super) deaf_until: Duration,
    pub(super) is_gone: bool,
    /// The report whose answer it waits for.
    pub(super) waits_for: Option<u64>,
    /// When the broker took a report of it.
    pub(super) accepted: Vec<Duration>,
    /// How many sockets it had of each key, since when.
    history: BTreeMap<Key, Vec<(Duration, u64)>>,
}

/// The sockets of a machine.
#[derive(Default)]
pub(super) struct Sockets {
    sockets: BTreeMap<u64, (Key, Option<Box<str>>)>,
    /// What somebody here wants to have counted.
    pub(super) wanted: BTreeSet<Key>,
    /// That, and what somebody elsewhere does.
    pub(super) counted: BTreeSet<Key>,
    touched: BTreeSet<(Key, Box<str>)>,
    /// Users of rooms that are not counted any more.
    gone: BTreeSet<(Key, Box<str>)>,
}

impl Machine {
    pub(super) fn new(id: &str, skew: Duration, wanted: &[&str]) -> Self {
        let wanted: BTreeSet<Key> = wanted.iter().map(|key| Key::from(*key)).collect();
        let local = Sockets {
            wanted: wanted.clone(),
            counted: wanted,
            ..Sockets::default()
        };
        Self {
            reporter: Reporter::new(id, timing::LEASE),
            local,
            skew,
            stalled_until: Duration::ZERO,
            cut_until: Duration::ZERO,
            deaf_until: Duration::ZERO,
            is_gone: false,
            waits_for: None,
            accepted: Vec::new(),
            history: BTreeMap::new(),
        }
    }

    /// The time by its own clock.
    pub(super) fn clock(&self, now: Duration) -> Duration {
        now + self.skew
    }

    pub(super) fn join(&mut self, now: Duration, socket: u64, key: &Key, user: Option<Box<str>>) {
        if let Some(user) = &user {
            self.local.touched.insert((key.clone(), user.clone()));
        }
        self.local.sockets.insert(socket, (key.clone(), user));
        self.note(now, key);
    }

    pub(super) fn leave(&mut self, now: Duration, socket: u64) {
        if let Some((key, user)) = self.local.sockets.remove(&socket) {
            if let Some(user) = user {
                self.local.touched.insert((key.clone(), user));
            }
            self.note(now, &key);
        }
    }

    /// Everybody is gone at once.
    pub(super) fn crash(&mut self, now: Duration) -> Vec<(u64, Key, Option<Box<str>>)> {
        self.is_gone = true;
        let all = std::mem::take(&mut self.local.sockets);
        let keys: BTreeSet<Key> = all.values().map(|(key, _)| key.clone()).collect();
        for key in &keys {
            self.note(now, key);
        }
        all.into_iter()
            .map(|(socket, (key, user))| (socket, key, user))
            .collect()
    }

    fn note(&mut self, now: Duration, key: &Key) {
        let sockets = self.local.row(key).sockets;
        self.history
            .entry(key.clone())
            .or_default()
            .push((now, sockets));
    }

    /// Whether the broker has been without news of it for a lease, some time between `from` and now: nobody can know
    /// then whether it is there.
    fn was_silent(&self, from: Duration, now: Duration) -> bool {
        let first = self
            .accepted
            .partition_point(|at| *at < from)
            .saturating_sub(1);
        let mut last = self.accepted.get(first).copied().unwrap_or_default();
        let mut is_silent = self.accepted.first().is_none_or(|at| from <= *at);
        for at in self.accepted[first..].iter().copied().chain([now]) {
            is_silent |= last + timing::LEASE - OTHER_CLOCK <= at;
            last = at;
        }
        is_silent
    }

    /// The fewest and the most sockets that others can know of, between `from` and now.
    pub(super) fn range(&self, key: &Key, from: Duration, now: Duration) -> (u64, u64) {
        let history = self.history.get(key).map_or(&[][..], Vec::as_slice);
        let first = history.partition_point(|(at, _)| *at <= from);
        let before = first.checked_sub(1).map_or(0, |before| history[before].1);
        let all = history[first..].iter().map(|(_, sockets)| *sockets);
        let least = match self.was_silent(from, now) {
            true => 0,
            false => before,
        };
        all.fold((least, before), |(min, max), sockets| {
            (min.min(sockets), max.max(sockets))
        })
    }
}

impl Sockets {
    pub(super) fn row(&self, key: &str) -> Row {
        let all = self.sockets.values().filter(|(of, _)| &**of == key);
        all.fold(Row::default(), |row, (_, user)| Row {
            sockets: row.sockets + 1,
            anonymous: row.anonymous + u64::from(user.is_none()),
        })
    }

    pub(super) fn users_of(&self, key: &str) -> BTreeSet<Box<str>> {
        let all = self.sockets.values().filter(|(of, _)| &**of == key);
        all.filter_map(|(_, user)| user.clone()).collect()
    }

    /// The application asks for a key, or no more.
    pub(super) fn toggle(&mut self, key: &Key) {
        if !self.wanted.remove(key) {
            self.wanted.insert(key.clone());
            self.count(key);
        }
    }

    pub(super) fn count(&mut self, key: &Key) {
        self.counted.insert(key.clone());
        let here = self.users_of(key).into_iter();
        self.touched.extend(here.map(|user| (key.clone(), user)));
    }

    /// Forgets the rooms that nobody counts. Whether there were any.
    pub(super) fn forget_unless(&mut self, is_counted: impl Fn(&Key) -> bool) -> bool {
        let is_kept =
            |key: &Key| !key.contains(',') || self.wanted.contains(key) || is_counted(key);
        let forgotten: Vec<Key> = self
            .counted
            .iter()
            .filter(|key| !is_kept(key))
            .cloned()
            .collect();
        for key in &forgotten {
            self.counted.remove(key);
            let touched = self.touched.iter().filter(|(of, _)| of == key).cloned();
            self.gone.extend(touched);
            let here = self.users_of(key).into_iter();
            self.gone.extend(here.map(|user| (key.clone(), user)));
        }
        !forgotten.is_empty()
    }

    pub(super) fn ids(&self) -> Vec<u64> {
        self.sockets.keys().copied().collect()
    }
}

impl Local for Sockets {
    fn held(&self) -> BTreeMap<Key, Held> {
        let held = |key: &Key| {
            let row = self.row(key);
            let users = row.anonymous + self.users_of(key).len() as u64;
            // A room of which nobody is here is not here, unless somebody here wants to know.
            let is_here = !key.contains(',') || row.sockets != 0 || self.wanted.contains(key);
            is_here.then(|| (key.clone(), Held { row, users }))
        };
        self.counted.iter().filter_map(held).collect()
    }

    fn users(&self, key: &str) -> Vec<Box<str>> {
        self.users_of(key).into_iter().collect()
    }

    fn take_touched(&mut self) -> BTreeMap<(Key, Box<str>), bool> {
        let gone = std::mem::take(&mut self.gone);
        let touched = std::mem::take(&mut self.touched).into_iter();
        let counted = touched.filter(|(key, _)| self.counted.contains(key));
        let is_here = |(key, user): (Key, Box<str>)| {
            let is_here = self.users_of(&key).contains(&user);
            ((key, user), is_here)
        };
        let gone = gone.into_iter().map(|entry| (entry, false));
        // Who is counted again by now is here.
        gone.chain(counted.map(is_here)).collect()
    }
}

/// How old what a node is told as complete can be at most: what it is told itself, and the others' rows in it.
pub(super) const STALENESS: Duration = Duration::from_millis(
    (2 * timing::late(timing::LEASE).as_millis()
        + timing::ANSWER.as_millis()
        + timing::CHANGING.as_millis()) as u64
        + 100,
);

/// By how much another broker's clock may be ahead.
pub(super) const OTHER_CLOCK: Duration = Duration::from_millis(300);
