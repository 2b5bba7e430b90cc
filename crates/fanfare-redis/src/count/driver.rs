//! The count's task: it has the reporter's clock and connections, and tells the server what comes of it.

use std::{
    collections::BTreeMap,
    mem,
    sync::{Arc, LazyLock},
    time::{Duration, UNIX_EPOCH},
};

use bytes::Bytes;
use fanfare::{BoxFuture, Counted, Node, UserEvent, WhenUnreachable};
use redis::{Script, from_redis_value};
use tokio::{
    select,
    sync::{Notify, mpsc, oneshot},
    time::{Instant, sleep_until},
};
use tracing::{debug, info, warn};

use super::{
    known::{Elsewhere, Trust},
    report::{Key, News, Reply, Report, key_of, parts_of},
    reporter::{Held, Local, Reporter, Time},
    stats::Stats,
    timing,
};
use crate::{
    link::{Link, State},
    wire::Wire,
};

/// What the count calls itself at the broker.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    /// Before all keys.
    pub(crate) keys: String,
    /// Where totals are published.
    pub(crate) channel: String,
    /// What the channels begin with on which servers take requests.
    pub(crate) requests: String,
    /// Where Node's servers tell of themselves.
    pub(crate) admin: String,
}

/// How the count is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) lease: Duration,
    pub(crate) when_unreachable: WhenUnreachable,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            lease: timing::LEASE,
            when_unreachable: WhenUnreachable::default(),
        }
    }
}

/// A server's part in the count.
#[derive(Debug)]
pub(crate) struct Census {
    new: mpsc::UnboundedSender<Counted>,
    ends: oneshot::Sender<()>,
}

impl Census {
    /// Has the count kept by a task, which is to be spawned.
    pub(crate) fn new(
        node: Node,
        link: Link,
        wire: Wire,
        names: Names,
        settings: Settings,
    ) -> (Self, impl Future<Output = ()> + Send) {
        let (new, counted) = mpsc::unbounded_channel();
        let (ends, ending) = oneshot::channel();
        let keeper = Keeper {
            began: Instant::now(),
            changed: node.count_changed().unwrap_or_default(),
            reporter: Reporter::new(node.id(), settings.lease),
            stats: Stats::default(),
            shown: BTreeMap::new(),
            locals: Locals::default(),
            is_waiting: false,
            is_out_of_reach: false,
            node,
            link,
            wire,
            names,
            settings,
        };
        (Self { new, ends }, keeper.run(counted, ending))
    }

    /// The server wants to know how many are there.
    pub(crate) fn add(&self, counted: Counted) {
        // The task may have ended, with the server.
        let _ = self.new.send(counted);
    }

    /// The node stops: it is not counted from then on. Whoever waits for the task waits for that.
    pub(crate) fn end(self) {
        let _ = self.ends.send(());
    }
}

struct Keeper {
    began: Instant,
    node: Node,
    link: Link,
    wire: Wire,
    names: Names,
    settings: Settings,
    changed: Arc<Notify>,
    reporter: Reporter,
    locals: Locals,
    stats: Stats,
    /// What the server was last told.
    shown: BTreeMap<Key, Elsewhere>,
    /// Something is shown as it was before the broker lost its memory.
    is_waiting: bool,
    is_out_of_reach: bool,
}

/// The namespaces and rooms that are counted.
#[derive(Default)]
struct Locals {
    counted: BTreeMap<Key, Counted>,
    /// Users of those that have ended or begun, still to be reported.
    touched: BTreeMap<(Key, Box<str>), bool>,
}

/// A report under way: its answer, if it has one.
type Exchange = BoxFuture<Option<Reply>>;

impl Keeper {
    async fn run(
        mut self,
        mut counted: mpsc::UnboundedReceiver<Counted>,
        mut ending: oneshot::Receiver<()>,
    ) {
        let mut tap = self.link.listen(&self.names.channel);
        let mut admin = self.link.listen(&self.names.admin);
        let mut state = self.link.state();
        let mut exchange: Option<Exchange> = None;
        loop {
            if exchange.is_none()
                && let Some(report) = self.next_report()
            {
                exchange = Some(self.send(report));
            }
            let until = self.wakes_at(exchange.is_some());
            select! {
                biased;
                _ = &mut ending => break,
                reply = answered(&mut exchange) => {
                    exchange = None;
                    self.hear_reply(reply);
                }
                Some(new) = counted.recv() => self.add(new),
                Some(news) = tap.next() => self.hear_news(&news),
                Some(said) = admin.next() => self.stats.hear(self.began.elapsed(), &said, &self.wire),
                () = self.changed.notified() => {
                    self.reporter.changed(self.now());
                    // Nothing is known that was not before; in a storm this happens for each who comes.
                    continue;
                }
                // What was published while nobody listened was missed.
                Ok(()) = state.changed() => if matches!(*state.borrow_and_update(), State::Up(_)) {
                    self.reporter.changed(self.now());
                },
                () = sleep(until) => {}
            }
            self.spread();
            self.show();
        }
        self.leave(exchange).await;
    }

