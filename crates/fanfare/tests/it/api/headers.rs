//! Headers that the application adds to answers.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use fanfare::{ClientBundle, Config, HeaderHook, Origins, RemoteAddr};
use fanfare_testkit::{Http, Request, Response, WebSocket, upgrade_request};
use http::{HeaderValue, header};

use crate::server::Server;

const OPEN: &str = "/socket.io/?EIO=4&transport=polling";
const OPEN_WEBSOCKET: &str = "/socket.io/?EIO=4&transport=websocket";

#[tokio::test]
async fn every_answer_but_refusals_has_them_and_the_first_has_more() {
    let server = with_both(Config::default()).await;
    let polling = server.polling().await;
    let (initial, later) = (["first", "every"], ["every"]);
    for (request, expected) in [
        (Request::get(OPEN), &initial[..]),
        (upgrade_request(OPEN_WEBSOCKET), &initial),
        (Request::post(polling.target(), "40"), &later),
        (Request::get(polling.target()), &later),
        (upgrade_request(&polling.upgrade_target()), &later),
        (
            upgrade_request("/socket.io/?EIO=4&transport=polling"),
            &later,
        ),
    ] {
        let answer = Http::once(server.address, &request).await;
        assert!(matches!(answer.status, 101 | 200), "{request:?}");
        assert_eq!(added(&answer), expected, "{request:?}");
    }
}

#[tokio::test]
async fn refusals_preflights_and_files_have_none_of_them() {
    let server = with_both(Config {
        origins: Origins::Any,
        client: Some(ClientBundle::from_files([("socket.io.js", "script")])),
        ..Config::default()
    })
    .await;
    let polling = server.polling().await;
    let too_large = "4".repeat(1_000_001);
    for (request, status) in [
        (Request::get("/socket.io/?EIO=4"), 400),
        (Request::of("PUT", polling.target()), 500),
        (Request::post(polling.target(), too_large), 413),
        (upgrade_request("/socket.io/?EIO=4"), 400),
        (Request::of("OPTIONS", OPEN), 204),
        (Request::get("/socket.io/socket.io.js"), 200),
    ] {
        let answer = Http::once(server.address, &request).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert_eq!(added(&answer), [""; 0], "{answer:?}");
    }
}

#[tokio::test]
async fn the_function_sees_the_request_and_what_layers_left_in_it() {
    let seen = HeaderHook::new(|headers, request| {
        let RemoteAddr(address) = request.extensions.get().expect("the listener adds it");
        assert!(address.ip().is_loopback());
        let asked = request.headers["x-asked"].clone();
        headers.insert("x-seen", asked);
    });
    let server = Server::with(Config {
        headers: Some(seen),
        ..Config::default()
    })
    .await;
    for request in [Request::get(OPEN), upgrade_request(OPEN_WEBSOCKET)] {
        let answer = Http::once(server.address, &request.header("X-Asked", "this")).await;
        assert_eq!(answer.header("x-seen"), Some("this"));
    }
}

#[tokio::test]
async fn a_function_has_the_last_word_and_may_panic() {
    let n_calls = Arc::new(AtomicUsize::new(0));
    let calls = n_calls.clone();
    let hook = HeaderHook::new(move |headers, _| {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private"));
        calls.fetch_add(1, Ordering::Relaxed);
        panic!("expected by this test");
    });
    let server = Server::with(Config {
        headers: Some(hook),
        ..Config::default()
    })
    .await;
    let answer = Http::once(server.address, &Request::get(OPEN)).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("cache-control"), Some("private"));
    let mut websocket = WebSocket::open(server.address, OPEN_WEBSOCKET).await;
    assert!(websocket.text().await.starts_with("0{"));
    assert_eq!(n_calls.load(Ordering::Relaxed), 2);
}

fn added(answer: &Response) -> Vec<&str> {
    let headers = answer.headers.iter();
    headers
        .filter(|(name, _)| name == "x-added")
        .map(|(_, value)| &**value)
        .collect()
}

async fn with_both(config: Config) -> Server {
    let add = |value| {
        Some(HeaderHook::new(move |headers, _| {
            headers.append("x-added", HeaderValue::from_static(value));
        }))
    };
    Server::with(Config {
        initial_headers: add("first"),
        headers: add("every"),
        ..config
    })
    .await
}
