//! A node of a cluster, on a port of its own.

use std::{net::SocketAddr, sync::Arc};

use axum::Router;
use fanfare::{Config, Io};
use fanfare_redis::RedisAdapter;
use fanfare_testkit::{Client, Redis, eventually};
use tokio::task::JoinHandle;

pub(crate) struct Node {
    pub(crate) io: Io,
    pub(crate) adapter: Arc<RedisAdapter>,
    pub(crate) address: SocketAddr,
    serving: JoinHandle<()>,
}

impl Node {
    /// A node that has reached the cluster.
    pub(crate) async fn start(redis: &Redis) -> Self {
        Self::start_at(&redis.url()).await
    }

    /// The same, at a URL.
    pub(crate) async fn start_at(url: &str) -> Self {
        let adapter = RedisAdapter::new(url).expect("the URL is one");
        let node = Self::with(adapter, Config::default()).await;
        node.is_in_reach().await;
        node
    }

    /// So many nodes that have reached the cluster, and see each other.
    pub(crate) async fn start_all<const N: usize>(redis: &Redis) -> [Self; N] {
        let mut nodes = Vec::new();
        for _ in 0..N {
            nodes.push(Self::start(redis).await);
        }
        nodes.try_into().unwrap_or_else(|_| unreachable!())
    }

    /// A node that may not have reached the cluster yet.
    pub(crate) async fn with(adapter: RedisAdapter, config: Config) -> Self {
        let adapter = Arc::new(adapter);
        let io = Io::with(Config {
            adapter: Some(adapter.clone()),
            ..config
        });
        let listener = io.bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr();
        let serving = tokio::spawn(listener.serve(Router::new()));
        Self {
            io,
            adapter,
            address,
            serving,
        }
    }

    pub(crate) async fn client(&self) -> Client {
        Client::join(self.address).await
    }

    pub(crate) async fn is_in_reach(&self) {
        eventually("the node is in the cluster", || !self.adapter.is_deaf()).await;
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
