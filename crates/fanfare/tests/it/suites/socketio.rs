//! The 32 cases of the Socket.IO 5 suite.

use fanfare_testkit::{Heard, WebSocket};

use super::{check, socketio, transport};
use crate::server::Server;

#[tokio::test]
async fn polling_opens_with_the_five_settings() {
    check(socketio, transport::polling_opens).await;
}

#[tokio::test]
async fn polling_without_revision_4_is_refused() {
    check(socketio, transport::polling_needs_revision_4).await;
}

#[tokio::test]
async fn polling_without_a_known_transport_is_refused() {
    check(socketio, transport::polling_needs_a_transport).await;
}

#[tokio::test]
async fn post_and_put_open_nothing() {
    check(socketio, transport::only_a_get_opens).await;
}

#[tokio::test]
async fn websocket_opens_with_the_open_packet_first() {
    check(socketio, transport::websocket_opens).await;
}

#[tokio::test]
async fn websocket_without_revision_4_is_closed() {
    check(socketio, transport::websocket_needs_revision_4).await;
}

#[tokio::test]
async fn websocket_without_a_known_transport_is_closed() {
    check(socketio, transport::websocket_needs_a_transport).await;
}

#[tokio::test]
async fn pings_come_thrice_over_polling() {
    check(socketio, transport::polling_is_pinged).await;
}

#[tokio::test]
async fn polling_is_lost_exactly_500_ms_after_it_opened() {
    check(socketio, transport::polling_that_is_silent_is_lost).await;
}

#[tokio::test]
async fn pings_come_thrice_over_websocket() {
    check(socketio, transport::websocket_is_pinged).await;
}

#[tokio::test]
async fn a_websocket_that_never_answers_is_closed() {
    check(socketio, transport::websocket_that_is_silent_is_lost).await;
}

#[tokio::test]
async fn a_close_packet_answers_the_pending_get_and_ends_the_session() {
    check(socketio, transport::polling_closes).await;
}

#[tokio::test]
async fn a_close_packet_on_websocket_ends_in_its_close() {
    check(socketio, transport::websocket_closes).await;
}

#[tokio::test]
async fn polling_moves_to_websocket() {
    check(socketio, transport::polling_is_upgraded).await;
}

#[tokio::test]
async fn polling_is_refused_after_the_upgrade() {
    check(socketio, transport::polling_is_over_after_the_upgrade).await;
}

#[tokio::test]
async fn a_second_websocket_is_closed_after_the_upgrade() {
    check(socketio, transport::a_second_websocket_is_closed).await;
}

#[tokio::test]
async fn the_main_namespace_is_joined() {
    check(socketio, |server| async move {
        check_join(&server, "40", "", "42[\"auth\",{}]").await;
    })
    .await;
}

