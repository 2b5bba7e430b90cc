//! Socket.IO packets: their text, their attachments, and what is refused.

use std::collections::HashMap;

use bytes::Bytes;
use fanfare_proto::Limits;
use fanfare_proto::socketio::{
    AckId, Assembled, Assembly, Nsp, Packet, Violation, encode_ack, encode_event, is_reserved,
};
use proptest::prelude::*;
use serde_json::Value;

use crate::vectors::{self, properties};

fn decode(text: &str) -> Result<Packet, Violation> {
    Packet::decode(text, &Limits::default())
}

fn encode(packet: &Packet) -> String {
    let mut out = Vec::new();
    packet.encode(&mut out);
    String::from_utf8(out).expect("packets are text")
}

fn nsp(name: &str) -> Nsp {
    name.parse().expect("a valid name")
}

fn meaning(wire: &str) -> String {
    let wire = if wire == "(empty)" { "" } else { wire };
    match decode(wire) {
        Ok(packet) if encode(&packet) == wire => format!("= {packet:?}"),
        Ok(packet) => format!("> {packet:?}\n  {}", encode(&packet)),
        Err(violation) => format!("! {violation}"),
    }
}

#[track_caller]
fn check_refused(text: &str, expected: Violation) {
    assert_eq!(decode(text), Err(expected), "decoding {text:?}");
    assert!(!expected.is_of_state());
}

#[test]
fn each_form_is_read_and_written_as_the_vectors_say() {
    vectors::check("socketio.txt", meaning);
}

#[test]
fn a_packet_has_a_type() {
    check_refused("", Violation::Empty);
    check_refused("7", Violation::UnknownType);
    check_refused("x", Violation::UnknownType);
}

