//! Audience: pages that go to another node when theirs ends, and what each of them was told.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    ops::RangeInclusive,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use fanfare_testkit::{Client, Heard, Random, eventually, frame};
use serde_json::{Value, json};
use tokio::{
    sync::RwLock,
    time::{MissedTickBehavior, interval, sleep},
};

use crate::{heard::answer, server::open_at};

/// What all pages share.
pub(crate) struct Audience {
    /// Where the nodes are that can be gone to. Held while somebody goes there.
    nodes: RwLock<Vec<Option<SocketAddr>>>,
    state: Mutex<State>,
}

struct State {
    /// By the pages' numbers.
    pages: Vec<Seen>,
    /// What may be shown as the number.
    allowed: RangeInclusive<u64>,
    acknowledged: BTreeMap<i64, String>,
    is_silent: bool,
}

/// What a page was told.
#[derive(Clone, Default)]
struct Seen {
    /// Where it is.
    node: Option<usize>,
    /// The last number on this connection.
    count: Option<u64>,
    /// All that was ever said, live or when it came back.
    messages: BTreeMap<i64, String>,
    /// What it has said, and is not acknowledged yet.
    is_waiting: bool,
}

impl Audience {
    pub(crate) fn new(nodes: impl Iterator<Item = SocketAddr>, n_pages: usize) -> Self {
        Self {
            nodes: RwLock::new(nodes.map(Some).collect()),
            state: Mutex::new(State {
                pages: vec![Seen::default(); n_pages],
                allowed: 0..=n_pages as u64,
                acknowledged: BTreeMap::new(),
                is_silent: false,
            }),
        }
    }

    /// From now on no other number is right.
    pub(crate) fn allow(&self, counts: RangeInclusive<usize>) {
        self.state().allowed = *counts.start() as u64..=*counts.end() as u64;
    }

    /// Nobody goes to this node any more. Gives how many are there.
    pub(crate) async fn close(&self, node: usize) -> usize {
        self.nodes.write().await[node] = None;
        let state = self.state();
        let here = |seen: &&Seen| seen.node == Some(node);
        state.pages.iter().filter(here).count()
    }

    /// There is a new node in this place.
    pub(crate) async fn open(&self, node: usize, address: SocketAddr) {
        self.nodes.write().await[node] = Some(address);
    }

    /// Waits until so many pages are there, and have all been told so; from then on no other number is right.
    pub(crate) async fn all_see(&self, n_pages: usize) {
        let all = Some(n_pages as u64);
        eventually("all see how many there are", || {
            let state = self.state();
            let told = state.pages.iter().filter(|seen| seen.count == all);
            told.count() == n_pages
        })
        .await;
        self.allow(n_pages..=n_pages);
    }

    /// How many messages have been acknowledged.
    pub(crate) fn n_acknowledged(&self) -> usize {
        self.state().acknowledged.len()
    }

    /// Nobody says anything new.
    pub(crate) fn fall_silent(&self) {
        self.state().is_silent = true;
    }

    /// Waits until every page has been told every message that was acknowledged, and checks that none was stored twice.
    pub(crate) async fn all_is_shown_to_all(&self) {
        eventually("everything is acknowledged, and shown to all", || {
            let state = self.state();
            state.pages.iter().all(|seen| {
                let all = state.acknowledged.iter();
                !seen.is_waiting && all.eq(&seen.messages)
            })
        })
        .await;
        let state = self.state();
        let texts: BTreeSet<_> = state.acknowledged.values().collect();
        assert_eq!(texts.len(), state.acknowledged.len(), "none twice");
    }

