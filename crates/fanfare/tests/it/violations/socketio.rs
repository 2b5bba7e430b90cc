//! Socket.IO packets that no client may send, and those that look so but are right.

use fanfare::{Ack, DisconnectReason, RawArgs, Socket};
use fanfare_testkit::{Client, Heard, punctual, within};
use tokio::sync::mpsc;

use crate::server::Server;

const NOT_PACKETS: &[&str] = &[
    "4",
    "47",
    "4 ",
    "4x",
    "4-", // no type
    "42[",
    "42]",
    "42[1",
    "42['a']",
    "42[\"a\"",
    "42[\"a\"]]",
    "42[\"a\"]x",
    "42{}",
    "42\"a\"",
    "42null", // not an array
    "42[]",
    "42[null]",
    "42[true]",
    "42[{}]",
    "42[[\"a\"]]", // not a name
    r#"42["connect"]"#,
    r#"42["connect_error"]"#,
    r#"42["disconnect"]"#,
    r#"42["disconnecting"]"#,
    r#"42["newListener"]"#,
    r#"42["removeListener"]"#,
    r#"42["\u0063onnect"]"#,
    r#"42["a",NaN]"#,
    r#"42["a",undefined]"#,
    r#"42["a",01]"#,
    r#"42["a",]"#,
    "42[\"a\",\"\n\"]",
    r#"42-1["a"]"#,
    r#"42abc["a"]"#,
    r#"4299999999999999999999999["a"]"#,
    r#"41{}"#,
    r#"41[]"#,
    r#"43{}"#,
    r#"431{}"#,
    r#"431"a""#,
    r#"45["a"]"#,
    r#"450-["a"]"#,
    r#"45-1-["a"]"#,
    r#"451.5-["a"]"#,
    r#"45-["a"]"#,
    r#"451["a"]"#,
    r#"4511-["a"]"#,
    r#"4599999999999999999999-["a"]"#,
    r#"45 1-["a"]"#,
    r#"451-{}"#,
    r#"451-["connect"]"#,
    r#"460-[]"#,
    r#"461-{}"#,
    r#"40[]"#,
    r#"40"a""#,
    r#"40null"#,
    r#"40{"#,
    r#"40/other,[]"#,
    r#"44{"message":"x"}"#,
    r#"44/other,{"message":"x"}"#,
];

const OUT_OF_ORDER: &[&str] = &[
    "40",
    "40{}", // joined already
    "42/other,[\"a\"]",
    "42/other,1[\"a\"]",
    "43/other,1[]",
    "41/other,",
    "41/other", // not joined
];

#[tokio::test]
async fn a_packet_that_is_none_closes_the_connection() {
    for packet in NOT_PACKETS.iter().chain(OUT_OF_ORDER) {
        let (server, mut client, mut reasons) = joined().await;
        client.send(packet).await;
        assert_eq!(
            client.websocket.hear().await,
            Heard::Close(None),
            "{packet}"
        );
        let reason = within("the disconnect handler", reasons.recv()).await;
        assert_eq!(reason, Some(DisconnectReason::ForcedClose), "{packet}");
        assert_eq!(server.io.count().sockets, 0, "{packet}");
        server.is_deserted().await;
    }
}

#[tokio::test]
async fn a_packet_before_joining_closes_the_connection() {
    for packet in NOT_PACKETS
        .iter()
        .chain(&["42[\"a\"]", "431[]", "41", "42/other,[\"a\"]"])
    {
        let server = Server::start().await;
        let mut client = Client::open(server.address).await;
        client.send(packet).await;
        assert_eq!(
            client.websocket.hear().await,
            Heard::Close(None),
            "{packet}"
        );
        server.is_deserted().await;
    }
}

