//! Packets, payloads, the open packet, query strings, ids and answers.

use std::time::Duration;

use bytes::Bytes;
use fanfare_proto::engineio::{
    Answer, CloseReason, Message, Open, Packet, Query, Revision, Sid, Transport, Violation, payload,
};
use proptest::prelude::*;

use crate::vectors::{self, properties};

/// The vectors show the separator of a payload as this.
const SHOWN_SEPARATOR: &str = "␞";

fn meaning(wire: &str) -> String {
    let wire = match wire {
        "(empty)" => String::new(),
        wire => wire.replace(SHOWN_SEPARATOR, "\u{1e}"),
    };
    let packets: Vec<_> = payload::decode(&wire).collect();
    let usual = encode(packets.iter().flatten());
    let mark = if usual == wire { '=' } else { '>' };
    let mut lines: Vec<String> = packets
        .iter()
        .map(|packet| match packet {
            Ok(packet) => format!("{mark} {packet:?}"),
            Err(violation) => format!("! {violation}"),
        })
        .collect();
    if usual != wire && packets.iter().all(Result::is_ok) {
        lines.push(format!("  {}", usual.replace('\u{1e}', SHOWN_SEPARATOR)));
    }
    lines.join("\n")
}

fn encode<'a>(packets: impl Iterator<Item = &'a Packet>) -> String {
    let mut out = Vec::new();
    for packet in packets {
        match packet {
            Packet::Message(Message::Binary(data)) => payload::push_binary(&mut out, data),
            Packet::Message(Message::Text(_))
            | Packet::Open(_)
            | Packet::Close
            | Packet::Ping(_)
            | Packet::Pong(_)
            | Packet::Upgrade
            | Packet::Noop => payload::push(&mut out, encode_one(packet).as_bytes()),
        }
    }
    String::from_utf8(out).expect("payloads are text")
}

fn encode_one(packet: &Packet) -> String {
    let mut out = Vec::new();
    packet.encode_text(&mut out);
    String::from_utf8(out).expect("packets are text")
}

#[test]
fn each_form_is_read_and_written_as_the_vectors_say() {
    vectors::check("engineio.txt", meaning);
}

#[test]
fn a_binary_websocket_message_is_a_message_packet_without_a_type() {
    let data = Bytes::from_static(&[4, 1, 2]);
    let packet = Packet::decode_binary(data.clone());
    assert_eq!(packet, Packet::Message(Message::Binary(data)));
    assert_eq!(encode_one(&packet), "bBAEC");
}

#[test]
fn reading_a_payload_ends_at_its_first_violation() {
    let packets: Vec<_> = payload::decode("4a\u{1e}x\u{1e}4b").collect();
    let first = Packet::Message(Message::Text("a".to_owned()));
    assert_eq!(packets, [Ok(first), Err(Violation::UnknownPacketType)]);
}

fn open() -> Open {
    Open {
        sid: "lv_VI97HAXpY6yYWAAAC".to_owned(),
        upgrades: Transport::Polling.upgrades(),
        ping_interval: Duration::from_secs(25),
        ping_timeout: Duration::from_secs(20),
        max_payload: 1_000_000,
    }
}

fn encode_open(open: &Open) -> String {
    let mut out = Vec::new();
    open.encode(&mut out);
    String::from_utf8(out).expect("packets are text")
}

