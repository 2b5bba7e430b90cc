//! How sessions end, and what either side then knows.

use std::time::Duration;

use fanfare::{Config, DisconnectReason as Seen, Io};
use fanfare_client::{Args, Client, DisconnectReason, EmitError, Incoming, Options, Transports};
use tokio::sync::mpsc;

use crate::server::{ALL, args, connect, echo, echo_with, fake, http, next, serve, soon};

/// A server that tells of each disconnection why, and how many are left.
fn telling() -> (Io, mpsc::Receiver<(Seen, u64)>) {
    let io = echo_with(Config {
        ping_interval: Duration::from_secs(1),
        ping_timeout: Duration::from_secs(1),
        ..Config::default()
    });
    let (sender, receiver) = mpsc::channel(16);
    io.on_disconnect(move |io, _, reason| {
        let sender = sender.clone();
        async move {
            let left = io.count().sockets;
            sender.send((reason, left)).await.expect("the test listens");
        }
    });
    (io, receiver)
}

#[tokio::test]
async fn a_client_that_leaves_has_said_all_it_wanted() {
    let (io, mut told) = telling();
    let (sender, mut said) = mpsc::channel::<u32>(200);
    io.on("word", move |_: fanfare::Socket, word: u32| {
        let sender = sender.clone();
        async move { sender.send(word).await.expect("the test listens") }
    });
    let address = serve(&io).await;
    for transports in ALL {
        let client = connect(&address, transports).await;
        for word in 0..100 {
            client.emit("word", args(&word)).await.unwrap();
        }
        soon("goodbye", client.disconnect()).await;
        let end = soon("the end", told.recv()).await.unwrap();
        assert_eq!(end, (Seen::ClientNamespaceDisconnect, 0), "{transports:?}");
        for word in 0..100 {
            assert_eq!(soon("a word", said.recv()).await, Some(word));
        }
    }
}

#[tokio::test]
async fn a_client_that_is_dropped_leaves() {
    let (io, mut told) = telling();
    let address = serve(&io).await;
    for transports in ALL {
        drop(connect(&address, transports).await);
        let end = soon("the end", told.recv()).await.unwrap();
        assert_eq!(end, (Seen::ClientNamespaceDisconnect, 0), "{transports:?}");
    }
}

#[tokio::test]
async fn a_client_that_is_aborted_says_nothing() {
    let (io, mut told) = telling();
    let address = serve(&io).await;
    for transports in ALL {
        let client = connect(&address, transports).await;
        client.abort().await;
        let (reason, left) = soon("the end", told.recv()).await.unwrap();
        match (transports, reason) {
            (Transports::Polling, Seen::TransportError)
            // Between two polls there is no connection to lose.
            | (Transports::Polling, Seen::PingTimeout)
            | (Transports::WebSocket | Transports::PollingThenWebSocket, Seen::TransportClose) => {}
            (_, other) => panic!("{transports:?}: {other:?}"),
        }
        assert_eq!(left, 0);
    }
}

#[tokio::test]
async fn a_client_that_is_put_out_knows_it() {
    let io = echo();
    io.on(
        "enough",
        |socket: fanfare::Socket, _: fanfare::RawArgs| async move {
            socket.emit("farewell", ());
            socket.disconnect();
        },
    );
    let address = serve(&io).await;
    for transports in ALL {
        let mut client = connect(&address, transports).await;
        client.emit("enough", Args::default()).await.unwrap();
        assert!(matches!(next(&mut client).await, Incoming::Event(_)));
        let end = Incoming::Disconnected(DisconnectReason::IoServerDisconnect);
        assert_eq!(next(&mut client).await, end, "{transports:?}");
        assert_eq!(client.next().await, None);
        let sent = client.emit("say", args(&1)).await;
        assert!(matches!(sent, Err(EmitError::Disconnected)));
    }
}

#[tokio::test]
async fn a_server_that_goes_away_is_noticed() {
    for transports in ALL {
        let io = echo();
        let address = serve(&io).await;
        let mut client = connect(&address, transports).await;
        soon("the shutdown", io.shutdown()).await;
        match (transports, next(&mut client).await) {
            (_, Incoming::Disconnected(DisconnectReason::TransportClose))
            // The next poll finds nobody to answer it.
            | (Transports::Polling, Incoming::Disconnected(DisconnectReason::TransportError)) => {}
            (_, other) => panic!("{transports:?}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_server_that_falls_silent_is_given_up() {
    let address = fake(|request| async move {
        let open = r#"0{"sid":"s","upgrades":[],"pingInterval":30,"pingTimeout":20}"#;
        match (request.starts_with("POST"), request.contains("sid=s")) {
            (true, _) => http("200 OK", "ok"),
            (false, false) => http("200 OK", &format!("{open}\u{1e}40{{\"sid\":\"x\"}}")),
            (false, true) => std::future::pending().await,
        }
    })
    .await;
    let options = Options {
        close_timeout: Duration::from_millis(100),
        ..Options::default()
    };
    let mut client = Client::connect(&address, options).await.unwrap();
    let end = Incoming::Disconnected(DisconnectReason::PingTimeout);
    assert_eq!(next(&mut client).await, end);
}

#[tokio::test]
async fn a_server_that_talks_nonsense_is_left() {
    for nonsense in ["x", "4", "42[", "451-[\"a\"]\u{1e}42[\"b\"]"] {
        let address = fake(move |request| async move {
            let open = r#"0{"sid":"s","upgrades":[],"pingInterval":30000,"pingTimeout":20000}"#;
            match (request.starts_with("POST"), request.contains("sid=s")) {
                (true, _) => http("200 OK", "ok"),
                (false, false) => http("200 OK", &format!("{open}\u{1e}40{{\"sid\":\"x\"}}")),
                (false, true) => http("200 OK", nonsense),
            }
        })
        .await;
        let mut client = Client::connect(&address, Options::default()).await.unwrap();
        let end = Incoming::Disconnected(DisconnectReason::ParseError);
        assert_eq!(next(&mut client).await, end, "{nonsense:?}");
    }
}

#[tokio::test]
async fn many_come_and_go_and_none_is_left_behind() {
    let (io, mut told) = telling();
    let address = serve(&io).await;
    let mut clients = Vec::new();
    for n in 0..30 {
        let transports = ALL[n % ALL.len()];
        clients.push(connect(&address, transports).await);
    }
    assert_eq!(io.count().sockets, 30);
    for (n, client) in clients.into_iter().enumerate() {
        match n % 2 {
            0 => client.disconnect().await,
            _ => client.abort().await,
        }
        soon("the end", told.recv()).await.unwrap();
    }
    assert_eq!(io.count().sockets, 0);
    drop(connect(&address, Transports::WebSocket).await);
}
