//! What is said arrives, over every transport.

use std::time::Duration;

use fanfare::{Config, Io};
use fanfare_client::{AckError, Args, Client, EmitError, Incoming, Options, Transports};
use tokio::sync::mpsc;

use crate::server::{ALL, args, connect, echo, echo_with, event, next, serve, soon};

#[tokio::test]
async fn events_go_both_ways() {
    let address = serve(&echo()).await;
    for transports in ALL {
        let mut client = connect(&address, transports).await;
        assert_eq!(client.id().len(), 20, "{transports:?}");
        client.emit("say", args(&("hello", 2))).await.unwrap();
        let heard = event(&mut client).await;
        assert_eq!(heard.name, "heard");
        assert_eq!(heard.args.json, r#""hello",2"#);
        assert_eq!(heard.ack, None);
        client.disconnect().await;
    }
}

#[tokio::test]
async fn bytes_go_both_ways() {
    let address = serve(&echo()).await;
    for transports in ALL {
        let mut client = connect(&address, transports).await;
        let sent = Args {
            json: r#"{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}"#.to_owned(),
            attachments: vec![vec![0, 255, 128].into(), vec![7; 100_000].into()],
        };
        client.emit("say", sent.clone()).await.unwrap();
        assert_eq!(event(&mut client).await.args, sent, "{transports:?}");
    }
}

#[tokio::test]
async fn a_question_is_answered() {
    let address = serve(&echo()).await;
    for transports in ALL {
        let client = connect(&address, transports).await;
        for n in 0..3 {
            let asked = client.emit_with_ack("ask", args(&n), Duration::from_secs(10));
            let answer: (u8,) = asked.await.unwrap().parse().unwrap();
            assert_eq!(answer, (n,), "{transports:?}");
        }
    }
}

#[tokio::test]
async fn a_question_that_nobody_answers_is_given_up() {
    let address = serve(&echo()).await;
    let client = connect(&address, Transports::WebSocket).await;
    let asked = client.emit_with_ack("say", args(&0), Duration::from_millis(1));
    assert!(matches!(asked.await, Err(AckError::TimedOut)));
    let asked = client.emit_with_ack("ask", args(&1), Duration::from_secs(10));
    assert_eq!(asked.await.unwrap(), args(&1));
}

#[tokio::test]
async fn the_server_asks_and_is_answered() {
    let io = Io::new();
    let (answers, mut answered) = mpsc::channel::<u32>(3);
    io.on_connect(move |_, socket| {
        let answers = answers.clone();
        async move {
            let answer = socket.emit_with_ack("how many", 2, Duration::from_secs(10));
            answers.send(answer.await.unwrap()).await.unwrap();
        }
    });
    let address = serve(&io).await;
    for transports in ALL {
        let options = Options {
            transports,
            ..Options::default()
        };
        let mut client = Client::connect(&address, options).await.unwrap();
        let asked = loop {
            if let Incoming::Event(event) = next(&mut client).await {
                break event;
            }
        };
        let (n,): (u32,) = asked.args.parse().unwrap();
        client
            .ack(asked.ack.unwrap(), args(&(n + 40)))
            .await
            .unwrap();
        assert_eq!(soon("the answer", answered.recv()).await, Some(42));
    }
}

#[tokio::test]
async fn nothing_is_lost_or_overtaken_while_the_session_moves() {
    let address = serve(&echo()).await;
    let options = Options::default();
    let mut client = Client::connect(&address, options).await.unwrap();
    for n in 0..500 {
        client.emit("say", args(&n)).await.unwrap();
    }
    let mut heard = Vec::new();
    let mut moves = 0;
    while heard.len() < 500 || moves == 0 {
        match next(&mut client).await {
            Incoming::Event(event) => heard.push(event.args.parse::<(u32,)>().unwrap().0),
            Incoming::Upgraded => moves += 1,
            Incoming::Disconnected(reason) => panic!("{reason}"),
        }
    }
    assert_eq!(heard, (0..500).collect::<Vec<_>>());
    assert_eq!(moves, 1);
}

#[tokio::test]
async fn a_reader_with_little_room_reads_everything_in_order() {
    let io = Io::new();
    io.on_connect(|_, socket| async move {
        for n in 0..5_000 {
            socket.emit("n", n);
        }
    });
    let address = serve(&io).await;
    for transports in ALL {
        let options = Options {
            transports,
            max_inbox: 2,
            ..Options::default()
        };
        let mut client = Client::connect(&address, options).await.unwrap();
        let mut expected = 0;
        while expected < 5_000 {
            if let Incoming::Event(event) = next(&mut client).await {
                assert_eq!(event.args.parse::<(u32,)>().unwrap(), (expected,));
                expected += 1;
            }
        }
    }
}

#[tokio::test]
async fn pings_are_answered() {
    let interval = Duration::from_millis(100);
    let timeout = Duration::from_secs(1);
    let io = echo_with(Config {
        ping_interval: interval,
        ping_timeout: timeout,
        ..Config::default()
    });
    io.on(
        "outlast",
        |_: fanfare::Socket, (): (), ack: fanfare::Ack| async move {
            // A session whose pings nobody answers is over by then.
            tokio::time::sleep(Duration::from_millis(1_300)).await;
            ack.send("still here");
        },
    );
    let address = serve(&io).await;
    let outlast = async |transports| {
        let client = connect(&address, transports).await;
        assert_eq!(client.ping_interval(), interval);
        assert_eq!(client.ping_timeout(), timeout);
        let outlasted = client.emit_with_ack("outlast", args(&()), Duration::from_secs(10));
        assert_eq!(outlasted.await.unwrap(), args(&"still here"));
    };
    tokio::join!(
        outlast(Transports::Polling),
        outlast(Transports::WebSocket),
        outlast(Transports::PollingThenWebSocket)
    );
}

#[tokio::test]
async fn reserved_names_are_not_sent() {
    let address = serve(&echo()).await;
    let client = connect(&address, Transports::WebSocket).await;
    let sent = client.emit("disconnect", Args::default()).await;
    assert!(matches!(sent, Err(EmitError::ReservedName)));
}
