//! What a server tells its adapter of its namespaces, and waits for.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fanfare::{Adapter, BoxFuture, Config, EmptyNamespaces, Message, Node, Reply};
use fanfare_testkit::{Client, eventually};
use tokio::sync::Notify;

use crate::server::Server;

/// An adapter of a node that is alone.
#[derive(Debug, Default)]
struct Told {
    told: Mutex<Vec<String>>,
    /// What joining waits for, if it does.
    heard: Option<Arc<Notify>>,
}

impl Told {
    fn told(&self) -> MutexGuard<'_, Vec<String>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn server(self: &Arc<Self>) -> Server {
        Server::with(Config {
            adapter: Some(self.clone()),
            empty_namespaces: EmptyNamespaces::End,
            ..Config::default()
        })
        .await
    }
}

impl Adapter for Told {
    fn start(&self, _: Node) {}

    fn add_namespace(&self, nsp: &str) {
        self.told().push(format!("+{nsp}"));
    }

    fn remove_namespace(&self, nsp: &str) {
        self.told().push(format!("-{nsp}"));
    }

    fn listening(&self, nsp: &str) -> Option<BoxFuture<()>> {
        let heard = self.heard.clone()?;
        self.told().push(format!("?{nsp}"));
        Some(Box::pin(async move { heard.notified().await }))
    }

    fn publish(&self, message: Message) {
        panic!("nothing is said: {message:?}");
    }

    fn reply(&self, reply: Reply) {
        panic!("nobody has asked: {reply:?}");
    }

    fn others(&self, _: &str) -> BoxFuture<Result<usize, String>> {
        Box::pin(async { Ok(0) })
    }
}

#[tokio::test]
async fn an_adapter_is_told_which_namespaces_there_are() {
    let adapter = Arc::<Told>::default();
    let server = adapter.server().await;
    server.io.of("/a");
    server.io.of("/a");
    server.io.of_matching(|name| name == "/b");
    assert_eq!(*adapter.told(), ["+/", "+/a", "+/_0"]);
    let mut client = Client::open(server.address).await;
    client.join_nsp("/b", "").await;
    client.send("41/b").await;
    eventually("the namespace has ended", || {
        adapter.told().last().is_some_and(|told| told == "-/b")
    })
    .await;
    assert_eq!(adapter.told()[3..], ["+/b", "-/b"]);
}

#[tokio::test]
async fn nobody_is_let_in_before_the_namespace_is_in_the_cluster() {
    let heard = Arc::<Notify>::default();
    let adapter = Arc::new(Told {
        heard: Some(heard.clone()),
        ..Told::default()
    });
    let server = adapter.server().await;
    let mut client = Client::open(server.address).await;
    let hears = async {
        eventually("it is asked for", || {
            adapter.told().iter().any(|told| told == "?/")
        })
        .await;
        assert_eq!(server.io.count().sockets, 0);
        heard.notify_one();
    };
    tokio::join!(client.join_nsp("/", ""), hears);
    assert_eq!(server.io.count().sockets, 1);
}
