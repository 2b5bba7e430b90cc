//! Admission: who is let in, as whom, and who is not.

use std::{sync::Arc, time::Duration};

use fanfare::{Admission, Count, Handshake, Refusal, Transport};
use fanfare_testkit::{Client, Heard, Http, Polling, WebSocket, upgrade_request};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Semaphore;

use crate::{
    notes::{Notes, Pen, notes},
    server::Server,
};

#[tokio::test]
async fn admission_sees_the_request_and_the_auth_and_gives_user_and_data() {
    #[derive(Deserialize)]
    struct Token {
        token: String,
    }
    struct Role(&'static str);

    let server = Server::start().await;
    server.io.admit(|handshake: Handshake| async move {
        assert_eq!(handshake.nsp(), "/");
        let url = "/socket.io/?EIO=4&transport=websocket&color=blue&color=dark+red";
        assert_eq!(handshake.url(), url);
        assert_eq!(handshake.header("X-Test"), Some("yes"));
        assert_eq!(handshake.header("x-other"), None);
        let headers: Vec<_> = handshake.headers().collect();
        assert!(headers.contains(&("x-test", "yes")), "{headers:?}");
        assert!(headers.contains(&("cookie", "other=1; session=a=b;last=2")));
        assert_eq!(handshake.cookie("session"), Some("a=b"));
        assert_eq!(handshake.cookie("sessio"), None);
        assert_eq!(handshake.query("color").as_deref(), Some("dark red"));
        assert_eq!(handshake.transport(), Transport::WebSocket);
        assert!(!handshake.is_secure());
        let age = handshake.issued().elapsed().expect("it came before now");
        assert!(age < Duration::from_secs(3600), "{age:?}");
        assert!(
            handshake
                .remote_addr()
                .is_some_and(|it| it.ip().is_loopback())
        );
        let Token { token } = handshake.auth().expect("a token");
        assert_eq!(handshake.auth_json(), r#"{"token":"t"}"#);
        Ok(Admission::user(token).with_data(Role("admin")))
    });
    server.io.on_connect(|_, socket| async move {
        assert!(socket.data::<String>().is_none());
        let role = socket.data::<Role>().expect("a role");
        socket.emit(
            "you",
            json!([socket.user(), role.0, socket.handshake().auth_json()]),
        );
    });
    let target = "/socket.io/?EIO=4&transport=websocket&color=blue&color=dark+red";
    let request = upgrade_request(target)
        .header("X-Test", "yes")
        .header("Cookie", "other=1; session=a=b;last=2");
    let mut http = Http::connect(server.address).await;
    http.send(&request.encode()).await;
    let websocket = WebSocket::opened(http).await.expect("it is opened");
    let mut client = Client::over(websocket).await;
    client.join_nsp("/", r#"{"token":"t"}"#).await;
    client
        .expect(r#"42["you",["t","admin","{\"token\":\"t\"}"]]"#)
        .await;
}

#[tokio::test]
async fn who_is_refused_is_told_why_and_may_try_again() {
    let server = Server::start().await;
    let (pen, mut notes) = notes();
    keep_notes(&server, &pen);
    server.io.admit(|handshake| async move {
        match handshake.auth_json() {
            "{}" => Err(Refusal::new("no token")),
            r#"{"token":1}"# => {
                let refusal = Refusal::new("the token is a text");
                Err(refusal.with_data(json!({"found": 1})).expect("it is JSON"))
            }
            _ => Ok(Admission::anonymous()),
        }
    });
    let mut client = Client::open(server.address).await;
    client.send("40").await;
    client.expect(r#"44{"message":"no token"}"#).await;
    client.send(r#"40{"token":1}"#).await;
    let refusal = r#"44{"message":"the token is a text","data":{"found":1}}"#;
    client.expect(refusal).await;
    assert_eq!(server.io.count(), Count::alone(0, 0));
    assert!(notes.is_empty());
    client.join_nsp("/", r#"{"token":"t"}"#).await;
    notes.expect(&["connect"]).await;
    assert_eq!(server.io.count(), Count::alone(1, 1));
}

#[tokio::test]
async fn a_panicking_hook_refuses_and_the_connection_lives() {
    let server = Server::start().await;
    server.io.admit(|handshake| async move {
        assert_ne!(handshake.auth_json(), "{}", "expected by this test");
        Ok(Admission::anonymous())
    });
    let mut client = Client::open(server.address).await;
    client.send("40").await;
    assert!(client.hear().await.starts_with(r#"44{"message":""#));
    client.join_nsp("/", r#"{"a":1}"#).await;
}

#[tokio::test]
async fn the_hook_that_was_set_last_decides() {
    let server = Server::start().await;
    server.io.admit(|_| async { Err(Refusal::new("first")) });
    let mut client = Client::open(server.address).await;
    client.send("40").await;
    client.expect(r#"44{"message":"first"}"#).await;
    server.io.admit(|_| async { Ok(Admission::anonymous()) });
    client.join_nsp("/", "").await;
}

#[tokio::test]
async fn two_tabs_of_one_user_are_two_sockets_and_one_user() {
    let server = Server::start().await;
    server.io.admit(|handshake| async move {
        Ok(match handshake.auth::<String>() {
            Ok(name) => Admission::user(name),
            Err(_) => Admission::user(handshake.auth_json()),
        })
    });
    let mut tabs = Vec::new();
    for auth in [r#"{"n":"ada"}"#, r#"{"n":"ada"}"#, r#"{"n":"bob"}"#] {
        let mut client = Client::open(server.address).await;
        client.join_nsp("/", auth).await;
        tabs.push(client);
    }
    assert_eq!(server.io.count(), Count::alone(3, 2));
    drop(tabs.remove(0));
    fanfare_testkit::eventually("a tab is gone", || server.io.count() == Count::alone(2, 2)).await;
    drop(tabs.remove(0));
    fanfare_testkit::eventually("a user is gone", || server.io.count() == Count::alone(1, 1)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_speaks_before_being_let_in_is_closed_and_never_counted() {
    for packet in ["42[\"early\"]", "40", "41", "431[]"] {
        let (server, gate, mut notes) = slow_hook().await;
        let mut client = Client::open(server.address).await;
        client.send("40").await;
        notes.expect(&["hook begins"]).await;
        client.send(packet).await;
        assert_eq!(
            client.websocket.hear().await,
            Heard::Close(None),
            "{packet}"
        );
        check_nobody(&server, &gate, notes).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_leaves_before_being_let_in_is_never_counted() {
    for is_reset in [true, false] {
        let (server, gate, mut notes) = slow_hook().await;
        let mut client = Client::open(server.address).await;
        client.send("40").await;
        notes.expect(&["hook begins"]).await;
        match is_reset {
            true => client.reset(),
            false => drop(client),
        }
        server.is_deserted().await;
        check_nobody(&server, &gate, notes).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_hook_holds_up_its_own_client_only() {
    let (server, gate, mut notes) = slow_hook().await;
    server.io.of("/open");
    let mut waiting = Client::open(server.address).await;
    waiting.send("40").await;
    notes.expect(&["hook begins"]).await;
    waiting.join_nsp("/open", "").await;
    let polling = Polling::open(server.address, "/socket.io/").await;
    polling.send("40").await;
    notes.expect(&["hook begins"]).await;
    gate.add_permits(2);
    assert!(waiting.hear().await.starts_with("40{"));
    assert!(polling.receive().await.starts_with("40{"));
    assert_eq!(server.io.count().sockets, 2);
}

/// A server whose hook waits for a permit.
async fn slow_hook() -> (Server, Arc<Semaphore>, Notes) {
    let server = Server::start().await;
    let (pen, notes) = notes();
    keep_notes(&server, &pen);
    let gate = Arc::new(Semaphore::new(0));
    let opens = gate.clone();
    server.io.admit(move |_| {
        let (pen, gate) = (pen.clone(), opens.clone());
        async move {
            pen.note("hook begins");
            gate.acquire().await.expect("the gate stays").forget();
            pen.note("hook ends");
            Ok(Admission::user("ada"))
        }
    });
    (server, gate, notes)
}

/// The hook lets somebody in who has gone; then somebody else comes and goes.
async fn check_nobody(server: &Server, gate: &Semaphore, mut notes: Notes) {
    gate.add_permits(2);
    let mut other = server.client().await;
    other.send("41").await;
    let mut heard = Vec::new();
    for _ in 0..5 {
        heard.push(notes.next().await);
    }
    heard.sort_unstable();
    let expected = [
        "connect",
        "disconnect",
        "hook begins",
        "hook ends",
        "hook ends",
    ];
    assert_eq!(heard, expected);
    assert_eq!(server.io.count(), Count::alone(0, 0));
    assert!(server.io.sockets().is_empty());
}

fn keep_notes(server: &Server, pen: &Pen) {
    let (coming, going) = (pen.clone(), pen.clone());
    server.io.on_connect(move |_, _| {
        coming.note("connect");
        async {}
    });
    server.io.on_disconnect(move |_, _, _| {
        going.note("disconnect");
        async {}
    });
}
