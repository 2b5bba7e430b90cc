//! The frames that we send.

use fanfare_proto::websocket::{
    CloseCode, CloseFrame, Frames, Header, OpCode, encode_frame, encode_masked_frame,
    next_frame_len,
};

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
