//! Payloads of Engine.IO 3, as bytes.

use fanfare::{
    Config,
    engine::{EngineHandler, Message},
};
use fanfare_testkit::{Http, Polling, Request, punctual};

use crate::{
    notes::notes,
    server::{self, Server},
};

const EVENT: &str = r#"42["u","€é😀"]"#;

#[tokio::test]
async fn text_has_its_length_in_utf_16_and_beside_bytes_in_utf_8() {
    let server = echo().await;
    let polling = open(&server, "EIO=3").await;
    let text = format!("14:{EVENT}");
    polling.send(&text).await;
    assert_eq!(polling.receive().await, text);

    polling.send(&format!("{text}6:b4AQI=")).await;
    let answer = polling.get().await;
    let kind = answer.header("content-type");
    assert_eq!(kind, Some("application/octet-stream"));
    let payload = [
        b"\x00\x01\x09\xff",
        EVENT.as_bytes(),
        b"\x01\x03\xff\x04\x01\x02",
    ]
    .concat();
    assert_eq!(answer.body, payload);
    post_bytes(&server, &polling, payload.clone()).await;
    assert_eq!(polling.get().await.body, payload);
}

#[tokio::test]
async fn a_client_of_text_alone_may_post_bytes() {
    let server = echo().await;
    let polling = open(&server, "EIO=3&b64=1").await;
    post_bytes(
        &server,
        &polling,
        *b"\x01\x03\xff\x04\x01\x02\x00\x02\xff4a",
    )
    .await;
    assert_eq!(polling.receive().await, "6:b4AQI=2:4a");
}

#[tokio::test]
async fn packets_before_a_malformed_one_are_taken_and_the_session_ends() {
    for (payload, taken) in [
        ("", &[][..]),
        ("abc", &[]),
        ("4one", &[]),
        ("9:4one", &[]),
        (":4", &[]),
        ("4:4one2:4", &["one"]),
        ("4:4one3", &["one"]),
        ("4:4one4:4two2:x1", &["one", "two"]),
        ("4:4onex:4two", &["one"]),
    ] {
        punctual(move || check_malformed(payload, taken)).await;
    }
}

#[tokio::test]
async fn what_has_no_length_is_passed_over() {
    let server = echo().await;
    let polling = open(&server, "EIO=3").await;
    polling.send("0:0:4:4one0:").await;
    assert_eq!(polling.receive().await, "4:4one");
}

#[tokio::test]
async fn the_end_has_its_length_too() {
    punctual(|| async {
        let server = Server::with(Config {
            allow_eio3: true,
            ..Config::default()
        })
        .await;
        for (posted, told) in [("1:1", "1:6"), ("1:3", "1:1"), ("2:4x", "1:1")] {
            let polling = open(&server, "EIO=3").await;
            assert_eq!(polling.receive().await, "2:40");
            let mut get = polling.park().await;
            polling.send(posted).await;
            assert_eq!(get.receive().await.text(), told, "{posted}");
            assert_eq!(polling.get().await.status, 400);
        }
        let polling = open(&server, "EIO=3").await;
        polling.send("2:4x").await;
        polling.send("13:42[\"ignored\"]").await;
        assert_eq!(polling.receive().await, "2:40");
        assert_eq!(polling.receive().await, "1:61:1");
        assert_eq!(polling.get().await.status, 400);
    })
    .await;
}

async fn check_malformed(payload: &'static str, taken: &'static [&'static str]) {
    let (pen, mut notes) = notes();
    let server = Server::with(Config {
        allow_eio3: true,
        engine: Some(EngineHandler::new(move |_, message| match message {
            Message::Text(text) => pen.note(text),
            Message::Binary(_) => pen.note("bytes"),
        })),
        ..server::echo()
    })
    .await;
    let polling = open(&server, "EIO=3").await;
    let mut get = polling.park().await;
    polling.send(payload).await;
    notes.expect(taken).await;
    assert_eq!(get.receive().await.text(), "1:1", "{payload:?}");
    let answer = polling.get().await;
    let unknown = r#"{"code":1,"message":"Session ID unknown"}"#;
    assert_eq!(
        (answer.status, answer.text()),
        (400, unknown),
        "{payload:?}"
    );
    assert!(notes.is_empty(), "{payload:?}");
}

async fn echo() -> Server {
    Server::with(Config {
        allow_eio3: true,
        ..server::echo()
    })
    .await
}

async fn open(server: &Server, revision: &'static str) -> Polling {
    Polling::open_older(server.address, &server.path(), revision).await
}

async fn post_bytes(server: &Server, polling: &Polling, body: impl Into<Vec<u8>>) {
    let request =
        Request::post(polling.target(), body).header("Content-Type", "application/octet-stream");
    let answer = Http::once(server.address, &request).await;
    assert_eq!((answer.status, answer.text()), (200, "ok"));
}
