//! A server on a port of its own, which keeps a diary of its callbacks.

use std::{net::SocketAddr, time::Duration};

use axum::Router;
use fanfare::{Config, Io, Socket};
use fanfare_testkit::{Client, Polling, eventually, within};
use tokio::task::JoinHandle;

use crate::diary::Diary;

/// A server that listens, until it is dropped.
pub(crate) struct House {
    pub(crate) io: Io,
    pub(crate) address: SocketAddr,
    pub(crate) diary: Diary,
    serving: JoinHandle<()>,
}

impl House {
    /// A server with the default settings.
    pub(crate) async fn open() -> Self {
        Self::with(Config::default()).await
    }

    /// A server whose handlers may still be registered: nobody knows its port yet. The diary's
    /// come first.
    pub(crate) async fn with(config: Config) -> Self {
        let io = Io::with(config);
        let diary = Diary::default();
        diary.keep(&io);
        let listener = io.bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr();
        let serving = tokio::spawn(listener.serve(Router::new()));
        Self {
            io,
            address,
            diary,
            serving,
        }
    }

    /// A client that has joined the main namespace.
    pub(crate) async fn client(&self) -> Client {
        Client::join(self.address).await
    }

    /// A session on polling.
    pub(crate) async fn polling(&self) -> Polling {
        Polling::open(self.address, "/socket.io/").await
    }

    /// The socket of a client that has joined, as handlers hold it.
    pub(crate) fn socket(&self, id: &str) -> Option<Socket> {
        let mut sockets = self.io.sockets().into_iter();
        sockets.find(|socket| socket.id().as_str() == id)
    }

    /// Waits until no session is left.
    pub(crate) async fn is_deserted(&self) {
        eventually("the last session is over", || {
            self.io.metrics().sessions == 0
        })
        .await;
    }

    /// Waits until the socket has left, and for all that the server still does; then exactly
    /// these callbacks have come, and nobody is counted.
    pub(crate) async fn saw(self, id: &str, callbacks: &[&str]) {
        eventually("the socket has left", || self.diary.is_closed(id)).await;
        self.shut().await;
        assert_eq!(self.diary.of(id), callbacks);
    }

    /// The same of a client that is still connected in some way; it closes its connection then.
    pub(crate) async fn saw_out(self, client: Client, callbacks: &[&str]) {
        let id = client.id.clone();
        eventually("the socket has left", || self.diary.is_closed(&id)).await;
        drop(client);
        self.saw(&id, callbacks).await;
    }

    /// Shuts the server down; then nobody is counted, and every socket has its pair of callbacks.
    pub(crate) async fn shut(&self) {
        within("a shutdown", self.io.shutdown()).await;
        assert_eq!(self.io.count(), fanfare::Count::alone(0, 0));
        assert_eq!(self.io.metrics().sessions, 0);
        self.diary.check_pairs(|_| false);
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// A heart that beats fast, for clients that do not answer it.
pub(crate) fn fast() -> Config {
    Config {
        ping_interval: Duration::from_millis(300),
        ping_timeout: Duration::from_millis(200),
        ..Config::default()
    }
}
