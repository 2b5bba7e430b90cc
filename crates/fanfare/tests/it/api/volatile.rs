//! Volatile events: now or never.

use fanfare::{Args, Binary, Emitted, Report, Socket};
use fanfare_testkit::{Client, WebSocket, connect_with_buffer, punctual, within};

use crate::server::Server;

/// A kilobyte of an event.
const KILOBYTE: usize = 1_000;

/// On one thread nothing is written between two emits.
#[tokio::test]
async fn who_is_writable_gets_volatile_events_in_order_with_all_others() {
    let server = Server::start().await;
    let mut ada = server.client().await;
    let mut bob = server.client().await;
    let io = &server.io;
    let turn = [
        (io.volatile().emit("x", 1), 2),
        (io.volatile().emit("x", 2), 2),
        (io.emit("x", 3), 2),
        (io.except(&ada.id).volatile().emit("x", 4), 1),
        (io.to(&bob.id).volatile().emit("x", 5), 1),
        (io.volatile().emit("x", Binary::from(vec![6])), 2),
    ];
    socket_of(&server, &ada).volatile().emit("x", 7);
    for (emitted, receivers) in turn {
        check(emitted, written(receivers)).await;
    }
    for (client, numbers) in [(&mut ada, &[1, 2, 3][..]), (&mut bob, &[1, 2, 3, 4, 5])] {
        for n in numbers {
            client.expect(&format!(r#"42["x",{n}]"#)).await;
        }
        client
            .expect(r#"451-["x",{"_placeholder":true,"num":0}]"#)
            .await;
        client.expect_binary(&[6]).await;
    }
    ada.expect(r#"42["x",7]"#).await;
    assert_eq!(io.metrics().volatile_drops, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn for_whom_something_waits_volatile_events_are_dropped_and_counted() {
    let server = Server::start().await;
    let mut slow = slow(&server).await;
    let mut quick = server.client().await;
    let filled = fill(&server, &mut quick).await;
    let dropped = Report {
        written: 1,
        dropped_volatile: 1,
        ..Report::default()
    };
    for n in 0..100 {
        check(server.io.volatile().emit("x", n), dropped).await;
        quick.expect(&format!(r#"42["x",{n}]"#)).await;
    }
    socket_of(&server, &slow).volatile().emit("x", 100);
    let ordered = Report {
        written: 1,
        queued: 1,
        ..Report::default()
    };
    check(server.io.emit("mark", 1), ordered).await;
    let metrics = server.io.metrics();
    assert_eq!((metrics.volatile_drops, metrics.drops), (101, 0));
    assert!(101 * 10 < metrics.volatile_dropped_bytes);

    for _ in 0..filled {
        assert!(slow.hear().await.starts_with(r#"42["fill""#));
    }
    slow.expect(r#"42["mark",1]"#).await;
    quick.expect(r#"42["mark",1]"#).await;
    // Nothing waits any more.
    check(server.io.volatile().emit("x", 101), written(2)).await;
    slow.expect(r#"42["x",101]"#).await;
}

#[tokio::test]
async fn between_two_polls_volatile_events_are_dropped() {
    punctual(|| async {
        let server = Server::start().await;
        let polling = server.polling().await;
        polling.join().await;
        let dropped = Report {
            dropped_volatile: 1,
            ..Report::default()
        };
        check(server.io.volatile().emit("x", 1), dropped).await;
        let (volatile, ordered) = (server.io.volatile().emit("x", 2), server.io.emit("x", 3));
        let queued = Report {
            queued: 1,
            ..Report::default()
        };
        check(volatile, dropped).await;
        check(ordered, queued).await;
        assert_eq!(polling.receive().await, r#"42["x",3]"#);

        let mut get = polling.park().await;
        let data = Args((4, Binary::from(vec![4])));
        check(server.io.volatile().emit("x", data), written(1)).await;
        let answer = get.receive().await;
        let expected = "451-[\"x\",4,{\"_placeholder\":true,\"num\":0}]\u{1e}bBA==";
        assert_eq!(answer.text(), expected);
        check(server.io.volatile().emit("x", 5), dropped).await;
        assert_eq!(server.io.metrics().volatile_drops, 3);
    })
    .await;
}

#[tokio::test]
async fn what_the_sessions_own_task_writes_may_be_volatile_too() {
    let server = Server::start().await;
    let target = "/socket.io/?EIO=4&transport=websocket&b64=1";
    let mut client = Client::over(WebSocket::open(server.address, target).await).await;
    client.join_nsp("/", "").await;
    for n in 0..10 {
        let report = within("a report", server.io.volatile().emit("x", n).report()).await;
        assert_eq!(report.expect("it is sent").dropped_volatile, 0);
        client.expect(&format!(r#"42["x",{n}]"#)).await;
    }
}

/// The kernel takes a part of the turn; where that ends is its own affair.
#[tokio::test]
async fn a_volatile_event_that_has_begun_is_finished_with_its_attachments() {
    let server = Server::start().await;
    let mut slow = slow(&server).await;
    for size in [KILOBYTE, 20 * KILOBYTE, 150 * KILOBYTE] {
        let emits = (0..4_000 * KILOBYTE / size).map(|n| {
            let data = Binary::from(vec![n.to_le_bytes()[0]; size]);
            server.io.volatile().emit("n", Args((n, data)))
        });
        let emits: Vec<Emitted> = emits.collect();
        let mark = server.io.emit("mark", size);
        let mut sum = Report::default();
        for emitted in emits {
            let report = within("a report", emitted.report()).await;
            let report = report.expect("it is sent");
            sum.written += report.written;
            sum.queued += report.queued;
            sum.dropped_volatile += report.dropped_volatile;
            assert_eq!((report.dropped, report.superseded), (0, 0));
        }
        assert!(within("a report", mark.report()).await.is_ok());
        let all = 4_000 * KILOBYTE / size;
        assert_eq!(sum.written + sum.queued + sum.dropped_volatile, all);
        assert!(0 < sum.dropped_volatile, "{sum:?}");
        // One may have begun in each turn, and a turn is a mebibyte.
        assert!(sum.queued <= 5, "{sum:?}");

        let (mut heard, mark) = (Vec::new(), format!(r#"42["mark",{size}]"#));
        loop {
            let text = slow.hear().await;
            if text == mark {
                break;
            }
            let n = text
                .strip_prefix(r#"451-["n","#)
                .and_then(|n| n.split(',').next());
            let n: usize = n.and_then(|n| n.parse().ok()).expect("a number");
            slow.expect_binary(&vec![n.to_le_bytes()[0]; size]).await;
            heard.push(n);
        }
        assert!(heard.is_sorted());
        assert_eq!(heard.len(), sum.written + sum.queued);
    }
}

/// A client that reads only when told to, over a small buffer.
async fn slow(server: &Server) -> Client {
    let stream = connect_with_buffer(server.address, 4_096).await;
    let mut slow = Client::open_over(stream).await;
    slow.join_nsp("/", "").await;
    slow
}

/// Emits until the kernel takes no more for one client, and that is not for the moment only;
/// `quick` is not the one.
async fn fill(server: &Server, quick: &mut Client) -> u64 {
    let mut in_a_row = 0;
    for n in 1.. {
        let emitted = server.io.emit("fill", "x".repeat(KILOBYTE));
        let report = emitted.report().await.expect("it is sent");
        quick.hear().await;
        in_a_row = if 0 < report.queued { in_a_row + 1 } else { 0 };
        if in_a_row == 20 {
            return n;
        }
    }
    unreachable!("the kernel's buffers are bounded")
}

fn socket_of(server: &Server, client: &Client) -> Socket {
    let mut sockets = server.io.sockets().into_iter();
    sockets
        .find(|socket| socket.id().as_str() == client.id)
        .expect("the client has joined")
}

#[track_caller]
fn check(emitted: Emitted, expected: Report) -> impl Future<Output = ()> {
    let report = within("a report", emitted.report());
    async move { assert_eq!(report.await.expect("it was sent"), expected) }
}

fn written(written: usize) -> Report {
    Report {
        written,
        ..Report::default()
    }
}
