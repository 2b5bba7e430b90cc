//! Connection state recovery: who loses its connection and comes back is who it was, and has missed nothing.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use fanfare::{Ack, Admission, Binary, Config, Recovery, Refusal, Socket};
use fanfare_testkit::{Client, eventually};
use serde_json::Value;

use crate::server::{self, Server};

/// Longer than any test waits.
const FOREVER: Duration = Duration::from_secs(3600);

fn config() -> Config {
    Config {
        recovery: Some(Recovery::default()),
        ..Config::default()
    }
}

/// A client of the official kind: it keeps what it is to come back with.
struct Guest {
    client: Client,
    id: String,
    pid: String,
    /// The last string that came last in an event.
    offset: Option<String>,
}

impl Guest {
    async fn join(server: &Server) -> Self {
        Self::join_with(server, "").await.0
    }

    /// Joins with this auth payload; also gives what came before the answer.
    async fn join_with(server: &Server, auth: &str) -> (Self, Vec<String>) {
        let mut client = Client::open(server.address).await;
        client.send(&format!("40{auth}")).await;
        let mut guest = Self {
            client,
            id: String::new(),
            pid: String::new(),
            offset: None,
        };
        let mut missed = Vec::new();
        loop {
            let text = guest.client.hear().await;
            if let Some(json) = text.strip_prefix("40") {
                let json: Value = serde_json::from_str(json).expect("JSON");
                let text = |key: &str| json[key].as_str().unwrap_or_default().to_owned();
                (guest.id, guest.pid) = (text("sid"), text("pid"));
                return (guest, missed);
            }
            missed.push(guest.note(&text));
        }
    }

    /// The next event, without its place.
    async fn hear(&mut self) -> String {
        let text = self.client.hear().await;
        self.note(&text)
    }

    fn note(&mut self, text: &str) -> String {
        let at = text.find('[').unwrap_or_else(|| panic!("{text}"));
        let mut event: Vec<Value> = serde_json::from_str(&text[at..]).expect("JSON");
        if let Some(Value::String(offset)) = event.last() {
            self.offset = Some(offset.clone());
            event.pop();
        }
        Value::from(event).to_string()
    }

    fn auth(&self) -> String {
        let offset = self.offset.clone().unwrap_or_default();
        serde_json::json!({"pid": self.pid, "offset": offset}).to_string()
    }

    /// Loses its connection, without a word.
    async fn vanish(self, server: &Server) -> (String, String) {
        let here = server.io.count().sockets;
        let (auth, id) = (self.auth(), self.id.clone());
        self.client.reset();
        eventually("the loss is noticed", || server.io.count().sockets < here).await;
        (auth, id)
    }
}

