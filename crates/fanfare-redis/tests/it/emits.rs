//! What one node emits, and does to rooms, reaches the sockets of all, through Redis.

use fanfare::{Args, Binary, Config, EmptyNamespaces};
use fanfare_redis::RedisAdapter;
use fanfare_testkit::{Client, Redis, eventually};

use crate::node::Node;

/// A client on each of two nodes.
async fn two(redis: &Redis) -> ([Node; 2], Client, Client) {
    let nodes = Node::start_all::<2>(redis).await;
    let (here, there) = (nodes[0].client().await, nodes[1].client().await);
    (nodes, here, there)
}

#[tokio::test]
async fn everyone_on_every_node_gets_an_event_once() {
    let redis = Redis::start().await;
    let ([a, b], mut here, mut there) = two(&redis).await;
    a.io.emit("all", Args((Binary::from(vec![1, 2]), "ü")));
    a.io.emit_latest("latest", 1);
    a.io.volatile().emit("now", 2.5);
    for client in [&mut here, &mut there] {
        let event = r#"451-["all",{"_placeholder":true,"num":0},"ü"]"#;
        client.expect(event).await;
        client.expect_binary(&[1, 2]).await;
        client.expect(r#"42["latest",1]"#).await;
        client.expect(r#"42["now",2.5]"#).await;
    }
    b.io.emit("back", 3);
    for client in [&mut here, &mut there] {
        client.expect(r#"42["back",3]"#).await;
    }
}

#[tokio::test]
async fn one_nodes_events_arrive_in_its_order() {
    let redis = Redis::start().await;
    let ([a, _b], _here, mut there) = two(&redis).await;
    for n in 0..2_000 {
        match n % 2 {
            0 => a.io.emit("n", n),
            _ => a.io.to(&there.id).emit("n", n),
        };
    }
    for n in 0..2_000 {
        there.expect(&format!(r#"42["n",{n}]"#)).await;
    }
}

#[tokio::test]
async fn rooms_reach_over_all_nodes() {
    let redis = Redis::start().await;
    let ([a, b], mut here, mut there) = two(&redis).await;
    a.io.to(&there.id).join("one");
    a.io.join("all");
    eventually("the other node joins them", || {
        b.io.to("one").count() == 1 && b.io.to("all").count() == 1
    })
    .await;
    a.io.to("one").emit("one", 1);
    a.io.to("all").to("none").except("one").emit("but", 2);
    a.io.to("none").emit("none", 0);
    a.io.emit("end", 3);
    there.expect(r#"42["one",1]"#).await;
    there.expect(r#"42["end",3]"#).await;
    here.expect(r#"42["but",2]"#).await;
    here.expect(r#"42["end",3]"#).await;
    b.io.leave("all");
    eventually("this node leaves it, too", || a.io.to("all").count() == 0).await;
    b.io.to(&here.id).disconnect();
    here.expect("41").await;
    a.io.to(&there.id).close();
    there.closed().await;
}

#[tokio::test]
async fn a_namespace_is_in_the_cluster_before_its_first_socket() {
    let redis = Redis::start().await;
    let adapter = || RedisAdapter::new(&redis.url()).expect("the URL is one");
    let config = || Config {
        empty_namespaces: EmptyNamespaces::End,
        ..Config::default()
    };
    let a = Node::with(adapter(), config()).await;
    let b = Node::with(adapter(), config()).await;
    for node in [&a, &b] {
        node.io.of_matching(|name| name.starts_with("/room-"));
    }
    let channel = |n: usize| format!("socket.io-request#/room-{n}#");
    for n in 0..20 {
        let nsp = format!("/room-{n}");
        let mut client = Client::open(b.address).await;
        client.join_nsp(&nsp, "").await;
        a.io.of(&nsp).emit("hello", n);
        client.expect(&format!(r#"42{nsp},["hello",{n}]"#)).await;
        // On each node subscribed once.
        let numsub = redis.command(&["PUBLISH", &channel(n), "{}"]).await;
        assert_eq!(numsub, ":2");
    }
    drop(a);
    eventually("the last socket is gone", || b.io.metrics().sessions == 0).await;
    for n in 0..20 {
        let mut numsub = String::new();
        while numsub != ":0" {
            numsub = redis.command(&["PUBLISH", &channel(n), "{}"]).await;
        }
    }
}

#[tokio::test]
async fn clusters_with_other_prefixes_do_not_meet() {
    let redis = Redis::start().await;
    let adapter = |prefix| {
        let adapter = RedisAdapter::new(&redis.url()).expect("the URL is one");
        adapter.with_prefix(prefix)
    };
    let a = Node::with(adapter("a"), Config::default()).await;
    let b = Node::with(adapter("b"), Config::default()).await;
    let c = Node::with(adapter("a"), Config::default()).await;
    for node in [&a, &b, &c] {
        node.is_in_reach().await;
    }
    let (mut other, mut same) = (b.client().await, c.client().await);
    a.io.emit("a", 1);
    same.expect(r#"42["a",1]"#).await;
    b.io.emit("b", 2);
    other.expect(r#"42["b",2]"#).await;
}

#[test]
fn a_text_that_is_no_url_is_refused_with_what_would_be_right() {
    for text in ["", "127.0.0.1:6379", "http://127.0.0.1", "redis://h:port"] {
        let wrong = RedisAdapter::new(text).unwrap_err().to_string();
        assert!(wrong.contains("redis://host:6379"), "{text}: {wrong}");
    }
}
