//! Clients that read too slowly, or not at all.

use std::time::Duration;

use fanfare::{Config, Limits, Report, SlowReader};
use fanfare_testkit::{Client, connect_with_buffer, eventually, punctual};

use crate::{
    notes::{Notes, notes},
    server::{self, Server},
};

/// A kilobyte of an event.
const KILOBYTE: usize = 1_000;

/// What waits for a client at the most, in the tests of that.
const HARD: usize = 100 * KILOBYTE;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_latest_values_one_waits_however_many_are_emitted() {
    let (server, mut slow, mut notes) = with(SlowReader::Disconnect).await;
    let mut n = fill(&server).await;
    for _ in 0..10_000 {
        n += 1;
        server.io.emit_latest("latest", (n, "x".repeat(KILOBYTE)));
    }
    let report = server.io.emit_latest("latest", (n + 1, "")).report().await;
    assert_eq!(report.expect("it is sent"), queued());
    assert!(notes.is_empty());
    assert_eq!(server.io.metrics().drops, 0);

    let (mut values, mut latest) = (0, 0);
    while latest < n + 1 {
        let heard = slow.hear().await;
        if let Some(value) = heard.strip_prefix(r#"42["latest",["#) {
            let value = value.split(',').next().and_then(|value| value.parse().ok());
            let value: u64 = value.expect("a number");
            assert!(latest < value, "an older value after a newer one");
            (values, latest) = (values + 1, value);
        }
    }
    assert_eq!(values, 1, "the others were replaced");
    drop(slow);
    notes.expect(&["transport close"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_the_hard_bound_a_client_is_disconnected_and_nobody_else() {
    let (server, _slow, mut notes) = with(SlowReader::Disconnect).await;
    let mut other = server.client().await;
    let mut sent = 0;
    loop {
        sent += 1;
        let report = server
            .io
            .emit("n", (sent, "x".repeat(KILOBYTE)))
            .report()
            .await;
        if 0 < report.expect("it is sent").dropped {
            break;
        }
    }
    notes.expect(&["slow reader"]).await;
    assert_eq!(server.io.count().sockets, 1);
    assert_eq!(server.io.metrics().drops, 1);
    for n in 1..=sent {
        check_number(&other.hear().await, n);
    }
    eventually("its session is over", || server.io.metrics().sessions == 1).await;
    server.io.emit("mark", 1);
    other.expect(r#"42["mark",1]"#).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_newest_can_be_dropped() {
    let (server, mut slow, mut notes) = with(SlowReader::DropNewest).await;
    let dropped = fill_and_drop(&server, 300).await;
    assert_eq!(server.io.metrics().drops, dropped);
    assert!(dropped * 1_000 <= server.io.metrics().dropped_bytes);
    assert!(notes.is_empty());

    let kept = 300 - dropped;
    for n in 1..=kept {
        check_number(&slow.hear().await, n);
    }
    server.io.emit("n", (301, ""));
    check_number(&slow.hear().await, 301);
    drop(slow);
    notes.expect(&["transport close"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_oldest_can_be_dropped() {
    let (server, mut slow, mut notes) = with(SlowReader::DropOldest).await;
    fill_and_drop(&server, 300).await;
    assert!(0 < server.io.metrics().drops);
    assert!(notes.is_empty());

    let mut heard = vec![0];
    while *heard.last().expect("at least one") < 300 {
        heard.push(number(&slow.hear().await));
    }
    let gaps = heard
        .windows(2)
        .filter(|pair| pair[0] + 1 != pair[1])
        .count();
    assert_eq!(gaps, 1, "{heard:?}");
    assert!(heard.is_sorted());
    drop(slow);
    notes.expect(&["transport close"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_stands_still_over_the_soft_bound_is_disconnected() {
    let (server, _slow, mut notes) = with_config(Config {
        limits: Limits {
            soft_backlog_bytes: 10 * KILOBYTE,
            stall_timeout: Duration::from_millis(100),
            ..Limits::default()
        },
        ..Config::default()
    })
    .await;
    fill(&server).await;
    for n in 0..20 {
        server.io.emit("n", (n, "x".repeat(KILOBYTE)));
    }
    notes.expect(&["slow reader"]).await;
    server.is_deserted().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_stands_still_again_is_disconnected_too() {
    let (server, mut slow, mut notes) = with_config(Config {
        limits: Limits {
            soft_backlog_bytes: 10 * KILOBYTE,
            stall_timeout: Duration::from_millis(300),
            ..Limits::default()
        },
        ..Config::default()
    })
    .await;
    for n in 0..2_000 {
        server.io.emit("n", (n, "x".repeat(KILOBYTE)));
    }
    for _ in 0..500 {
        slow.hear().await;
    }
    notes.expect(&["slow reader"]).await;
    server.is_deserted().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_polls_too_seldom_is_a_slow_reader_too() {
    let (server, slow, mut notes) = with(SlowReader::Disconnect).await;
    drop(slow);
    notes.expect(&["transport close"]).await;
    let polling = server.polling().await;
    polling.join().await;
    while server.io.count().sockets == 1 {
        let emitted = server.io.emit("n", "x".repeat(10 * KILOBYTE));
        emitted.report().await.expect("it is sent");
    }
    notes.expect(&["slow reader"]).await;
    assert_eq!(polling.get().await.status, 400);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_stands_still_under_the_soft_bound_is_left_to_its_pongs() {
    let (server, _slow, mut notes) = with_config(Config {
        limits: Limits {
            stall_timeout: Duration::from_millis(1),
            ..Limits::default()
        },
        ..server::fast()
    })
    .await;
    fill(&server).await;
    notes.expect(&["ping timeout"]).await;
    server.is_deserted().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ping_passes_all_that_waits() {
    punctual(|| async {
        let (server, mut slow, _notes) = with_config(server::fast()).await;
        fill(&server).await;
        let many = 1_000;
        for n in 1..=many {
            server.io.emit("n", (n, "x".repeat(100)));
        }
        let mut other = server.websocket().await;
        assert_eq!(other.text().await, "2", "as old as the other's");
        let mut before_the_ping = 0;
        while slow.websocket.text().await != "2" {
            before_the_ping += 1;
        }
        assert!(before_the_ping < many, "{before_the_ping}");
        slow.send("3").await;
        while number(&slow.hear().await) < many {}
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn binary_events_stay_whole_whatever_is_dropped() {
    let (server, mut slow, _notes) = with(SlowReader::DropOldest).await;
    let mut dropped = 0;
    for n in 1_u64..=300 {
        let data = fanfare::Binary::from(vec![7; KILOBYTE]);
        let args = fanfare::Args((n, data));
        server
            .io
            .emit("n", args)
            .report()
            .await
            .expect("it is sent");
        dropped = server.io.metrics().drops;
    }
    assert!(0 < dropped);
    let mut last = 0;
    while last < 300 {
        let text = slow.hear().await;
        let n = text
            .strip_prefix(r#"451-["n","#)
            .and_then(|n| n.split(',').next());
        let n: u64 = n.and_then(|n| n.parse().ok()).expect("a number");
        assert!(last < n, "{text}");
        last = n;
        slow.expect_binary(&[7; KILOBYTE]).await;
    }
}

async fn with(policy: SlowReader) -> (Server, Client, Notes) {
    with_config(Config {
        slow_reader: policy,
        limits: Limits {
            max_backlog_bytes: HARD,
            ..Limits::default()
        },
        ..Config::default()
    })
    .await
}

/// A server with a client that does not read, and notes of why sockets leave.
async fn with_config(config: Config) -> (Server, Client, Notes) {
    let server = Server::with(config).await;
    let (pen, notes) = notes();
    server.io.on_disconnect(move |_, _, reason| {
        pen.note(reason.as_str());
        async {}
    });
    let stream = connect_with_buffer(server.address, 4_096).await;
    let mut slow = Client::open_over(stream).await;
    slow.join_nsp("/", "").await;
    (server, slow, notes)
}

/// Emits until the kernel takes no more for one client.
async fn fill(server: &Server) -> u64 {
    for n in 1.. {
        let emitted = server.io.emit("fill", "x".repeat(KILOBYTE));
        if 0 < emitted.report().await.expect("it is sent").queued {
            return n;
        }
    }
    unreachable!("the kernel's buffers are bounded")
}

/// Emits numbered events until `more` than the kernel takes; returns how many were dropped.
async fn fill_and_drop(server: &Server, more: u64) -> u64 {
    let mut dropped = 0;
    for n in 1..=more {
        let emitted = server.io.emit("n", (n, "x".repeat(KILOBYTE)));
        dropped += emitted.report().await.expect("it is sent").dropped as u64;
    }
    dropped
}

fn number(text: &str) -> u64 {
    let number = text
        .strip_prefix(r#"42["n",["#)
        .and_then(|n| n.split(',').next());
    number.map_or(0, |number| number.parse().expect("a number"))
}

#[track_caller]
fn check_number(text: &str, expected: u64) {
    assert_eq!(number(text), expected);
}

fn queued() -> Report {
    Report {
        queued: 1,
        ..Report::default()
    }
}
