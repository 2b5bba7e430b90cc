//! The browser client, served beside the server.

use std::io::Read;

use fanfare::{ClientBundle, Config};
use fanfare_testkit::{Http, Request, Response, within};
use flate2::read::{GzDecoder, ZlibDecoder};

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
async fn a_file_is_served_whatever_the_method() {
    let server = with_bundle().await;
    for (method, body) in [
        ("GET", "min"),
        ("POST", "min"),
        ("PUT", "min"),
        ("HEAD", ""),
    ] {
        let request = Request::of(method, "/socket.io/socket.io.min.js");
        let answer = Http::once(server.address, &request).await;
        assert_eq!((answer.status, answer.text()), (200, body), "{method}");
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
        let has_headers = status == 200;
        for name in ["etag", "cache-control", "content-type"] {
            assert_eq!(answer.header(name).is_some(), has_headers, "{name}");
        }
    }
}

#[tokio::test]
async fn a_file_is_compressed_as_the_browser_would_rather_have_it() {
    let server = with_bundle().await;
    for (accepted, coding) in [
        ("gzip, deflate, br", Some("gzip")),
        ("br, gzip", Some("br")),
        ("deflate", Some("deflate")),
        ("gzip;q=0.9, br;q=1", Some("br")),
        ("zstd", None),
        ("", None),
    ] {
        let request = Request::get("/socket.io/socket.io.js").header("Accept-Encoding", accepted);
        for _ in ["first", "again"] {
            let answer = Http::once(server.address, &request).await;
            assert_eq!(answer.header("content-encoding"), coding, "{accepted}");
            assert_eq!(decoded(&answer), SCRIPT, "{accepted}");
            assert_eq!(answer.header("etag"), Some("\"4.8.1\""));
            assert_eq!(answer.header("vary"), Some("Accept-Encoding"));
        }
        let known = request.header("If-None-Match", "\"4.8.1\"");
        let answer = Http::once(server.address, &known).await;
        assert_eq!(
            (answer.status, answer.header("content-encoding")),
            (304, None)
        );
    }
}

#[tokio::test]
async fn many_browsers_at_once_get_one_compressed_form() {
    let script: String = (0..20_000).map(|n: u32| format!("f({n});")).collect();
    let server = Server::with(Config {
        client: Some(ClientBundle::from_files([("socket.io.js", script.clone())])),
        ..Config::default()
    })
    .await;
    let request = Request::get("/socket.io/socket.io.js").header("Accept-Encoding", "br");
    let asked = (0..20).map(|_| Http::once(server.address, &request));
    let answers = within("all answers", futures_util::future::join_all(asked)).await;
    assert!(answers[0].body.len() < script.len() / 4);
    assert_eq!(decoded(&answers[0]), script);
    assert!(answers.iter().all(|answer| answer.body == answers[0].body));
}

#[tokio::test]
async fn no_file_is_compressed_if_that_is_switched_off() {
    let server = Server::with(Config {
        client: Some(ClientBundle::from_files([("socket.io.js", SCRIPT)])),
        http_compression: None,
        ..Config::default()
    })
    .await;
    let request = Request::get("/socket.io/socket.io.js").header("Accept-Encoding", "br, gzip");
    let answer = Http::once(server.address, &request).await;
    assert_eq!(
        (answer.text(), answer.header("content-encoding")),
        (SCRIPT, None)
    );
    assert_eq!(answer.header("vary"), None);
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

#[tokio::test]
async fn without_the_files_their_names_are_engine_io_requests() {
    let server = Server::start().await;
    for name in ClientBundle::names() {
        let request = Request::get(format!("/socket.io/{name}"));
        let answer = Http::once(server.address, &request).await;
        let unknown = r#"{"code":0,"message":"Transport unknown"}"#;
        assert_eq!((answer.status, answer.text()), (400, unknown), "{name}");
    }
}

fn decoded(answer: &Response) -> String {
    let mut text = String::new();
    let body = &*answer.body;
    match answer.header("content-encoding") {
        Some("br") => brotli::Decompressor::new(body, 4_096).read_to_string(&mut text),
        Some("gzip") => GzDecoder::new(body).read_to_string(&mut text),
        Some("deflate") => ZlibDecoder::new(body).read_to_string(&mut text),
        _ => return answer.text().to_owned(),
    }
    .expect("it is what it says");
    text
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
