//! The browser client, served beside the server.

use fanfare::{ClientBundle, Config};
use fanfare_testkit::{Http, Request};

use crate::server::Server;

const SCRIPT: &str = "/*!\n * Socket.IO v4.8.1\n */ script";

#[tokio::test]
async fn the_clients_files_are_served_by_their_names() {
    let server = with_bundle().await;
    for (name, body, kind) in [
        (
            "socket.io.js",
            SCRIPT,
            "application/javascript; charset=utf-8",
        ),
        (
            "socket.io.min.js",
            "min",
            "application/javascript; charset=utf-8",
        ),
        ("socket.io.js.map", "map", "application/json; charset=utf-8"),
    ] {
        let request = Request::get(format!("/socket.io/{name}?v=1"));
        let answer = Http::once(server.address, &request).await;
        assert_eq!((answer.status, answer.text()), (200, body), "{name}");
        assert_eq!(answer.header("content-type"), Some(kind));
        assert_eq!(answer.header("cache-control"), Some("public, max-age=0"));
        assert_eq!(answer.header("etag"), Some("\"4.8.1\""));
    }
}

#[tokio::test]
async fn a_file_that_is_known_is_not_sent_again() {
    let server = with_bundle().await;
    for (known, status) in [("\"4.8.1\"", 304), ("W/\"4.8.1\"", 304), ("\"4.8.0\"", 200)] {
        let request = Request::get("/socket.io/socket.io.js").header("If-None-Match", known);
        let answer = Http::once(server.address, &request).await;
        assert_eq!(answer.status, status, "{known}");
    }
}

#[tokio::test]
async fn other_names_are_engine_io_requests() {
    let server = with_bundle().await;
    for name in [
        "socket.io.esm.min.js",
        "secret",
        "../Cargo.toml",
        "socket.io.js/",
    ] {
        let request = Request::get(format!("/socket.io/{name}"));
        let answer = Http::once(server.address, &request).await;
        let unknown = r#"{"code":0,"message":"Transport unknown"}"#;
        assert_eq!((answer.status, answer.text()), (400, unknown), "{name}");
    }
    server.client().await;
}

async fn with_bundle() -> Server {
    Server::with(Config {
        client: Some(ClientBundle::from_files([
            ("socket.io.js", SCRIPT),
            ("socket.io.min.js", "min"),
            ("socket.io.js.map", "map"),
            ("secret", "not served"),
        ])),
        ..Config::default()
    })
    .await
}
