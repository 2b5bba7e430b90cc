//! The world: what happens, in the order in which it does, and what must be true meanwhile.

use super::{
    BTreeMap, BTreeSet, BinaryHeap, Broker, Duration, Fault, Key, News, Random, Reply, Report,
    Reverse,
    machine::{Machine, OTHER_CLOCK, STALENESS},
    timing,
};

pub(super) struct World {
    rng: Random,
    now: Duration,
    broker: Broker,
    /// The broker's clock is ahead by this; after a failover it may be another's.
    broker_skew: Duration,
    /// What it had when, and the broker with it.
    replica: (Duration, Broker),
    /// When the broker has last become another one, and as of when that knew all.
    failover: (Duration, Duration),
    is_broker_down_until: Duration,
    machines: Vec<Machine>,
    events: BinaryHeap<Reverse<(Duration, u64)>>,
    due: BTreeMap<u64, Event>,
    events_made: u64,
    sockets_made: u64,
    /// What happened, for whoever repeats a seed.
    pub(super) happened: Vec<(Duration, &'static str)>,
}

enum Event {
    Poll(usize),
    /// The broker gets a report; the flag: whether its answer can still arrive.
    Arrive(usize, Report, bool),
    Answer(usize, u64, Reply),
    GiveUp(usize, u64),
    Hear(usize, News),
    Client(usize),
    Return(Key, Option<Box<str>>),
    Trouble,
    /// A machine's link is up again.
    Heal(usize),
    Look,
    Copy,
}

/// How long anything goes wrong, and how long it takes until all must be right after that.
const TROUBLED: Duration = Duration::from_secs(20);
const SETTLED: Duration = Duration::from_millis(
    TROUBLED.as_millis() as u64 + 2 * timing::LEASE.as_millis() as u64 + 4000,
);
const KEYS: [&str; 3] = ["/", "/chat", ROOM];
const ROOM: &str = "/,hall";

impl World {
    pub(super) fn new(seed: u64, fault: Option<Fault>) -> Self {
        let mut world = Self {
            rng: Random::new(seed),
            now: Duration::ZERO,
            broker: Broker::with(fault),
            broker_skew: Duration::from_secs(1_000_000),
            replica: (Duration::ZERO, Broker::default()),
            failover: (Duration::ZERO, Duration::ZERO),
            is_broker_down_until: Duration::ZERO,
            machines: Vec::new(),
            events: BinaryHeap::new(),
            due: BTreeMap::new(),
            events_made: 0,
            sockets_made: 0,
            happened: Vec::new(),
        };
        for _ in 0..2 + world.rng.below(4) {
            world.start_machine();
        }
        for _ in 0..3 + world.rng.below(9) {
            let at = world.some_millis(0..TROUBLED.as_millis() as u64);
            world.at(at, Event::Trouble);
        }
        world.at(Duration::from_millis(700), Event::Look);
        world.at(Duration::from_millis(500), Event::Copy);
        world
    }

    /// Lets everything happen.
    ///
    /// # Errors
    ///
    /// What was not as it must be, and when.
    pub(super) fn run(&mut self) -> Result<(), String> {
        while let Some(Reverse((at, number))) = self.events.pop() {
            if SETTLED < at {
                break;
            }
            self.now = at;
            if let Some(event) = self.due.remove(&number) {
                self.happen(event)
                    .map_err(|wrong| format!("at {at:?}: {wrong}, after {:?}", self.happened))?;
            }
        }
        self.settled()
    }

    fn start_machine(&mut self) {
        let index = self.machines.len();
        let skew = self.some_millis(0..100_000);
        let wanted: &[&str] = match self.rng.below(3) {
            _ if index == 0 => &KEYS,
            0 => &[],
            1 => &KEYS[..1],
            _ => &KEYS,
        };
        self.machines
            .push(Machine::new(&format!("node {index}"), skew, wanted));
        self.soon(Event::Poll(index));
        self.soon(Event::Client(index));
    }

    fn at(&mut self, at: Duration, event: Event) {
        self.events_made += 1;
        self.events.push(Reverse((at, self.events_made)));
        self.due.insert(self.events_made, event);
    }

    fn soon(&mut self, event: Event) {
        let delay = self.some_millis(1..40);
        self.at(self.now + delay, event);
    }

