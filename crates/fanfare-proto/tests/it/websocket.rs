//! WebSocket frames and messages, whole and cut anywhere, and what is refused.

use bytes::Bytes;
use fanfare_proto::Limits;
use fanfare_proto::websocket::{
    CloseCode, CloseFrame, Frames, HandshakeViolation, Header, Message, OpCode, Reader, Role,
    Violation, accept_key, check_upgrade, encode_frame, encode_masked_frame, generate_key,
    next_frame_len,
};
use proptest::prelude::*;

use crate::vectors::{self, properties};

/// All that `reader` makes of `input`.
fn read_all(reader: &mut Reader, mut input: &[u8]) -> (Vec<Message>, Option<Violation>) {
    let mut messages = Vec::new();
    loop {
        match reader.read(&mut input) {
            Ok(Some(message)) => messages.push(message),
            Ok(None) => {
                assert!(input.is_empty(), "what is not a message yet is kept");
                return (messages, None);
            }
            Err(violation) => return (messages, Some(violation)),
        }
    }
}

fn client() -> Reader {
    Reader::new(Role::Client, &Limits::default())
}

fn server() -> Reader {
    Reader::new(Role::Server, &Limits::default())
}

#[track_caller]
fn check_refused(bytes: &[u8], violation: Violation, code: CloseCode) {
    let (messages, actual) = read_all(&mut client(), bytes);
    assert_eq!(
        (messages, actual),
        (Vec::new(), Some(violation)),
        "reading {bytes:02x?}"
    );
    assert_eq!(violation.close_code(), code);
}

#[track_caller]
fn check_protocol_error(bytes: &[u8], violation: Violation) {
    check_refused(bytes, violation, CloseCode::PROTOCOL_ERROR);
}

/// An unmasked frame, made the obvious way.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).expect("tests send less");
    let header = match payload.len() {
        ..=125 => vec![first, length.to_be_bytes()[1]],
        _ => vec![first, 126, length.to_be_bytes()[0], length.to_be_bytes()[1]],
    };
    [&header, payload].concat()
}

fn text(text: &str) -> Message {
    Message::Text(text.to_owned())
}

fn binary(data: &[u8]) -> Message {
    Message::Binary(Bytes::copy_from_slice(data))
}

/// The frame that `message` is sent as.
fn encode(message: &Message, mask: Option<[u8; 4]>) -> Vec<u8> {
    let mut close = Vec::new();
    let (opcode, payload) = match message {
        Message::Text(text) => (OpCode::Text, text.as_bytes()),
        Message::Binary(data) => (OpCode::Binary, &data[..]),
        Message::Ping(data) => (OpCode::Ping, &data[..]),
        Message::Pong(data) => (OpCode::Pong, &data[..]),
        Message::Close(frame) => {
            if let Some(frame) = frame {
                frame.encode(&mut close);
            }
            (OpCode::Close, &close[..])
        }
    };
    let mut out = Vec::new();
    match mask {
        Some(mask) => encode_masked_frame(&mut out, opcode, &[payload], mask),
        None => encode_frame(&mut out, opcode, &[payload]),
    }
    out
}

fn meaning(line: &str) -> String {
    let (role, hex) = line.split_once(' ').expect("a role, then bytes");
    let wire: Vec<u8> = hex
        .split(' ')
        .map(|byte| u8::from_str_radix(byte, 16).expect("two hexadecimal digits"))
        .collect();
    let mut reader = match role {
        "client" => client(),
        "server" => server(),
        role => panic!("no role: {role}"),
    };
    let (messages, violation) = read_all(&mut reader, &wire);
    let mask = Header::decode(&wire)
        .ok()
        .flatten()
        .and_then(|(header, _)| header.mask);
    let mut lines: Vec<String> = messages
        .iter()
        .map(|message| match encode(message, mask) == wire {
            true => format!("= {message:?}"),
            false => format!("> {message:?}"),
        })
        .collect();
    match violation {
        Some(violation) => lines.push(format!("! {} {violation}", violation.close_code().0)),
        None if lines.is_empty() => lines.push("> (needs more)".to_owned()),
        None => {}
    }
    lines.join("\n")
}

#[test]
fn each_form_is_read_and_written_as_the_vectors_say() {
    vectors::check("websocket.txt", meaning);
}

#[test]
fn a_reserved_bit_is_refused() {
    for bit in [0x40, 0x20, 0x10] {
        check_protocol_error(&[0x81 | bit, 0], Violation::ReservedBits);
    }
}

