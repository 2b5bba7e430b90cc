//! Engine.IO packets that a client should not send, on both transports.

use fanfare_testkit::{Heard, punctual};

use crate::server::{self, Server};

#[tokio::test]
async fn packets_that_mean_nothing_on_websocket_are_ignored() {
    let server = Server::with(server::echo()).await;
    let mut websocket = server.websocket().await;
    for packet in ["0", "1", "3", "3probe", "5", "6", "0{}"] {
        websocket.send(packet).await;
        websocket.send("4still here").await;
        assert_eq!(websocket.text().await, "4still here", "after {packet:?}");
    }
}

#[tokio::test]
async fn packets_that_mean_nothing_on_polling_are_ignored() {
    let server = Server::with(server::echo()).await;
    let polling = server.polling().await;
    for packet in ["0", "3", "3probe", "5", "6", "0{}"] {
        polling.send(packet).await;
        polling.send("4still here").await;
        assert_eq!(polling.receive().await, "4still here", "after {packet:?}");
    }
}

#[tokio::test]
async fn a_ping_of_the_client_or_no_packet_closes_the_websocket_without_a_code() {
    for packet in ["2", "2probe", "7", "abc", "", " 4x"] {
        let server = Server::with(server::echo()).await;
        let mut websocket = server.websocket().await;
        websocket.send(packet).await;
        assert_eq!(websocket.hear().await, Heard::Close(None), "{packet:?}");
        assert_eq!(websocket.hear().await, Heard::End, "{packet:?}");
        server.is_deserted().await;
    }
}

#[tokio::test]
async fn a_ping_of_the_client_ends_polling() {
    punctual(|| async {
        let server = Server::with(server::echo()).await;
        let polling = server.polling().await;
        let mut get = polling.park().await;
        polling.send("2").await;
        assert_eq!(get.receive().await.text(), "1");
        assert_eq!(polling.get().await.status, 400);
    })
    .await;
}

#[tokio::test]
async fn base64_is_taken_on_websocket_too() {
    let server = Server::with(server::echo()).await;
    let mut websocket = server.websocket().await;
    websocket.send("bAQIDBA==").await;
    let echo = Heard::Binary(vec![1, 2, 3, 4].into());
    assert_eq!(websocket.hear().await, echo);
}
