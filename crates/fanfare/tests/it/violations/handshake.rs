//! Requests that fit nothing: status, code and words, in the order in which they are judged.

use fanfare_testkit::{Heard, Http, Request, Response, WebSocket, connect, upgrade_request};

use crate::server::Server;

#[tokio::test]
async fn a_wrong_request_is_told_what_is_wrong_first_things_first() {
    let server = Server::start().await;
    let polling = server.polling().await;
    let joined = server.polling().await;
    let _websocket = upgraded(&server, &joined).await;
    let (on_polling, on_websocket) = (polling.sid(), joined.sid());

    let unknown_transport = (0, "Transport unknown");
    check(&server, "GET", "EIO=4", unknown_transport).await;
    check(&server, "GET", "EIO=4&transport=", unknown_transport).await;
    check(&server, "GET", "EIO=4&transport=Polling", unknown_transport).await;
    check(
        &server,
        "GET",
        "EIO=4&transport=webtransport",
        unknown_transport,
    )
    .await;
    check(
        &server,
        "GET",
        "EIO=4&transport=polling&transport=abc",
        unknown_transport,
    )
    .await;
    check(&server, "POST", "EIO=3&sid=nobody", unknown_transport).await;

    let unknown_sid = (1, "Session ID unknown");
    check(
        &server,
        "GET",
        "EIO=4&transport=polling&sid=nobody",
        unknown_sid,
    )
    .await;
    check(
        &server,
        "GET",
        "EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAAAAAA",
        unknown_sid,
    )
    .await;
    check(
        &server,
        "PUT",
        "EIO=3&transport=polling&sid=nobody",
        unknown_sid,
    )
    .await;
    let joint = format!("EIO=4&transport=polling&sid={on_polling}&sid=nobody");
    check(&server, "GET", &joint, unknown_sid).await;

    let bad_method = (2, "Bad handshake method");
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        check(&server, method, "EIO=4&transport=polling", bad_method).await;
        check(&server, method, "EIO=3&transport=websocket", bad_method).await;
    }

    let bad_request = (3, "Bad request");
    check(&server, "GET", "EIO=4&transport=websocket", bad_request).await;
    check(&server, "GET", "EIO=3&transport=websocket", bad_request).await;
    for (sid, transport) in [(on_polling, "websocket"), (on_websocket, "polling")] {
        for method in ["GET", "POST"] {
            let mismatch = format!("EIO=4&transport={transport}&sid={sid}");
            check(&server, method, &mismatch, bad_request).await;
        }
    }
    for revision in ["EIO=3&", ""] {
        let mismatch = format!("{revision}transport=polling&sid={on_polling}");
        check(&server, "GET", &mismatch, bad_request).await;
    }

    let unsupported = (5, "Unsupported protocol version");
    check(&server, "GET", "transport=polling", unsupported).await;
    check(&server, "GET", "EIO=3&transport=polling", unsupported).await;
    check(&server, "GET", "EIO=4&EIO=5&transport=polling", unsupported).await;

    assert_eq!(polling.post("40").await.text(), "ok", "the session lives");
}

