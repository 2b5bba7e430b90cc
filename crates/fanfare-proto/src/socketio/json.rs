//! JSON text, checked and cut apart where it stands. Never a value tree.
//!
//! JavaScript can send halves of surrogate pairs, which no `str` can hold unescaped. They are
//! valid JSON text and stay as they came; only a name is ever unescaped.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, Visitor};

use super::Violation;

/// Checks that `text` is one JSON value, and says how it begins: `{`, `[`, `"`, `-`, a digit,
/// or the first letter of a word.
pub(super) fn check(text: &str) -> Result<u8, Violation> {
    serde_json::from_str::<IgnoredAny>(text).map_err(|_| Violation::InvalidJson)?;
    text.trim_ascii_start()
        .bytes()
        .next()
        .ok_or(Violation::InvalidJson)
}

/// Cuts an array that has been checked into its first element and the text of the others,
/// without brackets. Of an element that is itself an array or object, the first is the bracket.
pub(super) fn split_first(array: &str) -> Option<(&str, &str)> {
    let inside = strip_brackets(array)?;
    let (first, rest) = inside.split_at(token_len(inside));
    let rest = rest.trim_ascii_start();
    Some((
        first,
        rest.strip_prefix(',').unwrap_or(rest).trim_ascii_start(),
    ))
}

/// The elements of an array that has been checked.
pub(super) fn strip_brackets(array: &str) -> Option<&str> {
    let inside = array.trim_ascii().strip_prefix('[')?.strip_suffix(']')?;
    Some(inside.trim_ascii())
}

/// The value of a JSON string that has been checked. Halves of surrogate pairs become U+FFFD.
pub(super) fn unescape(string: &str) -> String {
    let inside = string
        .strip_prefix('"')
        .and_then(|string| string.strip_suffix('"'))
        .unwrap_or(string);
    if !inside.contains('\\') {
        return inside.to_owned();
    }
    match serde_json::from_str(string) {
        Ok(Utf16(value)) => value,
        Err(_) => inside.to_owned(),
    }
}

/// Bytes of the string, number or word at the front of `text`, which has been checked; 1 for
/// a sign.
pub(super) fn token_len(text: &str) -> usize {
    let bytes = text.as_bytes();
    match bytes {
        [b'"', inside @ ..] => string_len(inside) + 1,
        [b'{' | b'}' | b'[' | b']' | b',' | b':', ..] => 1,
        _ => bytes
            .iter()
            .position(|byte| matches!(byte, b',' | b']' | b'}' | b' ' | b'\t' | b'\n' | b'\r'))
            .unwrap_or(bytes.len()),
    }
}

/// Bytes up to the quote that ends a string, and that quote.
fn string_len(inside: &[u8]) -> usize {
    let mut bytes = inside.iter().enumerate();
    while let Some((i, byte)) = bytes.next() {
        match byte {
            b'"' => return i + 1,
            b'\\' => {
                bytes.next();
            }
            _ => {}
        }
    }
    inside.len()
}

/// A string as JavaScript has it. serde_json gives one as bytes where a `str` cannot hold it.
struct Utf16(String);

impl<'de> Deserialize<'de> for Utf16 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl Visitor<'_> for Text {
            type Value = Utf16;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Self::Value, E> {
                Ok(Utf16(String::from_utf8_lossy(bytes).into_owned()))
            }
        }

        deserializer.deserialize_bytes(Text)
    }
}
