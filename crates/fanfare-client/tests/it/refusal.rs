//! Who lets the client in, who does not, and who is no server at all.

use std::time::Duration;

use fanfare::{Admission, Io};
use fanfare_client::{Client, ConnectError, Nsp, Options, Refusal, TransportError, Transports};
use tokio::net::TcpListener;

use crate::server::{ALL, connect, echo, fake, http, serve, soon};

async fn error(address: &fanfare_client::Address, options: Options) -> ConnectError {
    soon("an answer", Client::connect(address, options))
        .await
        .expect_err("it does not connect")
}

fn over(transports: Transports) -> Options {
    Options {
        transports,
        ..Options::default()
    }
}

#[tokio::test]
async fn a_refusal_is_told_with_its_data() {
    let io = Io::new();
    io.admit(|_| async {
        let refusal = fanfare::Refusal::new("not today")
            .with_data([1, 2])
            .unwrap();
        Err::<Admission, _>(refusal)
    });
    let address = serve(&io).await;
    for transports in ALL {
        let ConnectError::Refused(refusal) = error(&address, over(transports)).await else {
            panic!("refused");
        };
        let expected = Refusal {
            message: "not today".to_owned(),
            data: Some("[1,2]".to_owned()),
        };
        assert_eq!(refusal, expected);
    }
    assert_eq!(io.count().sockets, 0);
}

#[tokio::test]
async fn auth_and_headers_reach_the_server() {
    let io = Io::new();
    io.admit(|handshake| async move {
        let user = handshake.cookie("user").unwrap_or("nobody").to_owned();
        match handshake.auth_json() {
            r#"{"token":"t"}"# => Ok(Admission::user(user)),
            other => Err(fanfare::Refusal::new(other)),
        }
    });
    io.on_connect(|_, socket| async move {
        let user = socket.user().map(str::to_owned);
        socket.emit("you are", user);
    });
    let address = serve(&io).await;
    for transports in [Transports::Polling, Transports::WebSocket] {
        let mut options = over(transports);
        options
            .headers
            .insert("cookie", "a=b; user=ann".parse().unwrap());
        options.auth = Some(r#"{"token":"t"}"#.to_owned());
        let mut client = Client::connect(&address, options).await.unwrap();
        let told = crate::server::event(&mut client).await;
        assert_eq!(told.args.json, r#""ann""#);
    }
}

#[tokio::test]
async fn a_namespace_is_joined_if_it_is_there() {
    let io = echo();
    let news = io.of("/news");
    news.on_connect(|_, socket| async move { socket.emit("hello", socket.nsp().to_owned()) });
    let address = serve(&io).await;
    for transports in ALL {
        let mut options = over(transports);
        options.namespace = Nsp::parse("/news").unwrap();
        let mut client = Client::connect(&address, options.clone()).await.unwrap();
        let hello = loop {
            if let fanfare_client::Incoming::Event(event) = crate::server::next(&mut client).await {
                break event;
            }
        };
        assert_eq!(hello.args.json, r#""/news""#);

        options.namespace = Nsp::parse("/weather").unwrap();
        let refused = error(&address, options).await;
        assert_eq!(refused.to_string(), "refused: Invalid namespace");
    }
}

#[tokio::test]
async fn another_path_is_found() {
    let io = Io::with(fanfare::Config {
        path: "/live".to_owned(),
        ..fanfare::Config::default()
    });
    let address = serve(&io).await;
    for transports in ALL {
        let mut options = over(transports);
        options.path = "/live/".to_owned();
        Client::connect(&address, options).await.unwrap();
        let missed = error(&address, over(transports)).await;
        let ConnectError::Transport(TransportError::Status { status, .. }) = missed else {
            panic!("{missed:?}");
        };
        assert_eq!(status, 404);
    }
}

#[tokio::test]
async fn an_upgrade_that_fails_leaves_polling() {
    let io = echo();
    let address = serve(&io).await;
    let options = Options {
        upgrade_timeout: Duration::ZERO,
        ..Options::default()
    };
    let client = Client::connect(&address, options).await.unwrap();
    let asked = client.emit_with_ack("ask", crate::server::args(&1), Duration::from_secs(10));
    assert_eq!(asked.await.unwrap(), crate::server::args(&1));
    drop(connect(&address, Transports::Polling).await);
}

#[tokio::test]
async fn what_is_no_server_is_told_apart() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nowhere = format!("http://{}", nobody.local_addr().unwrap())
        .parse()
        .unwrap();
    drop(nobody);
    let html = fake(|_| async { http("200 OK", "<!doctype html>") }).await;
    let code = r#"{"code":4,"message":"Forbidden"}"#;
    let forbidding = fake(move |_| async move { http("403 Forbidden", code) }).await;
    let mute = fake(|_| async { Vec::new() }).await;
    let deaf = fake(|_| std::future::pending()).await;
    for transports in ALL {
        let mut options = over(transports);
        let cause = |error: ConnectError| match error {
            ConnectError::Transport(error) => error,
            other => panic!("{other:?}"),
        };
        let error_at = async |address| cause(error(address, over(transports)).await);
        assert!(matches!(
            error_at(&nowhere).await,
            TransportError::Connect(_)
        ));
        assert!(matches!(error_at(&mute).await, TransportError::Http(_)));
        assert_eq!(
            error_at(&forbidding).await.to_string(),
            "answered with status 403: Forbidden"
        );
        match (transports, error_at(&html).await) {
            (Transports::WebSocket, TransportError::Status { status: 200, .. })
            | (
                Transports::Polling | Transports::PollingThenWebSocket,
                TransportError::NotEngineIo,
            ) => {}
            (_, other) => panic!("{other:?}"),
        }
        options.connect_timeout = Duration::from_millis(50);
        let silence = error(&deaf, options).await;
        assert!(matches!(silence, ConnectError::TimedOut(_)), "{silence:?}");
    }
}
