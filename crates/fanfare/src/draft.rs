//! Draft: an event's frames, plain and compressed, before its place in the log is known.

use std::cell::RefCell;

use data_encoding::BASE64URL_NOPAD;
use fanfare_proto::websocket::{
    Frames, Header, OpCode,
    deflate::{Deflater, stored_at},
    encode_frame, next_frame_len,
};

use crate::{
    frame::Encoded,
    recovery::{OFFSET_CHARS, Trailer},
};

/// The frames of an event whose place in the log may not be filled in yet.
#[derive(Debug)]
pub(crate) struct Draft {
    plain: Vec<u8>,
    deflated: Option<Vec<u8>>,
}

impl Draft {
    /// Frames that nobody gets compressed.
    pub(crate) fn plain(plain: Vec<u8>) -> Self {
        Self {
            plain,
            deflated: None,
        }
    }

    /// The same, and compressed where a message has `min_bytes` or more.
    pub(crate) fn deflated(plain: Vec<u8>, trailer: Trailer, min_bytes: usize) -> Self {
        let deflated = deflate(&plain, trailer, min_bytes);
        Self { plain, deflated }
    }

    /// Fills the event's place in, in all its forms.
    pub(crate) fn set_place(&mut self, place: u64) {
        set_place(&mut self.plain, place);
        if let Some(deflated) = &mut self.deflated {
            set_place(deflated, place);
        }
    }

    pub(crate) fn encoded(&self) -> Encoded<'_> {
        Encoded {
            plain: &self.plain,
            deflated: self.deflated.as_deref(),
        }
    }
}

/// Frames with those compressed that have `min_bytes` or more; `None` if none has.
fn deflate(frames: &[u8], trailer: Trailer, min_bytes: usize) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut is_any = false;
    for (n, (opcode, data)) in Frames::new(frames).enumerate() {
        if data.len() < min_bytes {
            encode_frame(&mut out, opcode, &[data]);
            continue;
        }
        is_any = true;
        // A place stands as it is, so that it can still be filled in.
        let stored = match (n, trailer) {
            (0, Trailer::Place) => OFFSET_CHARS + behind_place(opcode),
            (_, Trailer::Place | Trailer::None | Trailer::Shield) => 0,
        };
        DEFLATER.with_borrow_mut(|deflater| deflater.encode_frame(&mut out, opcode, data, stored));
    }
    is_any.then_some(out)
}

thread_local! {
    static DEFLATER: RefCell<Deflater> = RefCell::default();
}

/// Writes the place of an event that has [one](Trailer::Place): it stands at the end of its packet, within a string.
fn set_place(frames: &mut [u8], place: u64) {
    let Ok(Some((header, start))) = Header::decode(frames) else {
        return;
    };
    let (behind, end) = (behind_place(header.opcode), next_frame_len(frames));
    let at = match header.is_compressed {
        true => start + stored_at(end - start, OFFSET_CHARS + behind),
        false => end - OFFSET_CHARS - behind,
    };
    BASE64URL_NOPAD.encode_mut(&place.to_be_bytes(), &mut frames[at..at + OFFSET_CHARS]);
}

/// Bytes behind a place: in MessagePack nothing ends a string, nor an array.
fn behind_place(opcode: OpCode) -> usize {
    match opcode {
        OpCode::Binary => 0,
        OpCode::Text | OpCode::Continuation | OpCode::Close | OpCode::Ping | OpCode::Pong => {
            r#""]"#.len()
        }
    }
}
