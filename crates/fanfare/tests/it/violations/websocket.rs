//! RFC 6455: frames broken, slow, huge, in pieces, and early.

use fanfare::{Config, DisconnectReason, ProtoLimits};
use fanfare_testkit::{Client, Heard, Http, WebSocket, connect, frame, upgrade_request};
use tokio::sync::mpsc;

use crate::server::{self, Server};

const TARGET: &str = "/engine.io/?EIO=4&transport=websocket";

#[tokio::test]
async fn a_broken_frame_is_answered_by_its_code() {
    for (wrong, bytes, code) in [
        ("not masked", vec![0x81, 0x01, b'4'], 1002),
        ("a reserved bit", vec![0xC1, 0x80, 0, 0, 0, 0], 1002),
        ("an unknown opcode", vec![0x83, 0x80, 0, 0, 0, 0], 1002),
        ("an unknown control", vec![0x8B, 0x80, 0, 0, 0, 0], 1002),
        ("a ping in pieces", vec![0x09, 0x80, 0, 0, 0, 0], 1002),
        ("a long ping", vec![0x89, 0xFE, 0, 126, 0, 0, 0, 0], 1002),
        ("a piece of nothing", vec![0x80, 0x80, 0, 0, 0, 0], 1002),
        ("a close of one byte", vec![0x88, 0x81, 0, 0, 0, 0, 3], 1002),
        ("no UTF-8", vec![0x81, 0x82, 0, 0, 0, 0, b'4', 0xFF], 1007),
        (
            "a message within a message",
            vec![0x01, 0x81, 0, 0, 0, 0, b'4', 0x81, 0x81, 0, 0, 0, 0, b'4'],
            1002,
        ),
        (
            "more than the limit",
            vec![0x81, 0xFF, 0, 0, 0, 0, 0, 0x0F, 0x42, 0x41, 0, 0, 0, 0],
            1009,
        ),
        (
            "more than there is memory",
            vec![
                0x81, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0,
            ],
            1009,
        ),
    ] {
        let server = Server::with(server::echo()).await;
        let mut websocket = server.websocket().await;
        websocket.send_bytes(&bytes).await;
        assert_eq!(websocket.hear().await, Heard::Close(Some(code)), "{wrong}");
        assert_eq!(websocket.hear().await, Heard::End, "{wrong}");
        server.is_deserted().await;
    }
}

#[tokio::test]
async fn a_broken_frame_right_behind_the_handshake_is_answered_by_its_code() {
    let server = Server::with(server::echo()).await;
    let mut bytes = upgrade_request(TARGET).encode();
    bytes.extend_from_slice(&[0x81, 0x01, b'4']);
    let mut http = Http::connect(server.address).await;
    http.send(&bytes).await;
    let mut websocket = WebSocket::opened(http).await.expect("it is opened");
    assert_eq!(websocket.closed().await, Some(1002));
    server.is_deserted().await;
}

#[tokio::test]
async fn a_client_still_sending_too_much_reads_why_it_is_closed() {
    let server = Server::with(server::echo()).await;
    for _ in 0..20 {
        let mut websocket = server.websocket().await;
        let much = frame::text(&"x".repeat(3_000_000));
        websocket.try_send_bytes(&much).await;
        assert_eq!(websocket.hear().await, Heard::Close(Some(1009)));
    }
}

#[tokio::test]
async fn breaking_rfc_6455_is_a_transport_error_and_closing_a_transport_close() {
    for (bytes, reason) in [
        (vec![0x81, 0x01, b'4'], DisconnectReason::TransportError),
        (
            vec![0x81, 0xFF, 0, 0, 0, 0, 0, 0x0F, 0x42, 0x41, 0, 0, 0, 0],
            DisconnectReason::TransportError,
        ),
        (
            vec![0x81, 0x82, 0, 0, 0, 0, b'4', 0xFF],
            DisconnectReason::TransportError,
        ),
        (frame::close(Some(1000)), DisconnectReason::TransportClose),
        (frame::close(None), DisconnectReason::TransportClose),
        (frame::text("2"), DisconnectReason::TransportError),
        (frame::text("9"), DisconnectReason::ParseError),
    ] {
        let server = Server::start().await;
        let (left, mut reasons) = mpsc::unbounded_channel();
        server.io.on_disconnect(move |_, _, reason| {
            let _ = left.send(reason);
            async {}
        });
        let mut client = server.client().await;
        client.websocket.send_bytes(&bytes).await;
        client.closed().await;
        let actual = fanfare_testkit::within("the disconnect handler", reasons.recv()).await;
        assert_eq!(actual, Some(reason), "{bytes:?}");
    }
}

#[tokio::test]
async fn a_close_frame_is_answered_by_the_same() {
    let server = Server::with(server::echo()).await;
    for code in [Some(1000), Some(4000), None] {
        let mut websocket = server.websocket().await;
        websocket.send_bytes(&frame::close(code)).await;
        assert_eq!(websocket.hear().await, Heard::Close(code));
        assert_eq!(websocket.hear().await, Heard::End);
        server.is_deserted().await;
    }
}