    fn now(&self) -> Time {
        self.began.elapsed()
    }

    fn add(&mut self, counted: Counted) {
        let key = self.locals.add(counted);
        // There may have been another of its name; this one has been told nothing.
        self.shown.remove(&key);
        self.reporter.changed(self.now());
    }

    fn next_report(&mut self) -> Option<Report> {
        self.reporter.poll(self.now(), &mut self.locals)
    }

    /// When something is due even if nothing happens.
    fn wakes_at(&self, is_under_way: bool) -> Option<Instant> {
        let due = self.reporter.due().filter(|_| !is_under_way);
        let until = self.reporter.valid_until();
        let until = until.filter(|_| !self.is_out_of_reach);
        let first = due.into_iter().chain(until).min()?;
        Some(self.began + first)
    }

    fn send(&self, report: Report) -> Exchange {
        let (link, names) = (self.link.clone(), self.names.clone());
        let lease = self.settings.lease;
        Box::pin(async move {
            let fixed = [
                lease.as_millis().to_string(),
                timing::late(lease).as_millis().to_string(),
                timing::ANSWER.as_millis().to_string(),
                timing::CHANGING_OF_FEW.as_millis().to_string(),
                timing::MAX_REAPED.to_string(),
                names.channel,
                names.requests,
            ];
            let args: Vec<String> = fixed.into_iter().chain(report.to_args()).collect();
            let args: Vec<&[u8]> = args.iter().map(String::as_bytes).collect();
            let keys = [&*names.keys];
            let answer = link.run(&SCRIPT, &keys, &args, timing::ANSWER).await;
            let values = match answer {
                Ok(value) => {
                    from_redis_value::<Vec<String>>(value).map_err(|error| error.to_string())
                }
                Err(wrong) => Err(wrong.to_string()),
            };
            let reply = values.and_then(|values| {
                Reply::from_values(&values).map_err(|unreadable| unreadable.to_string())
            });
            reply
                .inspect_err(|wrong| debug!(wrong, "a report to the count was not answered"))
                .ok()
        })
    }

    fn hear_reply(&mut self, reply: Option<Reply>) {
        match reply {
            Some(reply) => self.reporter.replied(self.now(), reply),
            None => self.reporter.lost(self.now()),
        }
    }

    fn hear_news(&mut self, news: &Bytes) {
        match News::from_json(news) {
            Ok(news) => {
                self.reporter.heard(self.now(), &news);
                if self.is_waiting {
                    // How many nodes have told the broker again, only an answer says.
                    self.reporter.changed(self.now());
                }
                for (key, user, is_here) in &news.edges {
                    if let Some(counted) = self.locals.counted.get(key) {
                        let came_or_left = match is_here {
                            true => UserEvent::Came,
                            false => UserEvent::Left,
                        };
                        counted.tell_user(user, came_or_left);
                    }
                }
            }
            Err(unreadable) => debug!(%unreadable, "news of the count were ignored"),
        }
    }

    /// What one node counts, all do; a room that none does is forgotten.
    fn spread(&mut self) {
        if self.locals.forget_unless(|key| self.reporter.counts(key)) {
            self.reporter.changed(self.now());
        }
        let unknown = |key: &&Key| !self.locals.counted.contains_key(*key);
        let wanted: Vec<Counted> = self
            .reporter
            .keys()
            .filter(unknown)
            .filter_map(|key| match parts_of(key) {
                (nsp, None) => self.node.counted(nsp),
                (nsp, Some(room)) => self.node.counted_room(nsp, room),
            })
            .collect();
        for counted in wanted {
            self.add(counted);
        }
    }

