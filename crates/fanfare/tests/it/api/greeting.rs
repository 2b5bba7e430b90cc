//! A message behind the open packet, the same for every session.

use fanfare::{Config, engine::Message};
use fanfare_testkit::{Heard, Http, Request, WebSocket};

use crate::server::{Server, echo};

#[tokio::test]
async fn every_session_is_greeted_in_its_first_answer() {
    let text = Message::Text("welcome".into());
    let binary = Message::Binary(vec![1, 2, 3].into());
    check(text.clone(), 4, "0{}\x1e4welcome").await;
    check(binary.clone(), 4, "0{}\x1ebAQID").await;
    check(text, 3, "0{}8:4welcome").await;
}

#[tokio::test]
async fn every_session_on_websocket_is_greeted_by_its_second_message() {
    for (message, expected) in [
        (
            Message::Text("welcome".into()),
            Heard::Text("4welcome".to_owned()),
        ),
        (
            Message::Binary(vec![1, 2].into()),
            Heard::Binary(vec![1, 2].into()),
        ),
    ] {
        let server = with(message).await;
        let target = "/engine.io/?EIO=4&transport=websocket";
        let mut websocket = WebSocket::open(server.address, target).await;
        assert!(websocket.text().await.starts_with("0{"));
        assert_eq!(websocket.hear().await, expected);
        websocket.send("4back").await;
        assert_eq!(websocket.text().await, "4back");
    }
}

/// What a session on polling gets first, with the open packet's object left out.
async fn check(message: Message, revision: u8, expected: &str) {
    let server = with(message).await;
    let target = format!("/engine.io/?EIO={revision}&transport=polling");
    let answer = Http::once(server.address, &Request::get(target)).await;
    let (before, rest) = answer.text().split_once('{').expect("an object");
    let (_, after) = rest.split_once('}').expect("its end");
    let before = before
        .rsplit(':')
        .next()
        .expect("what is behind its length");
    assert_eq!(format!("{before}{{}}{after}"), expected, "{answer:?}");
}

async fn with(message: Message) -> Server {
    Server::with(Config {
        initial_packet: Some(message),
        allow_eio3: true,
        ..echo()
    })
    .await
}
