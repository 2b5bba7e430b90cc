//! What the count costs Redis: many nodes in one process, first with nobody who comes or goes, then with a client of each
//! that does so all the time.
//!
//! ```sh
//! cargo run --release -p fanfare-redis --example reporters -- 100
//! ```

use std::{env, sync::Arc, time::Duration};

use axum::Router;
use fanfare::{Config, Io};
use fanfare_redis::RedisAdapter;
use fanfare_testkit::{Client, Redis, eventually, within};
use tokio::time::sleep;

const SECONDS: u32 = 20;
/// For how long a client stays, and stays away.
const PAUSE: Duration = Duration::from_millis(100);

#[tokio::main]
async fn main() {
    let nodes = env::args().nth(1).map_or(100, |nodes| {
        nodes.parse().expect("the argument is a number of nodes")
    });
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
    measure(&redis, nodes, "nobody comes or goes").await;
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
    measure(&redis, nodes, "at each node somebody does").await;
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
