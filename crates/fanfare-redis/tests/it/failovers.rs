//! Redis fails over to a copy that has not heard of the last who came and left: the count is of those who are there.

use std::time::Instant;

use fanfare_testkit::{Proxy, Redis, eventually, within};

use crate::{
    counts::{EXACT_AFTER, goes},
    node::Node,
};

/// Two nodes behind a network that leads to one Redis, and another one that copies it.
struct Pair {
    main: Redis,
    copy: Redis,
    network: Proxy,
    nodes: [Node; 2],
}

impl Pair {
    async fn start() -> Self {
        let (main, copy) = (Redis::start().await, Redis::start().await);
        copy.follow(&main).await;
        let network = Proxy::to(main.address()).await;
        let url = format!("redis://{}", network.address());
        let nodes = [Node::start_at(&url).await, Node::start_at(&url).await];
        for node in &nodes {
            node.io.announce_count("user count", |count| count.sockets);
        }
        Self {
            main,
            copy,
            network,
            nodes,
        }
    }

    /// That each node has this number, and knows that it is right.
    async fn are_right(&self, sockets: u64) {
        let what = format!("both nodes count {sockets}");
        eventually(&what, || {
            let mut counts = self.nodes.iter().map(|node| node.io.count());
            counts.all(|count| count.complete && count.sockets == sockets)
        })
        .await;
    }

    async fn copy_has(&self, sockets: u64) -> bool {
        let sum = "return tonumber(string.match(redis.call('HGET', KEYS[1], '/') or '-1', '^%S+'))";
        let words = ["EVAL", sum, "1", "{socket.io-count}:sum"];
        self.copy.command(&words).await == format!(":{sockets}")
    }
}

#[tokio::test]
async fn a_copy_that_is_behind_is_told_again_who_is_there() {
    let mut pair = Pair::start().await;
    let [a, b] = &pair.nodes;
    let (mut one, two) = (a.client().await, b.client().await);
    pair.are_right(2).await;
    within("the copy has that", async {
        while !pair.copy_has(2).await {}
    })
    .await;
    pair.copy.follow_nobody().await;

    // What happens from now on, the copy does not hear.
    drop(two);
    let (_three, _four) = (b.client().await, b.client().await);
    let (_five, six) = (a.client().await, a.client().await);
    pair.are_right(5).await;
    assert!(pair.copy_has(2).await);
    pair.main.kill();
    eventually("both nodes notice", || {
        pair.nodes.iter().all(|node| node.adapter.is_deaf())
    })
    .await;
    // Nor can the nodes tell each other of this. With it, neither is right before it has heard of the other anew.
    drop(six);
    let _seven = b.client().await;
    let _eight = b.client().await;
    eventually("each knows its own", || {
        let here = pair.nodes.each_ref().map(|node| node.io.count_here());
        here.map(|count| count.sockets) == [2, 4]
    })
    .await;

    pair.network.lead_to(pair.copy.address());
    let began = Instant::now();
    eventually("both nodes have the right number", || {
        let mut counts = pair.nodes.iter().map(|node| node.io.count().sockets);
        counts.all(|sockets| sockets == 6)
    })
    .await;
    assert!(began.elapsed() < EXACT_AFTER, "{:?}", began.elapsed());
    pair.are_right(6).await;
    // That was for good, and it goes on from there.
    let _nine = a.client().await;
    while one.hear().await != r#"42["user count",6]"# {}
    goes(&mut one, 6, 7).await;
    pair.are_right(7).await;
    assert!(pair.copy_has(7).await);
}

/// Behind the same name, as it is with managed services: who comes too early finds a copy, which takes messages and tells nobody.
#[tokio::test]
async fn who_is_led_to_a_copy_is_deaf_until_it_is_the_main_one() {
    let mut pair = Pair::start().await;
    let [a, b] = &pair.nodes;
    let _clients = (a.client().await, b.client().await);
    pair.are_right(2).await;
    pair.network.lead_to(pair.copy.address());
    let before = pair.network.n_connections();
    pair.main.kill();
    // Each has come to it, and gone again, and come again.
    eventually("both try again", || {
        before + 8 <= pair.network.n_connections()
    })
    .await;
    assert!(pair.nodes.iter().all(|node| node.adapter.is_deaf()));
    pair.copy.follow_nobody().await;
    pair.are_right(2).await;
}

#[tokio::test]
async fn who_is_connected_when_the_main_one_becomes_a_copy_looks_for_the_other() {
    let pair = Pair::start().await;
    let [a, b] = &pair.nodes;
    let (mut one, _two) = (a.client().await, b.client().await);
    pair.are_right(2).await;
    pair.copy.follow_nobody().await;
    pair.network.lead_to(pair.copy.address());
    pair.main.follow(&pair.copy).await;
    // What a count needs can't be written any more.
    let _three = b.client().await;
    pair.are_right(3).await;
    while one.hear().await != r#"42["user count",3]"# {}
}
