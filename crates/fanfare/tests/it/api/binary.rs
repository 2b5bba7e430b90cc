//! Binary data, both ways and deep inside.

use std::{collections::BTreeMap, time::Duration};

use fanfare::{Ack, Args, Binary, Socket};
use fanfare_testkit::within;
use serde::{Deserialize, Serialize, Serializer};

use crate::server::Server;

#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct Album {
    title: String,
    cover: Binary,
    tracks: Vec<BTreeMap<String, Option<Binary>>>,
}

const ALBUM: &str = r#"{"title":"t","cover":{"_placeholder":true,"num":0},"tracks":[{"a":{"_placeholder":true,"num":1},"b":null},{"c":{"_placeholder":true,"num":2}}]}"#;

#[tokio::test]
async fn binary_travels_both_ways_however_deep() {
    let server = Server::start().await;
    server
        .io
        .on("album", |socket: Socket, album: Album| async move {
            assert_eq!(album.cover.0[..], [1]);
            assert_eq!(album.tracks[1]["c"], Some(Binary::from(vec![3; 70_000])));
            socket.emit("album", album);
        });
    let mut client = server.client().await;
    client.send(&format!(r#"453-["album",{ALBUM}]"#)).await;
    let attachments = [vec![1], vec![], vec![3; 70_000]];
    for data in &attachments {
        client.send_binary(data).await;
    }
    client.expect(&format!(r#"453-["album",{ALBUM}]"#)).await;
    for data in &attachments {
        client.expect_binary(data).await;
    }
}

#[tokio::test]
async fn a_pong_may_come_between_a_packet_and_its_attachments() {
    let server = Server::start().await;
    server
        .io
        .on("echo", |socket: Socket, data: Binary| async move {
            socket.emit("echo", data);
        });
    let mut client = server.client().await;
    let text = r#"451-["echo",{"_placeholder":true,"num":0}]"#;
    client.send(text).await;
    client.websocket.send("3").await;
    client.websocket.send("6").await;
    client.send_binary(&[1, 2]).await;
    client.expect(text).await;
    client.expect_binary(&[1, 2]).await;
}

#[tokio::test]
async fn attachments_may_be_referred_to_in_any_order() {
    let server = Server::start().await;
    server.io.on(
        "two",
        |socket: Socket, Args((a, b)): Args<(Binary, Binary)>| async move {
            socket.emit("two", Args((a, b)));
        },
    );
    let mut client = server.client().await;
    let swapped = r#"452-["two",{"num":1,"_placeholder":true},{"_placeholder":true,"num":0}]"#;
    client.send(swapped).await;
    client.send_binary(&[1]).await;
    client.send_binary(&[2]).await;
    let ordered = r#"452-["two",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#;
    client.expect(ordered).await;
    client.expect_binary(&[2]).await;
    client.expect_binary(&[1]).await;
}

#[tokio::test]
async fn acks_carry_binary_both_ways() {
    let server = Server::start().await;
    server
        .io
        .on("ask", |_: Socket, data: Binary, ack: Ack| async move {
            ack.send(data);
        });
    let mut client = server.client().await;
    client
        .send(r#"451-5["ask",{"_placeholder":true,"num":0}]"#)
        .await;
    client.send_binary(&[1, 2]).await;
    client
        .expect(r#"461-5[{"_placeholder":true,"num":0}]"#)
        .await;
    client.expect_binary(&[1, 2]).await;

    let socket = server.io.sockets().remove(0);
    let patience = Duration::from_secs(60);
    let answer = socket.emit_with_ack::<Binary, _>("ask", Binary::from(vec![3]), patience);
    client
        .expect(r#"451-0["ask",{"_placeholder":true,"num":0}]"#)
        .await;
    client.expect_binary(&[3]).await;
    client.send(r#"461-0[{"_placeholder":true,"num":0}]"#).await;
    client.send_binary(&[4]).await;
    let answer = within("an answer", answer).await.expect("an answer");
    assert_eq!(answer, Binary::from(vec![4]));
}

#[tokio::test]
async fn a_broadcast_of_binary_suits_each_transport() {
    let server = Server::start().await;
    let mut websocket = server.client().await;
    let polling = server.polling().await;
    polling.join().await;
    for n in [1, 2] {
        server.io.emit("data", Args((n, Binary::from(vec![n; 3]))));
    }
    let mut payload = Vec::new();
    for (n, base64) in [(1, "AQEB"), (2, "AgIC")] {
        let text = format!(r#"451-["data",{n},{{"_placeholder":true,"num":0}}]"#);
        websocket.expect(&text).await;
        websocket.expect_binary(&[n; 3]).await;
        payload.extend([text, format!("b{base64}")]);
    }
    let mut heard = Vec::new();
    while heard.len() < payload.len() {
        heard.extend(polling.receive().await.split('\u{1e}').map(str::to_owned));
    }
    assert_eq!(heard, payload);
}

/// Emits something with an attachment while it is written itself.
struct Talkative(Socket, Binary);

impl Serialize for Talkative {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.emit("inner", (&self.1, &self.1));
        self.1.serialize(serializer)
    }
}

#[tokio::test]
async fn a_value_may_emit_while_it_is_written() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let socket = server.io.sockets().remove(0);
    let data = Binary::from(vec![9]);
    server
        .io
        .emit("outer", (&data, Talkative(socket, data.clone())));
    let both = r#"[{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#;
    for event in ["inner", "outer"] {
        client.expect(&format!(r#"452-["{event}",{both}]"#)).await;
        client.expect_binary(&[9]).await;
        client.expect_binary(&[9]).await;
    }
}

#[tokio::test]
async fn binary_where_there_is_none_is_told_to_the_sender() {
    let server = Server::start().await;
    server.io.on("ask", |_: Socket, _: Binary, _: Ack| async {});
    let mut client = server.client().await;
    for args in [
        "5",
        "null",
        r#"{"_placeholder":true,"num":0}"#,
        r#"{"_placeholder":false,"num":0}"#,
    ] {
        client.send(&format!(r#"421["ask",{args}]"#)).await;
        let answer = client.hear().await;
        assert!(
            answer.starts_with(r#"431[{"error":"'ask': "#),
            "{args}: {answer}"
        );
        assert!(answer.contains("expected binary data"), "{args}: {answer}");
    }
    client
        .send(r#"451-1["ask",{"_placeholder":false,"num":0},{"_placeholder":true,"num":0}]"#)
        .await;
    client.send_binary(&[1]).await;
    let answer = client.hear().await;
    assert!(answer.contains("expected binary data"), "{answer}");
}
