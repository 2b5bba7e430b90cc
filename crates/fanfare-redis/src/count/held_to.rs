//! The script on a real redis-server, held to the model: the same reports have to be answered in the same way.

use std::{collections::BTreeMap, time::Duration};

use fanfare_testkit::{Random, Redis, within};
use futures_util::StreamExt as _;
use redis::{
    Script,
    aio::{MultiplexedConnection, PubSubStream},
};

use super::{
    model::Broker,
    report::{Key, News, Reply, Report, Row, Stage, Standing},
    timing,
};

/// Both of them.
struct Pair {
    connection: MultiplexedConnection,
    script: Script,
    model: Broker,
    /// The version that each node has seen of the model.
    model_seen: BTreeMap<Box<str>, u64>,
    /// The broker's time of the newest answer.
    now: Duration,
    /// What the model has published of users.
    model_edges: Vec<Edges>,
}

/// Users who came or left in one run.
type Edges = Vec<(Key, Box<str>, bool)>;

/// A node that sends reports, right and wrong ones.
#[derive(Default)]
struct Sender {
    epoch: u64,
    seq: u64,
    base: u64,
    seen: u64,
    is_told: bool,
}

const PREFIX: &str = "{test}:count";
const NEWS: &str = "test-count";

impl Pair {
    async fn new(redis: &Redis) -> Self {
        let client = redis::Client::open(redis.url()).expect("a URL");
        Self {
            connection: client
                .get_multiplexed_async_connection()
                .await
                .expect("it listens"),
            script: Script::new(include_str!("count.lua")),
            model: Broker::default(),
            model_seen: BTreeMap::new(),
            now: Duration::ZERO,
            model_edges: Vec::new(),
        }
    }

    async fn script(&mut self, report: &Report) -> Reply {
        let mut run = self.script.key(PREFIX);
        for fixed in [
            timing::LEASE,
            timing::late(timing::LEASE),
            timing::ANSWER,
            timing::CHANGING_OF_FEW,
        ] {
            run.arg(u64::try_from(fixed.as_millis()).expect("short"));
        }
        run.arg(timing::MAX_REAPED).arg(NEWS).arg("test-request");
        for arg in report.to_args() {
            run.arg(arg);
        }
        let values: Vec<String> = run
            .invoke_async(&mut self.connection)
            .await
            .expect("an answer");
        Reply::from_values(&values).expect("the form")
    }

    /// Has both answer `report`, and compares. Each has versions of its own: the model does not know when it was that the
    /// script refused a report.
    async fn run(&mut self, report: &Report) -> Reply {
        let script = self.script(report).await;
        if let Reply::Accepted(standing) = &script {
            self.now = standing.now;
        }
        let seen = match report.seen {
            0 => 0,
            _ => self.model_seen.get(&report.node).copied().unwrap_or(0),
        };
        let for_model = Report {
            seen,
            ..report.clone()
        };
        let (model, news) = self.model.run(self.now, &for_model);
        self.model_edges.extend(news.and_then(edges_of));
        if let Reply::Accepted(standing) = &model {
            self.model_seen
                .insert(report.node.clone(), standing.version);
        }
        assert_eq!(comparable(&script), comparable(&model), "{report:?}");
        script
    }

    /// What the script has published of users to who has `heard` it since the beginning.
    async fn script_edges(&mut self, heard: &mut PubSubStream) -> Vec<Edges> {
        let mut end = redis::cmd("PUBLISH");
        let told: Result<(), _> = end
            .arg(NEWS)
            .arg("end")
            .query_async(&mut self.connection)
            .await;
        told.expect("Redis is there");
        let mut edges = Vec::new();
        loop {
            let news = within("news", heard.next()).await.expect("it goes on");
            match news.get_payload_bytes() {
                b"end" => return edges,
                news => edges.extend(edges_of(News::from_json(news).expect("the form"))),
            }
        }
    }

    /// The node's lease ends now, in both.
    async fn expire(&mut self, node: &str) {
        let long_ago = Duration::from_millis(1);
        self.hear(node, long_ago).await;
        if let Some(node) = self.model.nodes.get_mut(node) {
            node.lease = long_ago;
        }
    }

    /// The node was last heard at `heard`, in both.
    async fn hear(&mut self, node: &str, heard: Duration) {
        let mut set = redis::cmd("ZADD");
        set.arg(format!("{PREFIX}:heard")).arg("XX");
        set.arg(millis(heard)).arg(node);
        let in_script: Result<(), _> = set.query_async(&mut self.connection).await;
        in_script.expect("a sorted set");
        if let Some(node) = self.model.nodes.get_mut(node) {
            node.heard = heard;
        }
    }

    /// Nobody was heard since `last`, in both.
    async fn hear_nobody_since(&mut self, last: Duration) {
        let mut set = redis::cmd("HSET");
        set.arg(format!("{PREFIX}:state")).arg("last");
        set.arg(millis(last));
        let in_script: Result<(), _> = set.query_async(&mut self.connection).await;
        in_script.expect("a hash");
        self.model.last = last;
    }
}

