//! The network between a node and Redis breaks in ways of its own: the node notices, and comes back.

use std::time::{Duration, Instant};

use fanfare_testkit::{Client, Proxy, Redis, eventually};

use crate::node::Node;

/// In how much time a node notices that it is deaf.
const NOTICED: Duration = Duration::from_secs(5);

/// A node behind a network, and one that is not.
struct Apart {
    _redis: Redis,
    proxy: Proxy,
    node: Node,
    other: Node,
}

impl Apart {
    async fn start() -> Self {
        let redis = Redis::start().await;
        let proxy = Proxy::to(redis.address()).await;
        let node = Node::start_at(&format!("redis://{}", proxy.address())).await;
        let other = Node::start(&redis).await;
        Self {
            _redis: redis,
            proxy,
            node,
            other,
        }
    }

    async fn is_noticed_in_time(&self) {
        let began = Instant::now();
        eventually("the node notices", || self.node.adapter.is_deaf()).await;
        assert!(began.elapsed() < NOTICED, "{:?}", began.elapsed());
    }

    /// That each of the two hears the other.
    async fn is_whole(&self) {
        self.node.is_in_reach().await;
        let (here, there) = (self.node.client().await, self.other.client().await);
        for (from, mut to) in [(&self.node, there), (&self.other, here)] {
            from.io.emit("n", 1);
            hears(&mut to, r#"42["n",1]"#).await;
        }
    }
}

/// Waits for an event, and forgets what came before.
async fn hears(client: &mut Client, event: &str) {
    while client.hear().await != event {}
}

#[tokio::test]
async fn a_half_open_link_is_noticed_and_comes_back_whichever_connection_it_is() {
    // One for what it says, one for what it hears.
    for number in 0..2 {
        let apart = Apart::start().await;
        assert_eq!(apart.proxy.n_connections(), 2);
        let mut client = apart.node.client().await;
        apart.proxy.half_open(number);
        apart.node.io.emit("here", 1);
        client.expect(r#"42["here",1]"#).await;
        apart.is_noticed_in_time().await;
        apart.is_whole().await;
    }
}

#[tokio::test]
async fn a_network_that_stalls_is_noticed_and_forgiven_when_it_flows() {
    let apart = Apart::start().await;
    apart.proxy.stall();
    apart.is_noticed_in_time().await;
    apart.proxy.flow();
    apart.is_whole().await;
}

#[tokio::test]
async fn a_network_that_breaks_is_noticed_at_once() {
    let apart = Apart::start().await;
    apart.proxy.cut();
    apart.is_noticed_in_time().await;
    apart.is_whole().await;
    assert!(0 < apart.node.adapter.metrics().reconnects);
}