    /// Tells the server what it does not know yet.
    fn show(&mut self) {
        let now = self.now();
        if self.locals.counted.len() < self.shown.len() {
            self.shown
                .retain(|key, _| self.locals.counted.contains_key(key));
        }
        self.is_waiting = false;
        for (key, counted) in &self.locals.counted {
            let mut there = self.reporter.elsewhere(now, key);
            if let (nsp, None) = parts_of(key) {
                self.stats.add_to(&mut there, now, nsp);
            }
            let shown = self.shown.get(key);
            let there = match shown {
                // A broker that has lost its memory is told anew; until then what was known is nearer to the truth.
                Some(shown) if was_settled(shown) && is_too_early(shown, &there) => {
                    self.is_waiting = true;
                    Elsewhere {
                        trust: Trust::Incomplete,
                        may_be_more: true,
                        doubtful: shown.sockets,
                        ..*shown
                    }
                }
                Some(_) | None => there,
            };
            if shown == Some(&there) {
                continue;
            }
            match there.is_out_of_reach() {
                true if there.as_of.is_none() => {}
                true => counted.lose(self.settings.when_unreachable),
                false => counted.tell(there.into()),
            }
            self.shown.insert(key.clone(), there);
        }
        let is_out_of_reach = self.reporter.is_out_of_reach(now);
        if is_out_of_reach != self.is_out_of_reach {
            self.is_out_of_reach = is_out_of_reach;
            match is_out_of_reach {
                true => warn!("the broker is out of reach: the count is not known to be right"),
                false => info!("the broker is back, and with it the count"),
            }
        }
    }

    /// The node stops.
    async fn leave(mut self, exchange: Option<Exchange>) {
        if let Some(exchange) = exchange {
            self.hear_reply(exchange.await);
        }
        if self.reporter.is_there() {
            let last = self.reporter.end(self.now());
            self.send(last).await;
        }
    }
}

/// Whether that was what all nodes had told.
fn was_settled(shown: &Elsewhere) -> bool {
    match shown.trust {
        Trust::Complete | Trust::Incomplete => true,
        Trust::Young => false,
        Trust::OutOfReach => shown.as_of.is_some(),
    }
}

/// Whether the broker has lost its memory, and has not been told again by as many nodes as before.
fn is_too_early(before: &Elsewhere, there: &Elsewhere) -> bool {
    there.trust == Trust::Young && there.told < before.nodes
}

async fn answered(exchange: &mut Option<Exchange>) -> Option<Reply> {
    match exchange {
        Some(exchange) => exchange.await,
        None => std::future::pending().await,
    }
}

async fn sleep(until: Option<Instant>) {
    match until {
        Some(until) => sleep_until(until).await,
        None => std::future::pending().await,
    }
}

impl Locals {
    /// There may have been another of its name, of which the broker knows.
    fn add(&mut self, counted: Counted) -> Key {
        let key = key_of(counted.nsp(), counted.room());
        let here = counted.users().into_iter().map(|user| (user, true));
        let gone = self.counted.insert(key.clone(), counted);
        let gone = gone.map(|ended| ended.take_touched()).into_iter().flatten();
        let touched = gone.chain(here);
        self.touched
            .extend(touched.map(|(user, is_here)| ((key.clone(), user), is_here)));
        key
    }

    /// Forgets the rooms that this node's application does not ask for, unless `is_counted` elsewhere. Whether there
    /// were any.
    fn forget_unless(&mut self, is_counted: impl Fn(&Key) -> bool) -> bool {
        let before = self.counted.len();
        self.counted.retain(|key, counted| {
            let is_kept = counted.is_asked_for() || is_counted(key);
            if !is_kept {
                let gone = counted.users().into_iter().map(|user| (user, false));
                let all = counted.take_touched().into_iter().chain(gone);
                self.touched
                    .extend(all.map(|(user, _)| ((key.clone(), user), false)));
            }
            is_kept
        });
        self.counted.len() < before
    }
}

impl Local for Locals {
    fn held(&self) -> BTreeMap<Key, Held> {
        let held = self.counted.iter().filter_map(|(key, counted)| {
            let held = counted.held()?;
            Some((key.clone(), held.into()))
        });
        held.collect()
    }

    fn users(&self, key: &str) -> Vec<Box<str>> {
        self.counted.get(key).map_or_else(Vec::new, Counted::users)
    }

    fn take_touched(&mut self) -> BTreeMap<(Key, Box<str>), bool> {
        let mut all = mem::take(&mut self.touched);
        self.counted.retain(|key, counted| {
            let is_there = counted.is_there();
            let touched = counted.take_touched().into_iter();
            all.extend(touched.map(|(user, is_here)| ((key.clone(), user), is_here)));
            is_there
        });
        all
    }
}

impl From<fanfare::Held> for Held {
    fn from(held: fanfare::Held) -> Self {
        let fanfare::Held {
            sockets,
            anonymous,
            users,
        } = held;
        Self {
            row: super::report::Row { sockets, anonymous },
            users,
        }
    }
}

impl From<Elsewhere> for fanfare::Elsewhere {
    fn from(there: Elsewhere) -> Self {
        Self {
            sockets: there.sockets,
            users: there.users,
            nodes: there.nodes,
            as_of: there.as_of.map(|as_of| UNIX_EPOCH + as_of),
            complete: there.is_complete(),
            doubtful: there.doubtful,
            may_be_more: there.may_be_more,
            uncounted_nodes: there.strangers,
        }
    }
}

static SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("count.lua")));