#[test]
fn a_binary_packet_announces_its_attachments() {
    check_refused(r#"5["a"]"#, Violation::IllegalAttachments);
    check_refused(r#"50-["a"]"#, Violation::IllegalAttachments);
    check_refused(r#"5-1-["a"]"#, Violation::IllegalAttachments);
    check_refused("61", Violation::IllegalAttachments);
}

#[test]
fn attachments_are_bounded() {
    let limits = Limits {
        max_attachments: 3,
        ..Limits::default()
    };
    let packet = Packet::decode(r#"53-["a"]"#, &limits).unwrap();
    assert_eq!(packet.attachments(), 3);
    let refused = Packet::decode(r#"54-["a"]"#, &limits);
    assert_eq!(refused, Err(Violation::TooManyAttachments));
}

#[test]
fn the_name_of_a_namespace_is_bounded() {
    let limits = Limits {
        max_nsp_bytes: 4,
        ..Limits::default()
    };
    assert!(Packet::decode("0/abc,", &limits).is_ok());
    let refused = Packet::decode("0/abcd,", &limits);
    assert_eq!(refused, Err(Violation::NspTooLong));
}

#[test]
fn the_name_of_an_event_is_bounded_as_it_reads_unescaped() {
    let limits = Limits {
        max_event_name_bytes: 3,
        ..Limits::default()
    };
    assert!(Packet::decode(r#"2["abc"]"#, &limits).is_ok());
    assert!(Packet::decode(r#"2["\u0061\u0062c"]"#, &limits).is_ok());
    for text in [r#"2["abcd"]"#, "2[1000]"] {
        let refused = Packet::decode(text, &limits);
        assert_eq!(refused, Err(Violation::EventNameTooLong), "decoding {text}");
    }
}

#[test]
fn an_ack_id_fits_in_64_bits() {
    check_refused("318446744073709551616[]", Violation::AckIdTooLarge);
}

#[test]
fn a_payload_is_json_to_its_end() {
    for payload in [
        "[",
        "[]]",
        "[\"a\",]",
        "{\"a\"}",
        "[\"a\tb\"]",
        "nul",
        "[1 2]",
        "'a'",
    ] {
        for kind in ["0", "2", "31", "4", "51-", "61-1"] {
            check_refused(&format!("{kind}{payload}"), Violation::InvalidJson);
        }
    }
}

#[test]
fn a_payload_is_of_its_packet_s_kind() {
    check_refused("0[]", Violation::ConnectPayload);
    check_refused("1[]", Violation::DisconnectPayload);
    check_refused("2{}", Violation::EventPayload);
    check_refused("31{}", Violation::AckPayload);
    check_refused("4[]", Violation::ConnectErrorPayload);
}

#[test]
fn an_event_is_named_by_a_string_or_a_number() {
    for name in ["", "true", "null", "{\"toString\":\"x\"}", "[\"x\"]"] {
        check_refused(&format!("2[{name}]"), Violation::EventName);
    }
}

#[test]
fn reserved_names_are_refused_however_they_are_written() {
    for name in [
        "connect",
        "connect_error",
        "disconnect",
        "disconnecting",
        "newListener",
        "removeListener",
    ] {
        assert!(is_reserved(name));
        check_refused(&format!("2[{name:?}]"), Violation::ReservedEventName);
        check_refused(&format!("51-[{name:?}]"), Violation::ReservedEventName);
        let escaped: String = name
            .chars()
            .map(|char| format!("\\u{:04x}", u32::from(char)))
            .collect();
        check_refused(&format!("2[\"{escaped}\"]"), Violation::ReservedEventName);
    }
    assert!(!is_reserved("error"));
}

#[test]
fn a_placeholder_names_an_attachment_however_deep_it_stands() {
    let nested = |num| {
        format!(
            "51-[\"a\",{}{{\"_placeholder\":true,\"num\":{num}}}{}]",
            "[".repeat(10_000),
            "]".repeat(10_000)
        )
    };
    assert!(decode(&nested(0)).is_ok());
    check_refused(&nested(1), Violation::IllegalPlaceholder);
}

#[test]
fn deep_nesting_costs_no_stack() {
    let deep = format!("2[\"a\",{}{}]", "[".repeat(400_000), "]".repeat(400_000));
    assert!(decode(&deep).is_ok());
    check_refused(&deep[..400_000], Violation::InvalidJson);
}

#[test]
fn a_packet_waits_for_its_attachments() {
    let mut assembly = Assembly::new();
    let header = r#"52-["a",{"_placeholder":true,"num":0}]"#;
    assert_eq!(assembly.handle_text(header, &Limits::default()), Ok(None));
    assert_eq!(assembly.handle_binary(Bytes::from_static(&[1])), Ok(None));
    let assembled = Assembled {
        packet: decode(header).unwrap(),
        attachments: vec![Bytes::from_static(&[1]), Bytes::from_static(&[2])],
    };
    let last = assembly.handle_binary(Bytes::from_static(&[2]));
    assert_eq!(last, Ok(Some(assembled)));

    let plain = assembly
        .handle_text(r#"2["b"]"#, &Limits::default())
        .unwrap()
        .unwrap();
    assert_eq!(plain.packet, decode(r#"2["b"]"#).unwrap());
    assert_eq!(plain.attachments, Vec::<Bytes>::new());
}

#[test]
fn text_amid_attachments_is_refused() {
    let mut assembly = Assembly::new();
    assert_eq!(
        assembly.handle_text(r#"52-["a"]"#, &Limits::default()),
        Ok(None)
    );
    assert_eq!(assembly.handle_binary(Bytes::new()), Ok(None));
    let refused = assembly.handle_text(r#"2["b"]"#, &Limits::default());
    assert_eq!(refused, Err(Violation::TextAmidAttachments));
}

#[test]
fn binary_data_that_no_packet_announced_is_refused() {
    let mut assembly = Assembly::new();
    let refused = assembly.handle_binary(Bytes::new());
    assert_eq!(refused, Err(Violation::UnexpectedAttachment));

    assert_eq!(
        assembly.handle_text(r#"51-["a"]"#, &Limits::default()),
        Ok(None)
    );
    assert!(assembly.handle_binary(Bytes::new()).unwrap().is_some());
    let refused = assembly.handle_binary(Bytes::new());
    assert_eq!(refused, Err(Violation::UnexpectedAttachment));
}

#[test]
fn an_idle_assembly_is_small() {
    assert!(size_of::<Assembly>() <= 8);
}

#[test]
fn violations_of_state_are_told_from_malformed_packets() {
    assert!(Violation::NotConnected.is_of_state());
    assert!(Violation::AlreadyConnected.is_of_state());
    assert!(Violation::ConnectErrorFromClient.is_of_state());
}

#[test]
fn a_namespace_begins_with_a_slash_and_has_no_comma() {
    for name in ["", "a", "a/", "/a,b", ","] {
        assert!(name.parse::<Nsp>().is_err(), "{name:?}");
    }
    assert_eq!(nsp("/"), Nsp::main());
    assert_eq!(nsp("/"), Nsp::default());
    assert!(nsp("/").is_main());
    assert!(!nsp("/admin").is_main());
    assert_eq!(nsp("/admin").to_string(), "/admin");
}

#[test]
fn a_namespace_is_found_by_its_name() {
    let members = HashMap::from([(Nsp::main(), 1), (nsp("/admin"), 2)]);
    assert_eq!(members.get("/"), Some(&1));
    assert_eq!(members.get("/admin"), Some(&2));
    assert_eq!(members.get("/other"), None);
}

#[test]
fn events_and_acks_are_written_without_a_packet() {
    let mut out = Vec::new();
    encode_event(&mut out, &Nsp::main(), None, "user count", "2", 0);
    assert_eq!(out, br#"2["user count",2]"#);

    out.clear();
    encode_event(&mut out, &nsp("/a"), Some(AckId(7)), "a\"b", "", 2);
    assert_eq!(out, br#"52-/a,7["a\"b"]"#);

    out.clear();
    encode_ack(&mut out, &Nsp::main(), AckId(0), "1,[]", 0);
    assert_eq!(out, br"30[1,[]]");

    out.clear();
    encode_ack(&mut out, &nsp("/a"), AckId(u64::MAX), "", 1);
    assert_eq!(out, b"61-/a,18446744073709551615[]");
}

/// JSON values as `args`, the way serde writes them.
fn args() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    let value = leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(any::<String>(), inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    });
    prop::collection::vec(value, 0..4).prop_map(|values| {
        let values: Vec<String> = values.iter().map(Value::to_string).collect();
        values.join(",")
    })
}

fn packets() -> impl Strategy<Value = Packet> {
    let nsp = prop_oneof![Just(Nsp::main()), "/[^,]{0,20}".prop_map(|name| nsp(&name))];
    let event = any::<String>().prop_filter("is reserved", |event| !is_reserved(event));
    let object = any::<HashMap<String, u8>>()
        .prop_map(|map| serde_json::to_string(&map).expect("a map of numbers has a JSON form"));
    let id = prop::option::of(any::<u64>().prop_map(AckId));
    (
        nsp,
        id,
        event,
        args(),
        0_usize..=10,
        prop::option::of(object),
        0..6,
    )
        .prop_map(
            |(nsp, id, event, args, attachments, data, kind)| match kind {
                0 => Packet::Connect { nsp, data },
                1 => Packet::Disconnect { nsp },
                2 => Packet::Event {
                    nsp,
                    id,
                    event: Some(event),
                    args,
                    attachments,
                },
                3 => Packet::Event {
                    nsp,
                    id,
                    event: None,
                    args: String::new(),
                    attachments,
                },
                4 => Packet::Ack {
                    nsp,
                    id,
                    args,
                    attachments,
                },
                _ => Packet::ConnectError { nsp, data },
            },
        )
}

proptest! {
    #![proptest_config(properties())]

    #[test]
    fn what_was_encoded_is_decoded_to_the_same(packet in packets()) {
        prop_assert_eq!(decode(&encode(&packet)), Ok(packet));
    }

    #[test]
    fn no_text_makes_the_decoder_panic(text in any::<String>()) {
        let _ = decode(&text);
    }

    #[test]
    fn no_near_packet_makes_the_decoder_panic(
        text in r#"[0-7][0-9]{0,3}-?(/[a-z]{0,3},?)?[0-9]{0,2}[\[\]{}":,\\u0-9a-z_ €]{0,30}"#,
    ) {
        if let Ok(packet) = decode(&text) {
            prop_assert_eq!(decode(&encode(&packet)), Ok(packet));
        }
    }

    #[test]
    fn no_change_of_one_byte_makes_the_decoder_panic(packet in packets(), at: prop::sample::Index, to: char) {
        let mut chars: Vec<char> = encode(&packet).chars().collect();
        let at = at.index(chars.len());
        chars[at] = to;
        let _ = decode(&chars.into_iter().collect::<String>());
    }
}
