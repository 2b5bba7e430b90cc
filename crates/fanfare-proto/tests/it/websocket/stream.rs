//! A stream of frames: what lies between others, what ends it, and where it is cut.

use bytes::Bytes;
use fanfare_proto::websocket::{CloseCode, CloseFrame, Message, Reader, Violation};

use super::{binary, client, encode, frame, read_all, server, text};

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
