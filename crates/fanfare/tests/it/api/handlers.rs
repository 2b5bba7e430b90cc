//! Event handlers: their arguments, their order, their mistakes.

use std::{collections::HashMap, sync::Arc, time::Duration};

use fanfare::{
    Ack, Args, Config, EmitError, Limits, RawArgs, Socket,
    engine::{EngineHandler, Message},
};
use fanfare_testkit::within;
use serde::{Deserialize, Serialize};
use tokio::{sync::Semaphore, task::yield_now};

use crate::{
    notes::notes,
    server::{self, Server},
};

/// Longer than any test waits: an answer by this patience is none.
const FOREVER: Duration = Duration::from_secs(3600);

#[derive(Deserialize, Serialize)]
struct Point {
    x: i32,
    y: Option<i32>,
}

#[tokio::test]
async fn handlers_take_arguments_of_their_own_types() {
    let server = Server::start().await;
    let io = &server.io;
    io.on("none", |socket: Socket| async move {
        socket.emit("none", Args(()));
    });
    io.on("one", |socket: Socket, text: String| async move {
        socket.emit("one", text);
    });
    io.on("struct", |socket: Socket, point: Point| async move {
        socket.emit("struct", point);
    });
    io.on("option", |socket: Socket, it: Option<u8>| async move {
        socket.emit("option", it);
    });
    io.on(
        "many",
        |socket: Socket, Args((a, b)): Args<(u8, String)>| async move {
            socket.emit("many", Args((b, a)));
        },
    );
    io.on("raw", |socket: Socket, args: RawArgs| async move {
        socket.emit("raw", &args);
    });
    let mut client = server.client().await;
    for (sent, back) in [
        (r#"42["none"]"#, r#"42["none"]"#),
        (r#"42["none",1,2]"#, r#"42["none"]"#),
        (r#"42["one","é\n\u00e9"]"#, r#"42["one","é\né"]"#),
        (r#"42["one","a","ignored"]"#, r#"42["one","a"]"#),
        (
            r#"42["struct",{"x":1,"z":[]}]"#,
            r#"42["struct",{"x":1,"y":null}]"#,
        ),
        (r#"42["option"]"#, r#"42["option",null]"#),
        (r#"42["option",null]"#, r#"42["option",null]"#),
        (r#"42["option",5]"#, r#"42["option",5]"#),
        (r#"42["many",1,"b"]"#, r#"42["many","b",1]"#),
        (
            r#"42["raw" , 1.50 ,{ "a" : [ ] }]"#,
            r#"42["raw",1.50 ,{ "a" : [ ] }]"#,
        ),
        (r#"42["raw","\ud800"]"#, r#"42["raw","\ud800"]"#),
        (r#"42["raw"]"#, r#"42["raw"]"#),
    ] {
        client.send(sent).await;
        client.expect(back).await;
    }
}

#[tokio::test]
async fn a_handler_may_answer_without_looking_at_arguments() {
    async fn named(_: Socket, ack: Ack) {
        ack.send("by name");
    }

    let server = Server::start().await;
    server.io.on("time", |socket: Socket, ack: Ack| async move {
        ack.send(socket.nsp());
    });
    server.io.on("named", named);
    let mut client = server.client().await;
    client.send(r#"421["time"]"#).await;
    client.expect(r#"431["/"]"#).await;
    client.send(r#"422["time",{"any":"thing"},5]"#).await;
    client.expect(r#"432["/"]"#).await;
    client.send(r#"423["named"]"#).await;
    client.expect(r#"433["by name"]"#).await;
}

#[tokio::test]
async fn arguments_of_another_type_are_answered_by_what_was_expected() {
    let server = Server::start().await;
    let (pen, notes) = notes();
    let called = pen.clone();
    server.io.on("say", move |_: Socket, _: String| {
        called.note("say");
        async {}
    });
    server
        .io
        .on("add", move |_: Socket, _: Args<(i64, i64)>, _: Ack| {
            pen.note("add");
            async {}
        });
    let mut client = server.client().await;
    for (args, words) in [
        (r#""say",5"#, ["'say'", "integer `5`", "string"]),
        (r#""say""#, ["'say'", "null", "string"]),
        (r#""say",{"a":1}"#, ["'say'", "map", "string"]),
        (r#""say","\ud800""#, ["'say'", "hex", "escape"]),
        (r#""add",1"#, ["'add'", "length 1", "2"]),
        (r#""add",1,"2""#, ["'add'", "string", "i64"]),
    ] {
        client.send(&format!("42[{args}]")).await;
        client.send(&format!("427[{args}]")).await;
        let answer = client.hear().await;
        assert!(answer.starts_with(r#"437[{"error":""#), "{args}: {answer}");
        for word in words {
            assert!(answer.contains(word), "{args}: {answer}");
        }
    }
    assert!(notes.is_empty());
    assert_eq!(server.io.count().sockets, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_handlers_of_an_event_are_called_one_after_the_other() {
    let server = Server::start().await;
    let (pen, mut notes) = notes();
    for name in ["first", "second", "third"] {
        let pen = pen.clone();
        server.io.on("go", move |_: Socket, n: u32, ack: Ack| {
            let pen = pen.clone();
            async move {
                pen.note(format!("{name} {n} begins"));
                for _ in 0..10 {
                    yield_now().await;
                }
                ack.send(name);
                pen.note(format!("{name} {n} ends"));
            }
        });
    }
    let mut client = server.client().await;
    client.send(r#"421["go",1]"#).await;
    client.send(r#"422["go",2]"#).await;
    for n in [1, 2] {
        for name in ["first", "second", "third"] {
            let (begins, ends) = (format!("{name} {n} begins"), format!("{name} {n} ends"));
            notes.expect(&[&begins, &ends]).await;
        }
        client.expect(&format!(r#"43{n}["first"]"#)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_of_all_events_sees_each_before_its_own_handlers_do() {
    let server = Server::start().await;
    let (pen, mut notes) = notes();
    let (first, second, own) = (pen.clone(), pen.clone(), pen);
    server.io.on("say", move |_: Socket, text: String| {
        own.note(format!("own {text}"));
        async {}
    });
    server.io.on_any(move |_, event, args| {
        let pen = first.clone();
        async move {
            yield_now().await;
            pen.note(format!("first {event} {}", args.json));
        }
    });
    server.io.on_any(move |_, event, args| {
        second.note(format!("second {event} {}", args.attachments.len()));
        async {}
    });
    let mut client = server.client().await;
    let answer = server.io.sockets()[0].emit_with_ack::<u8, _>("ask", 1, FOREVER);
    client.expect(r#"420["ask",1]"#).await;
    client.send("430[1]").await;
    client.send(r#"42["say","a",1]"#).await;
    client
        .send(r#"451-7["nobody's",{"_placeholder":true,"num":0}]"#)
        .await;
    client.send_binary(&[1]).await;
    client.send(r#"42["say",2]"#).await;
    client.send(r#"42["say","b"]"#).await;
    let placeholder = r#"first nobody's {"_placeholder":true,"num":0}"#;
    notes
        .expect(&[r#"first say "a",1"#, "second say 0", "own a"])
        .await;
    notes.expect(&[placeholder, "second nobody's 1"]).await;
    notes.expect(&["first say 2", "second say 0"]).await;
    notes
        .expect(&[r#"first say "b""#, "second say 0", "own b"])
        .await;
    assert_eq!(within("an answer", answer).await.expect("an answer"), 1);
}

#[tokio::test]
async fn a_panicking_handler_of_all_events_keeps_no_event_from_its_own() {
    let server = Server::start().await;
    server.io.on_any(|_, event, _| async move {
        assert_eq!(event, "other", "expected by this test");
    });
    server.io.on(
        "fine",
        |_: Socket, ack: Ack| async move { ack.send("fine") },
    );
    let mut client = server.client().await;
    client.send(r#"421["fine"]"#).await;
    client.expect(r#"431["fine"]"#).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_wait_for_the_connect_handler_and_come_in_order() {
    let server = Server::start().await;
    let (pen, mut notes) = notes();
    let gate = Arc::new(Semaphore::new(0));
    let (opens, connecting) = (gate.clone(), pen.clone());
    server.io.on_connect(move |_, _| {
        let (gate, pen) = (opens.clone(), connecting.clone());
        async move {
            pen.note("connect begins");
            gate.acquire().await.expect("the gate stays").forget();
            pen.note("connect ends");
        }
    });
    server.io.on("n", move |_: Socket, n: u32| {
        let pen = pen.clone();
        async move {
            if n.is_multiple_of(3) {
                yield_now().await;
            }
            pen.note(n.to_string());
        }
    });
    let mut client = server.client().await;
    for n in 0..100 {
        client.send(&format!(r#"42["n",{n}]"#)).await;
    }
    notes.expect(&["connect begins"]).await;
    gate.add_permits(1);
    notes.expect(&["connect ends"]).await;
    for n in 0..100 {
        notes.expect(&[&n.to_string()]).await;
    }
}

#[tokio::test]
async fn a_handler_that_panics_costs_its_event_only() {
    let server = Server::start().await;
    server
        .io
        .on("at once", |_: Socket| -> std::future::Ready<()> {
            panic!("expected by this test")
        });
    server
        .io
        .on("later", |_: Socket, _: RawArgs, _: Ack| async {
            yield_now().await;
            panic!("expected by this test")
        });
    server
        .io
        .on("fine", |_: Socket, _: RawArgs, ack: Ack| async move {
            ack.send("fine");
        });
    let mut client = server.client().await;
    client.send(r#"421["at once"]"#).await;
    client.send(r#"422["later"]"#).await;
    client.send(r#"423["fine"]"#).await;
    client.expect(r#"433["fine"]"#).await;
    assert_eq!(server.io.count().sockets, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_count_that_cannot_be_shown_costs_its_announcement_only() {
    let server = Server::start().await;
    server.io.announce_count("users", |count| {
        assert_ne!(count.users, 2, "expected by this test");
        count.users
    });
    server
        .io
        .on_count(|_, count| assert_ne!(count.users, 2, "expected by this test"));
    server
        .io
        .on("hello", |_: Socket, _: RawArgs, ack: Ack| async move {
            ack.send("hello");
        });
    let mut ada = server.client().await;
    ada.expect(r#"42["users",1]"#).await;
    let mut bob = server.client().await;
    for client in [&mut ada, &mut bob] {
        client.send(r#"421["hello"]"#).await;
        client.expect(r#"431["hello"]"#).await;
    }
    let mut cyd = server.client().await;
    for client in [&mut ada, &mut bob, &mut cyd] {
        client.expect(r#"42["users",3]"#).await;
    }
}

#[tokio::test]
async fn an_engine_handler_that_panics_costs_its_message_only() {
    let server = Server::with(Config {
        engine: Some(EngineHandler::new(|socket, message| {
            assert_ne!(
                message,
                Message::Text("panic".to_owned()),
                "expected by this test"
            );
            socket.send(message);
        })),
        ..server::echo()
    })
    .await;
    let mut websocket = server.websocket().await;
    let polling = server.polling().await;
    for text in ["4panic", "4fine"] {
        websocket.send(text).await;
        polling.send(text).await;
    }
    assert_eq!(websocket.text().await, "4fine");
    assert_eq!(polling.receive().await, "4fine");
}

#[tokio::test]
async fn a_handler_registered_later_serves_those_who_are_there() {
    let server = Server::start().await;
    let mut client = server.client().await;
    client.send(r#"421["late"]"#).await;
    server
        .io
        .on("late", |_: Socket, _: RawArgs, ack: Ack| async move {
            ack.send("here");
        });
    client.send(r#"422["late"]"#).await;
    let answer = client.hear().await;
    assert!(answer.starts_with("43"), "{answer}");
}

#[tokio::test]
async fn an_event_name_may_be_anything_that_is_not_reserved() {
    let server = Server::start().await;
    for name in ["user count", "", "é😀\"\\\n", "5", "message", "error"] {
        server.io.on(name, move |socket: Socket| async move {
            socket.emit(name, name);
        });
    }
    let mut client = server.client().await;
    for name in ["user count", "", "é😀\"\\\n", "message", "error"] {
        let json = serde_json::to_string(name).expect("a text is JSON");
        client.send(&format!("42[{json}]")).await;
        client.expect(&format!("42[{json},{json}]")).await;
    }
    client.send("42[5]").await;
    client.expect(r#"42["5","5"]"#).await;
}

#[tokio::test]
async fn what_cannot_be_sent_is_said_and_not_sent() {
    let server = Server::start().await;
    let mut client = server.client().await;
    for name in [
        "connect",
        "connect_error",
        "disconnect",
        "disconnecting",
        "newListener",
        "removeListener",
    ] {
        let wrong = server.io.emit(name, 1).report().await;
        assert!(matches!(wrong, Err(EmitError::Reserved(reserved)) if reserved == name));
    }
    let wrong = server
        .io
        .emit("map", HashMap::from([((1, 2), 3)]))
        .report()
        .await;
    assert!(matches!(wrong, Err(EmitError::Args { event, .. }) if event == "map"));
    let large = "x".repeat(4 * 1024 * 1024);
    let wrong = server.io.emit("large", &large).report().await;
    assert!(matches!(
        wrong,
        Err(EmitError::TooLarge { max: 4_194_304, .. })
    ));
    let socket = server.io.sockets().remove(0);
    socket.emit("disconnect", 1);
    socket.emit("large", &large);
    server.io.emit("mark", 1);
    client.expect(r#"42["mark",1]"#).await;
}

#[tokio::test]
async fn a_message_is_what_the_clients_send_sends() {
    let server = Server::start().await;
    server
        .io
        .on("message", |socket: Socket, text: String| async move {
            socket.send((text, "back"));
        });
    let mut client = server.client().await;
    client.send(r#"42["message","there"]"#).await;
    client.expect(r#"42["message",["there","back"]]"#).await;
    server.io.send(1);
    client.expect(r#"42["message",1]"#).await;
    server.io.to(&client.id).send(());
    client.expect(r#"42["message",null]"#).await;
}

#[tokio::test]
async fn an_event_may_be_as_large_as_what_may_wait() {
    let server = Server::with(Config {
        limits: Limits {
            max_backlog_bytes: 2_000_000,
            ..Limits::default()
        },
        ..Config::default()
    })
    .await;
    let mut client = server.client().await;
    // Around the text: the frame's header of 10 bytes, and `42["large",""]`.
    let text = "x".repeat(2_000_000 - 24);
    server.io.emit("large", &text);
    client.expect(&format!(r#"42["large","{text}"]"#)).await;
    let wrong = server.io.emit("large", text + "x").report().await;
    let is_too_large = |error: &EmitError| {
        matches!(
            error,
            EmitError::TooLarge {
                bytes: 2_000_001,
                ..
            }
        )
    };
    assert!(wrong.as_ref().is_err_and(is_too_large), "{wrong:?}");
}

#[tokio::test]
async fn an_event_written_and_read_in_a_form_of_its_own() {
    /// A time, which is a number on the wire that says so, as a replacer and a reviver might have it.
    #[derive(Deserialize, Serialize)]
    #[serde(from = "Wire", into = "Wire")]
    #[derive(Clone)]
    struct Time(Duration);
    #[derive(Deserialize, Serialize)]
    struct Wire {
        ms: u64,
    }
    impl From<Wire> for Time {
        fn from(Wire { ms }: Wire) -> Self {
            Self(Duration::from_millis(ms))
        }
    }
    impl From<Time> for Wire {
        fn from(Time(time): Time) -> Self {
            Self {
                ms: u64::try_from(time.as_millis()).expect("it is short"),
            }
        }
    }
    let server = Server::start().await;
    server
        .io
        .on("twice", |socket: Socket, Time(time): Time| async move {
            socket.emit("is", Time(2 * time));
        });
    let mut client = server.client().await;
    client.send(r#"42["twice",{"ms":21}]"#).await;
    client.expect(r#"42["is",{"ms":42}]"#).await;
}
