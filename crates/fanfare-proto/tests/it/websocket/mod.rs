//! WebSocket frames and messages: helpers, and the vectors.

mod frames;
mod handshake;
mod properties;
mod stream;
mod violations;

use bytes::Bytes;
use fanfare_proto::Limits;
use fanfare_proto::websocket::{
    CloseCode, Header, Message, OpCode, Reader, Role, Violation, encode_frame, encode_masked_frame,
};

use crate::vectors;

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
