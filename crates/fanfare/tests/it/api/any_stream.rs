//! Over a stream that is no TCP, such as TLS, which the session's own task writes: who is silent, slow, or does not read.
//! In virtual time.

use std::time::Duration;

use fanfare::{Config, Io, Limits};
use fanfare_testkit::{frame, upgrade_request};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream},
    time::{Instant, sleep},
};

use super::mounted::mount;

const SECOND: Duration = Duration::from_secs(1);

/// A kilobyte of an event.
const KILOBYTE: usize = 1_000;

/// A client that has joined, and of which nothing more is heard.
async fn silent(io: &Io) -> DuplexStream {
    let mut stream = mount(io);
    let request = upgrade_request("/socket.io/?EIO=4&transport=websocket");
    let bytes = [request.encode(), frame::text("40")].concat();
    stream.write_all(&bytes).await.expect("it is taken");
    while io.count().sockets == 0 {
        tokio::task::yield_now().await;
    }
    stream
}

/// Reads what is there and what comes for so long. Whether the other side has ended.
async fn read_for(stream: &mut DuplexStream, patience: Duration) -> (usize, bool) {
    let (mut buffer, mut bytes) = (vec![0; 1 << 16], 0);
    let end = Instant::now() + patience;
    while let Ok(read) = tokio::time::timeout_at(end, stream.read(&mut buffer)).await {
        match read {
            Ok(0) | Err(_) => return (bytes, true),
            Ok(read) => bytes += read,
        }
    }
    (bytes, false)
}

#[tokio::test(start_paused = true)]
async fn who_answers_no_ping_is_lost_however_much_it_is_told() {
    let io = Io::new();
    let mut client = silent(&io).await;
    let began = Instant::now();
    while io.count().sockets == 1 && began.elapsed() < 120 * SECOND {
        io.emit("said", "to all");
        read_for(&mut client, SECOND).await;
    }
    // Its ping came after 25 s, and its time was up 20 s later.
    assert!(began.elapsed() <= 47 * SECOND, "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn who_does_not_read_does_not_hold_what_is_over() {
    let io = Io::new();
    let mut client = silent(&io).await;
    for _ in 0..200 {
        io.emit("said", "x".repeat(KILOBYTE));
        tokio::task::yield_now().await;
    }
    sleep(SECOND).await;
    for socket in io.sockets() {
        socket.close();
    }
    sleep(20 * SECOND).await;
    let (bytes, has_ended) = read_for(&mut client, SECOND).await;
    assert!(has_ended);
    assert!(
        bytes < 100 * KILOBYTE,
        "{bytes}: what was not read in time is dropped"
    );
}

#[tokio::test(start_paused = true)]
async fn who_reads_slowly_is_not_taken_for_one_who_stands_still() {
    let io = Io::with(Config {
        limits: Limits {
            soft_backlog_bytes: 10 * KILOBYTE,
            ..Limits::default()
        },
        ..Config::default()
    });
    let mut client = silent(&io).await;
    for _ in 0..200 {
        io.emit("said", "x".repeat(KILOBYTE));
    }
    let mut buffer = vec![0; 4 * KILOBYTE];
    for second in 0..24 {
        io.emit("said", second);
        client.read_exact(&mut buffer).await.expect("it comes");
        sleep(SECOND).await;
        assert_eq!(io.count().sockets, 1, "after {second} s");
    }
}

#[tokio::test(start_paused = true)]
async fn who_stands_still_is_lost_also_when_nothing_follows() {
    let io = Io::with(Config {
        limits: Limits {
            soft_backlog_bytes: 10 * KILOBYTE,
            ..Limits::default()
        },
        ..Config::default()
    });
    let _client = silent(&io).await;
    for _ in 0..200 {
        io.emit("said", "x".repeat(KILOBYTE));
    }
    sleep(12 * SECOND).await;
    assert_eq!(io.count().sockets, 0);
}
