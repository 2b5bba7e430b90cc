//! Reports: what became of an event.

use fanfare::{Emitted, Io, Report};
use fanfare_testkit::{Client, punctual, within};

use crate::server::{self, Server};

#[tokio::test]
async fn what_the_kernel_takes_is_written() {
    let server = Server::start().await;
    check(server.io.emit("x", 1), Report::default()).await;
    let mut clients = [server.client().await, server.client().await];
    let emitted = server.io.emit("x", 1);
    assert_eq!(emitted.receivers(), 2);
    check(emitted, written(2)).await;
    for client in &mut clients {
        client.expect(r#"42["x",1]"#).await;
    }
    check(server.io.to("nobody").emit("x", 1), Report::default()).await;
    let large = server.io.emit("x", "x".repeat(50_000));
    check(large, written(2)).await;
}

#[tokio::test]
async fn what_waits_for_a_poll_is_queued_and_what_answers_one_is_written() {
    punctual(|| async {
        let server = Server::start().await;
        let polling = server.polling().await;
        polling.join().await;
        let queued = Report {
            queued: 1,
            ..Report::default()
        };
        check(server.io.emit("x", 1), queued).await;
        check(server.io.emit("x", 2), queued).await;
        assert_eq!(polling.receive().await, "42[\"x\",1]\u{1e}42[\"x\",2]");
        let mut get = polling.park().await;
        check(server.io.emit("x", 3), written(1)).await;
        assert_eq!(get.receive().await.text(), r#"42["x",3]"#);
    })
    .await;
}

/// On one thread nothing is written between two emits.
#[tokio::test]
async fn of_the_latest_values_of_a_turn_one_is_written() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let _other = server.client().await;
    let io: &Io = &server.io;
    let turn = [
        (io.emit_latest("a", 1), superseded(2)),
        (io.emit("b", 1), written(2)),
        (io.emit_latest("c", 1), written(2)),
        (io.emit_latest("a", 2), superseded(2)),
        (io.emit("b", 2), written(2)),
        (io.emit_latest("a", 3), written(2)),
    ];
    for (emitted, expected) in turn {
        check(emitted, expected).await;
    }
    for event in [r#"["a",3]"#, r#"["b",1]"#, r#"["c",1]"#, r#"["b",2]"#] {
        client.expect(&format!("42{event}")).await;
    }
    check(io.emit_latest("a", 4), written(2)).await;
    client.expect(r#"42["a",4]"#).await;
}

#[tokio::test]
async fn an_event_may_replace_another_for_some_of_its_receivers_only() {
    let server = Server::start().await;
    let mut ada = server.client().await;
    let mut bob = server.client().await;
    let io: &Io = &server.io;
    let (all, one) = (io.emit_latest("a", 1), io.to(&ada.id).emit_latest("a", 2));
    let both = Report {
        written: 1,
        superseded: 1,
        ..Report::default()
    };
    check(all, both).await;
    check(one, written(1)).await;
    ada.expect(r#"42["a",2]"#).await;
    bob.expect(r#"42["a",1]"#).await;
}

#[tokio::test]
async fn who_goes_in_the_same_turn_gets_nothing() {
    let server = Server::with(server::brisk()).await;
    let polling = server.polling().await;
    polling.join().await;
    let _other: Client = server.client().await;
    let emitted = server.io.emit("x", 1);
    server.io.shutdown().await;
    let report = within("the report", emitted.report())
        .await
        .expect("it was sent");
    assert_eq!(report.written + report.queued + report.dropped, 2);
    assert_eq!(report.dropped, 1, "polling is gone: {report:?}");
}

async fn check(emitted: Emitted, expected: Report) {
    let report = within("a report", emitted.report()).await;
    assert_eq!(report.expect("it was sent"), expected);
}

fn written(written: usize) -> Report {
    Report {
        written,
        ..Report::default()
    }
}

fn superseded(superseded: usize) -> Report {
    Report {
        superseded,
        ..Report::default()
    }
}
