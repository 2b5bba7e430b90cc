//! Redis is away, or comes back: who is connected here goes on.

use fanfare::Config;
use fanfare_redis::RedisAdapter;
use fanfare_testkit::{Redis, eventually};

use crate::node::Node;

#[tokio::test]
async fn local_receivers_get_everything_while_redis_is_dead_and_others_again_afterwards() {
    let mut redis = Redis::start().await;
    let [a, b] = Node::start_all::<2>(&redis).await;
    let (mut here, mut there) = (a.client().await, b.client().await);
    redis.kill();
    for n in 0..100 {
        a.io.emit("n", n);
        here.expect(&format!(r#"42["n",{n}]"#)).await;
    }
    eventually("both notice", || a.adapter.is_deaf() && b.adapter.is_deaf()).await;
    let _late = a.client().await;
    redis.restart().await;
    for node in [&a, &b] {
        node.is_in_reach().await;
    }
    eventually("what waited has gone out", || {
        a.adapter.metrics().backlog_bytes == 0
    })
    .await;
    a.io.emit("end", 1);
    here.expect(r#"42["end",1]"#).await;
    // Redis keeps nothing: what was said before this node was back may be missing.
    loop {
        let heard = there.hear().await;
        if heard == r#"42["end",1]"# {
            break;
        }
        assert!(heard.starts_with(r#"42["n","#), "{heard}");
    }
    let metrics = || a.adapter.metrics();
    eventually("all are counted", || {
        metrics().published + metrics().lost_messages == 101
    })
    .await;
    assert_eq!(metrics().dropped_messages, 0);
    assert_eq!(metrics().reconnects, 1);
    assert!(!metrics().deaf.is_zero());
}

#[tokio::test]
async fn what_waits_is_bounded_and_what_is_dropped_counted() {
    let redis = Redis::start().await;
    let adapter = RedisAdapter::new(&redis.url()).expect("the URL is one");
    let adapter = adapter.with_max_backlog_bytes(10_000);
    let node = Node::with(adapter, Config::default()).await;
    node.is_in_reach().await;
    redis.freeze();
    for _ in 0..1_000 {
        node.io.emit("n", "x".repeat(100));
        assert!(node.adapter.metrics().backlog_bytes <= 10_000);
    }
    redis.thaw();
    eventually("all that waited is done with", || {
        let metrics = node.adapter.metrics();
        metrics.published + metrics.lost_messages + metrics.dropped_messages == 1_000
    })
    .await;
    let metrics = node.adapter.metrics();
    assert!(900 < metrics.dropped_messages, "{metrics:?}");
    assert!(900 * 100 < metrics.dropped_bytes, "{metrics:?}");
}

#[tokio::test]
async fn a_node_serves_its_clients_before_redis_is_there() {
    let mut redis = Redis::start().await;
    redis.kill();
    let adapter = RedisAdapter::new(&redis.url()).expect("the URL is one");
    let node = Node::with(adapter, Config::default()).await;
    let mut client = node.client().await;
    assert!(node.adapter.is_deaf());
    node.io.emit("n", 1);
    client.expect(r#"42["n",1]"#).await;
    redis.restart().await;
    node.is_in_reach().await;
    eventually("what waited has gone out", || {
        node.adapter.metrics().published == 1
    })
    .await;
}

#[tokio::test]
async fn a_shutdown_sends_what_waits() {
    let redis = Redis::start().await;
    let [a, b] = Node::start_all::<2>(&redis).await;
    let mut there = b.client().await;
    for n in 0..1_000 {
        a.io.emit("n", n);
    }
    a.io.shutdown().await;
    for n in 0..1_000 {
        there.expect(&format!(r#"42["n",{n}]"#)).await;
    }
}