    /// A page has no connection any more.
    fn lost(&self, page: usize) {
        let seen = &mut self.state().pages[page];
        (seen.node, seen.count) = (None, None);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // What a page that failed has seen is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A page.
pub(crate) struct Page {
    number: usize,
    cookie: String,
    audience: Arc<Audience>,
    random: Random,
    /// None if it only listens.
    saying: Option<Saying>,
}

/// What a page says: numbers, one after the other.
#[derive(Default)]
struct Saying {
    number: u64,
    is_acknowledged: bool,
}

impl Page {
    /// One that listens.
    pub(crate) fn new(audience: &Arc<Audience>, number: usize, cookie: String) -> Self {
        Self {
            number,
            cookie,
            audience: audience.clone(),
            random: Random::new(number as u64),
            saying: None,
        }
    }

    /// One that talks, too: what is not acknowledged when it loses its node, it says again on the next.
    pub(crate) fn talking(self) -> Self {
        Self {
            saying: Some(Saying {
                number: 0,
                is_acknowledged: true,
            }),
            ..self
        }
    }

    /// Goes to a node and stays there until that ends, again and again.
    pub(crate) async fn live(mut self) {
        let mut lost = None;
        loop {
            let (node, mut client) = self.arrive(lost).await;
            self.stay(&mut client).await;
            self.audience.lost(self.number);
            lost = Some(node);
            sleep(AWAY.mul_f64(1.0 + self.random.below(100) as f64 / 100.0)).await;
        }
    }

    async fn arrive(&mut self, lost: Option<usize>) -> (usize, Client) {
        let nodes = self.audience.nodes.read().await;
        let up = nodes.iter().enumerate();
        let up = up.filter_map(|(node, address)| Some((node, (*address)?)));
        let others: Vec<_> = up.filter(|(node, _)| Some(*node) != lost).collect();
        // At first they are spread evenly.
        let which = lost.map_or(self.number, |_| self.random.below(others.len()));
        let (node, address) = others[which % others.len()];
        let mut client = open_at(address, &self.cookie).await;
        client.join_nsp("/", "").await;
        self.audience.state().pages[self.number].node = Some(node);
        (node, client)
    }

    async fn stay(&mut self, client: &mut Client) {
        self.ask_what_was_missed(client).await;
        if self.saying.as_ref().is_some_and(|it| !it.is_acknowledged) {
            self.say(client).await;
        }
        let mut pace = interval(PACE);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // On one connection a message is told once, and none before a lower one.
        let mut last = 0;
        loop {
            tokio::select! {
                heard = client.hear_any() => match heard {
                    Heard::Text(text) => self.hear(&text, &mut last, client).await,
                    Heard::Close(_) | Heard::End => return,
                    Heard::Binary(_) | Heard::Ping(_) | Heard::Pong(_) => {}
                },
                _ = pace.tick(), if self.has_something_to_say() => {
                    if let Some(saying) = &mut self.saying {
                        *saying = Saying { number: saying.number + 1, is_acknowledged: false };
                    }
                    self.audience.state().pages[self.number].is_waiting = true;
                    self.say(client).await;
                }
            }
        }
    }

    fn has_something_to_say(&self) -> bool {
        self.saying.as_ref().is_some_and(|it| it.is_acknowledged)
            && !self.audience.state().is_silent
    }

    async fn say(&self, client: &mut Client) {
        if let Some(Saying { number, .. }) = self.saying {
            let text = self.text(number);
            let args = json!(["chat message", text, text]);
            send(client, &format!("42{number}{args}")).await;
        }
    }

    fn text(&self, number: u64) -> String {
        format!("page {}: {number}", self.number)
    }

    async fn ask_what_was_missed(&self, client: &mut Client) {
        let last = {
            let state = self.audience.state();
            let messages = &state.pages[self.number].messages;
            messages.last_key_value().map_or(0, |(id, _)| *id)
        };
        ask_after(client, last).await;
    }

    async fn hear(&mut self, text: &str, last: &mut i64, client: &mut Client) {
        if let Some((id, answer)) = answer(text) {
            match id {
                MISSED => self.hear_what_was_missed(&answer, client).await,
                number => self.hear_acknowledged(number, &answer),
            }
        } else if let Some(packet) = text.strip_prefix("42") {
            let (event, argument): (String, Value) =
                serde_json::from_str(packet).expect("an event");
            match &*event {
                "user count" => self.hear_count(&argument),
                "chat message" => {
                    let id = self.show(&argument);
                    assert!(*last < id, "{id} after {last}");
                    *last = id;
                }
                _ => {}
            }
        }
    }

    async fn hear_what_was_missed(&self, found: &Value, client: &mut Client) {
        let mut last = 0;
        for message in found["messages"].as_array().expect("a list") {
            last = self.show(message);
        }
        if found["more"] == true {
            // What is said meanwhile has higher ids.
            ask_after(client, last).await;
        }
    }

    fn show(&self, message: &Value) -> i64 {
        let id = message["id"].as_i64().expect("an id");
        let text = message["message"].as_str().expect("a text").to_owned();
        let mut state = self.audience.state();
        state.pages[self.number].messages.insert(id, text);
        id
    }

    fn hear_acknowledged(&mut self, number: u64, answer: &Value) {
        let id = answer["id"].as_i64();
        let id = id.unwrap_or_else(|| panic!("page {}: {answer}", self.number));
        if let Some(saying) = &mut self.saying {
            assert_eq!(saying.number, number);
            saying.is_acknowledged = true;
        }
        let text = self.text(number);
        let mut state = self.audience.state();
        state.acknowledged.insert(id, text);
        state.pages[self.number].is_waiting = false;
    }

    fn hear_count(&self, count: &Value) {
        let count = count.as_u64().expect("a number");
        let mut state = self.audience.state();
        assert!(
            state.allowed.contains(&count),
            "page {} is told {count}, not {:?}",
            self.number,
            state.allowed
        );
        state.pages[self.number].count = Some(count);
    }
}

async fn ask_after(client: &mut Client, last: i64) {
    let args = json!(["messages", {"after": last}]);
    send(client, &format!("42{MISSED}{args}")).await;
}

/// If the node ends meanwhile, that is heard next.
async fn send(client: &mut Client, text: &str) {
    client.websocket.try_send_bytes(&frame::text(text)).await;
}

/// The question that is no message.
const MISSED: u64 = 1_000_000;
/// Between two messages of a page.
const PACE: Duration = Duration::from_millis(25);
/// How long a page is away, or twice as long: the official client's pause, shortened.
const AWAY: Duration = Duration::from_millis(300);
