//! Shutdown: everyone is told, and what is under way may end.

use std::{sync::Arc, time::Duration};

use fanfare::{Config, Socket};
use fanfare_testkit::{Heard, Http, Request, connect, eventually, punctual, within};
use tokio::{net::TcpStream, sync::Semaphore, time::Instant};

use crate::{
    notes::notes,
    server::{self, Server},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everyone_is_told_and_nobody_new_is_let_in() {
    punctual(|| async {
        let mut server = Server::with(server::brisk()).await;
        let (pen, mut notes) = notes();
        server.io.on_disconnect(move |io, _, reason| {
            pen.note(format!("{reason}, {} left", io.count().sockets));
            async {}
        });
        let mut client = server.client().await;
        let polling = server.polling().await;
        polling.join().await;
        let mut get = polling.park().await;
        let mut idle = Http::connect(server.address).await;
        idle.ask(&Request::get("/")).await;
        let mut unused = Http::over(connect(server.address).await);

        within("the shutdown", server.io.shutdown()).await;
        assert_eq!(client.websocket.hear().await, Heard::Close(None));
        assert_eq!(get.receive().await.text(), "1");
        let reasons = [notes.next().await, notes.next().await];
        assert!(
            reasons
                .iter()
                .all(|it| it.starts_with("server shutting down, "))
        );
        assert_eq!(server.io.count().sockets, 0);
        assert_eq!(server.io.metrics().sessions, 0);
        idle.receive_end().await;
        unused.receive_end().await;
        within("serve() to return", &mut server.serving)
            .await
            .expect("no panic");
        assert!(TcpStream::connect(server.address).await.is_err());
        within("a second shutdown", server.io.shutdown()).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handlers_under_way_may_end() {
    let server = Server::start().await;
    let (pen, mut notes) = notes();
    let gate = Arc::new(Semaphore::new(0));
    let (opens, working) = (gate.clone(), pen.clone());
    server.io.on("work", move |_: Socket| {
        let (gate, pen) = (opens.clone(), working.clone());
        async move {
            pen.note("begins");
            gate.acquire().await.expect("the gate stays").forget();
            pen.note("ends");
        }
    });
    server.io.on_disconnect(move |_, _, reason| {
        pen.note(reason.as_str());
        async {}
    });
    let mut client = server.client().await;
    client.send(r#"42["work"]"#).await;
    notes.expect(&["begins"]).await;
    let shutdown = tokio::spawn({
        let io = server.io.clone();
        async move { io.shutdown().await }
    });
    client.closed().await;
    assert!(!shutdown.is_finished());
    gate.add_permits(1);
    notes.expect(&["ends", "server shutting down"]).await;
    drop(client);
    within("the shutdown", shutdown).await.expect("no panic");
}

#[tokio::test]
async fn a_handler_that_never_ends_is_not_waited_for_for_ever() {
    let server = Server::with(server::brisk()).await;
    let (pen, mut notes) = notes();
    server.io.on("hang", move |_: Socket| {
        pen.note("hangs");
        std::future::pending()
    });
    let mut client = server.client().await;
    client.send(r#"42["hang"]"#).await;
    notes.expect(&["hangs"]).await;
    let began = Instant::now();
    within("the shutdown", server.io.shutdown()).await;
    assert!(Duration::from_millis(200) <= began.elapsed());
    assert_eq!(server.io.count().sockets, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_sent_before_the_shutdown_arrives() {
    for _ in 0..20 {
        let server = Server::start().await;
        let mut client = server.client().await;
        for n in 0..100 {
            server.io.emit("n", n);
        }
        let shutdown = tokio::spawn({
            let io = server.io.clone();
            async move { io.shutdown().await }
        });
        let heard = client.closed().await;
        let sent: Vec<_> = (0..100).map(|n| format!(r#"42["n",{n}]"#)).collect();
        assert_eq!(heard, sent);
        drop(client);
        within("the shutdown", shutdown).await.expect("no panic");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_come_during_the_shutdown_do_not_stay() {
    for _ in 0..20 {
        let server = Server::start().await;
        let address = server.address;
        let coming: Vec<_> = (0..4)
            .map(|_| {
                tokio::spawn(async move {
                    while let Ok(stream) = TcpStream::connect(address).await {
                        let mut http = Http::over(stream);
                        if !http.try_send(&Request::get(OPENING).encode()).await
                            || http.try_receive().await.is_none_or(|it| it.status != 200)
                        {
                            return;
                        }
                    }
                })
            })
            .collect();
        eventually("some have come", || 4 < server.io.metrics().sessions_opened).await;
        within("the shutdown", server.io.shutdown()).await;
        for client in coming {
            within("the refusal", client).await.expect("no panic");
        }
        assert_eq!(server.io.metrics().sessions, 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_ends_one_after_the_other_and_lets_nobody_in() {
    let server = Server::with(Config {
        drain_time: Duration::from_secs(3600),
        ..Config::default()
    })
    .await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(server.client().await);
    }
    let shutdown = tokio::spawn({
        let io = server.io.clone();
        async move { io.shutdown().await }
    });
    // The first goes at once, the next in twenty minutes.
    eventually("one has gone", || server.io.count().sockets == 2).await;
    server.io.emit("still", 1);
    let mut staying = 0;
    for client in &mut clients {
        match within("an event or the end", client.websocket.hear()).await {
            Heard::Close(None) => {}
            heard => {
                assert_eq!(heard, Heard::Text(r#"42["still",1]"#.to_owned()));
                staying += 1;
            }
        }
    }
    assert_eq!(staying, 2);
    assert!(!shutdown.is_finished());
    shutdown.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_polls_is_served_on_its_connection_until_its_turn() {
    let server = Server::with(Config {
        drain_time: Duration::from_secs(3600),
        ..Config::default()
    })
    .await;
    let mut polls = Vec::new();
    for _ in 0..3 {
        let client = server.polling().await;
        client.join().await;
        let connection = client.begin_get().await;
        polls.push((client, connection));
    }
    let mut idle = Http::connect(server.address).await;
    idle.ask(&Request::get("/")).await;
    let draining = tokio::spawn({
        let io = server.io.clone();
        async move { io.drain().await }
    });
    // The first goes at once, the next in twenty minutes.
    eventually("one has gone", || server.io.count().sockets == 2).await;
    for number in 1..=3 {
        server.io.emit("still", number);
        let mut staying = Vec::new();
        for (client, mut connection) in polls {
            let answer = connection.receive().await;
            if answer.text() == format!(r#"42["still",{number}]"#) {
                let next = Request::get(client.target());
                connection.send(&next.encode()).await;
                staying.push((client, connection));
            }
        }
        assert_eq!(staying.len(), 2, "of message {number}");
        polls = staying;
    }
    // Nobody new, and who asks is sent away for good.
    let refused = idle.ask(&Request::get(OPENING)).await;
    assert_eq!(
        (refused.status, refused.header("connection")),
        (503, Some("close"))
    );
    idle.receive_end().await;
    draining.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_ends_all_and_a_shutdown_may_follow() {
    let server = Server::with(Config {
        drain_time: Duration::from_millis(20),
        ..server::brisk()
    })
    .await;
    let mut clients = [server.client().await, server.client().await];
    within("the drain", server.io.drain()).await;
    for client in &mut clients {
        assert_eq!(client.websocket.hear().await, Heard::Close(None));
    }
    assert!(TcpStream::connect(server.address).await.is_err());
    drop(clients);
    within("the shutdown", server.io.shutdown()).await;
    assert_eq!(server.io.metrics().sessions, 0);
}

const OPENING: &str = "/socket.io/?EIO=4&transport=polling";
