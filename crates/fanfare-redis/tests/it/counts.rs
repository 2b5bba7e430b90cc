//! One count on all nodes, whatever happens to nodes and to Redis.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use fanfare::{Admission, Config, Count, EmptyNamespaces, WhenUnreachable};
use fanfare_redis::RedisAdapter;
use fanfare_testkit::{Client, Redis, eventually, within};
use tokio::{runtime::Runtime, sync::mpsc};

use crate::node::Node;

/// From when Redis can be reached again until all have the right number.
pub(crate) const EXACT_AFTER: Duration = Duration::from_millis(2_500);

/// A node that announces the count.
async fn announcing(redis: &Redis) -> Node {
    let node = Node::start(redis).await;
    node.io.announce_count("user count", |count| count.sockets);
    node
}

pub(crate) async fn hears(client: &mut Client, count: u64) {
    let expected = format!(r#"42["user count",{count}]"#);
    while client.hear().await != expected {}
}

/// That one number follows the other, with none in between.
pub(crate) async fn goes(client: &mut Client, from: u64, to: u64) {
    let [from, to] = [from, to].map(|count| format!(r#"42["user count",{count}]"#));
    loop {
        let heard = client.hear().await;
        if heard == to {
            return;
        }
        assert_eq!(heard, from);
    }
}

pub(crate) async fn is_right(node: &Node, sockets: u64) {
    let what = format!("the count is {sockets}, and complete");
    eventually(&what, || {
        let count = node.io.count();
        count.complete && count.sockets == sockets
    })
    .await;
}

#[tokio::test]
async fn all_nodes_show_one_number() {
    let redis = Redis::start().await;
    let [a, b] = [announcing(&redis).await, announcing(&redis).await];
    let mut one = a.client().await;
    hears(&mut one, 1).await;
    let mut two = b.client().await;
    hears(&mut two, 2).await;
    hears(&mut one, 2).await;
    is_right(&a, 2).await;
    is_right(&b, 2).await;
    let count: Count = a.io.count();
    assert_eq!((count.nodes, count.uncounted_nodes), (2, 0));
    assert_eq!((count.at_least, count.at_most), (2, Some(2)));
    assert!(count.as_of.is_some());
    drop(two);
    hears(&mut one, 1).await;
    is_right(&a, 1).await;
}

#[tokio::test]
async fn a_node_that_does_not_ask_is_counted_too() {
    let redis = Redis::start().await;
    let silent = Node::start(&redis).await;
    silent.io.of("/chat");
    let mut client = silent.client().await;
    client.join_nsp("/chat", "").await;
    let asking = Node::start(&redis).await;
    let chat = asking.io.of("/chat");
    assert!(!chat.count().complete, "nobody was asked before");
    eventually("the other's is in it", || chat.count().sockets == 1).await;
    eventually("that is all", || chat.count().complete).await;
}

#[tokio::test]
async fn a_planned_stop_is_told_at_once() {
    let redis = Redis::start().await;
    let [a, b] = [announcing(&redis).await, announcing(&redis).await];
    let mut one = a.client().await;
    let _two = b.client().await;
    hears(&mut one, 2).await;
    b.io.shutdown().await;
    hears(&mut one, 1).await;
    eventually("one node is left", || a.io.count().nodes == 1).await;
}

/// A node in a runtime of its own, which can be ended at once.
pub(crate) async fn dying<T: Send>(
    redis: &Redis,
    begin: impl Fn(&Node) -> T + Send + 'static,
) -> (Runtime, SocketAddr) {
    let runtime = Runtime::new().expect("threads");
    let url = redis.url();
    let (address, mut addresses) = mpsc::channel(1);
    runtime.spawn(async move {
        let adapter = RedisAdapter::new(&url).expect("the URL is one");
        let node = Node::with(adapter, Config::default()).await;
        let _begun = begin(&node);
        address.send(node.address).await.expect("the test waits");
        std::future::pending::<()>().await;
    });
    let address = addresses.recv().await.expect("it starts");
    (runtime, address)
}

#[tokio::test]
async fn a_node_that_dies_is_taken_out_when_its_lease_ends() {
    let redis = Redis::start().await;
    let a = announcing(&redis).await;
    let mut one = a.client().await;
    let announce = |node: &Node| {
        node.io.announce_count("user count", |count| count.sockets);
    };
    let (runtime, address) = dying(&redis, announce).await;
    let _two = Client::join(address).await;
    hears(&mut one, 2).await;
    is_right(&a, 2).await;
    // It says nothing more.
    runtime.shutdown_background();
    eventually("that is noticed", || !a.io.count().complete).await;
    let count = a.io.count();
    assert!(count.at_least == 1 || count.sockets == 1, "{count:?}");
    hears(&mut one, 1).await;
    is_right(&a, 1).await;
}

#[tokio::test]
async fn a_broker_that_has_lost_everything_is_told_again() {
    let redis = Redis::start().await;
    let [a, b] = [announcing(&redis).await, announcing(&redis).await];
    let mut one = a.client().await;
    let _two = b.client().await;
    hears(&mut one, 2).await;
    is_right(&a, 2).await;
    is_right(&b, 2).await;
    redis.command(&["FLUSHALL"]).await;
    let began = Instant::now();
    let _three = b.client().await;
    // Nobody is missing meanwhile who was there before.
    goes(&mut one, 2, 3).await;
    assert!(began.elapsed() < EXACT_AFTER, "{:?}", began.elapsed());
    is_right(&a, 3).await;
    is_right(&b, 3).await;
}

#[tokio::test]
async fn while_a_broker_without_memory_is_told_again_nobody_is_missing() {
    let mut redis = Redis::start().await;
    let [a, b] = [announcing(&redis).await, announcing(&redis).await];
    let mut one = a.client().await;
    let _two = b.client().await;
    hears(&mut one, 2).await;
    is_right(&a, 2).await;
    is_right(&b, 2).await;
    redis.restart().await;
    eventually("that is noticed", || {
        0 < a.adapter.metrics().reconnects && 0 < b.adapter.metrics().reconnects
    })
    .await;
    is_right(&a, 2).await;
    is_right(&b, 2).await;
    let _three = b.client().await;
    goes(&mut one, 2, 3).await;
}

#[tokio::test]
async fn while_the_broker_is_away_the_last_number_stands() {
    let mut redis = Redis::start().await;
    let [a, b] = [announcing(&redis).await, announcing(&redis).await];
    let mut one = a.client().await;
    let two = b.client().await;
    hears(&mut one, 2).await;
    is_right(&a, 2).await;
    redis.kill();
    eventually("the count is not known to be right", || {
        !a.io.count().complete
    })
    .await;
    drop(two);
    eventually("nobody knows the most", || a.io.count().at_most.is_none()).await;
    assert_eq!(a.io.count().sockets, 2);
    redis.restart().await;
    let began = Instant::now();
    hears(&mut one, 1).await;
    assert!(began.elapsed() < EXACT_AFTER, "{:?}", began.elapsed());
    is_right(&a, 1).await;
    is_right(&b, 1).await;
}

#[tokio::test]
async fn while_the_broker_is_away_this_nodes_own_number_may_be_shown() {
    let mut redis = Redis::start().await;
    let adapter = RedisAdapter::new(&redis.url()).expect("the URL is one");
    let adapter = adapter
        .count_when_unreachable(WhenUnreachable::Local)
        .with_count_lease(Duration::from_millis(1500));
    let a = Node::with(adapter, Config::default()).await;
    a.io.announce_count("user count", |count| count.sockets);
    let b = announcing(&redis).await;
    let mut one = a.client().await;
    let _two = b.client().await;
    hears(&mut one, 2).await;
    redis.kill();
    hears(&mut one, 1).await;
    redis.restart().await;
    hears(&mut one, 2).await;
}

#[tokio::test]
async fn a_user_with_a_tab_on_each_node_is_one_and_comes_and_leaves_once() {
    let redis = Redis::start().await;
    let [a, b] = [Node::start(&redis).await, Node::start(&redis).await];
    let (told, mut events) = mpsc::unbounded_channel();
    for (name, node) in [("a", &a), ("b", &b)] {
        node.io.admit(|_| async { Ok(Admission::user("ada")) });
        let told = told.clone();
        node.io.on_user(move |_, user, event| {
            told.send(format!("{name} {user} {event:?}"))
                .expect("the test waits");
        });
    }
    let mut both = async |event: &str| {
        let mut heard = [events.recv().await, events.recv().await].map(Option::unwrap_or_default);
        heard.sort();
        assert_eq!(heard, [format!("a ada {event}"), format!("b ada {event}")]);
    };
    let one = a.client().await;
    both("Came").await;
    let two = b.client().await;
    for node in [&a, &b] {
        eventually("two sockets are one user", || {
            let count = node.io.count();
            (count.sockets, count.users) == (2, 1)
        })
        .await;
    }
    drop(one);
    eventually("a tab is gone", || b.io.count().sockets == 1).await;
    assert_eq!(b.io.count().users, 1);
    drop(two);
    both("Left").await;
    eventually("nobody is left", || a.io.count().users == 0).await;
}

#[tokio::test]
async fn servers_that_do_not_report_are_said_to_be_missing() {
    let redis = Redis::start().await;
    let a = announcing(&redis).await;
    let mut one = a.client().await;
    hears(&mut one, 1).await;
    is_right(&a, 1).await;
    // It takes requests like any server of the cluster, and knows nothing of the count.
    let client = redis::Client::open(redis.url()).expect("the URL is one");
    let mut other = client.get_async_pubsub().await.expect("it listens");
    other
        .subscribe("socket.io-request#/#")
        .await
        .expect("it listens");
    eventually("that is said", || a.io.count().uncounted_nodes == 1).await;
    let count = a.io.count();
    assert!(!count.complete);
    assert_eq!((count.sockets, count.at_most), (1, None));
    drop(other);
    is_right(&a, 1).await;
}

#[tokio::test]
async fn who_was_in_a_namespace_that_has_ended_is_forgotten() {
    let redis = Redis::start().await;
    let adapter = RedisAdapter::new(&redis.url()).expect("the URL is one");
    let config = Config {
        empty_namespaces: EmptyNamespaces::End,
        ..Config::default()
    };
    let node = Node::with(adapter, config).await;
    node.is_in_reach().await;
    let games = node.io.of_matching(|name| name.starts_with("/game"));
    games.admit(|_| async { Ok(Admission::user("ada")) });
    games.announce_count("players", |count| count.users);
    let users = ["EXISTS", "{socket.io-count}:un:/game"];
    for _ in 0..2 {
        let mut client = Client::open(node.address).await;
        client.join_nsp("/game", "").await;
        while client.hear().await != r#"42/game,["players",1]"# {}
        within("she is known", async {
            while redis.command(&users).await != ":1" {}
        })
        .await;
        drop(client);
        eventually("the namespace has ended", || {
            node.io.namespaces().iter().all(|io| io.nsp() != "/game")
        })
        .await;
        within("she is forgotten", async {
            while redis.command(&users).await != ":0" {}
        })
        .await;
    }
}
