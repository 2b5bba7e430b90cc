//! Field: what is written, as JSON or as MessagePack.

use bytes::Bytes;
use fanfare::RawArgs;
use fanfare_proto::socketio::msgpack;
use rmp::encode::{write_array_len, write_map_len, write_str};
use serde::Serialize;

use super::Wrong;

/// A value, whose parts are in order.
#[derive(Debug)]
pub(super) enum Field {
    /// JSON text.
    Json(String),
    List(Vec<Self>),
    Map(Vec<(&'static str, Self)>),
}

impl Field {
    pub(super) fn new(value: &impl Serialize) -> Self {
        Self::Json(serde_json::to_string(value).expect("texts and numbers have a JSON form"))
    }

    pub(super) fn event(event: &str, args: &RawArgs) -> Self {
        let name = serde_json::to_string(event).expect("a text has a JSON form");
        Self::Json(match args.json.is_empty() {
            true => format!("[{name}]"),
            false => format!("[{name},{}]", args.json),
        })
    }

    pub(super) fn to_json(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write_json(&mut out);
        out
    }

    fn write_json(&self, out: &mut Vec<u8>) {
        match self {
            Self::Json(text) => out.extend_from_slice(text.as_bytes()),
            Self::List(fields) => {
                for (i, field) in fields.iter().enumerate() {
                    out.push(if i == 0 { b'[' } else { b',' });
                    field.write_json(out);
                }
                out.push(b']');
            }
            Self::Map(fields) => {
                for (i, (name, field)) in fields.iter().enumerate() {
                    out.push(if i == 0 { b'{' } else { b',' });
                    out.extend_from_slice(format!("\"{name}\":").as_bytes());
                    field.write_json(out);
                }
                out.push(b'}');
            }
        }
    }

    /// Placeholders become `attachments`.
    ///
    /// # Errors
    ///
    /// [`Wrong::Json`] if a text is none.
    pub(super) fn to_message_pack(&self, attachments: &[Bytes]) -> Result<Vec<u8>, Wrong> {
        let mut out = Vec::new();
        self.write_message_pack(&mut out, attachments)?;
        Ok(out)
    }

    fn write_message_pack(&self, out: &mut Vec<u8>, attachments: &[Bytes]) -> Result<(), Wrong> {
        match self {
            Self::Json(text) => {
                let start = out.len();
                if msgpack::encode_value(out, text, attachments).is_err() {
                    out.truncate(start);
                    msgpack::encode_value(out, &mended(text), attachments)?;
                }
            }
            Self::List(fields) => {
                written(write_array_len(out, len(fields)));
                for field in fields {
                    field.write_message_pack(out, attachments)?;
                }
            }
            Self::Map(fields) => {
                written(write_map_len(out, len(fields)));
                for (name, field) in fields {
                    written(write_str(out, name));
                    field.write_message_pack(out, attachments)?;
                }
            }
        }
        Ok(())
    }
}

fn len<T>(fields: &[T]) -> u32 {
    u32::try_from(fields.len()).expect("a message has few fields")
}

fn written<T, E: std::fmt::Debug>(result: Result<T, E>) -> T {
    result.expect("a Vec has room")
}

/// JSON text whose halves of surrogate pairs, which MessagePack can't hold, have become U+FFFD.
fn mended(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        out.push_str(before);
        let taken = match (surrogate(escape), surrogate(escape.get(6..).unwrap_or(""))) {
            (Some(Half::High), Some(Half::Low)) => 12,
            (Some(Half::High | Half::Low), _) => {
                out.push('\u{FFFD}');
                rest = &escape[6..];
                continue;
            }
            // The backslash and what it escapes, which is ASCII in JSON.
            (None, _) => 2,
        };
        let Some((whole, after)) = escape.split_at_checked(taken) else {
            break;
        };
        out.push_str(whole);
        rest = after;
    }
    out.push_str(rest);
    out
}

enum Half {
    High,
    Low,
}

/// Which half of a pair the escape at the front of `text` is.
fn surrogate(text: &str) -> Option<Half> {
    let hex = text.strip_prefix("\\u")?.get(..4)?;
    match u16::from_str_radix(hex, 16).ok()? {
        0xD800..=0xDBFF => Some(Half::High),
        0xDC00..=0xDFFF => Some(Half::Low),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_of_pairs_are_mended_and_all_else_stays() {
        for (json, expected) in [
            (r#""a""#, r#""a""#),
            (r#""\ud83d\ude00 \n\\ud800""#, r#""\ud83d\ude00 \n\\ud800""#),
            (r#""\ud83d!""#, "\"\u{FFFD}!\""),
            (r#""\ude00\ud83d""#, "\"\u{FFFD}\u{FFFD}\""),
            (r#""\ud83d\ud83d\ude00""#, "\"\u{FFFD}\\ud83d\\ude00\""),
            (r#""é\u00e9""#, r#""é\u00e9""#),
            ("\\", "\\"),
        ] {
            assert_eq!(mended(json), expected, "{json}");
        }
    }
}