#[tokio::test]
async fn a_ping_frame_is_answered_between_the_pieces_of_a_message() {
    let server = Server::with(server::echo()).await;
    let mut websocket = server.websocket().await;
    websocket.send_bytes(&frame::piece(1, b"4he")).await;
    websocket.send_bytes(&frame::ping(b"here?")).await;
    assert_eq!(
        websocket.hear().await,
        Heard::Pong(b"here?".to_vec().into())
    );
    websocket.send_bytes(&frame::piece(0, b"")).await;
    websocket.send_bytes(&frame::last_piece(b"llo")).await;
    assert_eq!(websocket.text().await, "4hello");
}

#[tokio::test]
async fn a_message_may_come_byte_by_byte() {
    let server = Server::with(server::echo()).await;
    let mut websocket = server.websocket().await;
    for byte in frame::text("4€ and 😀") {
        websocket.send_bytes(&[byte]).await;
    }
    assert_eq!(websocket.text().await, "4€ and 😀");
}

#[tokio::test]
async fn a_message_may_be_as_large_as_the_limit_in_whatever_pieces() {
    let server = Server::with(server::echo()).await;
    let mut websocket = server.websocket().await;
    let text = format!("4{}", "x".repeat(999_999));
    websocket.send(&text).await;
    assert!(websocket.text().await == text, "whole");

    let (first, rest) = text.as_bytes().split_at(1);
    let mut bytes = frame::piece(1, first);
    for piece in rest.chunks(1_000) {
        bytes.extend(frame::piece(0, piece));
    }
    bytes.extend(frame::last_piece(b""));
    websocket.send_bytes(&bytes).await;
    assert!(websocket.text().await == text, "in a thousand pieces");

    bytes.truncate(bytes.len() - 6);
    bytes.extend(frame::last_piece(b"x"));
    websocket.send_bytes(&bytes).await;
    assert_eq!(websocket.hear().await, Heard::Close(Some(1009)));
}

#[tokio::test]
async fn a_message_of_empty_pieces_is_cut_off() {
    let server = Server::with(Config {
        limits: fanfare::Limits {
            proto: ProtoLimits {
                max_fragments: 10,
                ..ProtoLimits::default()
            },
            ..fanfare::Limits::default()
        },
        ..server::echo()
    })
    .await;
    let mut websocket = server.websocket().await;
    let mut bytes = frame::piece(1, b"");
    for _ in 0..10 {
        bytes.extend(frame::piece(0, b""));
    }
    websocket.send_bytes(&bytes).await;
    assert_eq!(websocket.closed().await, Some(1008));
}

#[tokio::test]
async fn frames_in_the_segment_of_the_handshake_are_read() {
    let server = Server::with(server::echo()).await;
    let mut bytes = upgrade_request(TARGET).encode();
    bytes.extend(frame::text("4one"));
    bytes.extend(frame::text("4two"));
    let mut half = frame::text("4three");
    let rest = half.split_off(5);
    bytes.extend(half);
    let mut http = Http::connect(server.address).await;
    http.send(&bytes).await;
    let mut websocket = WebSocket::opened(http).await.expect("it is opened");
    websocket.send_bytes(&rest).await;
    assert!(websocket.text().await.starts_with("0{"));
    for echo in ["4one", "4two", "4three"] {
        assert_eq!(websocket.text().await, echo);
    }
}

#[tokio::test]
async fn a_client_that_joins_in_the_segment_of_the_handshake_is_let_in() {
    let server = Server::start().await;
    let mut bytes = upgrade_request("/socket.io/?EIO=4&transport=websocket").encode();
    bytes.extend(frame::text("40"));
    let mut http = Http::over(connect(server.address).await);
    http.send(&bytes).await;
    let websocket = WebSocket::opened(http).await.expect("it is opened");
    let mut client = Client::over(websocket).await;
    assert!(client.hear().await.starts_with("40{"));
    assert_eq!(server.io.count().sockets, 1);
}

#[tokio::test]
async fn who_cannot_take_binary_gets_base64() {
    let server = Server::with(server::echo()).await;
    let mut websocket = WebSocket::open(server.address, &format!("{TARGET}&b64=1")).await;
    assert!(websocket.text().await.starts_with("0{"));
    websocket.send_binary(&[1, 2, 3, 4]).await;
    assert_eq!(websocket.text().await, "bAQIDBA==");
    websocket.send("4text").await;
    assert_eq!(websocket.text().await, "4text");
    websocket.send_bytes(&[0x81, 0x01, b'4']).await;
    assert_eq!(websocket.hear().await, Heard::Close(Some(1002)));
}

#[tokio::test]
async fn who_cannot_take_binary_gets_base64_after_an_upgrade_too() {
    let server = Server::with(server::echo()).await;
    let polling = server.polling().await;
    let target = format!("{}&b64=1", polling.upgrade_target());
    let mut websocket = WebSocket::open(server.address, &target).await;
    websocket.send("5").await;
    websocket.send_binary(&[1, 2, 3, 4]).await;
    assert_eq!(websocket.text().await, "bAQIDBA==");
}