#[tokio::test]
async fn who_comes_back_is_who_it_was_and_has_missed_nothing() {
    let server = Server::with(config()).await;
    server
        .io
        .admit(|_| async { Ok::<_, Refusal>(Admission::user("anna").with_data(7_u32)) });
    let mut guest = Guest::join(&server).await;
    let socket = server.io.sockets().remove(0);
    socket.join("kitchen");
    server.io.emit("n", 1);
    assert_eq!(guest.hear().await, r#"["n",1]"#);
    let (auth, id) = guest.vanish(&server).await;

    server.io.emit("n", 2);
    server.io.to("kitchen").emit("soup", ("hot", 3));
    server.io.to("garden").emit("rain", ());
    server.io.except("kitchen").emit("others", ());
    server.io.to(&id).emit("you", Binary::from(vec![1, 2]));
    server.io.volatile().emit("gone", 1);
    server.io.emit_latest("latest", 1);

    let mut client = Client::open(server.address).await;
    client.send(&format!("40{auth}")).await;
    for expected in [
        r#"42["n",2,"#,
        r#"42["soup",["hot",3],"#,
        r#"451-["you",{"_placeholder":true,"num":0},"#,
    ] {
        let heard = client.hear().await;
        assert!(heard.starts_with(expected), "{heard}");
        if expected.starts_with("451") {
            client.expect_binary(&[1, 2]).await;
        }
    }
    let answer = client.hear().await;
    assert!(
        answer.starts_with(&format!(r#"40{{"sid":"{id}","pid":"#)),
        "{answer}"
    );
    let socket: Socket = server.io.sockets().remove(0);
    assert!(socket.is_recovered() && socket.id().as_str() == id);
    assert_eq!(
        (socket.user(), socket.data::<u32>()),
        (Some("anna"), Some(&7))
    );
    assert_eq!(socket.rooms(), ["kitchen"]);
    assert_eq!((server.io.count().sockets, server.io.count().users), (1, 1));
    server.io.to("kitchen").emit("n", 4);
    assert!(client.hear().await.starts_with(r#"42["n",4,"#));
}

#[tokio::test]
async fn without_the_setting_nothing_is_added_to_events() {
    let server = Server::start().await;
    let mut client = server.client().await;
    server.io.emit("n", "text");
    client.expect(r#"42["n","text"]"#).await;
}

#[tokio::test]
async fn only_ordered_events_without_an_answer_have_a_place() {
    let server = Server::with(config()).await;
    let mut guest = Guest::join(&server).await;
    let socket = server.io.sockets().remove(0);
    for (emitted, expected) in [
        (0, r#"42["a","x",""#),
        (1, r#"42["b","x",null]"#),
        (2, r#"42["c","x",null]"#),
        (3, r#"42["d",1]"#),
        (4, r#"42["e",""#),
        (5, r#"42["f",2,""#),
    ] {
        match emitted {
            0 => drop(server.io.emit("a", "x")),
            1 => drop(server.io.volatile().emit("b", "x")),
            2 => drop(server.io.emit_latest("c", "x")),
            3 => drop(server.io.emit_latest("d", 1)),
            4 => drop(server.io.emit("e", fanfare::Args(()))),
            _ => socket.emit("f", 2),
        }
        let heard = guest.client.hear().await;
        assert!(heard.starts_with(expected), "{heard}");
    }
}

#[tokio::test]
async fn questions_and_answers_have_no_place() {
    let server = Server::with(config()).await;
    server
        .io
        .on("ask", |_: Socket, ack: Ack| async move { ack.send("yes") });
    let mut guest = Guest::join(&server).await;
    let socket = server.io.sockets().remove(0);
    let one = socket.emit_with_ack::<String, _>("n", "x", FOREVER);
    let all = server.io.emit_with_ack::<String, _>("n", "x", FOREVER);
    guest.client.expect(r#"420["n","x"]"#).await;
    guest.client.expect(r#"421["n","x"]"#).await;
    guest.client.send(r#"427["ask"]"#).await;
    guest.client.expect(r#"437["yes"]"#).await;
    drop((one, all));
}

#[tokio::test]
async fn whoever_may_not_have_meant_to_leave_may_come_back() {
    let server = Server::with(Config {
        recovery: Some(Recovery::default()),
        ..server::fast()
    })
    .await;
    for (sent, comes_back) in [
        (None, true), // falls silent
        (Some("2"), true),
        (Some("4x"), true),
        (Some("40"), true),
        (Some("x"), false),
        (Some("41"), false),
    ] {
        let mut guest = Guest::join(&server).await;
        server.io.emit("n", 1);
        guest.hear().await;
        let (auth, id) = (guest.auth(), guest.id.clone());
        match sent {
            Some(packet) => guest.client.send(packet).await,
            None => assert_eq!(guest.client.websocket.closed().await, None),
        }
        eventually("it has left", || server.io.count().sockets == 0).await;
        let (back, _) = Guest::join_with(&server, &auth).await;
        assert_eq!(back.id == id, comes_back, "{sent:?}");
        back.vanish(&server).await;
    }
}

#[tokio::test]
async fn a_socket_is_given_back_once() {
    let server = Server::with(config()).await;
    let mut guest = Guest::join(&server).await;
    server.io.emit("n", 1);
    guest.hear().await;
    let (auth, id) = guest.vanish(&server).await;
    let (first, _) = Guest::join_with(&server, &auth).await;
    let (second, _) = Guest::join_with(&server, &auth).await;
    assert_eq!(first.id, id);
    assert_ne!(second.id, id);
    assert_eq!(server.io.count().sockets, 2);
}

#[tokio::test]
async fn what_is_not_known_begins_anew() {
    let server = Server::with(config()).await;
    let mut guest = Guest::join(&server).await;
    server.io.emit("n", 1);
    guest.hear().await;
    // Still here: two may not have one id.
    let (other, missed) = Guest::join_with(&server, &guest.auth()).await;
    assert!(other.id != guest.id && missed.is_empty());
    drop(other);
    let (auth, id) = guest.vanish(&server).await;
    for wrong in [
        auth.replace("\"offset\":\"", "\"offset\":\"A"),
        auth.replace("\"pid\":\"", "\"pid\":\"A"),
        r#"{"pid":1}"#.to_owned(),
    ] {
        let (other, missed) = Guest::join_with(&server, &wrong).await;
        assert!(other.id != id && missed.is_empty(), "{wrong}");
    }
    assert_eq!(Guest::join_with(&server, &auth).await.0.id, id);
}

#[tokio::test]
async fn who_leaves_or_is_sent_away_is_not_expected_back() {
    let server = Server::with(config()).await;
    for is_sent_away in [true, false] {
        let mut guest = Guest::join(&server).await;
        server.io.emit("n", 1);
        guest.hear().await;
        if is_sent_away {
            server.io.sockets().remove(0).disconnect();
            guest.client.expect("41").await;
        } else {
            guest.client.send("41").await;
            eventually("it has left", || server.io.count().sockets == 0).await;
        }
        let (other, _) = Guest::join_with(&server, &guest.auth()).await;
        assert_ne!(other.id, guest.id);
        other.vanish(&server).await;
    }
}

#[tokio::test]
async fn admission_is_asked_again_only_if_that_is_wanted() {
    for skips_admission in [true, false] {
        let recovery = Recovery {
            skips_admission,
            ..Recovery::default()
        };
        let server = Server::with(Config {
            recovery: Some(recovery),
            ..Config::default()
        })
        .await;
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = asked.clone();
        server.io.admit(move |_| {
            counter.fetch_add(1, Ordering::Relaxed);
            async { Ok::<_, Refusal>(Admission::anonymous()) }
        });
        let mut guest = Guest::join(&server).await;
        server.io.emit("n", 1);
        guest.hear().await;
        let (auth, id) = guest.vanish(&server).await;
        let (back, _) = Guest::join_with(&server, &auth).await;
        assert_eq!(back.id, id);
        assert_eq!(
            asked.load(Ordering::Relaxed),
            if skips_admission { 1 } else { 2 }
        );
    }
}

/// Somebody emits without a pause while a client loses its connection and comes back, again and again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn however_often_the_connection_is_lost_every_event_arrives_once_in_order() {
    const EVENTS: usize = 5_000;
    let server = Server::with(config()).await;
    let (mut guest, _) = Guest::join_with(&server, "").await;
    let id = guest.id.clone();
    server.io.emit("n", 0);
    let io = server.io.clone();
    let emitting = std::thread::spawn(move || {
        for n in 1..EVENTS {
            io.emit("n", n);
            if n % 50 == 0 {
                std::thread::yield_now();
            }
        }
    });
    let mut next = 0;
    while next < EVENTS {
        for _ in 0..200.min(EVENTS - next) {
            assert_eq!(guest.hear().await, format!(r#"["n",{next}]"#));
            next += 1;
        }
        let (auth, _) = guest.vanish(&server).await;
        let (back, missed) = Guest::join_with(&server, &auth).await;
        assert_eq!(back.id, id);
        for event in missed {
            assert_eq!(event, format!(r#"["n",{next}]"#));
            next += 1;
        }
        guest = back;
    }
    emitting.join().expect("no panic");
}