#[test]
fn a_reserved_opcode_is_refused() {
    for opcode in (3..=7).chain(11..=15) {
        check_protocol_error(&[0x80 | opcode, 0], Violation::ReservedOpCode);
    }
}

#[test]
fn a_client_has_to_mask_and_a_server_must_not() {
    let plain = encode(&text("x"), None);
    let masked = encode(&text("x"), Some([1, 2, 3, 4]));
    assert_eq!(read_all(&mut server(), &masked), (vec![text("x")], None));
    let (_, violation) = read_all(&mut server(), &plain);
    assert_eq!(violation, Some(Violation::NotMasked));
    assert_eq!(Violation::NotMasked.close_code(), CloseCode::PROTOCOL_ERROR);
    check_protocol_error(&masked, Violation::Masked);
}

#[test]
fn a_control_frame_in_pieces_is_refused() {
    for opcode in [0x8, 0x9, 0xa] {
        check_protocol_error(&[opcode, 0], Violation::FragmentedControl);
    }
}

#[test]
fn a_control_frame_of_more_than_125_bytes_is_refused() {
    for opcode in [0x88, 0x89, 0x8a] {
        check_protocol_error(&frame(opcode, &[b'x'; 126]), Violation::ControlTooLong);
        check_protocol_error(&[opcode, 127], Violation::ControlTooLong);
    }
    let (messages, _) = read_all(&mut client(), &frame(0x89, &[7; 125]));
    assert_eq!(messages, [Message::Ping(Bytes::from(vec![7; 125]))]);
}

#[test]
fn a_length_with_its_top_bit_set_is_refused() {
    let bytes = [0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0];
    check_protocol_error(&bytes, Violation::LengthTopBit);
}

#[test]
fn a_continuation_of_nothing_is_refused() {
    check_protocol_error(&[0x80, 0], Violation::UnexpectedContinuation);
    check_protocol_error(&[0x00, 0], Violation::UnexpectedContinuation);
}

#[test]
fn a_new_message_before_the_last_one_was_finished_is_refused() {
    for first in [0x01, 0x02, 0x81, 0x82] {
        check_protocol_error(&[0x01, 0, first, 0], Violation::ExpectedContinuation);
    }
}

#[test]
fn a_close_of_half_a_code_is_refused() {
    check_protocol_error(&frame(0x88, &[3]), Violation::TruncatedCloseCode);
}

#[test]
fn only_codes_that_may_be_sent_are_taken() {
    let allowed = |code: u16| {
        let (messages, violation) = read_all(&mut client(), &frame(0x88, &code.to_be_bytes()));
        assert_eq!(violation.is_none(), messages.len() == 1);
        violation != Some(Violation::BadCloseCode)
    };
    let refused: Vec<u16> = (0..=5001).filter(|&code| !allowed(code)).collect();
    let expected = (0..1000)
        .chain(1004..=1006)
        .chain(1015..3000)
        .chain(5000..=5001);
    assert!(expected.eq(refused));
    assert!(!allowed(u16::MAX));
    assert_eq!(
        Violation::BadCloseCode.close_code(),
        CloseCode::PROTOCOL_ERROR
    );
}

#[test]
fn text_has_to_be_utf_8() {
    for payload in [
        &b"\xff"[..],
        b"\xc0\x80",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"a\xe2\x82",
    ] {
        let code = CloseCode::INVALID_PAYLOAD;
        check_refused(&frame(0x81, payload), Violation::InvalidUtf8, code);
        let close = [&[0x03, 0xe8], payload].concat();
        check_refused(&frame(0x88, &close), Violation::InvalidUtf8, code);
        let (messages, _) = read_all(&mut client(), &frame(0x82, payload));
        assert_eq!(messages, [binary(payload)]);
    }
}

#[test]
fn text_is_checked_over_its_fragments() {
    let whole = [
        frame(0x01, b"\xe2"),
        frame(0x00, b"\x82"),
        frame(0x80, b"\xac"),
    ]
    .concat();
    assert_eq!(read_all(&mut client(), &whole), (vec![text("€")], None));
    let broken = [frame(0x01, b"\xe2"), frame(0x80, b"a")].concat();
    check_refused(&broken, Violation::InvalidUtf8, CloseCode::INVALID_PAYLOAD);
}

