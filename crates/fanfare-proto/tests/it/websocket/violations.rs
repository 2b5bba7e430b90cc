//! Each rule of RFC 6455 broken once.

use bytes::Bytes;
use fanfare_proto::Limits;
use fanfare_proto::websocket::{CloseCode, Message, Reader, Role, Violation};

use super::{
    binary, check_protocol_error, check_refused, client, encode, frame, read_all, server, text,
};

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
fn a_violation_is_one_byte() {
    assert_eq!(size_of::<Violation>(), 1);
}
