//! Requests that would open a session, let in or refused by the application.

use std::sync::Arc;

use fanfare::{AllowRequest, Config, Forbidden, RemoteAddr};
use fanfare_testkit::{Http, Request, WebSocket, eventually, upgrade_request};
use tokio::sync::Semaphore;

use crate::{
    notes::{Notes, notes},
    server::Server,
};

const OPEN: &str = "/socket.io/?EIO=4&transport=polling";
const OPEN_WEBSOCKET: &str = "/socket.io/?EIO=4&transport=websocket";

#[tokio::test]
async fn a_refused_request_is_told_the_reason_on_each_transport() {
    let (server, _) = with_key().await;
    for (sent, reason) in [("wrong", "no \"key\""), ("none", "Forbidden")] {
        let request = Request::get(OPEN).header("X-Key", sent);
        let answer = Http::once(server.address, &request).await;
        let body = serde_json::json!({"code": 4, "message": reason});
        assert_eq!((answer.status, answer.text()), (403, &*body.to_string()));
        assert_eq!(answer.header("content-type"), Some("application/json"));

        let request = upgrade_request(OPEN_WEBSOCKET).header("X-Key", sent);
        let mut http = Http::connect(server.address).await;
        let answer = http.ask(&request).await;
        assert_eq!((answer.status, answer.text()), (400, reason));
        assert_eq!(http.receive_end().await, b"");
    }
    assert_eq!(server.io.metrics().sessions_opened, 0);
}

#[tokio::test]
async fn a_request_that_is_allowed_opens_a_session() {
    let (server, _) = with_key().await;
    let request = Request::get(OPEN).header("X-Key", "right");
    let answer = Http::once(server.address, &request).await;
    assert!(answer.text().starts_with("0{"), "{answer:?}");
    let request = upgrade_request(OPEN_WEBSOCKET).header("X-Key", "right");
    let mut http = Http::connect(server.address).await;
    http.send(&request.encode()).await;
    let mut websocket = WebSocket::opened(http).await.expect("it is opened");
    assert!(websocket.text().await.starts_with("0{"));
}

#[tokio::test]
async fn only_requests_that_could_open_a_session_are_asked_for() {
    let (server, mut asked) = with_key().await;
    let request = Request::get(OPEN).header("X-Key", "right");
    let answer = Http::once(server.address, &request).await;
    asked.expect(&["right"]).await;
    let (_, rest) = answer.text().split_once(r#""sid":""#).expect("a sid");
    let sid = &rest[..20];
    for (request, status) in [
        (Request::post(format!("{OPEN}&sid={sid}"), "40"), 200),
        (Request::get(format!("{OPEN}&sid={sid}")), 200),
        (upgrade_request(&format!("{OPEN_WEBSOCKET}&sid={sid}")), 101),
        (Request::get(format!("{OPEN}&sid=nobody")), 400),
        (Request::get("/socket.io/?EIO=4&transport=abc"), 400),
        (Request::get(OPEN_WEBSOCKET), 400),
        (Request::post(OPEN, ""), 400),
    ] {
        let answer = Http::once(server.address, &request).await;
        assert_eq!(answer.status, status, "{request:?}");
    }
    assert!(asked.is_empty());
}

#[tokio::test]
async fn the_application_is_asked_before_the_protocol_is_looked_at() {
    let (server, _) = with_key().await;
    for (sent, code) in [("wrong", 4), ("right", 5)] {
        let target = "/socket.io/?EIO=3&transport=polling";
        let request = Request::get(target).header("X-Key", sent);
        let answer = Http::once(server.address, &request).await;
        let begin = format!(r#"{{"code":{code},"#);
        assert!(answer.text().starts_with(&begin), "{answer:?}");
    }
    let request = upgrade_request(OPEN_WEBSOCKET)
        .header("X-Key", "wrong")
        .header("Sec-WebSocket-Key", "short");
    let answer = Http::once(server.address, &request).await;
    assert_eq!(answer.text(), "no \"key\"");
}

#[tokio::test]
async fn a_request_waits_for_its_answer_and_others_do_not() {
    let gate = Arc::new(Semaphore::new(0));
    let waits = gate.clone();
    let allow = AllowRequest::new(move |request| {
        let gate = waits.clone();
        async move {
            if request.headers.contains_key("x-wait") {
                gate.acquire().await.expect("the gate stays").forget();
            }
            Ok(())
        }
    });
    let server = with(allow).await;
    let mut http = Http::connect(server.address).await;
    let request = Request::get(OPEN).header("X-Wait", "yes");
    http.send(&request.encode()).await;
    server.client().await;
    assert_eq!(server.io.metrics().sessions_opened, 1);
    gate.add_permits(1);
    assert!(http.receive().await.text().starts_with("0{"));
    assert_eq!(server.io.metrics().sessions_opened, 2);
}

#[tokio::test]
async fn a_client_that_gives_up_is_not_asked_for_any_longer() {
    let held = Arc::new(());
    let kept = held.clone();
    let allow = AllowRequest::new(move |_| {
        let kept = kept.clone();
        async move {
            std::future::pending::<()>().await;
            drop(kept);
            Ok(())
        }
    });
    let server = with(allow).await;
    let mut http = Http::connect(server.address).await;
    http.send(&Request::get(OPEN).encode()).await;
    eventually("it is asked", || Arc::strong_count(&held) == 3).await;
    http.reset();
    eventually("the question is dropped", || Arc::strong_count(&held) == 2).await;
}

#[tokio::test]
async fn a_panic_refuses() {
    let allow = AllowRequest::new(|request| {
        assert!(
            request.headers.contains_key("x-late"),
            "expected by this test"
        );
        async { panic!("expected by this test") }
    });
    let server = with(allow).await;
    for request in [Request::get(OPEN), Request::get(OPEN).header("X-Late", "")] {
        let answer = Http::once(server.address, &request).await;
        assert_eq!(answer.text(), r#"{"code":4,"message":"Forbidden"}"#);
    }
}

/// A server for those with the right key, and the keys that it was asked about.
async fn with_key() -> (Server, Notes) {
    let (pen, notes) = notes();
    let allow = AllowRequest::new(move |request| {
        let pen = pen.clone();
        async move {
            assert!(request.extensions.get::<RemoteAddr>().is_some());
            let key = request.headers.get("x-key").expect("a key");
            let key = key.to_str().expect("a text").to_owned();
            pen.note(key.clone());
            match &*key {
                "right" => Ok(()),
                "none" => Err(Forbidden::default()),
                _ => Err(Forbidden::new("no \"key\"")),
            }
        }
    });
    (with(allow).await, notes)
}

async fn with(allow: AllowRequest) -> Server {
    Server::with(Config {
        allow_request: Some(allow),
        ..Config::default()
    })
    .await
}
