//! Sockets that are forgotten: their data is the application's, and its `Drop` may call the library.

use std::{
    future::Future,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::Duration,
};

use fanfare::{Admission, Config, EmptyNamespaces, Io, Recovery, Refusal, Socket};
use fanfare_testkit::{Client, DEADLINE, eventually};
use serde_json::Value;
use tokio::time;

use crate::server::Server;

/// Less than half of what a session may be silent, and more than any step takes.
const AWAY: Duration = Duration::from_secs(10);

/// Emits, and disconnects another, when it is dropped.
struct Guard {
    io: Io,
    other: Other,
}

type Other = Arc<Mutex<Option<Socket>>>;

impl Drop for Guard {
    fn drop(&mut self) {
        self.io.emit("dropped", ());
        if let Some(socket) = take(&self.other) {
            socket.disconnect();
        }
    }
}

fn take(other: &Other) -> Option<Socket> {
    other.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// Gives the sockets of `of` whose clients ask for it a guard that emits to `to`.
fn guard(of: &Io, to: &Io) -> Other {
    let other = Other::default();
    let (to, given) = (to.clone(), other.clone());
    of.admit(move |handshake| {
        let admission = match handshake.auth_json().contains("guard") {
            true => Admission::anonymous().with_data(Guard {
                io: to.clone(),
                other: given.clone(),
            }),
            false => Admission::anonymous(),
        };
        async { Ok::<_, Refusal>(admission) }
    });
    other
}

/// Runs `test` where it can be left behind: a thread that waits for a lock that it holds never ends.
fn in_time(test: impl Future<Output = ()> + Send + 'static) {
    let (done, is_done) = mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(test);
        // Nobody waits any more after the deadline.
        let _ = done.send(());
    });
    is_done
        .recv_timeout(DEADLINE)
        .expect("the test neither fails nor is stuck");
}

async fn server(recovery: Recovery) -> Server {
    Server::with(Config {
        recovery: Some(recovery),
        empty_namespaces: EmptyNamespaces::End,
        ..Config::default()
    })
    .await
}

/// A client in `nsp` that has a guard, and what it is to come back with, but for the place of its last event.
async fn guest(server: &Server, nsp: &str) -> (Client, String) {
    let mut client = Client::open(server.address).await;
    let prefix = match nsp {
        "/" => String::new(),
        nsp => format!("{nsp},"),
    };
    client.send(&format!(r#"40{prefix}{{"guard":true}}"#)).await;
    let answer = client.hear().await;
    let answer = &answer[2 + prefix.len()..];
    let answer: Value = serde_json::from_str(answer).expect("JSON");
    (
        client,
        answer["pid"].as_str().unwrap_or_default().to_owned(),
    )
}

async fn vanish(client: Client, of: &Io) {
    let here = of.count().sockets;
    client.reset();
    eventually("the loss is noticed", || of.count().sockets < here).await;
}

async fn hears(witness: &mut Client) {
    let heard = witness.hear().await;
    assert!(heard.starts_with(r#"42["dropped""#), "{heard}");
}

/// A client loses its connection and comes back; the data that it had is not needed any more.
async fn comes_back(recovery: Recovery) {
    let server = server(recovery).await;
    guard(&server.io, &server.io);
    let mut witness = server.client().await;
    let (mut client, pid) = guest(&server, "/").await;
    server.io.emit("n", ());
    let event = client.hear().await;
    witness.expect(&event).await;
    let offset = event.rsplit('"').nth(1).unwrap_or_default();
    vanish(client, &server.io).await;
    let mut client = Client::open(server.address).await;
    let auth = serde_json::json!({"pid": pid, "offset": offset});
    client.send(&format!("40{auth}")).await;
    hears(&mut witness).await;
}

#[test]
fn the_data_of_who_is_forgotten_for_another_may_emit() {
    in_time(async {
        let server = server(Recovery {
            max_clients: 1,
            ..Recovery::default()
        })
        .await;
        let other = guard(&server.io, &server.io);
        let mut witness = server.client().await;
        let (first, _) = guest(&server, "/").await;
        vanish(first, &server.io).await;
        let (second, _) = guest(&server, "/").await;
        let of_second = server.io.sockets().into_iter().find(has_guard);
        *other.lock().expect("no panic") = of_second;
        vanish(second, &server.io).await;
        hears(&mut witness).await;
        assert!(take(&other).is_none());
    });
}

fn has_guard(socket: &Socket) -> bool {
    socket.data::<Guard>().is_some()
}

#[test]
fn the_data_of_who_comes_back_too_late_may_emit() {
    in_time(comes_back(Recovery {
        max_away: Duration::ZERO,
        ..Recovery::default()
    }));
}

#[test]
fn the_data_of_who_is_admitted_anew_may_emit() {
    in_time(comes_back(Recovery {
        skips_admission: false,
        ..Recovery::default()
    }));
}

#[test]
fn the_data_in_a_namespace_that_ends_may_emit() {
    in_time(async {
        let server = server(Recovery {
            max_away: AWAY,
            ..Recovery::default()
        })
        .await;
        let games = server.io.of_matching(|name| name.starts_with("/game-"));
        let other = guard(&games, &server.io);
        let mut witness = server.client().await;
        let (first, _) = guest(&server, "/game-1").await;
        let (second, _) = guest(&server, "/game-2").await;
        let is_second = |socket: &Socket| socket.nsp() == "/game-2";
        let of_second = games.sockets().into_iter().find(is_second);
        vanish(first, &games).await;
        time::pause();
        time::advance(2 * AWAY).await;
        time::resume();
        *other.lock().expect("no panic") = of_second;
        vanish(second, &games).await;
        hears(&mut witness).await;
        assert!(take(&other).is_none());
    });
}
