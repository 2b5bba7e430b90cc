//! Ids of sessions that the application makes.

use std::sync::atomic::{AtomicUsize, Ordering};

use fanfare::{Config, ConnectionErrorListener, SidGenerator};
use fanfare_testkit::{Http, Polling, Request, upgrade_request};

use crate::{
    notes::{Notes, notes},
    server::Server,
};

const OPEN: &str = "/socket.io/?EIO=4&transport=polling";
const OPEN_WEBSOCKET: &str = "/socket.io/?EIO=4&transport=websocket";

#[tokio::test]
async fn a_session_has_the_id_that_the_application_makes() {
    let made = AtomicUsize::new(0);
    let (server, _) = with(SidGenerator::new(move |request| {
        let n = made.fetch_add(1, Ordering::Relaxed);
        let node = request
            .headers
            .get("x-node")
            .map_or("none", |node| node.to_str().unwrap());
        let id = format!("{node}-{n:0>15}");
        async move { Ok(id) }
    }))
    .await;
    let polling = Polling::open_with(server.address, "/socket.io/", &[("X-Node", "eu-7")]).await;
    assert_eq!(polling.sid(), "eu-7-000000000000000");
    let id = polling.join().await;
    assert_ne!(id, polling.sid());
    let polling = Polling::open(server.address, "/socket.io/").await;
    assert_eq!(polling.sid(), "none-000000000000001");
}

#[tokio::test]
async fn who_can_get_no_id_is_refused_and_takes_nobodys_session() {
    let (server, mut told) = with(SidGenerator::new(|request| async move {
        match request
            .headers
            .get("x-id")
            .map(|id| String::from_utf8_lossy(id.as_bytes()))
        {
            None => panic!("expected by this test"),
            Some(id) if id == "error" => Err("there are no more".to_owned()),
            Some(id) => Ok(id.into_owned()),
        }
    }))
    .await;
    let id = "abcdefghijklmnopqrst";
    let polling = Polling::open_with(server.address, "/socket.io/", &[("X-Id", id)]).await;
    let refused = r#"{"code":3,"message":"Bad request"}"#;
    for wrong in [
        id,
        "error",
        "short",
        "abcdefghijklmnopqrs t",
        "abcdefghijklmnopqrs\u{e9}",
    ] {
        let request = Request::get(OPEN).header("X-Id", wrong);
        let answer = Http::once(server.address, &request).await;
        assert_eq!((answer.status, answer.text()), (400, refused), "{wrong}");
        told.expect(&["ID_GENERATION_ERROR"]).await;
    }
    let answer = Http::once(server.address, &Request::get(OPEN)).await;
    assert_eq!((answer.status, answer.text()), (400, refused));
    let request = upgrade_request(OPEN_WEBSOCKET).header("X-Id", id);
    let answer = Http::once(server.address, &request).await;
    assert_eq!((answer.status, answer.text()), (400, "Bad request"));
    assert_eq!(server.io.metrics().sessions, 1);
    polling.join().await;
    polling.send("1").await;
    server.is_deserted().await;
    // What has ended gives its id back.
    Polling::open_with(server.address, "/socket.io/", &[("X-Id", id)]).await;
}

async fn with(generator: SidGenerator) -> (Server, Notes) {
    let (pen, notes) = notes();
    let server = Server::with(Config {
        generate_sid: Some(generator),
        connection_error: Some(ConnectionErrorListener::new(move |error, _| {
            pen.note(error.context);
        })),
        ..Config::default()
    })
    .await;
    (server, notes)
}
