//! The cases of the public protocol test suites, as tests of our own, with those suites' settings.

mod engineio;
mod engineio3;
mod socketio;
mod transport;

use std::{future::Future, time::Duration};

use fanfare::{Ack, Config, Io, Origins, RawArgs, Socket};
use fanfare_testkit::punctual;

use crate::server::{self, Server};

/// Engine.IO's server: whatever comes goes back.
async fn engineio() -> Server {
    Server::with(Config {
        ping_interval: PING_INTERVAL,
        ping_timeout: PING_TIMEOUT,
        origins: Origins::Any,
        ..server::echo()
    })
    .await
}

/// Engine.IO's server, for clients of protocol 3 too.
async fn engineio3() -> Server {
    Server::with(Config {
        ping_interval: PING_INTERVAL,
        ping_timeout: PING_TIMEOUT,
        origins: Origins::Any,
        allow_eio3: true,
        ..server::echo()
    })
    .await
}

/// Socket.IO's server: `/` and `/custom`.
async fn socketio() -> Server {
    let server = Server::with(Config {
        ping_interval: PING_INTERVAL,
        ping_timeout: PING_TIMEOUT,
        connect_timeout: Duration::from_secs(1),
        origins: Origins::Any,
        ..Config::default()
    })
    .await;
    server.io.on_connect(tell_auth);
    server.io.of("/custom").on_connect(tell_auth);
    server
        .io
        .on("message", |socket: Socket, args: RawArgs| async move {
            socket.emit("message-back", args);
        });
    server.io.on(
        "message-with-ack",
        |_: Socket, args: RawArgs, ack: Ack| async move { ack.send(args) },
    );
    server
}

async fn tell_auth(_: Io, socket: Socket) {
    let auth = socket.handshake().auth::<serde_json::Value>();
    socket.emit("auth", auth.expect("an object"));
}

/// Runs a case against `server`, again if this machine did not keep up with the suite's clock.
async fn check<S, F>(server: fn() -> S, case: fn(Server) -> F)
where
    S: Future<Output = Server> + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    punctual(|| async move { case(server().await).await }).await;
}

const PING_INTERVAL: Duration = Duration::from_millis(300);
const PING_TIMEOUT: Duration = Duration::from_millis(200);