#[test]
fn a_message_is_bounded_before_it_arrives() {
    let limits = Limits {
        max_payload_bytes: 200,
        ..Limits::default()
    };
    let read = |bytes: &[u8]| read_all(&mut Reader::new(Role::Client, &limits), bytes);
    let too_big = Some(Violation::MessageTooBig);
    assert_eq!(
        read(&frame(0x82, &[0; 200])),
        (vec![binary(&[0; 200])], None)
    );
    assert_eq!(read(&frame(0x82, &[0; 201])[..4]).1, too_big);
    assert_eq!(
        read(&[0x82, 127, 0x7f, 255, 255, 255, 255, 255, 255, 255]).1,
        too_big
    );

    let first = frame(0x02, &[0; 120]);
    let fits = [&first[..], &frame(0x80, &[0; 80])].concat();
    assert_eq!(read(&fits), (vec![binary(&[0; 200])], None));
    let exceeds = [&first[..], &frame(0x80, &[0; 81])[..2]].concat();
    assert_eq!(read(&exceeds).1, too_big);
    assert_eq!(
        Violation::MessageTooBig.close_code(),
        CloseCode::MESSAGE_TOO_BIG
    );
}

#[test]
fn a_message_is_not_cut_in_endless_pieces() {
    let pieces = |n: usize, payload: &[u8]| {
        let mut bytes = frame(0x02, payload);
        for _ in 1..n {
            bytes.extend(frame(0x00, payload));
        }
        bytes
    };
    let (_, violation) = read_all(&mut client(), &pieces(128, b""));
    assert_eq!(violation, None);
    let code = CloseCode::POLICY_VIOLATION;
    check_refused(&pieces(129, b""), Violation::TooManyFragments, code);
    check_refused(&pieces(131, b"x"), Violation::TooManyFragments, code);

    let (_, violation) = read_all(&mut client(), &pieces(10_000, &[0; 64]));
    assert_eq!(violation, None);
}

#[test]
fn control_frames_are_no_pieces_of_the_message_around_them() {
    let mut bytes = frame(0x01, b"a");
    for _ in 0..1_000 {
        bytes.extend(frame(0x8a, b""));
    }
    bytes.extend(frame(0x80, b"b"));
    let (messages, violation) = read_all(&mut client(), &bytes);
    assert_eq!((messages.len(), violation), (1_001, None));
    assert_eq!(messages.last(), Some(&text("ab")));
}

#[test]
fn nothing_is_read_after_a_close() {
    let bytes = [frame(0x88, b""), frame(0x81, b"x")].concat();
    let mut reader = client();
    let (messages, _) = read_all(&mut reader, &bytes);
    assert_eq!(messages, [Message::Close(None)]);
    assert_eq!(
        read_all(&mut reader, &frame(0xff, b"x")),
        (Vec::new(), None)
    );
}

#[test]
fn nothing_is_read_after_a_violation() {
    let mut reader = client();
    let (_, violation) = read_all(&mut reader, &frame(0x83, b"x"));
    assert_eq!(violation, Some(Violation::ReservedOpCode));
    assert_eq!(
        read_all(&mut reader, &frame(0x81, b"x")),
        (Vec::new(), None)
    );
}

#[test]
fn a_stream_may_be_cut_at_any_byte() {
    let mask = Some([0x37, 0xfa, 0x21, 0x3d]);
    let messages = [
        text("Hello, €"),
        binary(&[7; 300]),
        Message::Ping(Bytes::from_static(b"?")),
        text(""),
        Message::Pong(Bytes::new()),
        Message::Close(Some(CloseFrame {
            code: CloseCode::GOING_AWAY,
            reason: "bye".to_owned(),
        })),
    ];
    let bytes: Vec<u8> = messages
        .iter()
        .flat_map(|message| encode(message, mask))
        .collect();
    for cut in 0..=bytes.len() {
        let mut reader = server();
        let (mut read, first) = read_all(&mut reader, &bytes[..cut]);
        let (rest, second) = read_all(&mut reader, &bytes[cut..]);
        read.extend(rest);
        assert_eq!((first, second), (None, None), "cut at {cut}");
        assert_eq!(read, messages, "cut at {cut}");
    }
    let mut reader = server();
    let mut read = Vec::new();
    for byte in bytes {
        read.extend(read_all(&mut reader, &[byte]).0);
    }
    assert_eq!(read, messages);
}

#[test]
fn a_reader_is_small() {
    assert!(size_of::<Reader>() <= 40);
}

#[test]
fn a_violation_is_one_byte() {
    assert_eq!(size_of::<Violation>(), 1);
}

