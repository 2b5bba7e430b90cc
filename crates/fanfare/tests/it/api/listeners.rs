//! Listeners that come and go, and those of all that goes out.

use std::{sync::Arc, time::Duration};

use fanfare::{Ack, Config, Limits, Socket};
use fanfare_testkit::within;
use tokio::sync::Semaphore;

use crate::{notes::notes, server::Server};

#[tokio::test]
async fn a_listener_of_one_event_hears_each_sockets_first() {
    let server = Server::start().await;
    let (pen, mut heard) = notes();
    let every = pen.clone();
    server.io.once("e", move |_: Socket, n: u8| {
        pen.note(format!("once {n}"));
        async {}
    });
    server.io.on("e", move |_: Socket, n: u8, ack: Ack| {
        every.note(format!("every {n}"));
        async move { ack.send(n) }
    });
    for _ in 0..2 {
        let mut client = server.client().await;
        for n in 1..=2 {
            client.send(&format!(r#"42{n}["e",{n}]"#)).await;
            client.expect(&format!("43{n}[{n}]")).await;
        }
        heard.expect(&["once 1", "every 1", "every 2"]).await;
    }
}

#[tokio::test]
async fn an_event_without_listeners_goes_unheard() {
    let server = Server::start().await;
    let (pen, mut heard) = notes();
    for event in ["off", "on"] {
        let pen = pen.clone();
        server.io.on(event, move |_: Socket| {
            pen.note(event);
            async {}
        });
    }
    server.io.off("off");
    let mut client = server.client().await;
    client.send(r#"42["off"]"#).await;
    client.send(r#"42["on"]"#).await;
    heard.expect(&["on"]).await;
}

#[tokio::test]
async fn listeners_of_all_events_may_come_first_and_go() {
    let server = Server::start().await;
    let (pen, mut heard) = notes();
    let note = |what: &'static str| {
        let pen = pen.clone();
        move |_: Socket, event: String, _| {
            pen.note(format!("{what} {event}"));
            async {}
        }
    };
    server.io.on_any(note("second"));
    server.io.prepend_any(note("first"));
    server.io.on_any_outgoing(note("out second"));
    server.io.prepend_any_outgoing(note("out first"));
    server.io.on(
        "e",
        |socket: Socket| async move { socket.emit("answer", ()) },
    );
    server.io.on("d", |_: Socket| async {});
    assert_eq!(server.io.event_names(), ["d", "e"]);
    let mut client = server.client().await;
    client.send(r#"42["e"]"#).await;
    let all = [
        "first e",
        "second e",
        "out first answer",
        "out second answer",
    ];
    heard.expect(&all).await;
    server.io.off_any();
    client.send(r#"42["e"]"#).await;
    heard.expect(&all[2..]).await;
    server.io.off_any_outgoing();
    server.io.off("d");
    assert_eq!(server.io.event_names(), ["e"]);
    client.send(r#"42["e"]"#).await;
    for _ in 0..3 {
        client.expect(r#"42["answer",null]"#).await;
    }
    assert!(heard.is_empty());
}

#[tokio::test]
async fn a_listener_of_all_that_goes_out_hears_of_each_receiver() {
    let server = Server::start().await;
    let (pen, mut heard) = notes();
    server.io.on_any_outgoing(move |socket, event, args| {
        pen.note(format!(
            "{} {event} {}",
            socket.rooms().join(" "),
            args.json
        ));
        async {}
    });
    let (mut ann, mut ben) = (server.client().await, server.client().await);
    server.io.to(&ann.id).join("ann");
    server.io.to(&ben.id).join("ben");
    let sockets = server.io.sockets();
    let ann_socket = sockets.iter().find(|socket| socket.rooms() == ["ann"]);
    let ann_socket = ann_socket.expect("she is here");

    ann_socket.emit("own", 1);
    heard.expect(&["ann own 1"]).await;
    ann_socket.volatile().emit("now", 2);
    heard.expect(&["ann now 2"]).await;
    ann_socket.broadcast().emit("others", 3);
    heard.expect(&["ben others 3"]).await;
    server.io.emit("all", ("x", 4));
    let mut both = [heard.next().await, heard.next().await];
    both.sort();
    assert_eq!(both, [r#"ann all ["x",4]"#, r#"ben all ["x",4]"#]);
    let asked = ann_socket.emit_with_ack::<u8, _>("n?", (), Duration::from_secs(60));
    heard.expect(&["ann n? null"]).await;
    for expected in [r#"42["own",1]"#, r#"42["now",2]"#, r#"42["all",["x",4]]"#] {
        ann.expect(expected).await;
    }
    ann.hear().await;
    ann.send("431[5]").await;
    ann.send("430[5]").await;
    assert_eq!(asked.await.unwrap(), 5);
    // Answers are no events, and nobody is told of what a socket is sent that has left.
    server
        .io
        .on("e", |_: Socket, ack: Ack| async move { ack.send(()) });
    ben.send(r#"421["e"]"#).await;
    ann_socket.disconnect();
    ann_socket.emit("late", 6);
    server.io.emit("end", ());
    heard.expect(&["ben end null"]).await;
    assert!(heard.is_empty());
}

#[tokio::test]
async fn what_waits_for_a_slow_listener_is_bounded() {
    let server = Server::with(Config {
        limits: Limits {
            max_inbox_bytes: 100_000,
            ..Limits::default()
        },
        ..Config::default()
    })
    .await;
    let (pen, mut heard) = notes();
    let (gate, opened) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (waits, opens) = (gate.clone(), opened.clone());
    server.io.on_any_outgoing(move |_, event, _| {
        pen.note(event);
        let (gate, opened) = (waits.clone(), opens.clone());
        async move {
            opened.add_permits(1);
            drop(gate.acquire().await);
        }
    });
    let mut client = server.client().await;
    for _ in 0..1_000 {
        server.io.emit("n", "x".repeat(1_000));
    }
    within("the first", opened.acquire())
        .await
        .expect("it is open")
        .forget();
    gate.close();
    for _ in 0..1_000 {
        client.hear().await;
    }
    // Who is told again once there is room has been told of all that waited.
    let mut told = 0;
    server.io.sockets()[0].join("last");
    loop {
        server.io.to("last").emit("last", ());
        client.expect(r#"42["last",null]"#).await;
        match &*heard.next().await {
            "n" => told += 1,
            _ => break,
        }
    }
    assert!((50..200).contains(&told), "{told}");
}

#[tokio::test]
async fn a_broadcast_with_acks_is_heard_of_and_a_panic_costs_nobody_anything() {
    let server = Server::start().await;
    let (pen, mut heard) = notes();
    server.io.on_any_outgoing(move |_, event, _| {
        pen.note(event);
        async { panic!("on purpose") }
    });
    let mut client = server.client().await;
    let asked = server
        .io
        .emit_with_ack::<u8, _>("n?", (), Duration::from_secs(60));
    heard.expect(&["n?"]).await;
    client.expect(r#"420["n?",null]"#).await;
    client.send("430[1]").await;
    assert_eq!(asked.await.unwrap().len(), 1);
    server.io.emit("more", ());
    heard.expect(&["more"]).await;
}
