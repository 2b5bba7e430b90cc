//! A client's frames, whole or in pieces.

use fanfare_proto::websocket::{
    CloseCode, CloseFrame, Frames, OpCode, deflate::Deflater, encode_masked_frame,
};

/// A text message.
pub fn text(text: &str) -> Vec<u8> {
    of(OpCode::Text, text.as_bytes())
}

/// A binary message.
pub fn binary(data: &[u8]) -> Vec<u8> {
    of(OpCode::Binary, data)
}

/// A ping frame.
pub fn ping(data: &[u8]) -> Vec<u8> {
    of(OpCode::Ping, data)
}

/// A Close frame.
pub fn close(code: Option<u16>) -> Vec<u8> {
    let mut payload = Vec::new();
    if let Some(code) = code {
        CloseFrame {
            code: CloseCode(code),
            reason: String::new(),
        }
        .encode(&mut payload);
    }
    of(OpCode::Close, &payload)
}

/// A text message that is compressed.
///
/// # Panics
///
/// Never: the frame is our own.
pub fn deflated(text: &str) -> Vec<u8> {
    marked(of(OpCode::Text, &deflate(text.as_bytes())))
}

/// What a text message looks like when it is compressed, for frames of the test's own.
///
/// # Panics
///
/// Never: the frame is our own.
pub fn deflate(data: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    Deflater::default().encode_frame(&mut out, OpCode::Text, data, 0);
    let (_, payload) = Frames::new(&out).next().expect("a whole frame");
    payload.to_vec()
}

/// The same frame, said to be compressed.
pub fn marked(mut frame: Vec<u8>) -> Vec<u8> {
    frame[0] |= 0x40;
    frame
}

/// A piece of a message that is not its last: the first has the message's opcode, 1 for text and 2
/// for binary, the others have 0.
pub fn piece(opcode: u8, data: &[u8]) -> Vec<u8> {
    let mut piece = of(OpCode::Binary, data);
    piece[0] = opcode;
    piece
}

/// The last piece of a message.
pub fn last_piece(data: &[u8]) -> Vec<u8> {
    of(OpCode::Continuation, data)
}

fn of(opcode: OpCode, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(payload.len() + 14);
    encode_masked_frame(&mut out, opcode, &[payload], MASK);
    out
}

/// Any mask will do.
const MASK: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];
