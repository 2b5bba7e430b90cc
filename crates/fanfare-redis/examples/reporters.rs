//! What the count costs Redis: first of reporters that do nothing else, then of whole nodes in one process; each with nothing
//! that changes, and with something that changes everywhere all the time. Reporters to which nothing happens meet on slots, as
//! nodes do; once they do not, to see what that is worth.
//!
//! ```sh
//! cargo run --release -p fanfare-redis --example reporters -- 100
//! ```

use std::{env, sync::Arc, time::Duration};

use axum::Router;
use fanfare::{Config, Io};
use fanfare_redis::RedisAdapter;
use fanfare_testkit::{Client, Redis, eventually, within};
use futures_util::StreamExt as _;
use redis::aio::MultiplexedConnection;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};

const SECONDS: u32 = 20;
/// For how long a client stays, and stays away.
const PAUSE: Duration = Duration::from_millis(100);
/// Between two signs of life.
const QUIET: Duration = Duration::from_secs(1);
/// Signs of life arrive on multiples of it, by Redis's clock, as a node's do.
const SLOT: Duration = Duration::from_millis(200);

#[tokio::main]
async fn main() {
    let nodes = env::args().nth(1).map_or(100, |nodes| {
        nodes.parse().expect("the argument is a number of nodes")
    });
    simulated(nodes, Reports::Spread, "nothing changes, evenly spread").await;
    simulated(nodes, Reports::OnSlots, "nothing changes").await;
    simulated(nodes, Reports::Changes, "everything does").await;
    whole(nodes).await;
}

/// What reporters say, and when.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Reports {
    /// Signs of life, each at its own time.
    Spread,
    /// Signs of life that meet.
    OnSlots,
    /// In every report the number is another.
    Changes,
}

impl Reports {
    /// From a report of `node` that arrived at `arrived`, by Redis's clock, to the next.
    fn pause(self, node: u64, arrived: Duration) -> Duration {
        match self {
            Self::Spread => QUIET,
            Self::OnSlots => towards_home(arrived, SLOT * (node % 5) as u32),
            Self::Changes => Duration::from_millis(250),
        }
    }
}

/// A node's pause while nothing changes: it goes to where it belongs by half a slot at most.
fn towards_home(arrived: Duration, home: Duration) -> Duration {
    let [arrived, home, round, step] =
        [arrived, home, QUIET, SLOT / 2].map(|time| time.as_millis() as u64);
    let ahead = (home + round - arrived % round) % round;
    let pause = match ahead <= round / 2 {
        true => round + ahead.min(step),
        false => round - (round - ahead).min(step),
    };
    Duration::from_millis(pause)
}

/// Reporters alone: each reports, and hears what is published.
async fn simulated(nodes: u64, reports: Reports, what: &str) {
    let redis = Redis::start().await;
    let client = redis::Client::open(redis.url()).expect("the URL is one");
    let mut tasks = JoinSet::new();
    for node in 0..nodes {
        let mut heard = client.get_async_pubsub().await.expect("Redis is there");
        heard.subscribe("news").await.expect("Redis is there");
        let connection = client.get_multiplexed_async_connection();
        let connection = connection.await.expect("Redis is there");
        tasks.spawn(async move {
            let mut news = heard.into_on_message();
            while news.next().await.is_some() {}
        });
        tasks.spawn(report(connection, node, reports));
    }
    let what = format!("simulated, {what}");
    measure(&redis, nodes, &what).await;
}

