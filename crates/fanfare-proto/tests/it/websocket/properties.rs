//! What holds for all messages, all bytes and all cuts.

use bytes::Bytes;
use fanfare_proto::{
    Limits,
    websocket::{
        Frames, Header, Message, OpCode, Reader, Role,
        deflate::{Deflater, stored_at},
        encode_masked_frame, next_frame_len,
    },
};
use proptest::prelude::*;

use super::{client, encode, read_all, server};
use crate::vectors::properties;

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

/// The client's frame that a server's is.
fn masked(frame: &[u8], mask: [u8; 4]) -> Vec<u8> {
    let (opcode, payload) = Frames::new(frame).next().expect("a whole frame");
    let mut out = Vec::new();
    encode_masked_frame(&mut out, opcode, &[payload], mask);
    out[0] |= frame[0] & 0x40;
    out
}

proptest! {
    #![proptest_config(properties())]

    #[test]
    fn what_is_compressed_is_read_wherever_its_end_is_stored(
        data in prop::collection::vec(any::<u8>(), 0..3_000),
        repeats in 1_usize..20,
        stored in any::<prop::sample::Index>(),
        new_end in any::<u8>(),
        mask in any::<[u8; 4]>(),
    ) {
        let data = data.repeat(repeats);
        let stored = stored.index(data.len().min(200) + 1);
        let mut frame = Vec::new();
        Deflater::default().encode_frame(&mut frame, OpCode::Binary, &data, stored);
        let (header, start) = Header::decode(&frame).unwrap().expect("a whole frame");
        prop_assert!(header.is_compressed);
        let mut expected = data.clone();
        if 0 < stored {
            let at = start + stored_at(frame.len() - start, stored);
            frame[at] = new_end;
            let first = expected.len() - stored;
            expected[first] = new_end;
        }
        let mut reader = Reader::new(Role::Server, &Limits::default()).inflating();
        let message = reader.read(&mut &masked(&frame, mask)[..]);
        prop_assert_eq!(message, Ok(Some(Message::Binary(expected.into()))));
    }

    #[test]
    fn no_compressed_bytes_make_it_panic_or_take_more_than_allowed(
        data in prop::collection::vec(any::<u8>(), 0..500),
        mask in any::<[u8; 4]>(),
    ) {
        let mut frame = Vec::new();
        encode_masked_frame(&mut frame, OpCode::Binary, &[&data], mask);
        frame[0] |= 0x40;
        let limits = Limits { max_payload_bytes: 1_000, ..Limits::default() };
        let mut reader = Reader::new(Role::Server, &limits).inflating();
        if let Ok(Some(Message::Binary(data))) = reader.read(&mut &frame[..]) {
            prop_assert!(data.len() <= 1_000);
        }
    }
}
