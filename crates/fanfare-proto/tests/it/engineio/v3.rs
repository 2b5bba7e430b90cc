//! Protocol 3, where it differs from 4: packets with binary data, and payloads.

use bytes::Bytes;
use fanfare_proto::engineio::{
    Message, Packet, Violation,
    v3::{self, Part, Payload, PayloadForm},
};
use proptest::prelude::*;

use crate::vectors::properties;

fn text(text: &str) -> Packet {
    Packet::Message(Message::Text(text.to_owned()))
}

fn binary(data: &[u8]) -> Packet {
    Packet::Message(Message::Binary(Bytes::copy_from_slice(data)))
}

#[track_caller]
fn check(body: &str, expected: &[Result<Packet, Violation>]) {
    assert_eq!(
        v3::decode_payload(body).collect::<Vec<_>>(),
        expected,
        "{body:?}"
    );
}

#[test]
fn lengths_of_a_payload_count_utf_16_code_units() {
    check("6:4hello", &[Ok(text("hello"))]);
    check("2:4€2:4é", &[Ok(text("€")), Ok(text("é"))]);
    check(
        "3:4😀1:2",
        &[Ok(text("😀")), Ok(Packet::Ping(String::new()))],
    );
    check("14:42[\"u\",\"€é😀\"]", &[Ok(text("2[\"u\",\"€é😀\"]"))]);
    check("1:11:6", &[Ok(Packet::Close), Ok(Packet::Noop)]);
    check("10:b4AQIDBA==", &[Ok(binary(&[1, 2, 3, 4]))]);
}

#[test]
fn packets_of_no_length_are_passed_over() {
    check("0:", &[]);
    check("0:1:20:", &[Ok(Packet::Ping(String::new()))]);
}

#[test]
fn a_payload_ends_at_what_is_none() {
    let malformed = Err(Violation::MalformedPayload);
    for body in [
        "",
        "hello",
        "4hello",
        "5:",
        "6:4hell",
        ":4",
        "-1:4",
        "1e1:4",
        "2:4😀",
        "99999999999999999999999:4",
    ] {
        check(body, std::slice::from_ref(&malformed));
    }
    check("2:4a3", &[Ok(text("a")), malformed]);
    check(
        "2:4a1:x1:2",
        &[Ok(text("a")), Err(Violation::UnknownPacketType)],
    );
    check("2:b1", &[Err(Violation::UnknownPacketType)]);
}

#[track_caller]
fn check_bytes(body: &[u8], expected: &[Result<Packet, Violation>]) {
    let body = Bytes::copy_from_slice(body);
    assert_eq!(
        v3::decode_binary_payload(body.clone()).collect::<Vec<_>>(),
        expected,
        "{body:?}"
    );
}

#[test]
fn a_binary_payload_tells_text_from_bytes() {
    let body = [
        0, 6, 255, b'4', b'h', b'e', b'l', b'l', b'o', 1, 5, 255, 4, 1, 2, 3, 4,
    ];
    check_bytes(&body, &[Ok(text("hello")), Ok(binary(&[1, 2, 3, 4]))]);
    let parts = [Part::Text("4hello"), Part::Binary(&[1, 2, 3, 4])];
    let encoded = v3::encode_payload(parts.into_iter(), PayloadForm::Bytes);
    assert_eq!(encoded, Payload::Bytes(body.to_vec()));
    check_bytes(&[0, 4, 255, b'4', 0xe2, 0x82, 0xac], &[Ok(text("€"))]);
}

#[test]
fn a_binary_payload_ends_at_what_is_none() {
    let malformed = Err(Violation::MalformedPayload);
    let long = [&[0][..], &[9; 30], &[255]].concat();
    for body in [
        &[][..],
        &[2, 1, 255, b'2'],
        &[0, 255, b'2'],
        &[0, 2, 255, b'2'],
        &[0, 1],
        &[0, 10, 255],
        &long,
    ] {
        check_bytes(body, std::slice::from_ref(&malformed));
    }
    check_bytes(&[1, 0, 255], &[Err(Violation::EmptyPacket)]);
    check_bytes(&[1, 1, 255, 2], &[Err(Violation::UnknownPacketType)]);
    check_bytes(
        &[0, 1, 255, b'2', 3],
        &[Ok(Packet::Ping(String::new())), malformed],
    );
}

#[test]
fn bytes_are_base64_in_text_and_for_who_reads_text_alone() {
    let parts = [Part::Text("4€"), Part::Binary(&[1, 2, 3, 4])];
    let expected = Payload::Text("2:4€10:b4AQIDBA==".as_bytes().to_vec());
    assert_eq!(
        v3::encode_payload(parts.into_iter(), PayloadForm::Text),
        expected
    );
    let expected = Payload::Text(b"1:6".to_vec());
    assert_eq!(
        v3::encode_payload([Part::Text("6")].into_iter(), PayloadForm::Bytes),
        expected
    );
}

#[test]
fn a_binary_websocket_message_begins_with_its_type() {
    assert_eq!(
        v3::decode_binary(Bytes::from_static(&[4, 1, 2])),
        Ok(binary(&[1, 2]))
    );
    assert_eq!(v3::decode_binary(Bytes::from_static(&[4])), Ok(binary(&[])));
    assert_eq!(v3::decode_binary(Bytes::new()), Err(Violation::EmptyPacket));
    assert_eq!(
        v3::decode_binary(Bytes::from_static(b"4")),
        Err(Violation::UnknownPacketType)
    );
}

fn part() -> impl Strategy<Value = Result<String, Vec<u8>>> {
    prop_oneof![
        ".{0,20}".prop_map(|text| Ok(format!("4{text}"))),
        proptest::collection::vec(any::<u8>(), 0..20).prop_map(Err),
    ]
}

proptest! {
    #![proptest_config(properties())]

    #[test]
    fn what_is_written_is_read_again(parts in proptest::collection::vec(part(), 1..6), has_bytes: bool) {
        let written = parts.iter().map(|part| match part {
            Ok(text) => Part::Text(text),
            Err(data) => Part::Binary(data),
        });
        let form = if has_bytes { PayloadForm::Bytes } else { PayloadForm::Text };
        let read: Vec<_> = match v3::encode_payload(written, form) {
            Payload::Text(body) => {
                let body = String::from_utf8(body).expect("it is text");
                v3::decode_payload(&body).collect()
            }
            Payload::Bytes(body) => v3::decode_binary_payload(body.into()).collect(),
        };
        let expected: Vec<_> = parts.iter().map(|part| Ok(match part {
            Ok(packet) => text(&packet[1..]),
            Err(data) => binary(data),
        })).collect();
        prop_assert_eq!(read, expected);
    }

    #[test]
    fn no_bytes_make_it_panic_or_go_on_for_ever(body in proptest::collection::vec(any::<u8>(), 0..60)) {
        let n = body.len() + 1;
        prop_assert!(v3::decode_payload(&String::from_utf8_lossy(&body)).count() <= n);
        prop_assert!(v3::decode_binary_payload(body.clone().into()).count() <= n);
        let _ = v3::decode_binary(body.into());
    }

    #[test]
    fn no_digits_make_it_panic(body in "[0-9:b4€😀]{0,40}") {
        prop_assert!(v3::decode_payload(&body).count() <= body.len() + 1);
    }
}