/// Reports for as long as the program runs.
async fn report(mut connection: MultiplexedConnection, node: u64, reports: Reports) {
    let script = redis::Script::new(include_str!("../src/count/count.lua"));
    let changes = reports == Reports::Changes;
    let mut due = Instant::now() + Duration::from_millis(10 * (node % 100));
    let mut seen = "0".to_owned();
    for seq in 1_u64.. {
        sleep_until(due).await;
        let mut run = script.key("{fanfare}:count");
        for number in [3_000, 2_000, 1_000, 50, 2_000] {
            run.arg(number);
        }
        run.arg("news").arg("requests").arg(format!("node {node}"));
        run.arg(1).arg(seq).arg(seq - 1);
        run.arg(if seq == 1 { "begins" } else { "goes" }).arg(0);
        run.arg(&seen).arg(u8::from(changes || seq == 1));
        if changes || seq == 1 {
            run.arg("/").arg(seq).arg(seq);
        }
        let answer: Vec<String> = run
            .invoke_async(&mut connection)
            .await
            .expect("the script runs");
        assert_eq!(answer[0], "accepted");
        let now = answer[1].parse().expect("it is a time");
        due += reports.pause(node, Duration::from_millis(now));
        seen.clone_from(&answer[2]);
    }
}

/// Whole nodes, with a client each that comes and goes.
async fn whole(nodes: u64) {
    let redis = Redis::start().await;
    let mut ios = Vec::new();
    let mut addresses = Vec::new();
    for _ in 0..nodes {
        let adapter = RedisAdapter::new(&redis.url()).expect("the URL is one");
        let io = Io::with(Config {
            adapter: Some(Arc::new(adapter)),
            ..Config::default()
        });
        io.announce_count("user count", |count| count.sockets);
        let listener = io.bind("127.0.0.1:0").await.expect("a port is free");
        addresses.push(listener.local_addr());
        tokio::spawn(listener.serve(Router::new()));
        ios.push(io);
    }
    eventually("all nodes see each other", || {
        let all = |io: &Io| io.count().complete && io.count().nodes == nodes;
        ios.iter().all(all)
    })
    .await;
    measure(&redis, nodes, "whole, nobody comes or goes").await;
    for address in addresses {
        tokio::spawn(async move {
            loop {
                let client = Client::join(address).await;
                sleep(PAUSE).await;
                drop(client);
                sleep(PAUSE).await;
            }
        });
    }
    measure(&redis, nodes, "whole, at each somebody does").await;
}

#[expect(clippy::print_stdout, reason = "whoever starts it reads there")]
async fn measure(redis: &Redis, nodes: u64, what: &str) {
    let before = Used::read(redis).await;
    sleep(Duration::from_secs(SECONDS.into())).await;
    let after = Used::read(redis).await;
    let seconds = f64::from(SECONDS);
    let cpu = 100.0 * (after.cpu_s - before.cpu_s) / seconds;
    let scripts = (after.scripts - before.scripts) / seconds;
    let each_us = (after.scripts_us - before.scripts_us) / (after.scripts - before.scripts);
    println!(
        "{nodes} nodes, {what}: {cpu:.1} % of a core, {scripts:.0} scripts a second, {each_us:.0} µs each"
    );
}

/// What Redis has used since it began.
struct Used {
    cpu_s: f64,
    scripts: f64,
    scripts_us: f64,
}

impl Used {
    async fn read(redis: &Redis) -> Self {
        let client = redis::Client::open(redis.url()).expect("the URL is one");
        let connection = client.get_multiplexed_async_connection();
        let mut connection = within("a connection", connection)
            .await
            .expect("Redis is there");
        let info: String = redis::cmd("INFO")
            .arg("everything")
            .query_async(&mut connection)
            .await
            .expect("Redis answers");
        let field = |name: &str| {
            let line = info.lines().find_map(|line| line.strip_prefix(name));
            line.expect("Redis says so").to_owned()
        };
        let number = |text: &str| text.trim().parse::<f64>().expect("it is a number");
        let scripts = field("cmdstat_evalsha:");
        let of_scripts = |name: &str| {
            let mut pairs = scripts.split(',').filter_map(|pair| pair.split_once('='));
            number(pairs.find(|(key, _)| *key == name).expect("it is there").1)
        };
        Self {
            cpu_s: number(&field("used_cpu_user:")) + number(&field("used_cpu_sys:")),
            scripts: of_scripts("calls"),
            scripts_us: of_scripts("usec"),
        }
    }
}