async fn hear_news(redis: &Redis) -> PubSubStream {
    let client = redis::Client::open(redis.url()).expect("a URL");
    let mut news = client.get_async_pubsub().await.expect("it listens");
    news.subscribe(NEWS).await.expect("it may be heard");
    news.into_on_message()
}

/// Those of the news, if there are any. When totals are published is a matter of milliseconds, users are at once.
fn edges_of(mut news: News) -> Option<Edges> {
    news.edges.sort();
    (!news.edges.is_empty()).then_some(news.edges)
}

fn millis(time: Duration) -> u64 {
    time.as_millis().try_into().expect("it is a date")
}

/// Versions differ, as keys that change together may do so in any order; the wait is a matter of milliseconds.
fn comparable(reply: &Reply) -> Reply {
    let mut reply = reply.clone();
    if let Reply::Accepted(Standing {
        version,
        wait,
        totals,
        ..
    }) = &mut reply
    {
        *version = 0;
        *wait = None;
        for total in totals.values_mut() {
            total.version = 0;
        }
    }
    reply
}

impl Sender {
    fn report(&mut self, node: &str, random: &mut Random) -> Report {
        let key = |random: &mut Random| Key::from(["/", "/chat", "/,hall"][random.below(3)]);
        let mut rows = BTreeMap::new();
        for _ in 0..random.below(3) {
            let anonymous = random.below(50) as u64;
            let sockets = anonymous + random.below(50) as u64;
            let row = Row { sockets, anonymous };
            rows.insert(key(random), (!random.chance(10)).then_some(row));
        }
        let mut users = BTreeMap::new();
        for _ in 0..random.below(5) {
            let user = format!("user:{}\0", random.below(6)).into();
            users.insert((key(random), user), random.chance(60));
        }
        if random.chance(10) || self.epoch == 0 {
            self.epoch += 1;
            self.base = 0;
            self.is_told = false;
        }
        self.seq = if random.chance(8) {
            self.seq.saturating_sub(1)
        } else {
            self.seq + 1
        };
        let base = if random.chance(5) {
            self.base + 3
        } else {
            self.base
        };
        let has_more = random.chance(10);
        let stage = match random.below(12) {
            0 => Stage::Ends,
            _ if self.is_told => Stage::Goes { has_more },
            _ => Stage::Begins { has_more },
        };
        Report {
            node: node.into(),
            epoch: self.epoch,
            seq: self.seq,
            base,
            stage,
            made: None,
            seen: if random.chance(10) { 0 } else { self.seen },
            rows,
            users,
        }
    }

    fn hear(&mut self, report: &Report, reply: &Reply) {
        match reply {
            Reply::Accepted(_) if report.stage == Stage::Ends => {
                *self = Self {
                    seq: self.seq,
                    epoch: self.epoch,
                    ..Self::default()
                }
            }
            Reply::Accepted(standing) => {
                self.base = report.seq;
                self.seen = standing.version;
                self.is_told = true;
            }
            Reply::Unknown | Reply::Late => self.is_told = false,
        }
    }
}

#[tokio::test]
async fn the_script_does_what_the_model_does() {
    let redis = Redis::start().await;
    let mut pair = Pair::new(&redis).await;
    let mut heard = hear_news(&redis).await;
    let mut random = Random::new(7);
    let names = ["a", "b", "c", "d"];
    let mut senders: BTreeMap<&str, Sender> = names
        .iter()
        .map(|name| (*name, Sender::default()))
        .collect();
    let mut replies = BTreeMap::new();
    for _ in 0..3000 {
        let name = names[random.below(names.len())];
        if random.chance(3) {
            pair.expire(name).await;
        }
        let sender = senders.get_mut(name).expect("it is there");
        let report = sender.report(name, &mut random);
        let reply = pair.run(&report).await;
        sender.hear(&report, &reply);
        let kind = match reply {
            Reply::Accepted(_) => "accepted",
            Reply::Unknown => "unknown",
            Reply::Late => "late",
        };
        *replies.entry(kind).or_insert(0) += 1;
    }
    assert_eq!(replies.len(), 3, "each answer was given: {replies:?}");
    assert_eq!(pair.script_edges(&mut heard).await, pair.model_edges);
    assert!(pair.model_edges.len() > 100);
}

#[tokio::test]
async fn of_users_in_a_room_nobody_is_told() {
    let redis = Redis::start().await;
    let mut pair = Pair::new(&redis).await;
    let mut heard = hear_news(&redis).await;
    let mut report = first_of("a");
    let user = |key: &str| (Key::from(key), Box::from("ada"));
    report.users = [(user("/"), true), (user("/,hall"), true)].into();
    pair.run(&report).await;
    (report.seq, report.stage) = (2, Stage::Ends);
    report.users.clear();
    pair.run(&report).await;
    let ada = |is_here| vec![("/".into(), "ada".into(), is_here)];
    let edges = pair.script_edges(&mut heard).await;
    assert_eq!(edges, [ada(true), ada(false)]);
}