#[tokio::test]
async fn the_main_namespace_is_joined_with_auth() {
    check(socketio, |server| async move {
        let auth = r#"{"token":"123"}"#;
        check_join(&server, "40", auth, r#"42["auth",{"token":"123"}]"#).await;
    })
    .await;
}

#[tokio::test]
async fn a_custom_namespace_is_joined() {
    check(socketio, |server| async move {
        check_join(&server, "40/custom,", "", r#"42/custom,["auth",{}]"#).await;
    })
    .await;
}

#[tokio::test]
async fn a_custom_namespace_is_joined_with_auth() {
    check(socketio, |server| async move {
        let auth = r#"{"token":"abc"}"#;
        let told = r#"42/custom,["auth",{"token":"abc"}]"#;
        check_join(&server, "40/custom,", auth, told).await;
    })
    .await;
}

#[tokio::test]
async fn an_unknown_namespace_is_refused() {
    check(socketio, |server| async move {
        let mut websocket = server.websocket().await;
        websocket.send("40/random").await;
        let refusal = r#"44/random,{"message":"Invalid namespace"}"#;
        assert_eq!(websocket.text().await, refusal);
    })
    .await;
}

#[tokio::test]
async fn no_packet_before_joining_closes_the_connection() {
    check(socketio, |server| async move {
        let mut websocket = server.websocket().await;
        websocket.send("4abc").await;
        assert_eq!(websocket.hear().await, Heard::Close(None));
    })
    .await;
}

#[tokio::test]
async fn who_joins_nothing_is_closed() {
    check(socketio, |server| async move {
        let mut websocket = server.websocket().await;
        assert_eq!(websocket.closed().await, None);
    })
    .await;
}

#[tokio::test]
async fn leaving_the_main_namespace_is_answered_by_nothing() {
    check(socketio, |server| async move {
        let mut websocket = joined(&server).await;
        websocket.send("41").await;
        assert_eq!(websocket.text().await, "2");
    })
    .await;
}

#[tokio::test]
async fn leaving_a_custom_namespace_leaves_the_main_one_connected() {
    check(socketio, |server| async move {
        let mut websocket = joined(&server).await;
        assert_eq!(websocket.text().await, "2");
        websocket.send("40/custom,").await;
        assert!(websocket.text().await.starts_with("40/custom,{"));
        assert_eq!(websocket.text().await, r#"42/custom,["auth",{}]"#);
        websocket.send("41/custom").await;
        websocket
            .send(r#"42["message","message to main namespace"]"#)
            .await;
        let back = r#"42["message-back","message to main namespace"]"#;
        assert_eq!(websocket.text().await, back);
    })
    .await;
}

#[tokio::test]
async fn plain_arguments_come_back_byte_by_byte() {
    check(socketio, |server| async move {
        let mut websocket = joined(&server).await;
        websocket.send(r#"42["message",1,"2",{"3":[true]}]"#).await;
        let back = r#"42["message-back",1,"2",{"3":[true]}]"#;
        assert_eq!(websocket.text().await, back);
    })
    .await;
}

#[tokio::test]
async fn binary_arguments_come_back_byte_by_byte() {
    check(socketio, |server| async move {
        let mut websocket = joined(&server).await;
        websocket
            .send(&format!(r#"452-["message",{PLACEHOLDERS}]"#))
            .await;
        send_attachments(&mut websocket).await;
        let back = format!(r#"452-["message-back",{PLACEHOLDERS}]"#);
        check_with_attachments(&mut websocket, &back).await;
    })
    .await;
}

#[tokio::test]
async fn an_event_is_acknowledged() {
    check(socketio, |server| async move {
        let mut websocket = joined(&server).await;
        websocket
            .send(r#"42456["message-with-ack",1,"2",{"3":[false]}]"#)
            .await;
        assert_eq!(websocket.text().await, r#"43456[1,"2",{"3":[false]}]"#);
    })
    .await;
}

#[tokio::test]
async fn an_event_is_acknowledged_with_binary() {
    check(socketio, |server| async move {
        let mut websocket = joined(&server).await;
        websocket
            .send(&format!(r#"452-789["message-with-ack",{PLACEHOLDERS}]"#))
            .await;
        send_attachments(&mut websocket).await;
        let back = format!("462-789[{PLACEHOLDERS}]");
        check_with_attachments(&mut websocket, &back).await;
    })
    .await;
}

#[tokio::test]
async fn an_unknown_packet_type_closes_the_connection() {
    check_closes("4abc").await;
}

#[tokio::test]
async fn an_event_that_is_no_array_closes_the_connection() {
    check_closes("42{}").await;
}

#[tokio::test]
async fn an_ack_id_that_is_no_number_closes_the_connection() {
    check_closes(r#"42abc["message-with-ack",1,"2",{"3":[false]}]"#).await;
}

async fn check_join(server: &Server, head: &str, auth: &str, told: &str) {
    let mut websocket = server.websocket().await;
    websocket.send(&format!("{head}{auth}")).await;
    let answer = websocket.text().await;
    let answer = answer.strip_prefix(head).expect("a CONNECT packet");
    let answer: serde_json::Value = serde_json::from_str(answer).expect("its JSON");
    let keys: Vec<_> = answer.as_object().expect("an object").keys().collect();
    assert_eq!(keys, ["sid"]);
    assert_eq!(websocket.text().await, told);
}

async fn joined(server: &Server) -> WebSocket {
    let mut websocket = server.websocket().await;
    websocket.send("40").await;
    assert!(websocket.text().await.starts_with("40{"));
    assert_eq!(websocket.text().await, r#"42["auth",{}]"#);
    websocket
}

async fn send_attachments(websocket: &mut WebSocket) {
    for data in ATTACHMENTS {
        websocket.send_binary(data).await;
    }
}

/// Pings may come between.
async fn check_with_attachments(websocket: &mut WebSocket, text: &str) {
    let mut heard = Vec::new();
    while heard.len() < 1 + ATTACHMENTS.len() {
        let next = websocket.hear().await;
        heard.extend((next != Heard::Text("2".to_owned())).then_some(next));
    }
    let attachments = ATTACHMENTS.map(|data| Heard::Binary(data.to_vec().into()));
    assert_eq!(heard[0], Heard::Text(text.to_owned()));
    assert_eq!(heard[1..], attachments);
}

async fn check_closes(packet: &'static str) {
    fanfare_testkit::punctual(move || async move {
        let mut websocket = joined(&socketio().await).await;
        websocket.send(packet).await;
        assert_eq!(websocket.hear().await, Heard::Close(None));
    })
    .await;
}

const PLACEHOLDERS: &str = r#"{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}"#;
const ATTACHMENTS: [&[u8]; 2] = [&[1, 2, 3], &[4, 5, 6]];
