//! Middleware: what may refuse a socket or an event before anybody handles it.

use std::sync::Arc;

use fanfare::{Ack, Admission, Count, RawArgs, Refusal, Socket};
use fanfare_testkit::Client;
use serde_json::json;
use tokio::{sync::Semaphore, task::yield_now};

use crate::{notes::notes, server::Server};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn middlewares_are_asked_about_events_in_order_until_one_refuses() {
    let server = Server::start().await;
    let (pen, mut notes) = notes();
    let (any, own) = (pen.clone(), pen.clone());
    server.io.on_any(move |_, event, _| {
        any.note(format!("any {event}"));
        async {}
    });
    server.io.on("say", move |_: Socket, args: RawArgs| {
        own.note(format!("say {}", args.json));
        async {}
    });
    for (name, refused) in [("first", "1"), ("second", "2")] {
        let pen = pen.clone();
        server.io.use_event(move |_, event, args| {
            let pen = pen.clone();
            async move {
                yield_now().await;
                pen.note(format!("{name} {event}"));
                match args.json == refused {
                    true => Err(Refusal::new("no")),
                    false => Ok(()),
                }
            }
        });
    }
    let mut client = server.client().await;
    for n in [1, 2, 3] {
        client.send(&format!(r#"42["say",{n}]"#)).await;
    }
    notes.expect(&["any say", "first say"]).await;
    notes.expect(&["any say", "first say", "second say"]).await;
    let third = ["any say", "first say", "second say", "say 3"];
    notes.expect(&third).await;
    assert!(notes.is_empty());
}

#[tokio::test]
async fn whose_event_is_refused_is_told_why_if_it_asked() {
    let server = Server::start().await;
    server.io.use_event(|_, event, _| async move {
        let refusal = Refusal::new(format!("{event} is not for you"));
        match &*event {
            "ask" => Ok(()),
            "delete" => Err(refusal.with_data(json!({"code": 7})).expect("it is JSON")),
            _ => Err(refusal),
        }
    });
    server
        .io
        .on("ask", |_: Socket, ack: Ack| async move { ack.send("yes") });
    server.io.on(
        "delete",
        |_: Socket, ack: Ack| async move { ack.send("gone") },
    );
    let mut client = server.client().await;
    for (sent, answer) in [
        (
            r#"421["delete"]"#,
            r#"431[{"error":"delete is not for you","data":{"code":7}}]"#,
        ),
        (
            r#"422["nobody's"]"#,
            r#"432[{"error":"nobody's is not for you"}]"#,
        ),
        (r#"42["delete"]"#, ""),
        (r#"423["ask"]"#, r#"433["yes"]"#),
    ] {
        client.send(sent).await;
        if !answer.is_empty() {
            client.expect(answer).await;
        }
    }
    assert_eq!(server.io.count().sockets, 1);
}

#[tokio::test]
async fn a_middleware_that_panics_refuses_the_event() {
    let server = Server::start().await;
    server.io.use_event(|_, event, _| async move {
        assert_eq!(event, "fine", "expected by this test");
        Ok(())
    });
    for event in ["fine", "bad"] {
        server.io.on(
            event,
            |_: Socket, ack: Ack| async move { ack.send("handled") },
        );
    }
    let mut client = server.client().await;
    client.send(r#"421["bad"]"#).await;
    assert!(client.hear().await.starts_with(r#"431[{"error":""#));
    client.send(r#"422["fine"]"#).await;
    client.expect(r#"432["handled"]"#).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn middlewares_are_asked_about_newcomers_in_order_before_admission() {
    let server = Server::start().await;
    let (pen, mut notes) = notes();
    let (last, joins) = (pen.clone(), pen.clone());
    server.io.admit(move |_| {
        last.note("admit");
        async { Ok(Admission::user("ada")) }
    });
    server.io.on_connect(move |_, socket| {
        joins.note(format!("connect {:?}", socket.user()));
        async {}
    });
    for (name, refused) in [("first", "1"), ("second", "2")] {
        let pen = pen.clone();
        server.io.use_connect(move |handshake| {
            let pen = pen.clone();
            async move {
                yield_now().await;
                pen.note(name);
                let refusal = Refusal::new(format!("{name} refuses"));
                match handshake.auth_json() == format!(r#"{{"n":{refused}}}"#) {
                    true => Err(refusal.with_data(json!({"code": 7})).expect("it is JSON")),
                    false => Ok(()),
                }
            }
        });
    }
    let mut client = Client::open(server.address).await;
    client.send(r#"40{"n":1}"#).await;
    client
        .expect(r#"44{"message":"first refuses","data":{"code":7}}"#)
        .await;
    client.send(r#"40{"n":2}"#).await;
    client
        .expect(r#"44{"message":"second refuses","data":{"code":7}}"#)
        .await;
    assert_eq!(server.io.count(), Count::alone(0, 0));
    client.join_nsp("/", r#"{"n":3}"#).await;
    notes.expect(&["first", "first", "second"]).await;
    let third = ["first", "second", "admit", "connect Some(\"ada\")"];
    notes.expect(&third).await;
}

#[tokio::test]
async fn middlewares_alone_let_newcomers_in_anonymously() {
    let server = Server::start().await;
    server.io.use_connect(|_| async { Ok(()) });
    let _clients = [server.client().await, server.client().await];
    let two = Count::alone(2, 2);
    assert_eq!(server.io.count(), two);
}

#[tokio::test]
async fn a_middleware_that_panics_refuses_the_newcomer() {
    let server = Server::start().await;
    server.io.use_connect(|handshake| async move {
        assert_ne!(handshake.auth_json(), "{}", "expected by this test");
        Ok(())
    });
    let mut client = Client::open(server.address).await;
    client.send("40").await;
    assert!(client.hear().await.starts_with(r#"44{"message":""#));
    client.join_nsp("/", r#"{"a":1}"#).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_leaves_between_two_middlewares_is_never_counted() {
    let server = Server::start().await;
    let (pen, mut notes) = notes();
    let gate = Arc::new(Semaphore::new(0));
    let (opens, asked) = (gate.clone(), pen.clone());
    server.io.use_connect(move |_| {
        let (gate, pen) = (opens.clone(), asked.clone());
        async move {
            pen.note("asked");
            gate.acquire().await.expect("the gate stays").forget();
            Ok(())
        }
    });
    server.io.use_connect(move |_| {
        pen.note("asked again");
        async { Ok(()) }
    });
    server
        .io
        .on_connect(|_, _| async { unreachable!("it has left") });
    let mut client = Client::open(server.address).await;
    client.send("40").await;
    notes.expect(&["asked"]).await;
    drop(client);
    server.is_deserted().await;
    gate.add_permits(1);
    notes.expect(&["asked again"]).await;
    assert_eq!(server.io.count(), Count::alone(0, 0));
}

#[tokio::test]
async fn a_namespace_has_middlewares_of_its_own() {
    let server = Server::start().await;
    let other = server.io.of("/other");
    server
        .io
        .use_event(|_, _, _| async { Err(Refusal::new("not here")) });
    for io in [&server.io, &other] {
        io.on("ask", |_: Socket, ack: Ack| async move { ack.send("yes") });
    }
    let mut client = server.client().await;
    client.join_nsp("/other", "").await;
    client.send(r#"421["ask"]"#).await;
    client.expect(r#"431[{"error":"not here"}]"#).await;
    client.send(r#"42/other,1["ask"]"#).await;
    client.expect(r#"43/other,1["yes"]"#).await;
}