    fn some_millis(&mut self, range: std::ops::Range<u64>) -> Duration {
        let span = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
        Duration::from_millis(range.start + self.rng.below(span) as u64)
    }

    fn any<T: Copy>(&mut self, all: &[T]) -> Option<T> {
        all.get(self.rng.below(all.len())).copied()
    }

    fn is_troubled(&self) -> bool {
        self.now < TROUBLED
    }

    fn happen(&mut self, event: Event) -> Result<(), String> {
        if let Event::Poll(index)
        | Event::Answer(index, ..)
        | Event::GiveUp(index, _)
        | Event::Hear(index, _)
        | Event::Heal(index)
        | Event::Client(index) = event
        {
            let Machine {
                is_gone,
                stalled_until,
                ..
            } = self.machines[index];
            if is_gone {
                return Ok(());
            }
            if self.now < stalled_until {
                self.at(stalled_until, event);
                return Ok(());
            }
        }
        match event {
            Event::Poll(index) => self.poll(index),
            Event::Arrive(index, report, is_heard) => self.arrive(index, &report, is_heard)?,
            Event::Answer(index, seq, reply) => self.answer(index, seq, reply),
            Event::GiveUp(index, seq) => self.give_up(index, seq),
            Event::Hear(index, news) => self.hear(index, &news),
            Event::Client(index) => self.client(index),
            Event::Return(key, user) => self.come_back(&key, user),
            Event::Trouble => self.trouble(),
            Event::Heal(index) => self.changed(index),
            Event::Look => self.look()?,
            Event::Copy => self.copy(),
        }
        Ok(())
    }

    fn poll(&mut self, index: usize) {
        let now = self.now;
        let machine = &mut self.machines[index];
        let clock = machine.clock(now);
        let Some(report) = machine.reporter.poll(clock, &mut machine.local) else {
            if let Some(due) = machine.reporter.due() {
                let at = due.saturating_sub(machine.skew);
                if now < at {
                    self.at(at, Event::Poll(index));
                }
            }
            return;
        };
        machine.waits_for = Some(report.seq);
        let seq = report.seq;
        self.at(now + timing::ANSWER, Event::GiveUp(index, seq));
        self.send(index, report);
    }

    fn send(&mut self, index: usize, report: Report) {
        if self.now < self.machines[index].cut_until {
            return;
        }
        // What is not answered may yet arrive, late; what arrives may arrive again.
        let is_lost = self.is_troubled() && self.rng.below(40) == 0;
        if is_lost && self.rng.chance(50) {
            return;
        }
        if is_lost || (self.is_troubled() && self.rng.below(20) == 0) {
            // The first report of all has no date, so nothing can tell that it is old.
            let late = match report.made {
                Some(_) => self.some_millis(50..4000),
                None => self.some_millis(50..1000),
            };
            self.at(self.now + late, Event::Arrive(index, report.clone(), false));
        }
        if !is_lost {
            self.soon(Event::Arrive(index, report, true));
        }
    }

    fn arrive(&mut self, index: usize, report: &Report, is_heard: bool) -> Result<(), String> {
        if self.now < self.is_broker_down_until {
            return Ok(());
        }
        let now = self.now + self.broker_skew;
        let (reply, news) = self.broker.run(now, report);
        for (id, node) in &self.broker.nodes {
            if node.lease <= now {
                return Err(format!("{id} is still there, its lease ended"));
            }
        }
        if matches!(reply, Reply::Accepted(_)) {
            self.machines[index].accepted.push(self.now);
        }
        if is_heard {
            self.soon(Event::Answer(index, report.seq, reply));
        }
        for index in 0..self.machines.len() {
            if let Some(news) = &news
                && self.machines[index].deaf_until <= self.now
                && self.machines[index].cut_until <= self.now
            {
                self.soon(Event::Hear(index, news.clone()));
            }
        }
        Ok(())
    }

    fn answer(&mut self, index: usize, seq: u64, reply: Reply) {
        let machine = &mut self.machines[index];
        if machine.cut_until <= self.now && machine.waits_for == Some(seq) {
            machine.waits_for = None;
            machine.reporter.replied(machine.skew + self.now, reply);
            self.spread(index);
        }
    }

