//! JSON text, checked and cut apart where it stands. Never a value tree.
//!
//! JavaScript can send halves of surrogate pairs, which no `str` can hold unescaped. They are
//! valid JSON text and stay as they came; only a name is ever unescaped.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

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

/// Cuts an array into its first element and the text of the others, without brackets.
///
/// The first is `None` when the array is empty, and all of it is `None` when `text` is no array.
pub(super) fn split_first(text: &str) -> Option<(Option<&str>, &str)> {
    let Elements(first) = serde_json::from_str(text).ok()?;
    let Some(first) = first.map(RawValue::get) else {
        return Some((None, ""));
    };
    let inside = strip_brackets(text)?;
    let rest = inside.get(first.len()..)?.trim_ascii_start();
    let rest = rest.strip_prefix(',').unwrap_or(rest).trim_ascii_start();
    Some((Some(first), rest))
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

/// Visits each element of an array, and keeps the first as text.
struct Elements<'a>(Option<&'a RawValue>);

impl<'de> Deserialize<'de> for Elements<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Array;

        impl<'de> Visitor<'de> for Array {
            type Value = Elements<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Self::Value, A::Error> {
                let first = array.next_element()?;
                while array.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Elements(first))
            }
        }

        deserializer.deserialize_seq(Array)
    }
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
