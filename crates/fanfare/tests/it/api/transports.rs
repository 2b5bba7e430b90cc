//! Which transports are served, and what clients are told of them.

use fanfare::{Config, Transports};
use fanfare_testkit::{Http, Polling, Request, WebSocket, upgrade_request};

use crate::server::Server;

const OPEN: &str = "/socket.io/?EIO=4&transport=polling";
const OPEN_WEBSOCKET: &str = "/socket.io/?EIO=4&transport=websocket";
const UNKNOWN: &str = r#"{"code":0,"message":"Transport unknown"}"#;

#[tokio::test]
async fn a_server_of_polling_alone_answers_upgrades_as_plain_requests() {
    let server = with(Transports::Polling).await;
    let polling = Polling::open(server.address, "/socket.io/").await;
    assert!(
        polling.open.contains(r#""upgrades":[]"#),
        "{}",
        polling.open
    );
    for target in [OPEN_WEBSOCKET, &polling.upgrade_target()] {
        let answer = Http::once(server.address, &upgrade_request(target)).await;
        assert_eq!((answer.status, answer.text()), (400, UNKNOWN));
        assert_eq!(answer.header("content-type"), Some("application/json"));
    }
    let answer = Http::once(server.address, &upgrade_request(OPEN)).await;
    assert_eq!(answer.status, 200);
    assert!(answer.text().starts_with("0{"), "{answer:?}");
    polling.join().await;
}

#[tokio::test]
async fn a_server_of_websocket_alone_knows_no_polling() {
    let server = with(Transports::WebSocket).await;
    for method in ["GET", "POST"] {
        let answer = Http::once(server.address, &Request::of(method, OPEN)).await;
        assert_eq!((answer.status, answer.text()), (400, UNKNOWN));
    }
    let answer = Http::once(server.address, &upgrade_request(OPEN)).await;
    assert_eq!((answer.status, answer.text()), (400, "Transport unknown"));
    server.client().await;
}

#[tokio::test]
async fn a_server_of_both_tells_clients_to_upgrade_unless_it_may_not() {
    for (allow_upgrades, told) in [
        (true, r#""upgrades":["websocket"]"#),
        (false, r#""upgrades":[]"#),
    ] {
        let server = Server::with(Config {
            allow_upgrades,
            ..Config::default()
        })
        .await;
        let polling = server.polling().await;
        assert!(polling.open.contains(told), "{}", polling.open);
        let mut websocket = WebSocket::open(server.address, &polling.upgrade_target()).await;
        websocket.send("2probe").await;
        assert_eq!(websocket.text().await, "3probe");
        websocket.send("5").await;
        websocket.send("40").await;
        assert!(websocket.text().await.starts_with("40{"));
    }
}

async fn with(transports: Transports) -> Server {
    Server::with(Config {
        transports,
        ..Config::default()
    })
    .await
}
