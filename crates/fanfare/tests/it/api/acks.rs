//! Acks, in both directions and at once.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use fanfare::{Ack, AckError, Args, Config, EmitError, Limits, RawArgs, Socket};
use fanfare_testkit::{Client, eventually, within};
use futures_util::FutureExt;
use tokio::sync::Semaphore;

use crate::{notes::notes, server::Server};

/// Longer than any test waits: an answer by this patience is none.
const FOREVER: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn only_the_first_answer_is_sent() {
    let server = Server::start().await;
    server
        .io
        .on("ask", |_: Socket, _: RawArgs, ack: Ack| async move {
            assert!(ack.is_wanted());
            ack.send("one");
            assert!(!ack.is_wanted());
            ack.clone().send("two");
        });
    let mut client = server.client().await;
    for id in ["0", "7", "18446744073709551615"] {
        client.send(&format!(r#"42{id}["ask"]"#)).await;
        client.expect(&format!(r#"43{id}["one"]"#)).await;
    }
}

#[tokio::test]
async fn an_answer_that_nobody_wants_is_not_sent() {
    let server = Server::start().await;
    server
        .io
        .on("tell", |socket: Socket, _: RawArgs, ack: Ack| async move {
            assert!(!ack.is_wanted());
            ack.send("nothing");
            socket.emit("told", Args(()));
        });
    let mut client = server.client().await;
    client.send(r#"42["tell"]"#).await;
    client.expect(r#"42["told"]"#).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_given_much_later_still_arrives_unless_the_socket_is_gone() {
    let server = Server::start().await;
    let gate = Arc::new(Semaphore::new(0));
    let opens = gate.clone();
    let (pen, mut notes) = notes();
    server.io.on("ask", move |_: Socket, _: RawArgs, ack: Ack| {
        let (gate, pen) = (opens.clone(), pen.clone());
        async move {
            tokio::spawn(async move {
                gate.acquire().await.expect("the gate stays").forget();
                ack.send("late");
                pen.note("answered");
            });
        }
    });
    let mut client = server.client().await;
    let mut gone = server.client().await;
    client.send(r#"421["ask"]"#).await;
    gone.send(r#"421["ask"]"#).await;
    gone.send("41").await;
    gone.join_nsp("/", "").await;
    gate.add_permits(2);
    notes.expect(&["answered", "answered"]).await;
    client.expect(r#"431["late"]"#).await;
    server.io.emit("mark", 1);
    gone.expect(r#"42["mark",1]"#).await;
}

#[tokio::test]
async fn a_client_answers_with_what_was_asked_for() {
    let (_server, mut client, socket) = one().await;
    let one = socket.emit_with_ack::<String, _>("ask", 1, FOREVER);
    let two = socket.emit_with_ack::<Args<(u8, bool)>, _>("ask", 2, FOREVER);
    let none = socket.emit_with_ack::<Args<()>, _>("ask", 3, FOREVER);
    let wrong = socket.emit_with_ack::<u8, _>("ask", 4, FOREVER);
    for (id, n) in [(0, 1), (1, 2), (2, 3), (3, 4)] {
        client.expect(&format!(r#"42{id}["ask",{n}]"#)).await;
    }
    for answer in [
        "431[7,true]",
        "4399[]",
        "430[\"yes\",1]",
        "432[]",
        "433[\"text\"]",
        "431[8,false]",
    ] {
        client.send(answer).await;
    }
    assert_eq!(within("an answer", one).await.expect("an answer"), "yes");
    let Args(two) = within("an answer", two).await.expect("an answer");
    assert_eq!(two, (7, true));
    assert!(within("an answer", none).await.is_ok());
    let wrong = within("an answer", wrong).await;
    assert!(matches!(wrong, Err(AckError::Args(_))), "{wrong:?}");
}

#[tokio::test]
async fn an_answer_without_a_payload_has_no_arguments() {
    let (_server, mut client, socket) = one().await;
    for (id, answer) in [(0, "430"), (1, "431[]")] {
        let asked = socket.emit_with_ack::<RawArgs, _>("ask", 1, FOREVER);
        client.expect(&format!(r#"42{id}["ask",1]"#)).await;
        client.send(answer).await;
        let given = within("an answer", asked).await.expect("an answer");
        assert_eq!((&*given.json, given.attachments.len()), ("", 0));
    }
}

#[tokio::test]
async fn nobody_answers_for_somebody_else() {
    let (server, mut ada, asked) = one().await;
    let mut bob = server.client().await;
    let answer = asked.emit_with_ack::<String, _>("who", 1, FOREVER);
    ada.expect(r#"420["who",1]"#).await;
    bob.send(r#"430["bob"]"#).await;
    bob.send(r#"42["flush"]"#).await;
    ada.send(r#"430["ada"]"#).await;
    assert_eq!(within("an answer", answer).await.expect("an answer"), "ada");
}

#[tokio::test]
async fn a_client_that_does_not_answer_is_waited_for_no_longer_than_asked() {
    let (_server, mut client, socket) = one().await;
    let patience = Duration::from_millis(20);
    let answer = socket.emit_with_ack::<u8, _>("ask", 1, patience);
    assert!(matches!(
        within("the timeout", answer).await,
        Err(AckError::Timeout)
    ));
    client.expect(r#"420["ask",1]"#).await;
    client.send("430[1]").await;
    let again = socket.emit_with_ack::<u8, _>("ask", 2, FOREVER);
    client.expect(r#"421["ask",2]"#).await;
    client.send("431[2]").await;
    assert_eq!(within("an answer", again).await.expect("an answer"), 2);
}

#[tokio::test]
async fn patience_begins_with_the_event_and_not_with_the_waiting() {
    let (_server, mut client, socket) = one().await;
    let late = Instant::now() + Duration::from_millis(50);
    let answer = socket.emit_with_ack::<u8, _>("ask", 1, Duration::from_millis(20));
    client.expect(r#"420["ask",1]"#).await;
    eventually("the patience is over", || late < Instant::now()).await;
    let answer = answer.now_or_never();
    assert!(matches!(answer, Some(Err(AckError::Timeout))), "{answer:?}");
    let endless = socket.emit_with_ack::<u8, _>("ask", 2, Duration::MAX);
    client.expect(r#"421["ask",2]"#).await;
    client.send("431[2]").await;
    assert_eq!(within("an answer", endless).await.expect("an answer"), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_leaves_will_not_answer() {
    for goodbye in ["41", "4abc"] {
        let (_server, mut client, socket) = one().await;
        let answer = socket.emit_with_ack::<u8, _>("ask", 1, FOREVER);
        client.expect(r#"420["ask",1]"#).await;
        client.send(goodbye).await;
        let answer = within("the end of waiting", answer).await;
        assert!(matches!(answer, Err(AckError::Disconnected)), "{answer:?}");
        let late = socket.emit_with_ack::<u8, _>("ask", 1, FOREVER);
        let late = within("the end of waiting", late).await;
        assert!(matches!(late, Err(AckError::Disconnected)), "{late:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_leaves_while_being_asked_will_not_answer() {
    let server = Server::start().await;
    for _ in 0..100 {
        let _client = server.client().await;
        let socket = server.io.sockets().pop().expect("the client's");
        let asked = socket.clone();
        let asking = tokio::spawn(async move {
            let ask = |n: u16| asked.emit_with_ack::<u8, _>("ask", n, FOREVER);
            (0..500).map(ask).collect::<Vec<_>>()
        });
        socket.disconnect();
        for answer in within("the questions", asking).await.expect("no panic") {
            let answer = within("the end of waiting", answer).await;
            assert!(matches!(answer, Err(AckError::Disconnected)), "{answer:?}");
        }
    }
}

#[tokio::test]
async fn a_client_that_owes_too_much_is_asked_no_more() {
    let server = Server::with(Config {
        limits: Limits {
            max_pending_acks: 2,
            ..Limits::default()
        },
        ..Config::default()
    })
    .await;
    let mut client = server.client().await;
    let socket = server.io.sockets().remove(0);
    let ask = |n: u8| socket.emit_with_ack::<u8, _>("ask", n, FOREVER);
    let (first, second) = (ask(1), ask(2));
    let third = within("a refusal", ask(3)).await;
    assert!(
        matches!(third, Err(AckError::TooManyPending(2))),
        "{third:?}"
    );
    drop(second);
    let fourth = ask(4);
    for (id, n) in [(0, 1), (1, 2), (3, 4)] {
        client.expect(&format!(r#"42{id}["ask",{n}]"#)).await;
    }
    client.send("430[1]").await;
    client.send("433[4]").await;
    assert_eq!(within("an answer", first).await.expect("an answer"), 1);
    assert_eq!(within("an answer", fourth).await.expect("an answer"), 4);
}

#[tokio::test]
async fn what_cannot_be_sent_will_not_be_answered() {
    let (_server, _client, socket) = one().await;
    let answer = socket.emit_with_ack::<u8, _>("connect", 1, FOREVER);
    let answer = within("a refusal", answer).await;
    assert!(
        matches!(answer, Err(AckError::Emit(EmitError::Reserved(_)))),
        "{answer:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_may_ask_the_client_that_asks_it() {
    let server = Server::start().await;
    server.io.on_connect(|_, socket| async move {
        let name: String = socket
            .emit_with_ack("name?", 1, FOREVER)
            .await
            .expect("a name");
        socket.emit("welcome", name);
    });
    server
        .io
        .on("double", |socket: Socket, n: u32, ack: Ack| async move {
            let same: u32 = socket
                .emit_with_ack("sure?", n, FOREVER)
                .await
                .expect("an answer");
            ack.send(n + same);
        });
    let mut client = server.client().await;
    client.expect(r#"420["name?",1]"#).await;
    client.send(r#"4290["double",5]"#).await;
    client.send(r#"4291["double",6]"#).await;
    client.send(r#"430["ada"]"#).await;
    client.expect(r#"42["welcome","ada"]"#).await;
    client.expect(r#"421["sure?",5]"#).await;
    client.send("431[5]").await;
    client.expect("4390[10]").await;
    client.expect(r#"422["sure?",6]"#).await;
    client.send("432[6]").await;
    client.expect("4391[12]").await;
}

async fn one() -> (Server, Client, Socket) {
    let server = Server::start().await;
    let client = server.client().await;
    let socket = server.io.sockets().remove(0);
    (server, client, socket)
}
