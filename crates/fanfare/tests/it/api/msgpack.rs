//! Packets in MessagePack, over real sockets: each one binary message, each way.

use std::time::Duration;

use bytes::Bytes;
use fanfare::{Ack, Admission, Binary, Config, Parser, RawArgs, Recovery, Refusal, Socket};
use fanfare_proto::{
    Limits,
    socketio::{AckId, Assembled, Nsp, Packet, msgpack},
};
use fanfare_testkit::{Heard, WebSocket, eventually, within};
use serde_json::Value;

use crate::{
    notes::{Notes, notes},
    server::Server,
};

/// A client of this form, after its open packet.
struct Client(WebSocket);

fn config() -> Config {
    Config {
        parser: Parser::MessagePack,
        ..Config::default()
    }
}

fn nsp(name: &str) -> Nsp {
    name.parse().expect("a valid name")
}

fn connect(name: &str, auth: Option<&str>) -> Packet {
    Packet::Connect {
        nsp: nsp(name),
        data: auth.map(str::to_owned),
    }
}

impl Client {
    async fn open(server: &Server) -> Self {
        Self(server.websocket().await)
    }

    /// A client in the main namespace.
    async fn join(server: &Server) -> Self {
        let mut client = Self::open(server).await;
        client.send(&connect("/", None)).await;
        let Packet::Connect { data: Some(_), .. } = client.hear().await.packet else {
            panic!("it is let in");
        };
        client
    }

    async fn send(&mut self, packet: &Packet) {
        let mut out = Vec::new();
        msgpack::encode(&mut out, packet).expect("it is JSON");
        self.0.send_binary(&out).await;
    }

    async fn emit(&mut self, id: Option<u64>, event: &str, args: &str, data: &[Bytes]) {
        let mut out = Vec::new();
        let id = id.map(AckId);
        msgpack::encode_event(&mut out, &Nsp::main(), id, event, args, data).expect("it is JSON");
        self.0.send_binary(&out).await;
    }

    async fn hear(&mut self) -> Assembled {
        loop {
            match self.0.hear().await {
                Heard::Binary(data) => {
                    return msgpack::decode(&data, &Limits::default()).expect("a packet");
                }
                Heard::Text(ping) if ping == "2" => self.0.send("3").await,
                other => panic!("a packet was expected, not {other:?}"),
            }
        }
    }

    /// The next event, as its name and arguments, and its attachments.
    async fn event(&mut self) -> (String, Vec<Bytes>) {
        let Assembled {
            packet,
            attachments,
        } = self.hear().await;
        match packet {
            Packet::Event { event, args, .. } => {
                (format!("{} {args}", event.unwrap_or_default()), attachments)
            }
            Packet::Ack { id, args, .. } => (format!("{id:?} {args}"), attachments),
            other => (format!("{other:?}"), attachments),
        }
    }
}

/// What becomes of the sockets.
fn ended(server: &Server) -> Notes {
    let (pen, notes) = notes();
    server.io.on_disconnect(move |_, _, reason| {
        pen.note(reason.as_str());
        async {}
    });
    notes
}

#[tokio::test]
async fn events_and_answers_are_maps_with_binary_values_in_place() {
    let server = Server::with(config()).await;
    server.io.on(
        "echo",
        |socket: Socket, args: RawArgs, ack: Ack| async move {
            socket.emit("echoed", &args);
            ack.send(args);
        },
    );
    let mut client = Client::join(&server).await;
    let data = [Bytes::from_static(b"one"), Bytes::from_static(b"")];
    let args = r#"{"a":[{"_placeholder":true,"num":0},1.5]},{"_placeholder":true,"num":1},"é""#;
    client.emit(Some(7), "echo", args, &data).await;
    assert_eq!(
        client.event().await,
        (format!("echoed {args}"), data.to_vec())
    );
    assert_eq!(
        client.event().await,
        (format!("Some(AckId(7)) {args}"), data.to_vec())
    );
}

#[tokio::test]
async fn the_bytes_are_the_official_parsers() {
    let server = Server::with(config()).await;
    let mut client = Client::join(&server).await;
    server.io.emit("user count", 3);
    let expected = b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data\x92\xaauser count\x03";
    assert_eq!(
        client.0.hear().await,
        Heard::Binary(Bytes::from_static(expected))
    );
}

#[tokio::test]
async fn a_client_without_auth_says_undefined() {
    let server = Server::with(config()).await;
    server.io.admit(|handshake| async move {
        match handshake.auth_json() {
            "{}" => Ok(Admission::anonymous()),
            other => Err(Refusal::new(other)),
        }
    });
    let mut client = Client::open(&server).await;
    let undefined = b"\x83\xa4type\x00\xa4data\xd4\x00\x00\xa3nsp\xa1/";
    client.0.send_binary(undefined).await;
    let Packet::Connect {
        data: Some(data), ..
    } = client.hear().await.packet
    else {
        panic!("it is let in");
    };
    let data: Value = serde_json::from_str(&data).expect("JSON");
    let keys: Vec<_> = data.as_object().expect("an object").keys().collect();
    assert_eq!(keys, ["sid"]);
}