#[test]
fn lengths_are_written_in_the_fewest_bytes() {
    for (payload_bytes, header) in [
        (0, &[0x82, 0][..]),
        (125, &[0x82, 125]),
        (126, &[0x82, 126, 0, 126]),
        (65_535, &[0x82, 126, 255, 255]),
        (65_536, &[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
    ] {
        let payload = vec![0; payload_bytes];
        let mut out = Vec::new();
        encode_frame(&mut out, OpCode::Binary, &[&payload]);
        assert_eq!(out, [header, &payload].concat());
        assert_eq!(next_frame_len(&out), out.len());
        let (decoded, header_len) = Header::decode(&out).unwrap().unwrap();
        assert_eq!(header_len, header.len());
        assert_eq!(usize::try_from(decoded.payload_bytes), Ok(payload_bytes));
        assert_eq!(
            (decoded.fin, decoded.opcode, decoded.mask),
            (true, OpCode::Binary, None)
        );
    }
}

#[test]
fn a_payload_may_come_in_parts() {
    let (mut parts, mut whole) = (Vec::new(), Vec::new());
    encode_frame(&mut parts, OpCode::Text, &[b"4", b"", b"2[\"a\"]"]);
    encode_frame(&mut whole, OpCode::Text, &[b"42[\"a\"]"]);
    assert_eq!(parts, whole);

    let (mut parts, mut whole) = (Vec::new(), Vec::new());
    encode_masked_frame(&mut parts, OpCode::Text, &[b"4", b"2[\"a\"]"], [9, 8, 7, 6]);
    encode_masked_frame(&mut whole, OpCode::Text, &[b"42[\"a\"]"], [9, 8, 7, 6]);
    assert_eq!(parts, whole);
}

#[test]
fn our_own_frames_can_be_walked_over() {
    let mut bytes = Vec::new();
    encode_frame(&mut bytes, OpCode::Text, &[b"one"]);
    let first = bytes.len();
    encode_frame(&mut bytes, OpCode::Binary, &[&[2; 200]]);
    encode_frame(&mut bytes, OpCode::Ping, &[]);
    let frames: Vec<_> = Frames::new(&bytes).collect();
    assert_eq!(
        frames,
        [
            (OpCode::Text, &b"one"[..]),
            (OpCode::Binary, &[2; 200]),
            (OpCode::Ping, b""),
        ]
    );
    assert_eq!(next_frame_len(&bytes), first);
    assert_eq!(next_frame_len(&bytes[..2]), first);
    assert_eq!(next_frame_len(&[]), 0);
    assert_eq!(Frames::new(&bytes[..bytes.len() - 1]).count(), 2);
}

#[test]
fn a_reason_is_cut_between_characters() {
    let close = CloseFrame {
        code: CloseCode::NORMAL,
        reason: "€".repeat(42),
    };
    let mut payload = Vec::new();
    close.encode(&mut payload);
    assert_eq!(payload.len(), 2 + 41 * 3);
    let cut = CloseFrame::decode(&payload).unwrap().unwrap();
    assert_eq!(cut.reason, "€".repeat(41));
}

/// The request of RFC 6455 §1.3.
const UPGRADE: [(&str, &str); 4] = [
    ("upgrade", "websocket"),
    ("connection", "Upgrade"),
    ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ("sec-websocket-version", "13"),
];

#[track_caller]
fn check_handshake(name: &str, value: Option<&str>, expected: Result<(), HandshakeViolation>) {
    let actual = check_upgrade(|header| {
        if header == name {
            return value;
        }
        UPGRADE
            .iter()
            .find(|(name, _)| *name == header)
            .map(|(_, value)| *value)
    });
    let expected = expected.map(|()| "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=".to_owned());
    assert_eq!(actual, expected, "{name}: {value:?}");
}

#[test]
fn the_rfc_s_handshake_is_answered() {
    assert_eq!(
        accept_key("dGhlIHNhbXBsZSBub25jZQ=="),
        "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    );
    assert_eq!(
        generate_key(*b"the sample nonce"),
        "dGhlIHNhbXBsZSBub25jZQ=="
    );
    check_handshake("upgrade", Some("WebSocket"), Ok(()));
    check_handshake("connection", Some("keep-alive, upgrade"), Ok(()));
    check_handshake(
        "sec-websocket-key",
        Some(" dGhlIHNhbXBsZSBub25jZQ=="),
        Ok(()),
    );
}

#[test]
fn a_handshake_without_one_of_its_headers_is_refused() {
    for value in [None, Some(""), Some("keep-alive"), Some("upgrades")] {
        check_handshake("connection", value, Err(HandshakeViolation::Connection));
    }
    for value in [None, Some(""), Some("h2c"), Some("websocket2")] {
        check_handshake("upgrade", value, Err(HandshakeViolation::Upgrade));
    }
    for value in [None, Some(""), Some("8"), Some("14"), Some("13, 8")] {
        check_handshake(
            "sec-websocket-version",
            value,
            Err(HandshakeViolation::Version),
        );
    }
    for value in [
        None,
        Some(""),
        Some("dGhlIHNhbXBsZSBub25jZQ="),
        Some("dGhlIHNhbXBsZSBub25jZQAA"),
        Some("dGhlIHNhbXBsZSBub25j!Q=="),
        Some("dGhlIHNhbXBsZSBub25jZSBhbmQgbW9yZQ=="),
    ] {
        check_handshake("sec-websocket-key", value, Err(HandshakeViolation::Key));
    }
}

fn messages() -> impl Strategy<Value = Message> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..300).prop_map(Bytes::from);
    let control = || prop::collection::vec(any::<u8>(), 0..=125).prop_map(Bytes::from);
    prop_oneof![
        any::<String>().prop_map(Message::Text),
        bytes().prop_map(Message::Binary),
        control().prop_map(Message::Ping),
        control().prop_map(Message::Pong),
    ]
}

/// `message` as masked frames, cut where `cuts` say if it is no control frame.
fn encode_in_pieces(message: &Message, cuts: &[prop::sample::Index], mask: [u8; 4]) -> Vec<u8> {
    let whole = encode(message, Some(mask));
    let (header, header_len) = Header::decode(&whole)
        .expect("our own frame")
        .expect("a whole frame");
    if header.opcode.is_control() {
        return whole;
    }
    let payload = match message {
        Message::Text(text) => text.as_bytes(),
        Message::Binary(data) => &data[..],
        Message::Ping(_) | Message::Pong(_) | Message::Close(_) => unreachable!("no control frame"),
    };
    assert_eq!(whole.len(), header_len + payload.len());
    let mut ends: Vec<usize> = cuts
        .iter()
        .map(|cut| cut.index(payload.len() + 1))
        .collect();
    ends.sort_unstable();
    ends.push(payload.len());
    let mut out = Vec::new();
    let mut start = 0;
    for (i, &end) in ends.iter().enumerate() {
        let opcode = if i == 0 {
            header.opcode
        } else {
            OpCode::Continuation
        };
        let at = out.len();
        encode_masked_frame(&mut out, opcode, &[&payload[start..end]], mask);
        if i + 1 < ends.len() {
            out[at] &= 0x7f;
        }
        start = end;
    }
    out
}

proptest! {
    #![proptest_config(properties())]

    #[test]
    fn what_was_encoded_is_read_however_it_is_cut(
        messages in prop::collection::vec(messages(), 0..6),
        pieces: Vec<prop::sample::Index>,
        cuts: Vec<prop::sample::Index>,
        mask: [u8; 4],
    ) {
        let bytes: Vec<u8> = messages
            .iter()
            .flat_map(|message| encode_in_pieces(message, &pieces, mask))
            .collect();
        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        ends.sort_unstable();
        ends.push(bytes.len());
        let mut reader = server();
        let mut read = Vec::new();
        let mut start = 0;
        for end in ends {
            let (messages, violation) = read_all(&mut reader, &bytes[start..end]);
            prop_assert_eq!(violation, None);
            read.extend(messages);
            start = end;
        }
        prop_assert_eq!(read, messages);
    }

    #[test]
    fn our_frames_are_walked_over_as_they_are_read(messages in prop::collection::vec(messages(), 0..6)) {
        let bytes: Vec<u8> = messages.iter().flat_map(|message| encode(message, None)).collect();
        prop_assert_eq!(read_all(&mut client(), &bytes), (messages.clone(), None));
        prop_assert_eq!(Frames::new(&bytes).count(), messages.len());
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let (first, following) = rest.split_at(next_frame_len(rest));
            prop_assert_eq!(Frames::new(first).count(), 1);
            rest = following;
        }
    }

    #[test]
    fn no_bytes_make_a_reader_panic_and_no_cut_changes_what_they_mean(
        bytes: Vec<u8>,
        cut: prop::sample::Index,
    ) {
        let cut = cut.index(bytes.len() + 1);
        for new in [client, server] {
            let whole = read_all(&mut new(), &bytes);
            let mut reader = new();
            let (mut messages, mut violation) = read_all(&mut reader, &bytes[..cut]);
            if violation.is_none() {
                let (rest, second) = read_all(&mut reader, &bytes[cut..]);
                messages.extend(rest);
                violation = second;
            }
            prop_assert_eq!((messages, violation), whole);
        }
    }

    #[test]
    fn no_bytes_make_a_walk_over_frames_panic(bytes: Vec<u8>) {
        let _ = next_frame_len(&bytes);
        let _ = Frames::new(&bytes).count();
    }
}