    fn give_up(&mut self, index: usize, seq: u64) {
        let machine = &mut self.machines[index];
        if machine.waits_for == Some(seq) {
            machine.waits_for = None;
            machine.reporter.lost(machine.skew + self.now);
            self.poll(index);
        }
    }

    fn hear(&mut self, index: usize, news: &News) {
        let machine = &mut self.machines[index];
        machine.reporter.heard(machine.skew + self.now, news);
        self.spread(index);
    }

    /// What one node counts, all do.
    fn spread(&mut self, index: usize) {
        let machine = &mut self.machines[index];
        let is_counted = |key: &Key| machine.reporter.counts(key);
        let has_forgotten = machine.local.forget_unless(is_counted);
        let new: Vec<Key> = machine
            .reporter
            .keys()
            .filter(|key| !machine.local.counted.contains(*key))
            .cloned()
            .collect();
        for key in &new {
            machine.local.count(key);
        }
        if has_forgotten || !new.is_empty() {
            machine.reporter.changed(machine.skew + self.now);
        }
        self.poll(index);
    }

    fn client(&mut self, index: usize) {
        if !self.is_troubled() {
            return;
        }
        if self.rng.below(20) == 0 {
            // It begins to ask for the room, or asks no more.
            self.machines[index].local.toggle(&Key::from(ROOM));
        }
        let ids = self.machines[index].local.ids();
        match self.any(&ids) {
            Some(socket) if self.rng.chance(40) => {
                let now = self.now;
                self.machines[index].leave(now, socket);
            }
            Some(_) | None => {
                let key = Key::from(KEYS[self.rng.below(KEYS.len())]);
                let user = self
                    .rng
                    .chance(50)
                    .then(|| format!("user {}", self.rng.below(8)).into());
                self.join(index, &key, user);
            }
        }
        self.changed(index);
        let pause = match self.rng.chance(50) {
            true => self.some_millis(1..100),
            false => self.some_millis(100..3000),
        };
        self.at(self.now + pause, Event::Client(index));
    }

    fn join(&mut self, index: usize, key: &Key, user: Option<Box<str>>) {
        self.sockets_made += 1;
        self.machines[index].join(self.now, self.sockets_made, key, user);
    }

    fn changed(&mut self, index: usize) {
        let now = self.now;
        let machine = &mut self.machines[index];
        machine.reporter.changed(machine.skew + now);
        self.poll(index);
    }

    /// A client of a machine that crashed finds another one.
    fn come_back(&mut self, key: &Key, user: Option<Box<str>>) {
        let there: Vec<usize> = self.alive().map(|(index, _)| index).collect();
        if let Some(index) = self.any(&there) {
            self.join(index, key, user);
            self.changed(index);
        }
    }

    fn alive(&self) -> impl Iterator<Item = (usize, &Machine)> {
        let all = self.machines.iter().enumerate();
        all.filter(|(_, machine)| !machine.is_gone)
    }

    fn trouble(&mut self) {
        let there: Vec<usize> = self.alive().map(|(index, _)| index).collect();
        let Some(index) = self.any(&there) else {
            return;
        };
        let end = (self.now + self.some_millis(100..10_000)).min(TROUBLED);
        let what = match self.rng.below(9) {
            0 if 1 < there.len() => {
                self.crash(index);
                "crash"
            }
            1 => {
                self.start_machine();
                "start"
            }
            2 => {
                self.machines[index].stalled_until = end;
                "stall"
            }
            3 => {
                self.machines[index].cut_until = end;
                self.at(end, Event::Heal(index));
                "cut"
            }
            4 => {
                self.machines[index].deaf_until = end;
                self.at(end, Event::Heal(index));
                "deaf"
            }
            5 => {
                self.forget(Broker::default());
                "wipe"
            }
            6 => {
                // The replica's clock may be another one, if it doesn't go backwards by much.
                let most = OTHER_CLOCK.as_millis() as u64;
                let (ahead, behind) = (self.some_millis(0..most), self.some_millis(0..most));
                self.broker_skew = self.broker_skew + ahead - behind;
                let (at, replica) = self.replica.clone();
                self.forget(replica);
                self.failover = (self.now, at);
                for machine in &mut self.machines {
                    machine.accepted.retain(|accepted| *accepted < at);
                }
                "failover"
            }
            7 => {
                self.is_broker_down_until = end;
                "broker down"
            }
            _ if 1 < there.len() => {
                self.stop(index);
                "stop"
            }
            _ => "nothing",
        };
        self.happened.push((self.now, what));
    }

