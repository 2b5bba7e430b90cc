//! The 24 cases of the Engine.IO 3 suite, with the one that it skips and the two that it does not wait for.

use fanfare_testkit::{Heard, Polling, WebSocket};
use tokio::time::{Instant, sleep_until};

use super::{
    PING_INTERVAL, PING_TIMEOUT, check, engineio3,
    transport::{check_closes, check_echo_on, check_open, check_refused},
};
use crate::server::Server;

const WEBSOCKET: &str = "EIO=3&transport=websocket";

#[tokio::test]
async fn polling_opens_with_the_five_settings() {
    check(engineio3, |server| async move {
        let polling = open(&server).await;
        check_open(&polling.open, &["websocket"]);
    })
    .await;
}

#[tokio::test]
async fn polling_without_a_known_transport_is_refused() {
    check(engineio3, |server| async move {
        check_refused(&server, "GET", "EIO=3").await;
        check_refused(&server, "GET", "EIO=3&transport=abc").await;
    })
    .await;
}

#[tokio::test]
async fn post_opens_nothing() {
    check(engineio3, |server| async move {
        check_refused(&server, "POST", "EIO=3&transport=polling").await;
    })
    .await;
}

#[tokio::test]
async fn websocket_opens_with_the_open_packet_first() {
    check(engineio3, |server| async move {
        let mut websocket = open_websocket(&server, WEBSOCKET).await;
        let open = websocket.text().await;
        check_open(open.strip_prefix('0').expect("an open packet"), &[]);
    })
    .await;
}

/// Whatever is not revision 4 is 3. Such a client does not ping, so that its WebSocket closes in the end, which
/// is all that the suite asks for.
#[tokio::test]
async fn websocket_of_no_known_revision_is_closed() {
    check(engineio3, |server| async move {
        for query in ["transport=websocket", "EIO=abc&transport=websocket"] {
            let mut websocket = open_websocket(&server, query).await;
            assert!(websocket.text().await.starts_with("0{"), "{query}");
            assert_eq!(websocket.hear().await, Heard::Close(None), "{query}");
        }
    })
    .await;
}

#[tokio::test]
async fn websocket_without_a_known_transport_is_closed() {
    check(engineio3, |server| async move {
        check_closes(&server, "EIO=3").await;
        check_closes(&server, "EIO=3&transport=abc").await;
    })
    .await;
}

#[tokio::test]
async fn a_message_is_posted_and_polled() {
    check(engineio3, |server| async move {
        check_echo(&server, "6:4hello").await;
    })
    .await;
}

#[tokio::test]
async fn one_poll_takes_all_messages_of_one_post() {
    check(engineio3, |server| async move {
        check_echo(&server, "6:4test16:4test26:4test3").await;
    })
    .await;
}

#[tokio::test]
async fn a_binary_message_is_base64_if_that_is_asked_for() {
    check(engineio3, |server| async move {
        check_echo(&server, "6:4hello10:b4AQIDBA==").await;
    })
    .await;
}

#[tokio::test]
async fn a_binary_message_makes_a_binary_payload_else() {
    check(engineio3, |server| async move {
        let polling = Polling::open_older(server.address, &server.path(), "EIO=3").await;
        polling.send("6:4hello10:b4AQIDBA==").await;
        let answer = polling.get().await;
        let kind = answer.header("content-type");
        assert_eq!(kind, Some("application/octet-stream"));
        assert_eq!(
            answer.body,
            b"\x00\x06\xff4hello\x01\x05\xff\x04\x01\x02\x03\x04"
        );
    })
    .await;
}

#[tokio::test]
async fn a_post_of_no_packet_ends_the_session() {
    check(engineio3, |server| async move {
        let polling = open(&server).await;
        polling.post("abc").await;
        assert_eq!(polling.get().await.status, 400);
    })
    .await;
}

#[tokio::test]
async fn a_second_get_ends_the_session() {
    check(engineio3, |server| async move {
        let polling = open(&server).await;
        let mut first = polling.park().await;
        assert_eq!(polling.get().await.status, 400);
        let first = first.receive().await;
        assert_eq!((first.status, first.text()), (200, "1:1"));
        assert_eq!(polling.get().await.status, 400);
    })
    .await;
}

#[tokio::test]
async fn text_is_echoed_on_websocket() {
    check(engineio3, |server| async move {
        let mut websocket = opened_websocket(&server).await;
        check_echo_on(&mut websocket).await;
    })
    .await;
}

