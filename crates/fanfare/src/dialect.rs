//! Dialect: how the client of one session wants to be spoken to. Its first request fixes it.

use bytes::Bytes;
use fanfare_proto::{
    engineio::{
        Packet, Query, Revision, Violation, payload,
        v3::{self, Part, Payload, PayloadForm},
    },
    websocket::{Frames, OpCode, encode_frame},
};

/// How the client of one session wants to be spoken to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Dialect {
    pub(crate) revision: Revision,
    /// Binary messages come as base64 even where they need not.
    base64: bool,
    /// Answers to requests are scripts that call this function.
    jsonp: Option<u64>,
}

/// How a client wants messages on WebSocket.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum WireForm {
    /// As they are: the bytes that everyone else gets.
    Frames,
    /// The same, and they may be compressed.
    Deflated,
    /// Binary messages as base64 in text frames, because it asked so by `b64`.
    Base64,
    /// Binary messages as binary frames that begin with the packet's type: protocol 3.
    TypedFrames,
    /// Binary messages as base64 behind the packet's type.
    TypedBase64,
}

/// The body of an answer to a poll.
#[derive(Debug)]
pub(crate) struct Polled {
    pub(crate) body: Vec<u8>,
    pub(crate) content_type: &'static str,
}

impl Dialect {
    /// What a session's first request asks for.
    pub(crate) fn of(query: &Query) -> Self {
        Self {
            revision: query.revision,
            base64: query.base64,
            jsonp: query.jsonp,
        }
    }

    /// How a WebSocket of the session takes binary messages, if its own request asked for base64 or not.
    pub(crate) fn wire_form(revision: Revision, base64: bool) -> WireForm {
        match (revision, base64) {
            (Revision::V4, false) => WireForm::Frames,
            (Revision::V4, true) => WireForm::Base64,
            (Revision::V3, false) => WireForm::TypedFrames,
            (Revision::V3, true) => WireForm::TypedBase64,
        }
    }

    /// The packet that a text message is.
    pub(crate) fn decode_text(self, text: &str) -> Result<Packet, Violation> {
        match self.revision {
            Revision::V3 => v3::decode_text(text),
            Revision::V4 => Packet::decode_text(text),
        }
    }

    /// The packet that a binary message is.
    pub(crate) fn decode_binary(self, data: Bytes) -> Result<Packet, Violation> {
        match self.revision {
            Revision::V3 => v3::decode_binary(data),
            Revision::V4 => Ok(Packet::decode_binary(data)),
        }
    }

    /// Whether a request may bring bytes that are no text.
    pub(crate) fn takes_binary_payloads(self) -> bool {
        self.revision == Revision::V3
    }

    /// The packets of a request's body, up to and including the first that is none.
    pub(crate) fn decode_payload(
        self,
        body: Bytes,
        is_binary: bool,
    ) -> Vec<Result<Packet, Violation>> {
        match (self.revision, is_binary) {
            (Revision::V3, true) => v3::decode_binary_payload(body).collect(),
            (Revision::V3, false) => v3::decode_payload(&self.text_of(&body)).collect(),
            (Revision::V4, _) => payload::decode(&self.text_of(&body)).collect(),
        }
    }

    /// The polling form of frames: a payload, which has the frames' packets without their headers.
    pub(crate) fn encode_payload(self, frames: &[Bytes]) -> Polled {
        let (body, is_binary) = match self.revision {
            Revision::V4 => (encode_v4(frames), false),
            Revision::V3 => self.encode_v3(frames),
        };
        match (self.jsonp, is_binary) {
            (_, true) => Polled {
                body,
                content_type: "application/octet-stream",
            },
            (None, false) => Polled {
                body,
                content_type: TEXT,
            },
            (Some(function), false) => Polled {
                body: script(function, &body),
                content_type: TEXT,
            },
        }
    }

    fn encode_v3(self, frames: &[Bytes]) -> (Vec<u8>, bool) {
        let packets = frames.iter().flat_map(|frames| Frames::new(frames));
        let parts = packets.filter_map(|(opcode, data)| match opcode {
            OpCode::Text => std::str::from_utf8(data).ok().map(Part::Text),
            OpCode::Binary => Some(Part::Binary(data)),
            OpCode::Continuation | OpCode::Close | OpCode::Ping | OpCode::Pong => None,
        });
        let form = match self.base64 || self.jsonp.is_some() {
            true => PayloadForm::Text,
            false => PayloadForm::Bytes,
        };
        match v3::encode_payload(parts, form) {
            Payload::Text(body) => (body, false),
            Payload::Bytes(body) => (body, true),
        }
    }

