//! Refused requests, as the application is told of them.

use fanfare::{AllowRequest, Config, ConnectionErrorListener, Forbidden, Limits};
use fanfare_testkit::{Http, Request, upgrade_request};

use crate::{
    notes::{Notes, notes},
    server::Server,
};

const OPEN: &str = "/socket.io/?EIO=4&transport=polling";
const OPEN_WEBSOCKET: &str = "/socket.io/?EIO=4&transport=websocket";

#[tokio::test]
async fn every_refusal_is_told_with_its_code_its_words_and_its_name() {
    let (server, mut told) = with(Config::default()).await;
    let polling = server.polling().await;
    let mismatch = format!(
        "/socket.io/?EIO=4&transport=websocket&sid={}",
        polling.sid()
    );
    let other_protocol = format!("/socket.io/?EIO=3&transport=polling&sid={}", polling.sid());
    let too_large = "4".repeat(1_000_001);
    for (request, expected) in [
        (
            Request::get("/socket.io/"),
            "0 'Transport unknown' UNKNOWN_TRANSPORT",
        ),
        (
            upgrade_request("/socket.io/"),
            "0 'Transport unknown' UNKNOWN_TRANSPORT",
        ),
        (
            Request::get(format!("{OPEN}&sid=x")),
            "1 'Session ID unknown' UNKNOWN_SID",
        ),
        (
            Request::post(OPEN, ""),
            "2 'Bad handshake method' BAD_HANDSHAKE_METHOD",
        ),
        (
            Request::get(OPEN_WEBSOCKET),
            "3 'Bad request' TRANSPORT_HANDSHAKE_ERROR",
        ),
        (Request::get(mismatch), "3 'Bad request' TRANSPORT_MISMATCH"),
        (
            Request::get(other_protocol),
            "3 'Bad request' PROTOCOL_MISMATCH",
        ),
        (
            Request::get("/socket.io/?EIO=3&transport=polling"),
            "5 'Unsupported protocol version' UNSUPPORTED_PROTOCOL_VERSION",
        ),
        (
            upgrade_request(OPEN_WEBSOCKET).header("Sec-WebSocket-Key", "short"),
            "- 'Missing or invalid Sec-WebSocket-Key header' WEBSOCKET_HANDSHAKE_ERROR",
        ),
        (
            Request::post(polling.target(), too_large),
            "- '' PAYLOAD_TOO_LARGE",
        ),
        (Request::of("PUT", polling.target()), "- '' BAD_METHOD"),
    ] {
        let request = request.header("X-Asked", "this");
        let answer = Http::once(server.address, &request).await;
        assert_ne!(answer.status, 200, "{request:?}");
        told.expect(&[&format!("{expected} this")]).await;
    }
    assert_eq!(polling.post("40").await.text(), "ok", "the session lives");
    assert!(told.is_empty());
}

#[tokio::test]
async fn refusals_of_the_servers_own_are_told_too() {
    let (server, mut told) = with(Config {
        allow_request: Some(AllowRequest::new(|_| async { Err(Forbidden::new("no")) })),
        ..Config::default()
    })
    .await;
    Http::once(server.address, &Request::get(OPEN)).await;
    told.expect(&["4 'no' FORBIDDEN -"]).await;
    let foreign = Request::get(OPEN).header("Origin", "http://evil.example");
    let answer = Http::once(server.address, &foreign).await;
    let told = told.next().await;
    assert!(told.starts_with("4 'origin http://evil.example"), "{told}");
    assert!(told.ends_with("INVALID_ORIGIN -"), "{told}");
    assert_eq!(answer.status, 403);

    let (server, mut told) = with(Config {
        limits: Limits {
            max_joining_per_address: 0,
            ..Limits::default()
        },
        ..Config::default()
    })
    .await;
    Http::once(server.address, &Request::get(OPEN)).await;
    let told = told.next().await;
    assert!(told.ends_with("TOO_MANY_JOINING -"), "{told}");
}

#[tokio::test]
async fn a_listener_that_panics_changes_nothing() {
    let server = Server::with(Config {
        connection_error: Some(ConnectionErrorListener::new(|_, _| {
            panic!("expected by this test")
        })),
        ..Config::default()
    })
    .await;
    let answer = Http::once(server.address, &Request::get("/socket.io/")).await;
    assert_eq!(answer.status, 400);
}

async fn with(config: Config) -> (Server, Notes) {
    let (pen, notes) = notes();
    let listener = ConnectionErrorListener::new(move |error, request| {
        let code = error.code.map_or("-".to_owned(), |code| code.to_string());
        let asked = request.headers.get("x-asked");
        let asked = asked.map_or("-", |asked| asked.to_str().expect("a text"));
        pen.note(format!(
            "{code} '{}' {} {asked}",
            error.message, error.context
        ));
    });
    let server = Server::with(Config {
        connection_error: Some(listener),
        ..config
    })
    .await;
    (server, notes)
}
