//! Middleware: what may refuse a socket or an event before anybody handles it.

use fanfare::{Ack, RawArgs, Refusal, Socket};
use serde_json::json;
use tokio::task::yield_now;

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