#[tokio::test]
async fn an_old_report_is_refused_by_its_date() {
    let redis = Redis::start().await;
    let mut pair = Pair::new(&redis).await;
    let mut report = Report {
        node: "a".into(),
        epoch: 1,
        seq: 1,
        stage: Stage::Begins { has_more: false },
        ..Report::default()
    };
    let Reply::Accepted(standing) = pair.run(&report).await else {
        panic!("the first is taken")
    };
    report.seq = 2;
    report.made = Some(standing.now - timing::ANSWER - Duration::from_millis(1));
    assert_eq!(pair.script(&report).await, Reply::Late);
    report.made = Some(standing.now + Duration::from_secs(1));
    assert!(matches!(pair.script(&report).await, Reply::Accepted(_)));
}

/// The first report of a node, with one socket.
fn first_of(node: &str) -> Report {
    let row = Row {
        sockets: 1,
        anonymous: 1,
    };
    Report {
        node: node.into(),
        epoch: 1,
        seq: 1,
        stage: Stage::Begins { has_more: false },
        rows: [("/".into(), Some(row))].into(),
        ..Report::default()
    }
}

#[tokio::test]
async fn who_is_silent_may_be_gone_and_is_taken_out_unless_nobody_could_report() {
    let redis = Redis::start().await;
    let mut pair = Pair::new(&redis).await;
    let (mut a, b) = (first_of("a"), first_of("b"));
    pair.run(&a).await;
    pair.run(&b).await;
    a.stage = Stage::Goes { has_more: false };
    a.rows.clear();
    for (silent, is_away, late, live) in [
        (timing::late(timing::LEASE), false, 1, 2),
        (timing::LEASE, true, 1, 2),
        // It is still spared.
        (timing::LEASE, false, 1, 2),
    ] {
        let heard = pair.now - silent;
        pair.hear("b", heard).await;
        if is_away {
            pair.hear_nobody_since(heard).await;
        }
        (a.base, a.seq) = (a.seq, a.seq + 1);
        let Reply::Accepted(standing) = pair.run(&a).await else {
            panic!("it is taken")
        };
        assert_eq!((standing.late, standing.live), (late, live), "{silent:?}");
        assert_eq!(standing.doubtful[&Key::from("/")], 1);
    }
}

#[tokio::test]
async fn a_life_that_has_ended_does_not_begin_again() {
    let redis = Redis::start().await;
    let mut pair = Pair::new(&redis).await;
    let key = Key::from("/");
    let mut report = Report {
        node: "a".into(),
        epoch: 1,
        seq: 1,
        stage: Stage::Begins { has_more: false },
        rows: [(
            key.clone(),
            Some(Row {
                sockets: 1,
                anonymous: 0,
            }),
        )]
        .into(),
        users: [((key.clone(), "ada".into()), true)].into(),
        ..Report::default()
    };
    // Its answer is lost, so the node says all again: but its lease has ended meanwhile.
    pair.run(&report).await;
    pair.expire("a").await;
    report.seq = 2;
    assert_eq!(pair.run(&report).await, Reply::Unknown);
    (report.seq, report.epoch) = (3, 2);
    let Reply::Accepted(standing) = pair.run(&report).await else {
        panic!("it is another life")
    };
    assert_eq!(standing.totals[&key].users, 1);
}

#[tokio::test]
async fn a_life_with_many_users_is_taken_out_in_parts() {
    let redis = Redis::start().await;
    let mut pair = Pair::new(&redis).await;
    let key = Key::from("/");
    let users = 0..timing::MAX_USERS;
    let mut report = Report {
        node: "a".into(),
        epoch: 1,
        seq: 1,
        stage: Stage::Begins { has_more: false },
        rows: [(
            key.clone(),
            Some(Row {
                sockets: timing::MAX_USERS as u64,
                anonymous: 0,
            }),
        )]
        .into(),
        users: users
            .map(|user| ((key.clone(), user.to_string().into()), true))
            .collect(),
        ..Report::default()
    };
    pair.run(&report).await;
    let mut other = Report {
        node: "b".into(),
        rows: [(
            key.clone(),
            Some(Row {
                sockets: 1,
                anonymous: 1,
            }),
        )]
        .into(),
        users: BTreeMap::new(),
        ..report.clone()
    };
    pair.run(&other).await;
    report.seq = 2;
    report.stage = Stage::Ends;
    report.rows.clear();
    report.users.clear();
    pair.run(&report).await;
    other.stage = Stage::Goes { has_more: false };
    let mut left = Vec::new();
    while left.last() != Some(&0) {
        other.seq += 1;
        let Reply::Accepted(standing) = pair.script(&other).await else {
            panic!("it is taken")
        };
        let total = standing.totals[&key];
        assert_eq!(total.sockets, 1);
        assert!(left.len() < 10, "{left:?}");
        left.push(standing.unsettled);
        if standing.unsettled == 0 {
            assert_eq!(total.users, 1);
        }
    }
}
