//! Cases that both suites have, each over its own path.

use fanfare_testkit::{Heard, Http, Polling, Request, WebSocket, upgrade_request};
use serde_json::json;
use tokio::time::{Instant, sleep_until};

use super::{PING_INTERVAL, PING_TIMEOUT};
use crate::server::Server;

pub(super) async fn polling_opens(server: Server) {
    let polling = server.polling().await;
    check_open(&polling.open, &["websocket"]);
}

pub(super) async fn polling_needs_revision_4(server: Server) {
    check_refused(&server, "GET", "transport=polling").await;
    check_refused(&server, "GET", "EIO=abc&transport=polling").await;
}

pub(super) async fn polling_needs_a_transport(server: Server) {
    check_refused(&server, "GET", "EIO=4").await;
    check_refused(&server, "GET", "EIO=4&transport=abc").await;
}

pub(super) async fn only_a_get_opens(server: Server) {
    check_refused(&server, "POST", "EIO=4&transport=polling").await;
    check_refused(&server, "PUT", "EIO=4&transport=polling").await;
}

pub(super) async fn websocket_opens(server: Server) {
    let target = format!("{}?EIO=4&transport=websocket", server.path());
    let mut websocket = WebSocket::open(server.address, &target).await;
    let open = websocket.text().await;
    check_open(open.strip_prefix('0').expect("an open packet"), &[]);
}

pub(super) async fn websocket_needs_revision_4(server: Server) {
    check_closes(&server, "transport=websocket").await;
    check_closes(&server, "EIO=abc&transport=websocket").await;
}

pub(super) async fn websocket_needs_a_transport(server: Server) {
    check_closes(&server, "EIO=4").await;
    check_closes(&server, "EIO=4&transport=abc").await;
}

pub(super) async fn polling_is_pinged(server: Server) {
    let polling = server.polling().await;
    for _ in 0..3 {
        assert_eq!(polling.receive().await, "2");
        polling.send("3").await;
    }
}

pub(super) async fn polling_that_is_silent_is_lost(server: Server) {
    let polling = server.polling().await;
    sleep_until(Instant::now() + PING_INTERVAL + PING_TIMEOUT).await;
    assert_eq!(polling.get().await.status, 400);
}

pub(super) async fn websocket_is_pinged(server: Server) {
    let mut websocket = server.websocket().await;
    for _ in 0..3 {
        assert_eq!(websocket.text().await, "2");
        websocket.send("3").await;
    }
}

pub(super) async fn websocket_that_is_silent_is_lost(server: Server) {
    let mut websocket = server.websocket().await;
    assert_eq!(websocket.closed().await, None);
}

pub(super) async fn polling_closes(server: Server) {
    let polling = server.polling().await;
    let mut get = polling.park().await;
    polling.send("1").await;
    let answer = get.receive().await;
    assert_eq!((answer.status, answer.text()), (200, "6"));
    assert_eq!(polling.get().await.status, 400);
}

pub(super) async fn websocket_closes(server: Server) {
    let mut websocket = server.websocket().await;
    websocket.send("1").await;
    assert_eq!(websocket.closed().await, None);
}

pub(super) async fn polling_is_upgraded(server: Server) {
    upgrade(&server).await;
}

pub(super) async fn polling_is_over_after_the_upgrade(server: Server) {
    let (polling, _websocket) = upgrade(&server).await;
    assert_eq!(polling.get().await.status, 400);
}

pub(super) async fn a_second_websocket_is_closed(server: Server) {
    let (polling, _first) = upgrade(&server).await;
    let mut second = WebSocket::open(server.address, &polling.upgrade_target()).await;
    assert_eq!(second.hear().await, Heard::Close(None));
}

/// Takes a session from polling to WebSocket, as the suites do.
pub(super) async fn upgrade(server: &Server) -> (Polling, WebSocket) {
    let polling = server.polling().await;
    let mut websocket = WebSocket::open(server.address, &polling.upgrade_target()).await;
    websocket.send("2probe").await;
    assert_eq!(websocket.text().await, "3probe");
    assert_eq!(polling.receive().await, "6");
    websocket.send("5").await;
    (polling, websocket)
}

#[track_caller]
pub(super) fn check_open(open: &str, upgrades: &[&str]) {
    let open: serde_json::Value = serde_json::from_str(open).expect("the open packet is JSON");
    let expected = json!({
        "sid": open["sid"].as_str().expect("a sid"),
        "upgrades": upgrades,
        "pingInterval": 300,
        "pingTimeout": 200,
        "maxPayload": 1_000_000,
    });
    assert_eq!(open, expected);
}

pub(super) async fn check_refused(server: &Server, method: &str, query: &str) {
    let request = Request::of(method, format!("{}?{query}", server.path()));
    let answer = Http::once(server.address, &request).await;
    assert_eq!(answer.status, 400, "{method} {query}");
}

pub(super) async fn check_closes(server: &Server, query: &str) {
    let request = upgrade_request(&format!("{}?{query}", server.path()));
    let mut http = Http::connect(server.address).await;
    assert_eq!(http.ask(&request).await.status, 400, "{query}");
    assert_eq!(http.receive_end().await, b"", "{query}");
}

pub(super) async fn check_echo_on(websocket: &mut WebSocket) {
    websocket.send("4hello").await;
    assert_eq!(websocket.text().await, "4hello");
}
