//! Foreign pages: refused on every transport, or told that they may.

use fanfare::{Config, Origins};
use fanfare_testkit::{Http, Polling, Request, Response, upgrade_request};

use crate::server::Server;

const OPEN: &str = "/socket.io/?EIO=4&transport=polling";
const OPEN_WEBSOCKET: &str = "/socket.io/?EIO=4&transport=websocket";
const EVIL: &str = "http://evil.example";
const GOOD: &str = "https://app.example";

#[tokio::test]
async fn a_foreign_page_is_refused_on_every_transport_and_told_the_setting() {
    let server = Server::start().await;
    let polling = server.polling().await;
    for (request, status) in [
        (Request::get(OPEN), 403),
        (Request::get(polling.target()), 403),
        (Request::post(polling.target(), "40"), 403),
        (Request::of("OPTIONS", polling.target()), 403),
        (Request::of("OPTIONS", OPEN), 403),
        (upgrade_request(OPEN_WEBSOCKET), 400),
        (upgrade_request(&polling.upgrade_target()), 400),
    ] {
        let answer = Http::once(server.address, &request.clone().header("Origin", EVIL)).await;
        assert_eq!(answer.status, status, "{request:?}");
        assert!(answer.text().contains("`origins`"), "{answer:?}");
        assert!(answer.text().contains(EVIL), "{answer:?}");
        assert_eq!(allowed(&answer), None, "{request:?}");
    }
    assert_eq!(server.io.metrics().sessions_opened, 1);
    assert_eq!(polling.post("40").await.text(), "ok", "the session lives");
}

#[tokio::test]
async fn an_origin_of_odd_bytes_is_refused() {
    let server = Server::start().await;
    for origin in ["null", "", "http://localhost.evil.example", "localhost"] {
        let request = Request::get(OPEN).header("Origin", origin);
        let answer = Http::once(server.address, &request).await;
        assert_eq!(answer.status, 403, "{origin:?}");
    }
}

#[tokio::test]
async fn an_origin_that_no_header_can_hold_is_no_request() {
    let server = Server::start().await;
    for (byte, status) in [(0x01, 400), (0x7f, 400), (0x80, 403), (0xff, 403)] {
        let mut http = Http::connect(server.address).await;
        http.send(format!("GET {OPEN} HTTP/1.1\r\nHost: localhost\r\nOrigin: http://a").as_bytes())
            .await;
        http.send(&[byte]).await;
        http.send(b"b\r\n\r\n").await;
        assert_eq!(http.receive().await.status, status, "{byte:#x}");
    }
    assert_eq!(server.io.metrics().sessions_opened, 0);
}

#[tokio::test]
async fn a_page_of_the_same_host_needs_no_permission() {
    let server = Server::start().await;
    let request = Request::get(OPEN).header("Origin", "http://localhost");
    let answer = Http::once(server.address, &request).await;
    assert_eq!((answer.status, allowed(&answer)), (200, None));
}

#[tokio::test]
async fn a_listed_page_is_told_that_it_may_read_every_answer() {
    let server = Server::with(Config {
        origins: Origins::List(vec![GOOD.to_owned()]),
        ..Config::default()
    })
    .await;
    let headers = [("Origin", GOOD)];
    let polling = Polling::open_with(server.address, "/socket.io/", &headers).await;
    for (request, status) in [
        (Request::get(OPEN), 200),
        (Request::post(polling.target(), "40"), 200),
        (Request::get(polling.target()), 200),
        (Request::get("/socket.io/?EIO=4"), 400),
        (Request::of("PUT", polling.target()), 500),
        (Request::of("OPTIONS", polling.target()), 204),
        (Request::of("OPTIONS", OPEN), 204),
        (upgrade_request(OPEN_WEBSOCKET), 101),
        (upgrade_request("/socket.io/?EIO=4"), 400),
    ] {
        let answer = Http::once(server.address, &request.clone().header("Origin", GOOD)).await;
        assert_eq!(answer.status, status, "{request:?}");
        assert_eq!(allowed(&answer), Some(GOOD), "{request:?}");
        let vary = ("vary".to_owned(), "Origin".to_owned());
        assert!(answer.headers.contains(&vary), "{request:?}");
    }
    let other = Request::get(OPEN).header("Origin", EVIL);
    assert_eq!(Http::once(server.address, &other).await.status, 403);
}

fn allowed(answer: &Response) -> Option<&str> {
    answer.header("access-control-allow-origin")
}
