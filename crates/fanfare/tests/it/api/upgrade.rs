//! The upgrade while both sides speak: nothing is lost, doubled or overtaken.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use fanfare::Socket;
use fanfare_testkit::{Heard, Polling, Random, WebSocket, frame, within};

use crate::{notes::notes, server::Server};

const LAST: u64 = u64::MAX;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_server_says_during_an_upgrade_arrives_once_and_in_order() {
    let server = Server::start().await;
    let mut random = Random::new(7);
    for _ in 0..20 {
        let polling = server.polling().await;
        polling.join().await;
        let is_over = Arc::new(AtomicBool::new(false));
        let emitting = tokio::spawn(emit_numbers(server.io.clone(), is_over.clone()));
        let (numbers, mut websocket) = upgrade(&server, &polling, &mut random).await;
        is_over.store(true, Ordering::Relaxed);
        let emitted = within("the last number", emitting).await.expect("no panic");
        let mut numbers = numbers;
        loop {
            let Heard::Text(text) = websocket.hear().await else {
                panic!("text was expected");
            };
            match number(&text) {
                Some(LAST) => break,
                Some(n) => numbers.push(n),
                None => panic!("{text}"),
            }
        }
        assert_eq!(numbers, (0..emitted).collect::<Vec<_>>());
        drop(websocket);
        server.is_deserted().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_client_says_during_an_upgrade_is_handled_once_and_in_order() {
    let server = Server::start().await;
    let (pen, mut notes) = notes();
    server.io.on("n", move |_: Socket, n: u32| {
        pen.note(n.to_string());
        async {}
    });
    for split in 0..20 {
        let polling = server.polling().await;
        polling.join().await;
        let mut websocket = WebSocket::open(server.address, &polling.upgrade_target()).await;
        let event = |n: usize| format!(r#"42["n",{n}]"#);
        let posted: Vec<_> = (0..split).map(event).collect();
        if !posted.is_empty() {
            polling.send(&posted.join("\u{1e}")).await;
        }
        websocket.send("2probe").await;
        assert_eq!(websocket.text().await, "3probe");
        let mut segment = frame::text("5");
        for n in split..40 {
            segment.extend(frame::text(&event(n)));
        }
        websocket.send_bytes(&segment).await;
        for n in 0..40 {
            notes.expect(&[&n.to_string()]).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_is_the_same_before_and_after_an_upgrade() {
    let server = Server::start().await;
    let polling = server.polling().await;
    let id = polling.join().await;
    let socket = server.io.sockets().remove(0);
    socket.join("room");
    let asked = socket.emit_with_ack::<String, _>("ask", 1, std::time::Duration::from_secs(60));
    let mut websocket = WebSocket::open(server.address, &polling.upgrade_target()).await;
    websocket.send("5").await;
    assert_eq!(websocket.text().await, r#"420["ask",1]"#);
    websocket.send(r#"430["answer"]"#).await;
    assert_eq!(
        within("an answer", asked).await.expect("an answer"),
        "answer"
    );
    assert_eq!(socket.id().as_str(), id);
    assert_eq!(socket.transport(), fanfare::Transport::WebSocket);
    assert_eq!(server.io.to("room").count(), 1);
    assert_eq!(server.io.count().sockets, 1);
    drop(websocket);
    server.is_deserted().await;
}

#[tokio::test]
async fn handlers_of_upgrades_are_told_when_a_socket_has_moved() {
    let server = Server::start().await;
    let (pen, mut told) = notes();
    server
        .io
        .on_upgrade(|_, _| async { panic!("expected by this test") });
    server.io.on_upgrade(move |io, socket| {
        pen.note(format!("{} {:?}", io.nsp(), socket.transport()));
        async {}
    });
    let polling = server.polling().await;
    polling.join().await;
    let mut websocket = WebSocket::open(server.address, &polling.upgrade_target()).await;
    websocket.send("2probe").await;
    assert_eq!(websocket.text().await, "3probe");
    assert!(told.is_empty());
    websocket.send("5").await;
    told.expect(&["/ WebSocket"]).await;
    // Who begins there moves nowhere.
    let mut client = server.client().await;
    client.send(r#"42["e"]"#).await;
    server.io.emit("mark", 1);
    client.expect(r#"42["mark",1]"#).await;
    assert!(told.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upgrade_that_fails_under_load_loses_nothing() {
    let server = Server::start().await;
    let mut random = Random::new(11);
    for _ in 0..20 {
        let polling = server.polling().await;
        polling.join().await;
        let is_over = Arc::new(AtomicBool::new(false));
        let emitting = tokio::spawn(emit_numbers(server.io.clone(), is_over.clone()));
        let mut websocket = WebSocket::open(server.address, &polling.upgrade_target()).await;
        let mut numbers = Vec::new();
        if random.chance(50) {
            websocket.send("2probe").await;
            assert_eq!(websocket.text().await, "3probe");
        }
        take(&polling, &mut numbers).await;
        match random.chance(50) {
            true => websocket.reset(),
            false => drop(websocket),
        }
        take(&polling, &mut numbers).await;
        is_over.store(true, Ordering::Relaxed);
        let emitted = within("the last number", emitting).await.expect("no panic");
        while numbers.last() != Some(&LAST) {
            take(&polling, &mut numbers).await;
        }
        numbers.pop();
        assert_eq!(numbers, (0..emitted).collect::<Vec<_>>());
        polling.send("1").await;
        server.is_deserted().await;
    }
}

/// Emits 0, 1, 2, … until it is over, then [`LAST`]; returns how many those were.
async fn emit_numbers(io: fanfare::Io, is_over: Arc<AtomicBool>) -> u64 {
    for n in 0.. {
        if is_over.load(Ordering::Relaxed) {
            io.emit("n", LAST);
            return n;
        }
        io.emit("n", n);
        tokio::task::yield_now().await;
    }
    unreachable!("it is over some time")
}

/// Upgrades as the official client does: polls to the end, then moves.
async fn upgrade(server: &Server, polling: &Polling, random: &mut Random) -> (Vec<u64>, WebSocket) {
    let mut numbers = Vec::new();
    for _ in 0..random.below(3) {
        take(polling, &mut numbers).await;
    }
    let mut websocket = WebSocket::open(server.address, &polling.upgrade_target()).await;
    for _ in 0..random.below(3) {
        take(polling, &mut numbers).await;
    }
    websocket.send("2probe").await;
    for _ in 0..random.below(3) {
        take(polling, &mut numbers).await;
    }
    assert_eq!(websocket.text().await, "3probe");
    for _ in 0..random.below(3) {
        take(polling, &mut numbers).await;
    }
    websocket.send("5").await;
    (numbers, websocket)
}

async fn take(polling: &Polling, numbers: &mut Vec<u64>) {
    let payload = polling.receive().await;
    for packet in payload.split('\u{1e}').filter(|packet| *packet != "6") {
        numbers.push(number(packet).unwrap_or_else(|| panic!("{packet}")));
    }
}

fn number(packet: &str) -> Option<u64> {
    packet
        .strip_prefix(r#"42["n","#)?
        .strip_suffix(']')?
        .parse()
        .ok()
}