    fn forget(&mut self, memory: Broker) {
        let fault = self.broker.fault;
        self.broker = memory;
        self.broker.fault = fault;
    }

    fn crash(&mut self, index: usize) {
        let now = self.now;
        for (_, key, user) in self.machines[index].crash(now) {
            let pause = self.some_millis(500..1500);
            self.at(now + pause, Event::Return(key, user));
        }
    }

    /// A planned stop.
    fn stop(&mut self, index: usize) {
        let now = self.now;
        let machine = &mut self.machines[index];
        let report = machine.reporter.end(machine.skew + now);
        self.crash(index);
        self.send(index, report);
    }

    /// A replica that follows, some way behind.
    fn copy(&mut self) {
        self.replica = (self.now, self.broker.clone());
        let pause = self.some_millis(100..2500);
        self.at(self.now + pause, Event::Copy);
    }

    /// What every node says now.
    fn look(&mut self) -> Result<(), String> {
        for key in KEYS.map(Key::from) {
            let ranges = self.machines.iter();
            let mut from = self.now.saturating_sub(STALENESS);
            let (failover, as_of) = self.failover;
            if from < failover {
                from = from.saturating_sub(failover - as_of);
            }
            let (min, max) = ranges.fold((0, 0), |(min, max), machine| {
                let (low, high) = machine.range(&key, from, self.now);
                (min + low, max + high)
            });
            for (index, machine) in self.alive() {
                let there = machine.reporter.elsewhere(machine.clock(self.now), &key);
                let here = machine.local.row(&key).sockets;
                if self.now < machine.stalled_until || !machine.local.wanted.contains(&key) {
                    continue;
                }
                let says = here + there.sockets;
                // Until its next report, a node cannot know that a new broker has an older part of its own.
                let own = machine.range(&key, from, self.now);
                let slack = match self.now < failover + timing::quiet_at_most() + timing::ANSWER {
                    true => own.1 - own.0,
                    false => 0,
                };
                let (min, max) = (min.saturating_sub(slack), max + slack);
                if there.is_complete() && !(min..=max).contains(&says) {
                    return Err(format!(
                        "node {index} says {says} of {key:?} as complete, true is {min} to {max}"
                    ));
                }
                let at_least = here + there.sockets - there.doubtful;
                if !there.may_be_more && max < at_least {
                    return Err(format!(
                        "node {index} says at least {at_least} of {key:?}, true is {max} at most"
                    ));
                }
            }
        }
        let pause = self.some_millis(20..300);
        self.at(self.now + pause, Event::Look);
        Ok(())
    }

    /// After quiet, every node says the truth.
    fn settled(&self) -> Result<(), String> {
        for key in KEYS.map(Key::from) {
            let rows = || self.alive().map(|(_, machine)| machine.local.row(&key));
            let sockets: u64 = rows().map(|row| row.sockets).sum();
            let names = self
                .alive()
                .map(|(_, machine)| machine.local.users_of(&key));
            let names: BTreeSet<Box<str>> = names.flatten().collect();
            let users = rows().map(|row| row.anonymous).sum::<u64>() + names.len() as u64;
            for (index, machine) in self.alive() {
                if !machine.local.wanted.contains(&key) {
                    continue;
                }
                let there = machine.reporter.elsewhere(machine.clock(self.now), &key);
                let row = machine.local.row(&key);
                let users_here = row.anonymous + machine.local.users_of(&key).len() as u64;
                let says = (row.sockets + there.sockets, users_here + there.users);
                if says != (sockets, users) {
                    let happened = &self.happened;
                    return Err(format!(
                        "in the end node {index} says {says:?} of {key:?}, true is ({sockets}, {users}), after {happened:?}"
                    ));
                }
                if !there.is_complete() || there.doubtful != 0 {
                    return Err(format!(
                        "in the end node {index} does not know that {key:?} is complete: {there:?}"
                    ));
                }
            }
        }
        Ok(())
    }
}