#[tokio::test]
async fn binary_is_echoed_on_websocket_behind_its_type() {
    check(engineio3, |server| async move {
        let mut websocket = opened_websocket(&server).await;
        websocket.send_binary(&[4, 1, 2, 3, 4]).await;
        let echo = Heard::Binary(vec![4, 1, 2, 3, 4].into());
        assert_eq!(websocket.hear().await, echo);
    })
    .await;
}

#[tokio::test]
async fn no_packet_closes_the_websocket() {
    check(engineio3, |server| async move {
        let mut websocket = opened_websocket(&server).await;
        websocket.send("abc").await;
        assert_eq!(websocket.hear().await, Heard::Close(None));
    })
    .await;
}

#[tokio::test]
async fn pings_are_answered_thrice_over_polling() {
    check(engineio3, |server| async move {
        let polling = open(&server).await;
        for _ in 0..3 {
            polling.send("1:2").await;
            assert_eq!(polling.receive().await, "1:3");
        }
    })
    .await;
}

#[tokio::test]
async fn polling_that_never_pings_is_lost_exactly_500_ms_after_it_opened() {
    check(engineio3, |server| async move {
        let polling = open(&server).await;
        sleep_until(Instant::now() + PING_INTERVAL + PING_TIMEOUT).await;
        assert_eq!(polling.post("1:2").await.status, 400);
    })
    .await;
}

#[tokio::test]
async fn pings_are_answered_thrice_over_websocket() {
    check(engineio3, |server| async move {
        let mut websocket = opened_websocket(&server).await;
        for _ in 0..3 {
            websocket.send("2").await;
            assert_eq!(websocket.text().await, "3");
        }
    })
    .await;
}

#[tokio::test]
async fn a_websocket_that_never_pings_is_closed() {
    check(engineio3, |server| async move {
        let mut websocket = opened_websocket(&server).await;
        assert_eq!(websocket.hear().await, Heard::Close(None));
    })
    .await;
}

#[tokio::test]
async fn a_close_packet_answers_the_pending_get_and_ends_the_session() {
    check(engineio3, |server| async move {
        let polling = open(&server).await;
        let mut get = polling.park().await;
        polling.send("1:1").await;
        let answer = get.receive().await;
        assert_eq!((answer.status, answer.text()), (200, "1:6"));
        assert_eq!(polling.get().await.status, 400);
    })
    .await;
}

#[tokio::test]
async fn a_close_packet_on_websocket_ends_in_its_close() {
    check(engineio3, |server| async move {
        let mut websocket = opened_websocket(&server).await;
        websocket.send("1").await;
        assert_eq!(websocket.hear().await, Heard::Close(None));
    })
    .await;
}

#[tokio::test]
async fn polling_moves_to_websocket() {
    check(engineio3, |server| async move {
        let (_, mut websocket) = upgrade(&server).await;
        check_echo_on(&mut websocket).await;
    })
    .await;
}

#[tokio::test]
async fn polling_is_refused_after_the_upgrade() {
    check(engineio3, |server| async move {
        let (polling, mut websocket) = upgrade(&server).await;
        check_echo_on(&mut websocket).await;
        assert_eq!(polling.get().await.status, 400);
        check_echo_on(&mut websocket).await;
    })
    .await;
}

#[tokio::test]
async fn a_second_websocket_is_closed_after_the_upgrade() {
    check(engineio3, |server| async move {
        let (polling, mut first) = upgrade(&server).await;
        let mut second = WebSocket::open(server.address, &polling.upgrade_target()).await;
        assert_eq!(second.hear().await, Heard::Close(None));
        check_echo_on(&mut first).await;
    })
    .await;
}

/// A session on polling, as the suite opens them: for text alone.
async fn open(server: &Server) -> Polling {
    Polling::open_older(server.address, &server.path(), "EIO=3&b64=1").await
}

async fn open_websocket(server: &Server, query: &str) -> WebSocket {
    let target = format!("{}?{query}", server.path());
    WebSocket::open(server.address, &target).await
}

/// A session on WebSocket, after its open packet.
async fn opened_websocket(server: &Server) -> WebSocket {
    let mut websocket = open_websocket(server, WEBSOCKET).await;
    assert!(websocket.text().await.starts_with("0{"));
    websocket
}

async fn upgrade(server: &Server) -> (Polling, WebSocket) {
    let polling = open(server).await;
    let mut websocket = WebSocket::open(server.address, &polling.upgrade_target()).await;
    websocket.send("2probe").await;
    assert_eq!(websocket.text().await, "3probe");
    assert_eq!(polling.receive().await, "1:6");
    websocket.send("5").await;
    (polling, websocket)
}

async fn check_echo(server: &Server, payload: &str) {
    let polling = open(server).await;
    polling.send(payload).await;
    assert_eq!(polling.receive().await, payload);
}
