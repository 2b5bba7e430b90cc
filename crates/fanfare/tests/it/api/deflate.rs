//! Compressed messages on WebSockets: agreed on, shared by all who take them, and bounded.

use std::time::Duration;

use fanfare::{Ack, Args, Binary, Config, Limits, Parser, RawArgs, Recovery, Report, Socket};
use fanfare_proto::socketio::{Nsp, Packet, msgpack};
use fanfare_testkit::{
    Client, Heard, WebSocket, connect, connect_with_buffer, eventually, frame, upgrade_request,
};

use crate::{notes::notes, server::Server};

const TARGET: &str = "/socket.io/?EIO=4&transport=websocket";
const OFFER: &str = "permessage-deflate; client_max_window_bits";
const ACCEPTED: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

/// The first byte of a final text frame that is compressed, and of one that is not.
const DEFLATED: u8 = 0xc1;
const PLAIN: u8 = 0x81;

fn config() -> Config {
    Config {
        websocket_compression: Some(1_024),
        ..Config::default()
    }
}

/// A WebSocket that was offered with this extension, after its open packet.
async fn offer(server: &Server, target: &str, offer: &str) -> WebSocket {
    let request = upgrade_request(target).header("Sec-WebSocket-Extensions", offer);
    let stream = connect(server.address).await;
    let mut websocket = WebSocket::try_open(stream, &request)
        .await
        .expect("it opens");
    websocket.text().await;
    websocket
}

/// A client in the main namespace that takes compressed messages.
async fn joined(server: &Server) -> Client {
    let websocket = offer(server, TARGET, OFFER).await;
    assert!(websocket.is_deflating);
    let mut client = Client {
        websocket,
        id: String::new(),
    };
    client.join_nsp("/", "").await;
    client
}

fn long(n: usize) -> String {
    format!("{n} {}", "all work and no play ".repeat(200))
}

#[tokio::test]
async fn compression_is_agreed_on_if_it_is_set_and_offered() {
    let server = Server::with(Config {
        allow_eio3: true,
        ..config()
    })
    .await;
    let request = |offer| upgrade_request(TARGET).header("Sec-WebSocket-Extensions", offer);
    let mut http = fanfare_testkit::Http::over(connect(server.address).await);
    http.send(&request(OFFER).encode()).await;
    let answer = http.receive().await;
    assert_eq!(answer.header("sec-websocket-extensions"), Some(ACCEPTED));
    for (target, offered) in [
        (TARGET, "permessage-deflate; server_max_window_bits=9"),
        (TARGET, "x-webkit-deflate-frame"),
        ("/socket.io/?EIO=4&transport=websocket&b64=1", OFFER),
        ("/socket.io/?EIO=3&transport=websocket", OFFER),
    ] {
        let websocket = offer(&server, target, offered).await;
        assert!(!websocket.is_deflating, "{target} {offered}");
    }
    let server = Server::start().await;
    assert!(!offer(&server, TARGET, OFFER).await.is_deflating);
}