#[tokio::test]
async fn refusals_and_disconnects_look_as_in_json() {
    let server = Server::with(config()).await;
    let secret = server.io.of("/secret");
    secret.admit(|_| async { Err::<Admission, _>(Refusal::new("no")) });
    let mut client = Client::join(&server).await;
    for (name, message) in [("/secret", "no"), ("/unknown", "Invalid namespace")] {
        client.send(&connect(name, Some(r#"{"a":1}"#))).await;
        let refused = Packet::ConnectError {
            nsp: nsp(name),
            data: Some(format!(r#"{{"message":"{message}"}}"#)),
        };
        assert_eq!(client.hear().await.packet, refused);
    }
    server.io.disconnect();
    let gone = Packet::Disconnect { nsp: Nsp::main() };
    assert_eq!(client.hear().await.packet, gone);
}

#[tokio::test]
async fn everyone_of_a_broadcast_answers() {
    let server = Server::with(config()).await;
    let (mut ann, mut ben) = (Client::join(&server).await, Client::join(&server).await);
    let asked = server
        .io
        .emit_with_ack::<Binary, _>("bytes?", 1, Duration::from_secs(60));
    for client in [&mut ann, &mut ben] {
        let (event, _) = client.event().await;
        assert_eq!(event, "bytes? 1");
        let mut out = Vec::new();
        let placeholder = r#"{"_placeholder":true,"num":0}"#;
        let data = [Bytes::from_static(b"b")];
        msgpack::encode_ack(&mut out, &Nsp::main(), AckId(0), placeholder, &data).unwrap();
        client.0.send_binary(&out).await;
    }
    let answers = asked.await.expect("both answer");
    assert!(answers.iter().all(|(_, data)| data.0 == "b"), "{answers:?}");
    server.io.announce_count("count", |count| count.sockets);
    server.io.volatile().emit("now", 1);
    let mut heard = [ann.event().await.0, ann.event().await.0];
    heard.sort();
    assert_eq!(heard, ["count 2", "now 1"]);
}

#[tokio::test]
async fn what_breaks_the_form_ends_the_connection() {
    let reserved = b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data\x91\xaadisconnect";
    let trailing = b"\x82\xa4type\x01\xa3nsp\xa1/\x00";
    for message in [&reserved[..], &trailing[..], b"\xc0", b""] {
        let server = Server::with(config()).await;
        let mut ended = ended(&server);
        let mut client = Client::join(&server).await;
        client.0.send_binary(message).await;
        assert_eq!(client.0.closed().await, None, "{message:?}");
        ended.expect(&["forced close"]).await;
    }
    let server = Server::with(config()).await;
    let mut ended = ended(&server);
    let mut client = Client::join(&server).await;
    client.0.send(r#"42["text"]"#).await;
    client.0.closed().await;
    ended.expect(&["forced close"]).await;
}

#[tokio::test]
async fn on_polling_packets_are_base64() {
    let server = Server::with(config()).await;
    let session = server.polling().await;
    let base64 = |packet: &[u8]| format!("b{}", data_encoding::BASE64.encode(packet));
    session.send(&base64(b"\x82\xa4type\x00\xa3nsp\xa1/")).await;
    let welcome = session.receive().await;
    assert!(welcome.starts_with('b'), "{welcome}");
    server.io.emit("e", ());
    let expected = base64(b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data\x92\xa1e\xc0");
    assert_eq!(session.receive().await, expected);
}

#[tokio::test]
async fn volatile_events_are_dropped_one_by_one() {
    let server = Server::with(config()).await;
    let session = server.polling().await;
    let base64 = |packet: &[u8]| format!("b{}", data_encoding::BASE64.encode(packet));
    session.send(&base64(b"\x82\xa4type\x00\xa3nsp\xa1/")).await;
    session.receive().await;
    // Between two polls nothing can be written.
    let report = server.io.volatile().emit("gone", ()).report().await;
    assert_eq!(report.expect("it is sent").dropped_volatile, 1);
    server.io.emit("e", ());
    let expected = base64(b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data\x92\xa1e\xc0");
    assert_eq!(session.receive().await, expected);
}

#[tokio::test]
async fn recovery_finds_its_place_in_this_form_too() {
    let server = Server::with(Config {
        recovery: Some(Recovery::default()),
        ..config()
    })
    .await;
    let mut client = Client::open(&server).await;
    client.send(&connect("/", None)).await;
    let Packet::Connect {
        data: Some(welcome),
        ..
    } = client.hear().await.packet
    else {
        panic!("it is let in");
    };
    let welcome: Value = serde_json::from_str(&welcome).expect("JSON");
    server.io.emit("n", 1);
    let (event, _) = client.event().await;
    let offset = event
        .strip_prefix("n 1,")
        .unwrap_or_else(|| panic!("{event}"));
    let offset: String = serde_json::from_str(offset).expect("a string");
    assert_eq!(offset.len(), 11, "{offset}");
    client.0.reset();
    eventually("the loss is noticed", || server.io.count().sockets == 0).await;
    server.io.emit("n", Binary::from("two".as_bytes()));
    let mut client = Client::open(&server).await;
    let auth = serde_json::json!({"pid": welcome["pid"], "offset": offset});
    client.send(&connect("/", Some(&auth.to_string()))).await;
    let (event, data) = within("what was missed", client.event()).await;
    assert!(
        event.starts_with(r#"n {"_placeholder":true,"num":0},""#),
        "{event}"
    );
    assert_ne!(event, format!("n 1,{offset:?}"));
    assert_eq!(data, [Bytes::from_static(b"two")]);
    let again = Packet::Connect {
        nsp: Nsp::main(),
        data: Some(welcome.to_string()),
    };
    let Packet::Connect {
        data: Some(back), ..
    } = client.hear().await.packet
    else {
        panic!("not {again:?}");
    };
    assert_eq!(serde_json::from_str::<Value>(&back).expect("JSON"), welcome);
}