#[tokio::test]
async fn a_head_request_gets_the_same_without_a_body() {
    let server = Server::start().await;
    let head = Request::of("HEAD", "/socket.io/?EIO=4&transport=polling");
    let answer = Http::once(server.address, &head).await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn unusual_requests_that_are_right_open_a_session() {
    let server = Server::start().await;
    for target in [
        "/socket.io/?EIO=3&EIO=4&transport=abc&transport=polling",
        "/socket.io/?EIO=4&transport=polling&sid=",
        "/socket.io/?EIO=4&transport=p%6Flling&t=abc",
        "/socket.io/anything/else?EIO=4&transport=polling",
        "/socket.io/?&&=&x&transport=polling&EIO=4",
    ] {
        let answer = Http::once(server.address, &Request::get(target)).await;
        assert_eq!(answer.status, 200, "{target}");
        assert!(answer.text().starts_with("0{\"sid\":"), "{target}");
    }
}

#[tokio::test]
async fn the_headers_of_a_websocket_may_be_written_in_any_way() {
    let server = Server::start().await;
    for (connection, protocol) in [
        ("keep-alive, Upgrade", "websocket"),
        ("upgrade", "WebSocket"),
        ("UPGRADE,keep-alive", "WEBSOCKET"),
    ] {
        let request = upgrade("EIO=4&transport=websocket")
            .header("Connection", connection)
            .header("Upgrade", protocol);
        let answer = Http::once(server.address, &request).await;
        assert_eq!(answer.status, 101, "{connection} {protocol}");
    }
}

#[tokio::test]
async fn what_is_not_under_the_path_is_the_applications() {
    let server = Server::start().await;
    for target in [
        "/socket.io?EIO=4&transport=polling",
        "/socket.iofoo/?EIO=4&transport=polling",
        "/engine.io/?EIO=4&transport=polling",
        "/",
    ] {
        let answer = Http::once(server.address, &Request::get(target)).await;
        assert_eq!((answer.status, answer.text()), (404, ""), "{target}");
    }
    let unknown_file = Request::get("/socket.io/other.js");
    let answer = Http::once(server.address, &unknown_file).await;
    assert_eq!(answer.text(), r#"{"code":0,"message":"Transport unknown"}"#);
}

#[tokio::test]
async fn an_upgrade_that_is_not_under_the_path_is_the_applications() {
    let server = Server::start().await;
    for target in ["/socket.io?EIO=4&transport=websocket", "/other"] {
        let answer = Http::once(server.address, &upgrade_request(target)).await;
        assert_eq!((answer.status, answer.text()), (404, ""), "{target}");
    }
    assert_eq!(server.io.metrics().sessions_opened, 0);
}

#[tokio::test]
async fn a_refused_websocket_is_told_why_in_plain_text_and_closed() {
    let server = Server::start().await;
    let polling = server.polling().await;
    let mismatch = format!("EIO=3&transport=websocket&sid={}", polling.sid());
    let good = "EIO=4&transport=websocket";
    for (query, words) in [
        ("EIO=4", "Transport unknown"),
        ("EIO=4&transport=abc", "Transport unknown"),
        ("EIO=4&transport=websocket&sid=nobody", "Session ID unknown"),
        ("EIO=3&transport=websocket", "Unsupported protocol version"),
        (&mismatch, "Bad request"),
    ] {
        check_upgrade(&server, upgrade(query), words).await;
    }
    let key = "Missing or invalid Sec-WebSocket-Key header";
    check_upgrade(
        &server,
        upgrade(good).header("Sec-WebSocket-Key", "short"),
        key,
    )
    .await;
    check_upgrade(&server, upgrade(good).header("Sec-WebSocket-Key", ""), key).await;
    for version in ["12", "", "abc"] {
        let request = upgrade(good).header("Sec-WebSocket-Version", version);
        let answer = refusal(&server, request).await;
        assert_eq!(answer.status, 400, "version {version:?}");
        assert_eq!(answer.header("sec-websocket-version"), Some("13"));
    }
    let post = Request::of("POST", format!("/socket.io/?{good}"))
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket");
    check_upgrade(&server, post, "Bad handshake method").await;
    assert_eq!(server.io.metrics().sessions, 1, "the one on polling");
}

#[tokio::test]
async fn a_websocket_that_asks_for_polling_is_opened_and_closed() {
    let server = Server::start().await;
    let mut websocket =
        WebSocket::open(server.address, "/socket.io/?EIO=4&transport=polling").await;
    assert_eq!(websocket.hear().await, Heard::Close(None));
    assert_eq!(server.io.metrics().sessions, 0);
}

#[tokio::test]
async fn the_first_subprotocol_is_taken() {
    let server = Server::start().await;
    let request = upgrade("EIO=4&transport=websocket").header("Sec-WebSocket-Protocol", "one, two");
    let mut http = Http::connect(server.address).await;
    let answer = http.ask(&request).await;
    assert_eq!(answer.status, 101);
    assert_eq!(answer.header("sec-websocket-protocol"), Some("one"));
    assert_eq!(answer.header("sec-websocket-extensions"), None);
}

#[tokio::test]
async fn an_offer_to_compress_is_passed_over_by_default() {
    let server = Server::start().await;
    let request = upgrade("EIO=4&transport=websocket")
        .header("Sec-WebSocket-Extensions", "permessage-deflate");
    let mut http = Http::connect(server.address).await;
    http.send(&request.encode()).await;
    let answer = http.receive().await;
    assert_eq!(answer.status, 101);
    assert_eq!(answer.header("sec-websocket-extensions"), None);
}

#[tokio::test]
async fn headers_may_come_byte_by_byte_but_not_for_ever() {
    let server = Server::with(fanfare::Config {
        header_timeout: std::time::Duration::from_millis(200),
        ..fanfare::Config::default()
    })
    .await;
    let mut http = Http::connect(server.address).await;
    for byte in upgrade("EIO=4&transport=websocket").encode() {
        http.send(&[byte]).await;
    }
    assert_eq!(http.receive().await.status, 101);

    let mut http = Http::connect(server.address).await;
    http.send(b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: ")
        .await;
    http.receive_end().await;

    let mut silent = Http::over(connect(server.address).await);
    assert_eq!(silent.receive_end().await, b"");
}

async fn check(server: &Server, method: &str, query: &str, (code, message): (u8, &str)) {
    let request = Request::of(method, format!("/socket.io/?{query}"));
    let answer = Http::once(server.address, &request).await;
    let body = format!(r#"{{"code":{code},"message":"{message}"}}"#);
    assert_eq!(
        (answer.status, answer.text()),
        (400, &*body),
        "{method} {query}"
    );
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), None);
}

async fn check_upgrade(server: &Server, request: Request, words: &str) {
    let answer = refusal(server, request).await;
    assert_eq!((answer.status, answer.text()), (400, words));
    assert_eq!(answer.header("connection"), Some("close"));
    assert_eq!(answer.header("content-type"), Some("text/html"));
    assert_eq!(answer.header("cache-control"), None);
}

/// What a request for a WebSocket is answered; then the connection is closed.
async fn refusal(server: &Server, request: Request) -> Response {
    let mut http = Http::connect(server.address).await;
    let answer = http.ask(&request).await;
    assert_eq!(http.receive_end().await, b"");
    answer
}

fn upgrade(query: &str) -> Request {
    upgrade_request(&format!("/socket.io/?{query}"))
}

async fn upgraded(server: &Server, polling: &fanfare_testkit::Polling) -> WebSocket {
    let mut websocket = WebSocket::open(server.address, &polling.upgrade_target()).await;
    websocket.send("5").await;
    websocket.send("40").await;
    assert!(websocket.text().await.starts_with("40{"));
    websocket
}
