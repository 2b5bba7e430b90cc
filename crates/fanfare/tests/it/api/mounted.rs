//! The server within another: axum's, and over streams that nobody knows.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    extract::{self, connect_info::ConnectInfo},
    middleware::Next,
    response::IntoResponse,
    routing::get,
};
use fanfare::{ClientBundle, Config, Io, OverTls, RawArgs, RemoteAddr, Report, Socket};
use fanfare_testkit::{
    Client, DEADLINE, Http, Polling, Request, WebSocket, eventually, frame, upgrade_request,
};
use http::StatusCode;
use hyper::server::conn::http1;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::{
    io::{DuplexStream, duplex},
    net::TcpListener,
    sync::Semaphore,
};
use tower::Layer;

use crate::server;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_layer_around_an_axum_router_finds_the_tcp_stream() {
    let io = echoing(Config::default());
    let app = Router::new()
        .route("/", get(|| async { "the application" }))
        .layer(io.layer());
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("it is bound");
    let serving = tokio::spawn(async move { axum::serve(listener, app).await });

    let mut client = Client::join(address).await;
    client.send(r#"42["echo",1]"#).await;
    client.expect(r#"42["echo",1]"#).await;
    let written = Report {
        written: 1,
        ..Report::default()
    };
    let report = io.emit("all", 1).report().await;
    assert_eq!(
        report.expect("it is sent"),
        written,
        "straight into the kernel"
    );
    client.expect(r#"42["all",1]"#).await;
    assert_eq!(io.sockets()[0].handshake().remote_addr(), None);
    for (target, status, body) in [("/", 200, "the application"), ("/other", 404, "")] {
        let answer = Http::once(address, &Request::get(target)).await;
        assert_eq!((answer.status, answer.text()), (status, body));
    }
    drop(client);
    eventually("it has left", || io.count().sockets == 0).await;
    serving.abort();
}

#[tokio::test]
async fn whoever_brings_a_listener_may_tell_the_address() {
    let io = Io::new();
    let app = Router::new()
        .layer(io.layer())
        .layer(axum::middleware::map_request(
            |mut request: extract::Request| async {
                let ConnectInfo(address) = request.extensions().get().copied().expect("axum's");
                request.extensions_mut().insert(RemoteAddr(address));
                request.extensions_mut().insert(OverTls);
                request
            },
        ))
        .into_make_service_with_connect_info::<std::net::SocketAddr>();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("it is bound");
    let serving = tokio::spawn(async move { axum::serve(listener, app).await });
    let client = Client::join(address).await;
    let handshake = io.sockets()[0].handshake();
    let known = handshake.remote_addr();
    assert!(handshake.is_secure());
    let local = client.websocket.stream().local_addr().ok();
    assert_eq!(known, local);
    serving.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_an_unknown_stream_everything_goes_through_the_sessions_task() {
    let io = echoing(Config::default());
    let mut client = Client::open_over(mount(&io)).await;
    client.join_nsp("/", "").await;
    for n in 0..100 {
        client.send(&format!(r#"42["echo",{n}]"#)).await;
        client.expect(&format!(r#"42["echo",{n}]"#)).await;
    }
    client
        .send(r#"451-["echo",{"_placeholder":true,"num":0}]"#)
        .await;
    client.send_binary(&[1, 2]).await;
    client
        .expect(r#"451-["echo",{"_placeholder":true,"num":0}]"#)
        .await;
    client.expect_binary(&[1, 2]).await;
    for n in 0..10_000 {
        io.emit("n", n);
    }
    for n in 0..10_000 {
        client.expect(&format!(r#"42["n",{n}]"#)).await;
    }
    drop(client);
    eventually("it has left", || io.metrics().sessions == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_an_unknown_stream_the_server_says_why_it_closes() {
    for (bytes, code) in [
        (vec![0x81, 0x01, b'4'], Some(1002)),
        (vec![0x81, 0x82, 0, 0, 0, 0, b'4', 0xFF], Some(1007)),
        (frame::text("4x"), None),
        (frame::text("2"), None),
    ] {
        let io = echoing(Config::default());
        let mut client = Client::open_over(mount(&io)).await;
        client.join_nsp("/", "").await;
        client.websocket.send_bytes(&bytes).await;
        assert_eq!(client.websocket.closed().await, code, "{bytes:?}");
        eventually("it has left", || io.metrics().sessions == 0).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_an_unknown_stream_frames_right_behind_the_handshake_are_read() {
    let io = echoing(Config::default());
    let request = upgrade_request("/socket.io/?EIO=4&transport=websocket");
    let mut bytes = request.encode();
    bytes.extend(frame::text("40"));
    let mut http = Http::over(mount(&io));
    http.send(&bytes).await;
    let websocket = WebSocket::opened(http).await.expect("it is opened");
    let mut client = Client::over(websocket).await;
    assert!(client.hear().await.starts_with("40{"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_an_unknown_stream_a_session_is_upgraded() {
    let io = echoing(Config::default());
    let mut http = Http::over(mount(&io));
    let open = http
        .ask(&Request::get("/socket.io/?EIO=4&transport=polling"))
        .await;
    let open: serde_json::Value = serde_json::from_str(&open.text()[1..]).expect("JSON");
    let sid = open["sid"].as_str().expect("a sid");
    let target = format!("/socket.io/?EIO=4&transport=websocket&sid={sid}");
    let mut websocket = WebSocket::open_over(mount(&io), &target).await;
    let segment = ["2probe", "5", "40", r#"42["echo",1]"#]
        .map(frame::text)
        .concat();
    websocket.send_bytes(&segment).await;
    assert_eq!(websocket.text().await, "3probe");
    assert!(websocket.text().await.starts_with("40{"));
    assert_eq!(websocket.text().await, r#"42["echo",1]"#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_an_unknown_stream_a_flooding_client_still_hears_everything() {
    let io = echoing(Config {
        limits: fanfare::Limits {
            max_inbox_bytes: 1_000,
            ..fanfare::Limits::default()
        },
        ..Config::default()
    });
    let gate = Arc::new(Semaphore::new(0));
    let opens = gate.clone();
    io.on("wait", move |_: Socket| {
        let gate = opens.clone();
        async move { gate.acquire().await.expect("the gate stays").forget() }
    });
    let mut client = Client::open_over(mount(&io)).await;
    client.join_nsp("/", "").await;
    for _ in 0..20 {
        client
            .send(&format!(r#"42["wait","{}"]"#, "x".repeat(100)))
            .await;
    }
    for n in 0..50 {
        io.emit("n", n);
        client.expect(&format!(r#"42["n",{n}]"#)).await;
    }
    gate.add_permits(20);
    client.send(r#"42["echo",1]"#).await;
    client.expect(r#"42["echo",1]"#).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_an_unknown_stream_a_stalled_reader_is_lost() {
    let io = Io::with(Config {
        limits: fanfare::Limits {
            max_backlog_bytes: 100_000,
            ..fanfare::Limits::default()
        },
        ..server::fast()
    });
    let mut client = Client::open_over(mount(&io)).await;
    client.join_nsp("/", "").await;
    let emitting = async {
        while io.count().sockets == 1 {
            io.emit("fill", "x".repeat(10_000));
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, emitting)
        .await
        .expect("it is disconnected");
    eventually("it has left", || io.metrics().sessions == 0).await;
    drop(client);
}

/// A stream with the server at its other end.
pub(super) fn mount(io: &Io) -> DuplexStream {
    let (client, server) = duplex(64 * 1024);
    let service = TowerToHyperService::new(io.layer().layer(Router::new()));
    let connection = http1::Builder::new()
        .serve_connection(TokioIo::new(server), service)
        .with_upgrades();
    tokio::spawn(connection);
    client
}

fn echoing(config: Config) -> Io {
    let io = Io::with(Config {
        shutdown_timeout: Duration::from_secs(1),
        ..config
    });
    io.on("echo", |socket: Socket, args: RawArgs| async move {
        socket.emit("echo", args);
    });
    io
}

/// What the reference has middlewares of its engine for.
#[tokio::test]
async fn a_layer_around_the_server_sees_every_request_and_may_answer_it() {
    let io = Io::new();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sees = seen.clone();
    let guard = axum::middleware::from_fn(move |request: extract::Request, next: Next| {
        let seen = sees.clone();
        async move {
            let method = request.method().to_string();
            let query = request.uri().query().unwrap_or_default().to_owned();
            seen.lock().expect("no panic").push(method);
            match query.contains("let=out") {
                true => StatusCode::IM_A_TEAPOT.into_response(),
                false => next.run(request).await,
            }
        }
    });
    let app = Router::new().layer(io.layer()).layer(guard);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("it is bound");
    let serving = tokio::spawn(async move { axum::serve(listener, app).await });
    let polling = Polling::open(address, "/socket.io/").await;
    polling.join().await;
    let mut client = Client::join(address).await;
    for request in [
        Request::get("/socket.io/?EIO=4&transport=polling&let=out"),
        upgrade_request("/socket.io/?EIO=4&transport=websocket&let=out"),
    ] {
        assert_eq!(Http::once(address, &request).await.status, 418);
    }
    let expected = ["GET", "POST", "GET", "GET", "GET", "GET"];
    assert_eq!(*seen.lock().expect("no panic"), expected);
    io.emit("n", 1);
    client.expect(r#"42["n",1]"#).await;
    assert_eq!(io.metrics().sessions_opened, 2);
    serving.abort();
}

#[tokio::test]
async fn the_path_may_be_written_with_its_slashes_or_without() {
    for path in ["/my/path", "/my/path/", "my/path"] {
        let server = server::Server::with(Config {
            path: path.to_owned(),
            ..Config::default()
        })
        .await;
        assert_eq!(server.io.config().path, path);
        for (target, status) in [
            ("/my/path/?EIO=4&transport=polling", 200),
            ("/my/path?EIO=4&transport=polling", 404),
            ("/socket.io/?EIO=4&transport=polling", 404),
        ] {
            let answer = Http::once(server.address, &Request::get(target)).await;
            assert_eq!(answer.status, status, "{path}: {target}");
        }
    }
}

#[tokio::test]
async fn the_slash_behind_the_path_may_be_left_out() {
    let server = server::Server::with(Config {
        add_trailing_slash: false,
        client: Some(ClientBundle::from_files([("socket.io.js", "script")])),
        ..Config::default()
    })
    .await;
    for path in [
        "/socket.io",
        "/socket.io/",
        "/socket.iofoo",
        "/socket.io/more",
    ] {
        let request = Request::get(format!("{path}?EIO=4&transport=polling"));
        let answer = Http::once(server.address, &request).await;
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.text().starts_with("0{"), "{path}");
    }
    let mut websocket =
        WebSocket::open(server.address, "/socket.io?EIO=4&transport=websocket").await;
    assert!(websocket.text().await.starts_with("0{"));
    for (path, status) in [
        ("/socket.io/socket.io.js", 200),
        ("/socket.iosocket.io.js", 400),
        ("/socket", 404),
    ] {
        let answer = Http::once(server.address, &Request::get(path)).await;
        assert_eq!(answer.status, status, "{path}");
    }
}