#[tokio::test]
async fn one_compressed_frame_is_shared_by_all_who_take_it() {
    let server = Server::with(config()).await;
    let (mut ann, mut ben) = (joined(&server).await, joined(&server).await);
    let mut plain = server.client().await;
    let text = long(1);
    let report = server.io.emit("news", &text).report().await;
    let written = Report {
        written: 3,
        ..Report::default()
    };
    assert_eq!(report.expect("it is sent"), written);
    let frames = [
        ann.websocket.raw_frame().await,
        ben.websocket.raw_frame().await,
        plain.websocket.raw_frame().await,
    ];
    assert_eq!(frames[0], frames[1]);
    assert_eq!((frames[0][0], frames[2][0]), (DEFLATED, PLAIN));
    assert!(
        frames[0].len() * 10 < frames[2].len(),
        "{}",
        frames[0].len()
    );

    server.io.emit("news", &text);
    let expected = format!(r#"42["news","{text}"]"#);
    for client in [&mut ann, &mut ben, &mut plain] {
        client.expect(&expected).await;
    }
}

#[tokio::test]
async fn what_is_short_or_not_to_be_compressed_goes_as_it_is() {
    let server = Server::with(config()).await;
    let mut client = joined(&server).await;
    let socket = server.io.sockets().remove(0);
    let text = long(1);
    server.io.emit("short", "all work and no play");
    server.io.compress(false).emit("n", &text);
    socket.compress(false).emit("n", &text);
    server.io.compress(false).volatile().emit("n", &text);
    for _ in 0..4 {
        assert_eq!(client.websocket.raw_frame().await[0], PLAIN);
    }
    socket.emit("n", &text);
    server.io.compress(true).emit("n", &text);
    server.io.emit_latest("n", &text);
    server.io.volatile().emit("n", &text);
    for _ in 0..4 {
        assert_eq!(client.websocket.raw_frame().await[0], DEFLATED);
    }
    let asked = socket.emit_with_ack::<u8, _>("n?", &text, Duration::from_secs(60));
    let all = server
        .io
        .emit_with_ack::<u8, _>("n?", &text, Duration::from_secs(60));
    for id in 0..2 {
        client.expect(&format!(r#"42{id}["n?","{text}"]"#)).await;
        client.send(&format!("43{id}[1]")).await;
    }
    assert_eq!(asked.await.expect("it answers"), 1);
    assert_eq!(all.await.expect("it answers").len(), 1);
}

#[tokio::test]
async fn clients_may_compress_and_get_what_they_sent() {
    let server = Server::with(config()).await;
    server
        .io
        .on("echo", |_: Socket, args: RawArgs, ack: Ack| async move {
            ack.send(args);
        });
    let mut client = joined(&server).await;
    let text = long(1);
    let packet = format!(r#"421["echo","{text}"]"#);
    let echoed = format!(r#"431["{text}"]"#);
    client.websocket.send_bytes(&frame::deflated(&packet)).await;
    client.expect(&echoed).await;
    // In pieces, with a ping between them.
    let deflated = frame::deflate(format!("4{}", &packet[1..]).as_bytes());
    let (first, last) = deflated.split_at(deflated.len() / 2);
    let mut bytes = frame::marked(frame::piece(1, first));
    bytes.extend(frame::ping(b"between"));
    bytes.extend(frame::last_piece(last));
    client.websocket.send_bytes(&bytes).await;
    assert_eq!(client.websocket.hear().await, Heard::Pong("between".into()));
    client.expect(&echoed).await;
    // Not compressed, as one may.
    client.send(&packet).await;
    client.expect(&echoed).await;
}

#[tokio::test]
async fn what_does_not_inflate_or_too_far_ends_the_connection() {
    let small = Config {
        limits: Limits {
            proto: fanfare::ProtoLimits {
                max_payload_bytes: 10_000,
                ..fanfare::ProtoLimits::default()
            },
            ..Limits::default()
        },
        ..config()
    };
    let bomb = frame::deflated(&format!("42[\"{}\"]", "a".repeat(900_000)));
    let garbage = frame::marked(frame::text("\u{7}\u{11}"));
    let continued = {
        let mut bytes = frame::piece(1, b"42");
        bytes.extend(frame::marked(frame::last_piece(b"")));
        bytes
    };
    let control = frame::marked(frame::ping(b""));
    for (bytes, code) in [
        (bomb, 1009),
        (garbage, 1007),
        (continued, 1002),
        (control, 1002),
    ] {
        let server = Server::with(small.clone()).await;
        let (pen, mut ended) = notes();
        server.io.on_disconnect(move |_, _, reason| {
            pen.note(reason.as_str());
            async {}
        });
        let mut client = joined(&server).await;
        client.websocket.send_bytes(&bytes).await;
        assert_eq!(client.websocket.closed().await, Some(code));
        ended.expect(&["transport error"]).await;
    }
    let server = Server::start().await;
    let mut client = server.client().await;
    client
        .websocket
        .send_bytes(&frame::deflated("42[\"e\"]"))
        .await;
    assert_eq!(client.websocket.closed().await, Some(1002));
}

#[tokio::test]
async fn all_sizes_arrive_in_one_order() {
    let server = Server::with(config()).await;
    let mut clients = [
        joined(&server).await,
        joined(&server).await,
        server.client().await,
    ];
    let sockets = server.io.sockets();
    let mut expected = Vec::new();
    for n in 0..60 {
        let text = match n % 3 {
            0 => "short".to_owned(),
            _ => long(n),
        };
        match n % 4 {
            0 => sockets.iter().for_each(|socket| socket.emit("n", &text)),
            1 => drop(server.io.volatile().emit("n", &text)),
            2 => drop(server.io.compress(false).emit("n", &text)),
            _ => drop(server.io.emit("n", &text)),
        }
        expected.push(format!(r#"42["n","{text}"]"#));
        if n % 16 == 0 {
            tokio::task::yield_now().await;
        }
    }
    for client in &mut clients {
        for expected in &expected {
            client.expect(expected).await;
        }
    }
}

#[tokio::test]
async fn binary_data_is_compressed_where_it_is_long() {
    let server = Server::with(config()).await;
    let mut client = joined(&server).await;
    let (long, short) = (vec![7; 5_000], vec![1, 2]);
    server.io.emit(
        "b",
        Args((Binary::from(long.clone()), Binary::from(short.clone()))),
    );
    let text = r#"452-["b",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#;
    client.expect(text).await;
    client.expect_binary(&long).await;
    client.expect_binary(&short).await;
}

#[tokio::test]
async fn of_latest_values_only_the_last_of_a_turn_goes_out() {
    let server = Server::with(config()).await;
    let (mut client, mut plain) = (joined(&server).await, server.client().await);
    let first = server.io.emit_latest("n", long(1));
    let second = server.io.emit_latest("n", long(2));
    let superseded = Report {
        superseded: 2,
        ..Report::default()
    };
    assert_eq!(first.report().await.expect("it is sent"), superseded);
    let written = Report {
        written: 2,
        ..Report::default()
    };
    assert_eq!(second.report().await.expect("it is sent"), written);
    for client in [&mut client, &mut plain] {
        client.expect(&format!(r#"42["n","{}"]"#, long(2))).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_reader_gets_whole_frames() {
    let server = Server::with(config()).await;
    let request = upgrade_request(TARGET).header("Sec-WebSocket-Extensions", OFFER);
    let stream = connect_with_buffer(server.address, 4_096).await;
    let mut websocket = WebSocket::try_open(stream, &request)
        .await
        .expect("it opens");
    websocket.text().await;
    let mut slow = Client {
        websocket,
        id: String::new(),
    };
    slow.join_nsp("/", "").await;
    // Text that does not get much smaller.
    let noise = |n: u64| {
        let mut state = n + 1;
        let letters = std::iter::repeat_with(move || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            char::from(b'a' + u8::try_from(state >> 59).unwrap_or(0) % 26)
        });
        letters.take(20_000).collect::<String>()
    };
    let mut sent = 0;
    loop {
        let report = server.io.emit("n", noise(sent)).report().await;
        sent += 1;
        if report.expect("it is sent").queued == 1 && 20 < sent {
            break;
        }
    }
    for n in 0..sent {
        slow.expect(&format!(r#"42["n","{}"]"#, noise(n))).await;
    }
}

#[tokio::test]
async fn a_place_in_the_log_stands_in_the_shared_frame() {
    let server = Server::with(Config {
        recovery: Some(Recovery::default()),
        ..config()
    })
    .await;
    let mut client = offer(&server, TARGET, OFFER).await;
    client.send("40").await;
    let welcome = client.text().await;
    let pid = welcome.split(r#""pid":""#).nth(1).expect("a pid");
    let pid = pid.trim_end_matches(r#""}"#).to_owned();
    let socket = server.io.sockets().remove(0);
    let mut places = Vec::new();
    for n in 0..4 {
        match n % 2 {
            0 => drop(server.io.emit("n", long(n))),
            _ => socket.emit("n", long(n)),
        }
        let event = client.text().await;
        let rest = event.strip_prefix(&format!(r#"42["n","{}",""#, long(n)));
        let place = rest
            .and_then(|rest| rest.strip_suffix(r#""]"#))
            .map(str::to_owned);
        places.push(place.unwrap_or_else(|| panic!("{event}")));
    }
    places.dedup();
    assert_eq!(places.len(), 4, "each has its own: {places:?}");
    client.reset();
    eventually("the loss is noticed", || server.io.count().sockets == 0).await;
    let mut client = offer(&server, TARGET, OFFER).await;
    client
        .send(&format!(r#"40{{"pid":"{pid}","offset":"{}"}}"#, places[2]))
        .await;
    let missed = client.text().await;
    let expected = format!(r#"42["n","{}","{}"]"#, long(3), places[3]);
    assert_eq!(missed, expected);
    assert_eq!(client.text().await, welcome);
}

#[tokio::test]
async fn messagepack_is_compressed_too_with_its_place() {
    let server = Server::with(Config {
        recovery: Some(Recovery::default()),
        parser: Parser::MessagePack,
        ..config()
    })
    .await;
    let mut client = offer(&server, TARGET, OFFER).await;
    client.send_binary(b"\x82\xa4type\x00\xa3nsp\xa1/").await;
    client.hear().await;
    server.io.emit("n", long(1));
    let frame = client.raw_frame().await;
    assert_eq!(frame[0], 0xc2);
    server.io.emit("n", long(2));
    let Heard::Binary(data) = client.hear().await else {
        panic!("a binary message");
    };
    let packet = msgpack::decode(&data, &fanfare::ProtoLimits::default()).expect("a packet");
    let Packet::Event { nsp, args, .. } = packet.packet else {
        panic!("an event");
    };
    assert_eq!(nsp, Nsp::main());
    let place = args.strip_prefix(&format!(r#""{}",""#, long(2)));
    assert_eq!(place.map(str::len), Some(12), "{args}");
}

#[tokio::test]
async fn after_the_upgrade_messages_are_compressed_and_not_before() {
    let server = Server::with(config()).await;
    let session = server.polling().await;
    session.join().await;
    server.io.emit("n", long(1));
    assert_eq!(session.receive().await, format!(r#"42["n","{}"]"#, long(1)));
    let request =
        upgrade_request(&session.upgrade_target()).header("Sec-WebSocket-Extensions", OFFER);
    let stream = connect(server.address).await;
    let mut websocket = WebSocket::try_open(stream, &request)
        .await
        .expect("it opens");
    assert!(websocket.is_deflating);
    websocket.send("2probe").await;
    websocket.expect("3probe").await;
    // What waits from before goes as it is.
    server.io.emit("n", long(2));
    eventually("it waits", || server.io.metrics().sessions == 1).await;
    websocket.send_bytes(&frame::deflated("5")).await;
    assert_eq!(websocket.raw_frame().await[0], PLAIN);
    server.io.emit("n", long(3));
    assert_eq!(websocket.raw_frame().await[0], DEFLATED);
}
