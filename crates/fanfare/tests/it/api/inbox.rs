//! A client that sends faster than its handlers handle is read no further.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use fanfare::{Ack, Config, Limits, RawArgs, Socket};
use fanfare_testkit::{Client, eventually, frame, within};
use tokio::{sync::Semaphore, task::JoinHandle};

use crate::server::{self, Server};

/// Events of ten kilobytes: twice what the kernel takes for both ends of a connection.
const EVENTS: usize = 2_000;
const EVENT_BYTES: usize = 10_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flooding_client_waits_for_its_handlers_and_loses_nothing() {
    let flood = Flood::begin(server::fast()).await;
    let mut other = flood.server.client().await;
    let mut stood_still = 0;
    let mut before = 0;
    while stood_still < 100 {
        other.send(r#"421["hello"]"#).await;
        other.expect("431[]").await;
        let sent = flood.sent.load(Ordering::Relaxed);
        stood_still = if sent == before { stood_still + 1 } else { 0 };
        before = sent;
    }
    assert!(before < EVENTS * EVENT_BYTES, "the server reads on");
    assert_eq!(flood.server.io.count().sockets, 2);

    // Longer than a pong may take: who is not read can't be judged for its silence.
    for _ in 0..4 {
        assert_eq!(other.websocket.text().await, "2");
        other.send("3").await;
    }
    assert_eq!(flood.server.io.count().sockets, 2);
    assert_eq!(flood.handled.load(Ordering::Relaxed), 0);

    flood.gate.add_permits(EVENTS);
    let mut client = within("the flood", flood.sending).await.expect("no panic");
    eventually("every event is handled", || {
        flood.handled.load(Ordering::Relaxed) == EVENTS
    })
    .await;
    client.send(r#"422["hello"]"#).await;
    client.expect("432[]").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flooding_client_on_polling_waits_for_its_answer() {
    let (server, gate, handled) = slow(Config::default()).await;
    let polling = server.polling().await;
    polling.join().await;
    let event = format!(r#"42["flood","{}"]"#, "x".repeat(EVENT_BYTES));
    let body = vec![event; 50].join("\u{1e}");
    let posting = {
        let polling = polling.clone();
        tokio::spawn(async move { polling.send(&body).await })
    };
    gate.add_permits(1);
    eventually("the first event is handled", || {
        handled.load(Ordering::Relaxed) == 1
    })
    .await;
    let mut other = server.client().await;
    for _ in 0..100 {
        other.send(r#"421["hello"]"#).await;
        other.expect("431[]").await;
    }
    assert!(!posting.is_finished());
    gate.add_permits(49);
    within("the answer", posting).await.expect("no panic");
    eventually("every event is handled", || {
        handled.load(Ordering::Relaxed) == 50
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flooding_client_that_vanishes_is_disconnected() {
    let flood = Flood::begin(server::fast()).await;
    eventually("the flood stands still", || {
        10 * EVENT_BYTES < flood.sent.load(Ordering::Relaxed)
    })
    .await;
    flood.sending.abort();
    // Its connection is reset: bytes of ours and of its own are unread.
    eventually("it is not counted", || flood.server.io.count().sockets == 0).await;
    flood.gate.add_permits(EVENTS);
    flood.server.is_deserted().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flooding_client_hears_what_it_is_sent() {
    let flood = Flood::begin(Config::default()).await;
    let socket = flood.server.io.sockets().remove(0);
    for n in 0..100 {
        socket.emit("n", n);
    }
    flood.gate.add_permits(EVENTS);
    let mut client = within("the flood", flood.sending).await.expect("no panic");
    for n in 0..100 {
        client.expect(&format!(r#"42["n",{n}]"#)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_leaves_and_comes_back_before_its_handlers_are_done_is_refused_in_the_end() {
    let server = Server::with(Config {
        limits: Limits {
            max_leaving: 3,
            ..Limits::default()
        },
        ..Config::default()
    })
    .await;
    let gate = Arc::new(Semaphore::new(0));
    let opens = gate.clone();
    server.io.on("wait", move |_: Socket| {
        let gate = opens.clone();
        async move { gate.acquire().await.expect("the gate stays").forget() }
    });
    let mut client = server.client().await;
    for round in 1..=3 {
        for text in [r#"42["wait"]"#, "41", "40"] {
            client.send(text).await;
        }
        let answer = client.hear().await;
        match round {
            3 => assert!(answer.contains("`max_leaving`"), "{answer}"),
            _ => assert!(answer.starts_with("40{"), "{answer}"),
        }
    }
    gate.add_permits(3);
    within("it is let in", async {
        while {
            client.send("40").await;
            client.hear().await.starts_with("44")
        } {}
    })
    .await;
}

struct Flood {
    server: Server,
    gate: Arc<Semaphore>,
    handled: Arc<AtomicUsize>,
    /// Bytes that the kernel has taken from the client.
    sent: Arc<AtomicUsize>,
    sending: JoinHandle<Client>,
}

impl Flood {
    async fn begin(config: Config) -> Self {
        let (server, gate, handled) = slow(config).await;
        let mut client = server.client().await;
        let sent = Arc::new(AtomicUsize::new(0));
        let sending = {
            let sent = sent.clone();
            tokio::spawn(async move {
                let text = "x".repeat(EVENT_BYTES);
                let event = frame::text(&format!(r#"42["flood","{text}"]"#));
                for _ in 0..EVENTS {
                    client.websocket.send_bytes(&event).await;
                    sent.fetch_add(EVENT_BYTES, Ordering::Relaxed);
                }
                client
            })
        };
        Self {
            server,
            gate,
            handled,
            sent,
            sending,
        }
    }
}

/// A server whose handler of `flood` waits for a permit each time.
async fn slow(config: Config) -> (Server, Arc<Semaphore>, Arc<AtomicUsize>) {
    let server = Server::with(Config {
        limits: Limits {
            max_inbox_bytes: 100_000,
            ..Limits::default()
        },
        ..config
    })
    .await;
    let (gate, handled) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)));
    let (opens, counts) = (gate.clone(), handled.clone());
    server.io.on("flood", move |_: Socket, text: String| {
        let (gate, handled) = (opens.clone(), counts.clone());
        async move {
            assert_eq!(text.len(), EVENT_BYTES);
            gate.acquire().await.expect("the gate stays").forget();
            handled.fetch_add(1, Ordering::Relaxed);
        }
    });
    server
        .io
        .on("hello", |_: Socket, _: RawArgs, ack: Ack| async move {
            ack.send(fanfare::Args(()));
        });
    (server, gate, handled)
}