#[tokio::test]
async fn binary_out_of_place_closes_the_connection() {
    let one = r#"451-["a",{"_placeholder":true,"num":0}]"#;
    for script in [
        &[Say::Binary][..],
        &[Say::Text(one), Say::Text("42[\"a\"]")],
        &[Say::Text(one), Say::Text("41")],
        &[Say::Text(one), Say::Binary, Say::Binary],
        &[
            Say::Text(r#"451-["a",{"_placeholder":true,"num":1}]"#),
            Say::Binary,
        ],
        &[
            Say::Text(r#"451-["a",{"_placeholder":true,"num":-1}]"#),
            Say::Binary,
        ],
        &[
            Say::Text(r#"451-["a",{"_placeholder":true,"num":"0"}]"#),
            Say::Binary,
        ],
        &[Say::Text(r#"451-["a",{"_placeholder":true}]"#), Say::Binary],
        &[
            Say::Text(r#"461-1[{"_placeholder":true,"num":7}]"#),
            Say::Binary,
        ],
    ] {
        let (server, mut client, _) = joined().await;
        for say in script {
            match say {
                Say::Text(text) => client.send(text).await,
                Say::Binary => client.send_binary(&[1]).await,
            }
        }
        assert_eq!(
            client.websocket.hear().await,
            Heard::Close(None),
            "{script:?}"
        );
        server.is_deserted().await;
    }
}

#[tokio::test]
async fn what_looks_wrong_but_is_right_is_taken() {
    for packet in [
        "42",
        "421",
        "43",
        "431[]",
        "43999999[1]",
        "46[]",
        "42[\"unknown\"]",
        "427[\"unknown\"]",
        "42[5]",
        r#"42["error"]"#,
        r#"42["__proto__"]"#,
        r#"42[""]"#,
        r#"42["a",{"_placeholder":true,"num":9}]"#,
        "40/random",
        "40/random,{}",
    ] {
        let (_server, mut client, _) = joined().await;
        if packet != "46[]" {
            client.send(packet).await;
        }
        if packet.starts_with("40") {
            client
                .expect(r#"44/random,{"message":"Invalid namespace"}"#)
                .await;
        }
        client.send(r#"42["echo","still here"]"#).await;
        client.expect(r#"42["echo","still here"]"#).await;
    }
}

/// The reference's digits may be blanks, which make the id 0.
#[tokio::test]
async fn a_blank_is_no_ack_id() {
    let server = Server::start().await;
    server.io.on("ask", |socket: Socket, ack: Ack| async move {
        assert!(!ack.is_wanted());
        ack.send("nobody asked");
        socket.emit("told", 1);
    });
    let mut client = server.client().await;
    client.send(r#"42 ["ask"]"#).await;
    client.expect(r#"42["told",1]"#).await;
}

#[tokio::test]
async fn an_attachment_that_nothing_refers_to_is_taken() {
    let (_server, mut client, _) = joined().await;
    client.send(r#"451-["echo","text"]"#).await;
    client.send_binary(&[1]).await;
    assert!(client.hear().await.contains(r#"["echo","text"]"#));
}

#[tokio::test]
async fn a_namespace_is_matched_literally() {
    let (server, mut client, _) = joined().await;
    server.io.of("/foo");
    for nsp in ["/foo?x=1", "/FOO", "/foo/", "/"] {
        let nsp = match nsp {
            "/" => "//",
            other => other,
        };
        client.send(&format!("40{nsp},")).await;
        client
            .expect(&format!(r#"44{nsp},{{"message":"Invalid namespace"}}"#))
            .await;
    }
    client.join_nsp("/foo", "").await;
}

#[tokio::test]
async fn the_longest_name_is_bounded() {
    let (_server, mut client, _) = joined().await;
    let name = "n".repeat(1_024);
    client.send(&format!(r#"42["{name}"]"#)).await;
    client.send(r#"42["echo",1]"#).await;
    client.expect(r#"42["echo",1]"#).await;
    client.send(&format!(r#"42["{name}n"]"#)).await;
    assert_eq!(client.websocket.hear().await, Heard::Close(None));

    let (_server, mut client, _) = joined().await;
    client.send(&format!("40/{},", "n".repeat(300))).await;
    assert_eq!(client.websocket.hear().await, Heard::Close(None));
}

#[tokio::test]
async fn on_polling_the_end_is_told_to_the_pending_get() {
    punctual(|| async {
        let server = Server::start().await;
        let polling = server.polling().await;
        polling.join().await;
        let mut get = polling.park().await;
        polling.send("4abc").await;
        assert_eq!(get.receive().await.text(), "1");
        assert_eq!(polling.get().await.status, 400);
        assert_eq!(server.io.count().sockets, 0);
    })
    .await;
}

#[tokio::test]
async fn on_polling_who_was_out_of_order_is_told_apart_if_no_get_is_pending() {
    punctual(|| async {
        for packet in OUT_OF_ORDER.iter().chain(&[r#"44{"message":"x"}"#]) {
            for (has_get, reason) in [
                (false, DisconnectReason::ForcedServerClose),
                (true, DisconnectReason::ForcedClose),
            ] {
                let (server, mut reasons) = watched().await;
                let polling = server.polling().await;
                polling.join().await;
                let get = match has_get {
                    true => Some(polling.park().await),
                    false => None,
                };
                polling.send(packet).await;
                let heard = within("the disconnect handler", reasons.recv()).await;
                assert_eq!(heard, Some(reason), "{packet}");
                assert_eq!(server.io.count().sockets, 0);
                match get {
                    Some(mut get) => assert_eq!(get.receive().await.text(), "1"),
                    None => assert_eq!(polling.receive().await, "6\u{1e}1"),
                }
            }
        }
    })
    .await;
}

#[tokio::test]
async fn on_polling_the_end_is_told_to_the_next_get_and_what_is_sent_meanwhile_is_ignored() {
    let server = Server::start().await;
    let polling = server.polling().await;
    polling.join().await;
    polling.send("4abc").await;
    polling.send("42[\"ignored\"]").await;
    polling.send("abc").await;
    assert_eq!(polling.receive().await, "6\u{1e}1");
    assert_eq!(polling.get().await.status, 400);
    assert_eq!(server.io.count().sockets, 0);
}

#[derive(Clone, Copy, Debug)]
enum Say {
    Text(&'static str),
    Binary,
}

async fn joined() -> (Server, Client, mpsc::UnboundedReceiver<DisconnectReason>) {
    let (server, reasons) = watched().await;
    let client = server.client().await;
    (server, client, reasons)
}

/// A server that echoes, and tells why its sockets leave.
async fn watched() -> (Server, mpsc::UnboundedReceiver<DisconnectReason>) {
    let server = Server::start().await;
    let (left, reasons) = mpsc::unbounded_channel();
    server.io.on_disconnect(move |_, _, reason| {
        // The test may have ended.
        let _ = left.send(reason);
        async {}
    });
    server
        .io
        .on("echo", |socket: Socket, args: RawArgs| async move {
            socket.emit("echo", args);
        });
    (server, reasons)
}
