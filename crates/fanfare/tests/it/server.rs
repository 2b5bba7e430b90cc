//! A server on a port of its own, for each test.

use std::{net::SocketAddr, time::Duration};

use axum::Router;
use fanfare::{Config, Io, engine::EngineHandler};
use fanfare_testkit::{Client, Polling, WebSocket, eventually};
use tokio::task::JoinHandle;

/// A server that listens, until it is dropped.
pub(crate) struct Server {
    pub(crate) io: Io,
    pub(crate) address: SocketAddr,
    /// What [`fanfare::Listener::serve`] runs in.
    pub(crate) serving: JoinHandle<()>,
}

impl Server {
    /// A server with the default settings.
    pub(crate) async fn start() -> Self {
        Self::with(Config::default()).await
    }

    /// A server whose handlers may still be registered: nobody knows its port yet.
    pub(crate) async fn with(config: Config) -> Self {
        let io = Io::with(config);
        let listener = io.bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr();
        let serving = tokio::spawn(listener.serve(Router::new()));
        Self {
            io,
            address,
            serving,
        }
    }

    /// A client that has joined the main namespace.
    pub(crate) async fn client(&self) -> Client {
        Client::join(self.address).await
    }

    /// A session on polling.
    pub(crate) async fn polling(&self) -> Polling {
        Polling::open(self.address, &self.path()).await
    }

    /// A session on WebSocket, after its open packet.
    pub(crate) async fn websocket(&self) -> WebSocket {
        let target = format!("{}?EIO=4&transport=websocket", self.path());
        let mut websocket = WebSocket::open(self.address, &target).await;
        let open = websocket.text().await;
        assert!(open.starts_with("0{"), "{open}");
        websocket
    }

    /// Where Engine.IO answers, with a slash at each end.
    pub(crate) fn path(&self) -> String {
        format!("{}/", self.io.config().path)
    }

    /// Waits until no session is left.
    pub(crate) async fn is_deserted(&self) {
        eventually("the last session is over", || {
            self.io.metrics().sessions == 0
        })
        .await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// A heart that beats fast, for tests that wait for it.
pub(crate) fn fast() -> Config {
    Config {
        ping_interval: Duration::from_millis(300),
        ping_timeout: Duration::from_millis(200),
        ..Config::default()
    }
}

/// A shutdown that does not wait for clients that do not close their side.
pub(crate) fn brisk() -> Config {
    Config {
        header_timeout: Duration::from_millis(200),
        shutdown_timeout: Duration::from_millis(200),
        ..Config::default()
    }
}

/// Plain Engine.IO, where every message goes back to its sender.
pub(crate) fn echo() -> Config {
    Config {
        path: "/engine.io".to_owned(),
        engine: Some(EngineHandler::new(|socket, message| socket.send(message))),
        ..Config::default()
    }
}