    /// A body's text, taken out of its form field if the client is a script's.
    fn text_of(self, body: &[u8]) -> String {
        if self.jsonp.is_none() {
            return String::from_utf8_lossy(body).into_owned();
        }
        let body = String::from_utf8_lossy(body);
        let field = Query::pairs(&body).find(|(name, _)| name == "d");
        field.map(|(_, text)| unescaped(&text)).unwrap_or_default()
    }

    /// Whether a body without packets is none at all: a script's form without its field is passed over.
    pub(crate) fn is_absent(self, body: &[u8]) -> bool {
        self.jsonp.is_some() && {
            let body = String::from_utf8_lossy(body);
            !Query::pairs(&body).any(|(name, _)| name == "d")
        }
    }
}

/// The same frames for a client that takes binary messages in another form.
pub(crate) fn in_form(frames: Bytes, form: WireForm) -> Bytes {
    if matches!(form, WireForm::Frames | WireForm::Deflated) {
        return frames;
    }
    let mut out = Vec::with_capacity(frames.len());
    for (opcode, data) in Frames::new(&frames) {
        match (opcode, form) {
            (OpCode::Binary, WireForm::Base64) => {
                let mut text = Vec::new();
                payload::push_binary(&mut text, data);
                encode_frame(&mut out, OpCode::Text, &[&text]);
            }
            (OpCode::Binary, WireForm::TypedBase64) => {
                let mut text = Vec::new();
                v3::encode_base64(data, &mut text);
                encode_frame(&mut out, OpCode::Text, &[&text]);
            }
            (OpCode::Binary, WireForm::TypedFrames) => {
                encode_frame(&mut out, OpCode::Binary, &[&v3::BINARY_PREFIX, data]);
            }
            (OpCode::Binary, WireForm::Frames | WireForm::Deflated)
            | (
                OpCode::Text | OpCode::Continuation | OpCode::Close | OpCode::Ping | OpCode::Pong,
                _,
            ) => encode_frame(&mut out, opcode, &[data]),
        }
    }
    out.into()
}

fn encode_v4(frames: &[Bytes]) -> Vec<u8> {
    let mut payload = Vec::with_capacity(frames.iter().map(Bytes::len).sum());
    for (opcode, data) in frames.iter().flat_map(|frames| Frames::new(frames)) {
        match opcode {
            OpCode::Text => payload::push(&mut payload, data),
            OpCode::Binary => payload::push_binary(&mut payload, data),
            OpCode::Continuation | OpCode::Close | OpCode::Ping | OpCode::Pong => {}
        }
    }
    payload
}

/// A script that hands `payload` to the client's function.
fn script(function: u64, payload: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(payload);
    let json = serde_json::to_string(&text).unwrap_or_default();
    // Ends of lines to JavaScript before 2019, and not to JSON.
    let json = json
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029");
    format!("___eio[{function}]({json});").into_bytes()
}

/// What a script's form has escaped: its line breaks, which browsers change in form fields.
fn unescaped(field: &str) -> String {
    let mut text = String::with_capacity(field.len());
    let mut rest = field;
    while let Some(at) = rest.find("\\n") {
        let is_escaped = rest[..at].ends_with('\\');
        text.push_str(&rest[..at]);
        if is_escaped {
            text.push('n');
        } else {
            text.push('\n');
        }
        rest = &rest[at + 2..];
    }
    text + rest
}

const TEXT: &str = "text/plain; charset=UTF-8";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_holds_any_payload() {
        let body = script(7, "4a\"\\\n\u{2028}€</script>".as_bytes());
        let expected = "___eio[7](\"4a\\\"\\\\\\n\\u2028€</script>\");";
        assert_eq!(String::from_utf8(body).unwrap(), expected);
    }

    #[test]
    fn a_scripts_line_breaks_are_told_from_what_looks_like_them() {
        assert_eq!(unescaped("a\\nb"), "a\nb");
        assert_eq!(unescaped("a\\\\nb"), "a\\nb");
        assert_eq!(unescaped("\\n\\n"), "\n\n");
        assert_eq!(unescaped("no end\\"), "no end\\");
    }
}