#[test]
fn the_open_packet_has_exactly_the_keys_of_the_reference_in_its_order() {
    let polling = r#"0{"sid":"lv_VI97HAXpY6yYWAAAC","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;
    assert_eq!(encode_open(&open()), polling);
    assert_eq!(polling.len(), 118);

    let websocket = Open {
        upgrades: Transport::WebSocket.upgrades(),
        ..open()
    };
    assert!(encode_open(&websocket).contains(r#""upgrades":[],"#));
}

#[test]
fn the_open_packet_of_another_server_is_read_leniently() {
    let json = r#"{"pingTimeout":200,"more":[1],"sid":"x","pingInterval":300,"upgrades":["webtransport","websocket"]}"#;
    let expected = Open {
        sid: "x".to_owned(),
        upgrades: &[Transport::WebSocket],
        ping_interval: Duration::from_millis(300),
        ping_timeout: Duration::from_millis(200),
        max_payload: usize::MAX,
    };
    assert_eq!(Open::decode(json), Ok(expected));
}

#[test]
fn an_open_packet_without_what_a_session_needs_is_refused() {
    for json in [
        "",
        "{}",
        "[]",
        "null",
        r#"{"sid":"","upgrades":[],"pingInterval":1,"pingTimeout":1}"#,
        r#"{"upgrades":[],"pingInterval":1,"pingTimeout":1}"#,
        r#"{"sid":7,"upgrades":[],"pingInterval":1,"pingTimeout":1}"#,
        r#"{"sid":"x","pingInterval":1,"pingTimeout":1}"#,
        r#"{"sid":"x","upgrades":[],"pingTimeout":1}"#,
        r#"{"sid":"x","upgrades":[],"pingInterval":-1,"pingTimeout":1}"#,
        r#"{"sid":"x","upgrades":[],"pingInterval":1,"pingTimeout":1}x"#,
    ] {
        assert_eq!(Open::decode(json), Err(Violation::MalformedOpen), "{json}");
    }
}

#[test]
fn no_debug_output_shows_a_whole_sid() {
    let sid = Sid::new([7; Sid::N_RANDOM_BYTES]);
    assert_eq!(format!("{sid:?}"), "Sid(BwcH…)");
    let open = format!("{:?}", open());
    assert!(open.contains("lv_V…") && !open.contains("lv_VI"), "{open}");
}

#[test]
fn a_sid_is_twenty_characters_that_need_no_escaping() {
    let sid = Sid::new([0xff; Sid::N_RANDOM_BYTES]);
    assert_eq!(sid.as_str(), "____________________");
    assert_eq!(Sid::parse(sid.as_str()), Some(sid));
    let sid = Sid::new([0xfb; Sid::N_RANDOM_BYTES]);
    assert_eq!(Sid::parse(sid.as_str()), Some(sid));
}

#[test]
fn what_cannot_be_a_sid_is_none() {
    for text in [
        "",
        "AAAA",
        "AAAAAAAAAAAAAAAAAAA",
        "AAAAAAAAAAAAAAAAAAAAA",
        "AAAAAAAAAAAAAAAAAAA+",
        "AAAAAAAAAAAAAAAAAAA=",
        "AAAAAAAAAAAAAAAAAAA ",
        "AAAAAAAAAAAAAAAAAAé",
    ] {
        assert_eq!(Sid::parse(text), None, "{text:?}");
    }
}

#[test]
fn a_query_tells_revision_transport_and_sid() {
    let sid = Sid::parse("lv_VI97HAXpY6yYWAAAC").expect("a valid sid");
    let query = Query::parse("EIO=4&transport=polling&t=O1a2&sid=lv_VI97HAXpY6yYWAAAC");
    let expected = Query {
        revision: Revision::V4,
        transport: Ok(Transport::Polling),
        sid: Ok(Some(sid)),
        base64: false,
        jsonp: None,
    };
    assert_eq!(query, expected);
}

#[test]
fn an_empty_query_names_nothing() {
    let expected = Query {
        revision: Revision::V3,
        transport: Err(Violation::UnknownTransport),
        sid: Ok(None),
        base64: false,
        jsonp: None,
    };
    assert_eq!(Query::parse(""), expected);
    assert_eq!(Query::parse("EIO=&transport=&sid=&b64="), expected);
}

#[test]
fn only_eio_4_is_revision_4() {
    for raw in [
        "EIO=3",
        "EIO=abc",
        "EIO=04",
        "EIO=4.0",
        "eio=4",
        "EIO=4&EIO=5",
    ] {
        assert_eq!(Query::parse(raw).revision, Revision::V3, "{raw}");
    }
    assert_eq!(Query::parse("EIO=3&EIO=4").revision, Revision::V4);
    assert_eq!(Query::parse("%45IO=%34").revision, Revision::V4);
}

#[test]
fn only_a_served_transport_is_known() {
    for raw in [
        "transport=abc",
        "transport=webtransport",
        "transport=Polling",
    ] {
        let transport = Query::parse(raw).transport;
        assert_eq!(transport, Err(Violation::UnknownTransport), "{raw}");
    }
    let last = Query::parse("transport=polling&transport=websocket").transport;
    assert_eq!(last, Ok(Transport::WebSocket));
}

#[test]
fn a_sid_of_another_shape_is_unknown_rather_than_absent() {
    assert_eq!(Query::parse("sid=abc").sid, Err(Violation::UnknownSid));
    assert_eq!(Query::parse("sid=abc&sid=").sid, Ok(None));
}

#[test]
fn any_b64_that_is_not_empty_asks_for_base64() {
    assert!(Query::parse("b64=1").base64);
    assert!(Query::parse("b64=0").base64);
    assert!(!Query::parse("b64=1&b64=").base64);
}

#[test]
fn the_digits_of_j_name_a_function() {
    let jsonp = |query: &str| Query::parse(query).jsonp;
    assert_eq!(jsonp("EIO=3"), None);
    for (value, number) in [("0", 0), ("17", 17), ("1);alert(2", 12), ("", 0), ("x", 0)] {
        assert_eq!(jsonp(&format!("j={value}")), Some(number), "{value}");
    }
    assert_eq!(jsonp(&format!("j={}", "9".repeat(30))), Some(0));
}

#[test]
fn the_pairs_of_a_query_are_decoded_as_browsers_encode_them() {
    let pairs: Vec<_> = Query::pairs("a=1+2&b=%C3%A9&c&a=%zz&%FF=x")
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    assert_eq!(pairs, ["a=1 2", "b=é", "c=", "a=%zz", "\u{fffd}=x"]);
}

#[track_caller]
fn check_answer(violation: Violation, status: u16, body: &str) {
    let answer = Answer::from(violation);
    assert_eq!(
        (answer.status, answer.body().as_str()),
        (status, body),
        "{violation:?}"
    );
}

#[test]
fn each_refused_request_is_answered_as_the_reference_does() {
    let bad_request = r#"{"code":3,"message":"Bad request"}"#;
    check_answer(
        Violation::UnknownTransport,
        400,
        r#"{"code":0,"message":"Transport unknown"}"#,
    );
    check_answer(
        Violation::UnknownSid,
        400,
        r#"{"code":1,"message":"Session ID unknown"}"#,
    );
    check_answer(
        Violation::BadHandshakeMethod,
        400,
        r#"{"code":2,"message":"Bad handshake method"}"#,
    );
    check_answer(Violation::BadRequest, 400, bad_request);
    check_answer(Violation::InvalidOrigin, 400, bad_request);
    check_answer(Violation::TransportMismatch, 400, bad_request);
    check_answer(Violation::ProtocolMismatch, 400, bad_request);
    check_answer(
        Violation::Forbidden,
        403,
        r#"{"code":4,"message":"Forbidden"}"#,
    );
    check_answer(
        Violation::UnsupportedProtocol,
        400,
        r#"{"code":5,"message":"Unsupported protocol version"}"#,
    );
    check_answer(Violation::ConcurrentPoll, 400, "");
    check_answer(Violation::ConcurrentPost, 400, "");
    check_answer(Violation::BinaryPayload, 400, "");
    check_answer(Violation::PayloadTooLarge, 413, "");
    check_answer(Violation::BadMethod, 500, "");
}

#[test]
fn a_post_of_what_is_no_packet_is_answered_ok() {
    check_answer(Violation::EmptyPacket, 200, "ok");
    check_answer(Violation::UnknownPacketType, 200, "ok");
}

#[test]
fn the_reasons_are_the_strings_of_the_reference() {
    let reasons = [
        CloseReason::TransportClose,
        CloseReason::TransportError,
        CloseReason::PingTimeout,
        CloseReason::ParseError,
        CloseReason::ForcedClose,
        CloseReason::ServerShuttingDown,
    ];
    let strings = [
        "transport close",
        "transport error",
        "ping timeout",
        "parse error",
        "forced close",
        "server shutting down",
    ];
    assert_eq!(reasons.map(CloseReason::as_str), strings);
}

/// Text as a payload can carry it; the separator itself cannot be.
fn text() -> impl Strategy<Value = String> {
    "[^\u{1e}]*"
}

fn packet() -> impl Strategy<Value = Packet> {
    prop_oneof![
        text().prop_map(Packet::Open),
        Just(Packet::Close),
        text().prop_map(Packet::Ping),
        text().prop_map(Packet::Pong),
        text().prop_map(|text| Packet::Message(Message::Text(text))),
        any::<Vec<u8>>().prop_map(|data| Packet::Message(Message::Binary(data.into()))),
        Just(Packet::Upgrade),
        Just(Packet::Noop),
    ]
}

fn any_open() -> impl Strategy<Value = Open> {
    let upgrades = prop_oneof![
        Just(Transport::Polling.upgrades()),
        Just(Transport::WebSocket.upgrades())
    ];
    (".+", upgrades, any::<u32>(), any::<u32>(), any::<usize>()).prop_map(
        |(sid, upgrades, interval, timeout, max_payload)| Open {
            sid,
            upgrades,
            ping_interval: Duration::from_millis(u64::from(interval)),
            ping_timeout: Duration::from_millis(u64::from(timeout)),
            max_payload,
        },
    )
}

proptest! {
    #![proptest_config(properties())]

    #[test]
    fn what_is_encoded_is_decoded_to_the_same_packet(packet in packet()) {
        prop_assert_eq!(Packet::decode_text(&encode_one(&packet)), Ok(packet));
    }

    #[test]
    fn what_is_encoded_is_decoded_to_the_same_payload(
        packets in proptest::collection::vec(packet(), 1..8),
    ) {
        let decoded: Result<Vec<_>, _> = payload::decode(&encode(packets.iter())).collect();
        prop_assert_eq!(decoded, Ok(packets));
    }

    #[test]
    fn what_is_encoded_is_decoded_to_the_same_open_packet(open in any_open()) {
        let wire = encode_open(&open);
        prop_assert_eq!(Open::decode(&wire[1..]), Ok(open));
    }

    #[test]
    fn decoding_any_bytes_and_encoding_them_again_is_stable(bytes: Vec<u8>) {
        let text = String::from_utf8_lossy(&bytes);
        let once: Vec<Packet> = payload::decode(&text).map_while(Result::ok).collect();
        let twice: Result<Vec<_>, _> = payload::decode(&encode(once.iter())).collect();
        prop_assert!(once.is_empty() || twice == Ok(once));
    }

    #[test]
    fn no_text_makes_a_decoder_panic(text: String, base64 in "[A-Za-z0-9+/_=-]*") {
        let _ = Packet::decode_text(&format!("b{base64}")).expect("any text is base64, leniently");
        let _ = Packet::decode_text(&format!("b{text}")).expect("any text is base64, leniently");
        let _ = Open::decode(&text);
        let _ = Query::parse(&text);
        let _ = Sid::parse(&text);
    }

    #[test]
    fn every_sid_survives_its_text(random: [u8; 15]) {
        let sid = Sid::new(random);
        prop_assert_eq!(Sid::parse(sid.as_str()), Some(sid));
    }
}
