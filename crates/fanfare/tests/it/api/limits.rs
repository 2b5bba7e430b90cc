//! Limits that have no better place.

use fanfare::{Config, Limits};
use fanfare_testkit::{Client, Http, Polling, Request, WebSocket, eventually, upgrade_request};

use crate::{notes::notes, server::Server};

const OPEN: &str = "/socket.io/?EIO=4&transport=polling";

#[tokio::test]
async fn headers_are_kept_up_to_the_limit_and_never_cut_in_their_middle() {
    let server = with(Limits {
        max_header_bytes: 200,
        ..Limits::default()
    })
    .await;
    let (pen, mut notes) = notes();
    server.io.on_connect(move |_, socket| {
        let handshake = socket.handshake();
        let values = ["x-one", "x-long", "x-two"]
            .map(|name| handshake.header(name).unwrap_or("-").to_owned());
        pen.note(values.join(" "));
        async {}
    });
    let request = upgrade_request("/socket.io/?EIO=4&transport=websocket");
    let long = "l".repeat(150);
    let mut ordered = Request::get("/socket.io/?EIO=4&transport=websocket")
        .header("X-One", "1")
        .header("X-Long", &long)
        .header("X-Two", "2");
    for (name, value) in request.headers() {
        ordered = ordered.header(name, value);
    }
    let mut http = Http::connect(server.address).await;
    http.send(&ordered.encode()).await;
    let websocket = WebSocket::opened(http).await.expect("it is opened");
    Client::over(websocket).await.join_nsp("/", "").await;
    notes.expect(&["1 - 2"]).await;
}

#[tokio::test]
async fn one_address_holds_no_more_sessions_that_have_not_joined_than_the_limit() {
    let server = with(Limits {
        max_joining_per_address: 2,
        ..Limits::default()
    })
    .await;
    let polling = server.polling().await;
    let websocket = server.websocket().await;
    check_too_many(&server).await;

    polling.join().await;
    let third = server.polling().await;
    check_too_many(&server).await;

    drop(websocket);
    eventually("the session is over", || server.io.metrics().sessions == 2).await;
    let mut client = Client::open(server.address).await;
    check_too_many(&server).await;
    client.join_nsp("/", "").await;

    third.send("1").await;
    let _one = server.polling().await;
    let _two = server.polling().await;
    check_too_many(&server).await;
    client.send("41").await;
    client.join_nsp("/", "").await;
    check_too_many(&server).await;
}

#[tokio::test]
async fn the_metrics_count_sessions() {
    let server = Server::start().await;
    let polling: Polling = server.polling().await;
    let client = server.client().await;
    let metrics = server.io.metrics();
    assert_eq!((metrics.sessions, metrics.sessions_opened), (2, 2));
    assert_eq!((metrics.drops, metrics.dropped_bytes), (0, 0));
    polling.send("1").await;
    drop(client);
    server.is_deserted().await;
    assert_eq!(server.io.metrics().sessions_opened, 2);
}

async fn check_too_many(server: &Server) {
    for request in [
        Request::get(OPEN),
        upgrade_request("/socket.io/?EIO=4&transport=websocket"),
    ] {
        let answer = Http::once(server.address, &request).await;
        assert_eq!(answer.status, 503, "{answer:?}");
        assert!(
            answer.text().contains("`max_joining_per_address`"),
            "{answer:?}"
        );
        assert!(answer.header("retry-after").is_some());
    }
}

async fn with(limits: Limits) -> Server {
    Server::with(Config {
        limits,
        ..Config::default()
    })
    .await
}
