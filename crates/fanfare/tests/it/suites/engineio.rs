//! The 25 cases of the Engine.IO 4 suite.

use fanfare_testkit::{Heard, WebSocket};
use tokio::time::{Duration, sleep};

use super::{
    check, engineio,
    transport::{self, check_echo_on},
};
use crate::server::Server;

#[tokio::test]
async fn polling_opens_with_the_five_settings() {
    check(engineio, transport::polling_opens).await;
}

#[tokio::test]
async fn polling_without_revision_4_is_refused() {
    check(engineio, transport::polling_needs_revision_4).await;
}

#[tokio::test]
async fn polling_without_a_known_transport_is_refused() {
    check(engineio, transport::polling_needs_a_transport).await;
}

#[tokio::test]
async fn post_and_put_open_nothing() {
    check(engineio, transport::only_a_get_opens).await;
}

#[tokio::test]
async fn websocket_opens_with_the_open_packet_first() {
    check(engineio, transport::websocket_opens).await;
}

#[tokio::test]
async fn websocket_without_revision_4_is_closed() {
    check(engineio, transport::websocket_needs_revision_4).await;
}

#[tokio::test]
async fn websocket_without_a_known_transport_is_closed() {
    check(engineio, transport::websocket_needs_a_transport).await;
}

#[tokio::test]
async fn a_message_is_posted_and_polled() {
    check(engineio, |server| async move {
        check_echo(&server, "4hello").await;
    })
    .await;
}

#[tokio::test]
async fn one_poll_takes_all_messages_of_one_post() {
    check(engineio, |server| async move {
        check_echo(&server, "4test1\u{1e}4test2\u{1e}4test3").await;
    })
    .await;
}

#[tokio::test]
async fn a_binary_message_is_base64_on_polling() {
    check(engineio, |server| async move {
        check_echo(&server, "4hello\u{1e}bAQIDBA==").await;
    })
    .await;
}

#[tokio::test]
async fn a_post_of_no_packet_ends_the_session() {
    check(engineio, |server| async move {
        let polling = server.polling().await;
        polling.post("abc").await;
        assert_eq!(polling.get().await.status, 400);
    })
    .await;
}

#[tokio::test]
async fn a_second_get_ends_the_session() {
    check(engineio, |server| async move {
        let polling = server.polling().await;
        let mut first = polling.park().await;
        assert_eq!(polling.get().await.status, 400);
        let first = first.receive().await;
        assert_eq!((first.status, first.text()), (200, "1"));
        assert_eq!(polling.get().await.status, 400);
    })
    .await;
}

#[tokio::test]
async fn a_get_that_is_given_up_ends_the_session() {
    check(engineio, |server| async move {
        let polling = server.polling().await;
        let get = polling.begin_get().await;
        sleep(Duration::from_millis(5)).await;
        drop(get);
        assert_eq!(polling.get().await.status, 400);
    })
    .await;
}

#[tokio::test]
async fn text_is_echoed_on_websocket() {
    check(engineio, |server| async move {
        let mut websocket = server.websocket().await;
        check_echo_on(&mut websocket).await;
    })
    .await;
}

#[tokio::test]
async fn binary_is_echoed_as_binary_on_websocket() {
    check(engineio, |server| async move {
        let mut websocket = server.websocket().await;
        websocket.send_binary(&[1, 2, 3, 4]).await;
        let echo = Heard::Binary(vec![1, 2, 3, 4].into());
        assert_eq!(websocket.hear().await, echo);
    })
    .await;
}

#[tokio::test]
async fn no_packet_closes_the_websocket() {
    check(engineio, |server| async move {
        let mut websocket = server.websocket().await;
        websocket.send("abc").await;
        assert_eq!(websocket.hear().await, Heard::Close(None));
    })
    .await;
}

#[tokio::test]
async fn pings_come_thrice_over_polling() {
    check(engineio, transport::polling_is_pinged).await;
}

#[tokio::test]
async fn polling_is_lost_exactly_500_ms_after_it_opened() {
    check(engineio, transport::polling_that_is_silent_is_lost).await;
}

#[tokio::test]
async fn pings_come_thrice_over_websocket() {
    check(engineio, transport::websocket_is_pinged).await;
}

#[tokio::test]
async fn a_websocket_that_never_answers_is_closed() {
    check(engineio, transport::websocket_that_is_silent_is_lost).await;
}

#[tokio::test]
async fn a_close_packet_answers_the_pending_get_and_ends_the_session() {
    check(engineio, transport::polling_closes).await;
}

#[tokio::test]
async fn a_close_packet_on_websocket_ends_in_its_close() {
    check(engineio, transport::websocket_closes).await;
}

#[tokio::test]
async fn polling_moves_to_websocket() {
    check(engineio, |server| async move {
        let (_, mut websocket) = transport::upgrade(&server).await;
        check_echo_on(&mut websocket).await;
    })
    .await;
}

#[tokio::test]
async fn polling_is_refused_after_the_upgrade() {
    check(engineio, |server| async move {
        let (polling, mut websocket) = transport::upgrade(&server).await;
        check_echo_on(&mut websocket).await;
        assert_eq!(polling.get().await.status, 400);
        check_echo_on(&mut websocket).await;
    })
    .await;
}

#[tokio::test]
async fn a_second_websocket_is_closed_after_the_upgrade() {
    check(engineio, |server| async move {
        let (polling, mut first) = transport::upgrade(&server).await;
        let mut second = WebSocket::open(server.address, &polling.upgrade_target()).await;
        assert_eq!(second.hear().await, Heard::Close(None));
        check_echo_on(&mut first).await;
    })
    .await;
}

async fn check_echo(server: &Server, payload: &str) {
    let polling = server.polling().await;
    polling.send(payload).await;
    assert_eq!(polling.receive().await, payload);
}
