//! What one socket hears, whoever it is meant for, comes in the order in which it was emitted.

use fanfare::{Binary, Config, Io, Limits, Socket};
use fanfare_testkit::{Client, connect_with_buffer, within};
use tokio::task::JoinSet;

use crate::server::Server;

const EVENTS: usize = 2_000;
const LARGE: usize = 500;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_hears_everything_in_order() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let _other = server.client().await;
    let socket = find(&server.io, &client.id);
    emit_in_every_way(&server.io, &socket);
    check(&mut client).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_reads_late_hears_everything_in_order() {
    let server = Server::with(patient()).await;
    let mut client = Client::open_over(connect_with_buffer(server.address, 4_096).await).await;
    client.join_nsp("/", "").await;
    let socket = find(&server.io, &client.id);
    let fill = "x".repeat(10_000);
    let mut filled = 0;
    loop {
        filled += 1;
        let report = server.io.emit("fill", &fill).report().await;
        if 0 < report.expect("it is sent").queued {
            break;
        }
    }
    emit_in_every_way(&server.io, &socket);
    for _ in 0..filled {
        assert!(client.hear().await.starts_with(r#"42["fill","#));
    }
    check(&mut client).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_polls_hears_everything_in_order() {
    let server = Server::start().await;
    let polling = server.polling().await;
    let socket = find(&server.io, &polling.join().await);
    emit_in_every_way(&server.io, &socket);
    let mut heard = Vec::new();
    while heard.len() < EVENTS + EVENTS / 4 {
        heard.extend(polling.receive().await.split('\u{1e}').map(str::to_owned));
    }
    let events = heard.iter().filter(|packet| *packet != "bBwcH");
    for (n, event) in events.enumerate() {
        assert_eq!(*event, expected(n));
    }
}

/// More than a turn's buffers take: whoever emits writes them out itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn large_events_of_racing_threads_are_heard_in_one_order_by_all() {
    let server = Server::with(patient()).await;
    let mut clients = JoinSet::new();
    for _ in 0..4 {
        clients.spawn(hear_large(server.client().await));
    }
    let threads = (0..4).map(|thread| {
        let io = server.io.clone();
        std::thread::spawn(move || {
            for n in 0..LARGE {
                io.emit("large", (thread, n, "x".repeat(10_000)));
            }
        })
    });
    let threads: Vec<_> = threads.collect();
    let heard = within("all events", clients.join_all()).await;
    for thread in threads {
        thread.join().expect("no panic");
    }
    assert!(heard.windows(2).all(|pair| pair[0] == pair[1]), "one order");
    for thread in 0..4 {
        let own = heard[0].iter().filter(|event| event.0 == thread);
        assert!(own.map(|event| event.1).eq(0..LARGE));
    }
}

async fn hear_large(mut client: Client) -> Vec<(usize, usize)> {
    let mut heard = Vec::new();
    while heard.len() < 4 * LARGE {
        let text = client.hear().await;
        let mut numbers = text.trim_start_matches(r#"42["large",["#).split(',');
        let mut next = || numbers.next().and_then(|number| number.parse().ok());
        heard.push(next().zip(next()).unwrap_or_else(|| panic!("{text:.40}")));
    }
    heard
}

fn patient() -> Config {
    Config {
        limits: Limits {
            max_backlog_bytes: 100 * 1024 * 1024,
            ..Limits::default()
        },
        ..Config::default()
    }
}

/// Emits 0, 1, 2, … to the socket alone, to everyone, to its room, and with attachments.
fn emit_in_every_way(io: &Io, socket: &Socket) {
    socket.join("room");
    for n in 0..EVENTS {
        match n % 4 {
            0 => socket.emit("n", n),
            1 => drop(io.emit("n", n)),
            2 => drop(io.to("room").emit("n", n)),
            _ => socket.emit("n", (n, Binary::from(vec![7; 3]))),
        }
    }
}

fn expected(n: usize) -> String {
    match n % 4 {
        3 => format!(r#"451-["n",[{n},{{"_placeholder":true,"num":0}}]]"#),
        _ => format!(r#"42["n",{n}]"#),
    }
}

async fn check(client: &mut Client) {
    for n in 0..EVENTS {
        client.expect(&expected(n)).await;
        if n % 4 == 3 {
            client.expect_binary(&[7; 3]).await;
        }
    }
}

fn find(io: &Io, id: &str) -> Socket {
    let socket = io.sockets().into_iter().find(|it| it.id().as_str() == id);
    socket.expect("it has joined")
}
