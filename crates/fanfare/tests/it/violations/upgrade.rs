//! The upgrade, left at each step and taken in the wrong order.

use std::time::Duration;

use fanfare::Config;
use fanfare_testkit::{Heard, Polling, WebSocket, frame, punctual};

use crate::server::{self, Server};

#[tokio::test]
async fn an_upgrade_needs_no_probe() {
    let (_server, _polling, mut websocket) = begin().await;
    websocket.send("5").await;
    check_echo_on(&mut websocket).await;
}

#[tokio::test]
async fn messages_right_behind_the_upgrade_are_taken() {
    let (_server, _polling, mut websocket) = begin().await;
    let segment = ["2probe", "5", "4one", "4two"].map(frame::text).concat();
    websocket.send_bytes(&segment).await;
    for heard in ["3probe", "4one", "4two"] {
        assert_eq!(websocket.text().await, heard);
    }
}

#[tokio::test]
async fn any_other_packet_drops_the_websocket_and_the_session_stays_on_polling() {
    for packet in ["2", "2other", "4hello", "3probe", "1", "6", "abc", ""] {
        let (server, polling, mut websocket) = begin().await;
        websocket.send(packet).await;
        assert_eq!(websocket.hear().await, Heard::Close(None), "{packet:?}");
        assert_eq!(websocket.hear().await, Heard::End, "{packet:?}");
        check_echo(&polling).await;
        check_upgrade(&server, &polling).await;
    }
}

#[tokio::test]
async fn a_websocket_lost_at_any_step_leaves_the_session_on_polling() {
    for sent in [&[][..], &["2probe"], &["2probe", "2probe"]] {
        for is_reset in [false, true] {
            let (server, polling, mut websocket) = begin().await;
            for packet in sent {
                websocket.send(packet).await;
                assert_eq!(websocket.text().await, "3probe");
            }
            match is_reset {
                true => websocket.reset(),
                false => drop(websocket),
            }
            check_echo(&polling).await;
            check_upgrade_in_the_end(&server, &polling).await;
        }
    }
}

#[tokio::test]
async fn an_upgrade_that_takes_too_long_is_given_up() {
    let server = Server::with(Config {
        upgrade_timeout: Duration::from_millis(100),
        ..server::echo()
    })
    .await;
    let polling = server.polling().await;
    for probe in [None, Some("2probe")] {
        let mut websocket = WebSocket::open(server.address, &polling.upgrade_target()).await;
        if let Some(probe) = probe {
            websocket.send(probe).await;
            assert_eq!(websocket.text().await, "3probe");
        }
        assert_eq!(websocket.closed().await, None);
        check_echo(&polling).await;
    }
    check_upgrade(&server, &polling).await;
}

#[tokio::test]
async fn a_second_websocket_is_closed_and_the_first_goes_on() {
    let (server, polling, mut first) = begin().await;
    first.send("2probe").await;
    assert_eq!(first.text().await, "3probe");
    let mut second = WebSocket::open(server.address, &polling.upgrade_target()).await;
    second.try_send_bytes(&frame::text("5")).await;
    assert_eq!(second.hear().await, Heard::Close(None));
    first.send("5").await;
    check_echo_on(&mut first).await;
}

#[tokio::test]
async fn a_session_born_on_websocket_is_not_taken_over() {
    let server = Server::with(server::echo()).await;
    let mut websocket =
        WebSocket::open(server.address, "/engine.io/?EIO=4&transport=websocket").await;
    let open: serde_json::Value = serde_json::from_str(&websocket.text().await[1..]).expect("JSON");
    let sid = open["sid"].as_str().expect("a sid");
    let target = format!("/engine.io/?EIO=4&transport=websocket&sid={sid}");
    let mut thief = WebSocket::open(server.address, &target).await;
    thief.try_send_bytes(&frame::text("5")).await;
    assert_eq!(thief.hear().await, Heard::Close(None));
    check_echo_on(&mut websocket).await;
}

#[tokio::test]
async fn messages_during_the_probe_go_to_polling_and_what_is_left_to_the_websocket() {
    let (_server, polling, mut websocket) = begin().await;
    websocket.send("2probe").await;
    assert_eq!(websocket.text().await, "3probe");
    polling.send("4one").await;
    assert_eq!(polling.receive().await, "4one");
    polling.send("4two\u{1e}bAQIDBA==").await;
    websocket.send("5").await;
    assert_eq!(websocket.text().await, "4two");
    let binary = Heard::Binary(vec![1, 2, 3, 4].into());
    assert_eq!(websocket.hear().await, binary);
    check_echo_on(&mut websocket).await;
}

#[tokio::test]
async fn a_get_that_is_pending_is_released_again_and_again() {
    punctual(|| async {
        let (_server, polling, mut websocket) = begin().await;
        let mut get = polling.park().await;
        websocket.send("2probe").await;
        assert_eq!(websocket.text().await, "3probe");
        assert_eq!(get.receive().await.text(), "6");
        for _ in 0..3 {
            assert_eq!(polling.receive().await, "6");
        }
        let mut get = polling.park().await;
        websocket.send("5").await;
        assert!(["1", "6"].contains(&get.receive().await.text()));
        check_echo_on(&mut websocket).await;
    })
    .await;
}

#[tokio::test]
async fn a_websocket_that_is_upgrading_closes_with_its_session() {
    let (_server, polling, mut websocket) = begin().await;
    websocket.send("2probe").await;
    assert_eq!(websocket.text().await, "3probe");
    polling.send("1").await;
    assert_eq!(websocket.hear().await, Heard::Close(None));
    assert_eq!(polling.get().await.status, 400);
}

async fn begin() -> (Server, Polling, WebSocket) {
    let server = Server::with(server::echo()).await;
    let polling = server.polling().await;
    let websocket = WebSocket::open(server.address, &polling.upgrade_target()).await;
    (server, polling, websocket)
}

async fn check_echo(polling: &Polling) {
    polling.send("4hello").await;
    loop {
        match &*polling.receive().await {
            "6" => {}
            other => return assert_eq!(other, "4hello"),
        }
    }
}

async fn check_echo_on(websocket: &mut WebSocket) {
    websocket.send("4hello").await;
    assert_eq!(websocket.text().await, "4hello");
}

async fn check_upgrade(server: &Server, polling: &Polling) {
    let mut websocket = WebSocket::open(server.address, &polling.upgrade_target()).await;
    websocket.send("2probe").await;
    assert_eq!(websocket.text().await, "3probe");
    websocket.send("5").await;
    check_echo_on(&mut websocket).await;
}

/// The server may learn only later that its candidate is gone.
async fn check_upgrade_in_the_end(server: &Server, polling: &Polling) {
    fanfare_testkit::within("the next upgrade", async {
        loop {
            let mut websocket = WebSocket::open(server.address, &polling.upgrade_target()).await;
            if websocket.try_send_bytes(&frame::text("5")).await
                && websocket.try_send_bytes(&frame::text("4hello")).await
                && websocket.hear().await == Heard::Text("4hello".to_owned())
            {
                return;
            }
        }
    })
    .await;
}
