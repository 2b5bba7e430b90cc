//! Every way in which a socket ends, and what its application is told.

use std::time::Duration;

use fanfare::{Config, Count, Socket};
use fanfare_testkit::{Heard, Polling, punctual, within};

use crate::{
    notes::{Notes, notes},
    server::{self, Server},
};

/// A way for a socket on WebSocket to end.
#[derive(Clone, Copy, Debug)]
enum End {
    Packet(&'static str),
    Bytes(&'static [u8]),
    Drop,
    Reset,
    Disconnect,
    DisconnectRoom,
    Close,
    Shutdown,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_end_on_websocket_has_the_references_reason() {
    for (end, reason) in [
        (End::Packet("41"), "client namespace disconnect"),
        (End::Drop, "transport close"),
        (End::Reset, "transport close"),
        (End::Bytes(&[0x88, 0x80, 0, 0, 0, 0]), "transport close"),
        (End::Packet("2"), "transport error"),
        (End::Bytes(&[0xFF; 14]), "transport error"),
        (End::Packet("x"), "parse error"),
        (End::Packet("4x"), "forced close"),
        (End::Disconnect, "server namespace disconnect"),
        (End::DisconnectRoom, "server namespace disconnect"),
        (End::Close, "server namespace disconnect"),
        (End::Shutdown, "server shutting down"),
    ] {
        let (server, mut notes) = watched(server::brisk()).await;
        let mut client = server.client().await;
        notes.expect(&["connect"]).await;
        let socket = server.io.sockets().remove(0);
        let client = match end {
            End::Packet(packet) => {
                client.send(packet).await;
                Some(client)
            }
            End::Bytes(bytes) => {
                client.websocket.send_bytes(bytes).await;
                Some(client)
            }
            End::Drop => {
                drop(client);
                None
            }
            End::Reset => {
                client.reset();
                None
            }
            End::Disconnect => {
                socket.disconnect();
                Some(client)
            }
            End::DisconnectRoom => {
                server.io.to("room").disconnect();
                Some(client)
            }
            End::Close => {
                socket.close();
                Some(client)
            }
            End::Shutdown => {
                within("the shutdown", server.io.shutdown()).await;
                Some(client)
            }
        };
        check_left(&mut notes, reason).await;
        assert_eq!(server.io.count(), Count::alone(0, 0), "{end:?}");
        drop(client);
        server.is_deserted().await;
    }
}

#[tokio::test]
async fn each_end_on_polling_has_the_references_reason() {
    punctual(|| async {
        for (reason, body) in [
            ("client namespace disconnect", "41"),
            ("transport close", "1"),
            ("transport error", "2"),
            ("parse error", "x"),
            ("forced close", "4x"),
        ] {
            let (_server, mut notes, polling) = watched_polling().await;
            polling.send(body).await;
            check_left(&mut notes, reason).await;
        }
        let (_server, mut notes, polling) = watched_polling().await;
        drop(polling.park().await);
        check_left(&mut notes, "transport error").await;

        let (_server, mut notes, polling) = watched_polling().await;
        let mut get = polling.park().await;
        polling.get().await;
        check_left(&mut notes, "transport error").await;
        assert_eq!(get.receive().await.text(), "1");

        let (server, mut notes, polling) = watched_polling().await;
        let mut get = polling.park().await;
        server.io.shutdown().await;
        check_left(&mut notes, "server shutting down").await;
        assert_eq!(get.receive().await.text(), "1");
    })
    .await;
}

#[tokio::test]
async fn a_silent_client_is_lost_on_either_transport() {
    let (server, mut notes) = watched(server::fast()).await;
    let mut websocket = server.websocket().await;
    websocket.send("40").await;
    notes.expect(&["connect"]).await;
    check_left(&mut notes, "ping timeout").await;
    assert_eq!(websocket.closed().await, None);

    let polling = server.polling().await;
    polling.join().await;
    notes.expect(&["connect"]).await;
    check_left(&mut notes, "ping timeout").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_leaves_is_told_of_with_its_rooms_and_is_no_longer_counted() {
    let server = Server::with(server::brisk()).await;
    let (pen, mut notes) = notes();
    let last = pen.clone();
    server.io.on_connect(|_, socket| async move {
        socket.join("one");
        socket.join("two");
        socket.join("three");
        socket.leave("two");
        socket.emit("joined", 1);
    });
    server.io.on_disconnect(move |_, socket, reason| {
        last.note(format!("disconnect {reason} {:?}", socket.rooms()));
        async {}
    });
    for name in ["first", "second"] {
        let pen = pen.clone();
        server
            .io
            .on_disconnecting(move |io, socket, reason, rooms| {
                let pen = pen.clone();
                async move {
                    tokio::task::yield_now().await;
                    let (counted, inside) = (io.count().sockets, io.to("one").count());
                    assert!(!socket.is_connected());
                    pen.note(format!("{name} {reason} {rooms:?} {counted} {inside}"));
                    assert_eq!(name, "second", "expected by this test");
                }
            });
    }
    for (goodbye, reason) in [
        (Some("41"), "client namespace disconnect"),
        (Some("4x"), "forced close"),
        (None, "transport close"),
    ] {
        let mut client = server.client().await;
        client.expect(r#"42["joined",1]"#).await;
        match goodbye {
            Some(packet) => client.send(packet).await,
            None => client.reset(),
        }
        for name in ["first", "second"] {
            let note = format!(r#"{name} {reason} ["one", "three"] 0 0"#);
            notes.expect(&[&note]).await;
        }
        notes.expect(&[&format!("disconnect {reason} []")]).await;
    }
}

#[tokio::test]
async fn a_disconnected_socket_leaves_its_connection_open() {
    let (server, mut notes) = watched(Config::default()).await;
    server.io.of("/other");
    let mut client = server.client().await;
    client.join_nsp("/other", "").await;
    let socket = server.io.sockets().remove(0);
    socket.emit("last", 1);
    socket.disconnect();
    socket.emit("later", 1);
    socket.disconnect();
    client.expect(r#"42["last",1]"#).await;
    client.expect("41").await;
    notes.expect(&["connect"]).await;
    check_left(&mut notes, "server namespace disconnect").await;
    server.io.of("/other").emit("still", 1);
    client.expect(r#"42/other,["still",1]"#).await;
    client.join_nsp("/", "").await;
}

#[tokio::test]
async fn a_closed_socket_takes_its_connection_along() {
    let (server, _notes) = watched(Config::default()).await;
    server.io.of("/other");
    let mut client = server.client().await;
    client.join_nsp("/other", "").await;
    let socket = server.io.sockets().remove(0);
    socket.emit("last", 1);
    socket.close();
    socket.close();
    let mut heard = client.closed().await;
    heard.sort_unstable();
    assert_eq!(heard, ["41", "41/other,", r#"42["last",1]"#]);
    assert_eq!(server.io.of("/other").count().sockets, 0);
    server.is_deserted().await;
}

#[tokio::test]
async fn all_sockets_of_a_closed_connection_have_one_reason() {
    let (server, mut notes) = watched(Config::default()).await;
    let (pen, mut others) = crate::notes::notes();
    server.io.of("/other").on_disconnect(move |_, _, reason| {
        pen.note(reason.as_str());
        async {}
    });
    let mut client = server.client().await;
    notes.expect(&["connect"]).await;
    client.join_nsp("/other", "").await;
    server.io.sockets()[0].close();
    check_left(&mut notes, "server namespace disconnect").await;
    others.expect(&["server namespace disconnect"]).await;
}

#[tokio::test]
async fn an_event_for_a_socket_that_was_disconnected_is_not_handled() {
    let (server, mut notes) = watched(Config::default()).await;
    server
        .io
        .on("event", |_: Socket| async { unreachable!("it is gone") });
    let mut client = server.client().await;
    notes.expect(&["connect"]).await;
    server.io.sockets()[0].disconnect();
    client.send(r#"42["event"]"#).await;
    assert_eq!(client.closed().await, ["41"]);
    check_left(&mut notes, "server namespace disconnect").await;
}

#[tokio::test]
async fn a_closed_socket_on_polling_is_told_with_the_next_get() {
    let (server, mut notes, polling) = watched_polling().await;
    let socket = server.io.sockets().remove(0);
    socket.emit("last", 1);
    socket.close();
    check_left(&mut notes, "server namespace disconnect").await;
    polling.send("42[\"ignored\"]").await;
    let mut heard = Vec::new();
    while heard.last().is_none_or(|last| last != "1") {
        heard.extend(polling.receive().await.split('\u{1e}').map(str::to_owned));
    }
    assert_eq!(heard, [r#"42["last",1]"#, "41", "6", "1"]);
    assert_eq!(polling.get().await.status, 400);
}

#[tokio::test]
async fn a_closed_socket_whose_poll_waits_is_told_by_it() {
    let (server, mut notes, polling) = watched_polling().await;
    let mut get = polling.park().await;
    server.io.sockets().remove(0).close();
    check_left(&mut notes, "server namespace disconnect").await;
    assert_eq!(get.receive().await.text(), "41");
    assert_eq!(polling.receive().await, "6\u{1e}1");
    assert_eq!(polling.get().await.status, 400);
}

#[tokio::test]
async fn a_connect_handler_that_panics_disconnects_its_socket() {
    for is_later in [false, true] {
        let server = Server::start().await;
        let (pen, mut notes) = notes();
        server.io.on_connect(move |_, _| async move {
            if is_later {
                tokio::task::yield_now().await;
            }
            panic!("expected by this test")
        });
        server.io.on_disconnect(move |_, _, reason| {
            pen.note(reason.as_str());
            async {}
        });
        let mut client = server.client().await;
        client.expect("41").await;
        notes.expect(&["server namespace disconnect"]).await;
        assert_eq!(server.io.count().sockets, 0);
    }
}

#[tokio::test]
async fn who_joins_nothing_is_closed_after_a_while() {
    let server = Server::with(Config {
        connect_timeout: Duration::from_millis(100),
        ..Config::default()
    })
    .await;
    let mut silent = server.websocket().await;
    let mut joined = server.client().await;
    let mut refused = server.websocket().await;
    refused.send("40/nowhere").await;
    assert!(refused.text().await.starts_with("44/nowhere"));
    for websocket in [&mut silent, &mut refused] {
        assert_eq!(websocket.hear().await, Heard::Close(None));
    }
    let polling = server.polling().await;
    assert_eq!(polling.receive().await, "1");
    server.io.emit("mark", 1);
    joined.expect(r#"42["mark",1]"#).await;
    server.io.sockets()[0].disconnect();
    joined.expect("41").await;
    joined.join_nsp("/", "").await;
}

/// A server that notes connects, and disconnects with their reasons.
async fn watched(config: Config) -> (Server, Notes) {
    let server = Server::with(config).await;
    let (pen, notes) = notes();
    let coming = pen.clone();
    server.io.on_connect(move |io, socket| {
        assert_eq!(io.count().sockets, 1);
        assert!(socket.is_connected());
        socket.join("room");
        coming.note("connect");
        async {}
    });
    server.io.on_disconnect(move |io, socket, reason| {
        assert_eq!(io.count(), Count::alone(0, 0));
        assert_eq!(io.to("room").count(), 0);
        assert!(!socket.is_connected() && socket.rooms().is_empty());
        assert_eq!(io.emit("gone", 1).receivers(), 0);
        assert_eq!(reason.to_string(), reason.as_str());
        pen.note(reason.as_str());
        async {}
    });
    (server, notes)
}

async fn watched_polling() -> (Server, Notes, Polling) {
    let (server, mut notes) = watched(Config::default()).await;
    let polling = server.polling().await;
    polling.join().await;
    notes.expect(&["connect"]).await;
    (server, notes, polling)
}

async fn check_left(notes: &mut Notes, reason: &str) {
    notes.expect(&[reason]).await;
    assert!(notes.is_empty(), "{reason}");
}

#[tokio::test]
async fn what_a_client_did_wrong_is_told_beside_the_reason() {
    for (packet, expected) in [
        (Some("4x"), "forced close: unknown packet type"),
        (Some("x"), "parse error: unknown packet type"),
        (None, "transport close"),
    ] {
        let server = Server::with(server::brisk()).await;
        let (pen, mut told) = notes();
        server.io.on_disconnect(move |_, socket, reason| {
            let detail = socket
                .disconnect_detail()
                .map(|detail| format!(": {detail}"));
            pen.note(format!("{reason}{}", detail.unwrap_or_default()));
            async {}
        });
        let mut client = server.client().await;
        match packet {
            Some(packet) => client.send(packet).await,
            None => drop(client),
        }
        told.expect(&[expected]).await;
    }
}
