//! An event's arguments: JSON text and binary attachments, and the way from and to a user's types.

use std::{cell::RefCell, fmt};

use bytes::Bytes;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{DeserializeOwned, Error as _, IgnoredAny, MapAccess, Unexpected, Visitor},
};

/// An event's arguments as they were sent: JSON text, cut out but not parsed, and attachments.
///
/// Take it in a handler to look at the text yourself, or to send it on untouched: an echo keeps
/// every byte, lone surrogates included.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct RawArgs {
    /// The arguments as JSON texts, separated by commas; empty if there are none.
    pub json: String,
    /// What the `{"_placeholder":true,"num":n}` objects of `json` stand for.
    pub attachments: Vec<Bytes>,
}

impl RawArgs {
    /// Reads the arguments as `T`.
    ///
    /// # Errors
    ///
    /// Says which value was found and which was expected.
    pub fn read<T: FromArgs>(&self) -> Result<T, ArgsError> {
        T::from_args(self)
    }

    /// Arguments as they would be sent.
    pub(crate) fn written(args: impl IntoArgs) -> Result<Self, ArgsError> {
        let (mut json, mut attachments) = (Vec::new(), Vec::new());
        args.write_args(&mut json, &mut attachments)?;
        let json = String::from_utf8(json).map_err(ArgsError::from_utf8)?;
        Ok(Self { json, attachments })
    }

    fn with_attachments<T>(
        &self,
        read: impl FnOnce() -> serde_json::Result<T>,
    ) -> Result<T, ArgsError> {
        let outer = ATTACHMENTS.replace(self.attachments.clone());
        let value = read();
        ATTACHMENTS.set(outer);
        value.map_err(ArgsError)
    }
}

/// Several arguments, as a tuple: `Args((name, age))` is `"name", 5` on the wire.
///
/// A single argument needs no wrapper. `Args(())` is no argument at all.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Args<T>(
    /// The tuple, one field an argument.
    pub T,
);

/// Bytes that travel as a binary attachment instead of JSON text.
///
/// Stands anywhere in a serialized value that is emitted or read from an event; the default
/// parser of the official clients turns it into a `Buffer` or `ArrayBuffer`.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct Binary(
    /// The bytes, as they travel.
    pub Bytes,
);

impl<T: Into<Bytes>> From<T> for Binary {
    fn from(bytes: T) -> Self {
        Self(bytes.into())
    }
}

/// What an event's arguments can be read as: one argument by serde, several by [`Args`], or
/// [`RawArgs`].
pub trait FromArgs: Sized {
    /// Reads the arguments.
    ///
    /// # Errors
    ///
    /// Says which value was found and which was expected.
    fn from_args(args: &RawArgs) -> Result<Self, ArgsError>;
}

impl<T: DeserializeOwned> FromArgs for T {
    fn from_args(args: &RawArgs) -> Result<Self, ArgsError> {
        let json = if args.json.is_empty() {
            "null"
        } else {
            &args.json
        };
        args.with_attachments(|| {
            let mut texts = serde_json::Deserializer::from_str(json);
            Self::deserialize(&mut texts)
        })
    }
}

impl<T: DeserializeOwned> FromArgs for Args<T> {
    fn from_args(args: &RawArgs) -> Result<Self, ArgsError> {
        let json = if args.json.is_empty() {
            "null".to_owned()
        } else {
            format!("[{}]", args.json)
        };
        args.with_attachments(|| serde_json::from_str(&json))
            .map(Args)
    }
}

impl FromArgs for RawArgs {
    fn from_args(args: &RawArgs) -> Result<Self, ArgsError> {
        Ok(args.clone())
    }
}

/// What can be emitted: one argument by serde, several by [`Args`], or [`RawArgs`].
pub trait IntoArgs: Sized {
    /// Writes the arguments as JSON texts, separated by commas.
    ///
    /// # Errors
    ///
    /// [`ArgsError`] if the value is none that JSON can hold, such as a map with keys that are
    /// no strings.
    fn write_args(self, json: &mut Vec<u8>, attachments: &mut Vec<Bytes>) -> Result<(), ArgsError>;
}

impl<T: Serialize> IntoArgs for T {
    fn write_args(self, json: &mut Vec<u8>, attachments: &mut Vec<Bytes>) -> Result<(), ArgsError> {
        write_json(&self, json, attachments)
    }
}

impl<T: Serialize> IntoArgs for Args<T> {
    fn write_args(self, json: &mut Vec<u8>, attachments: &mut Vec<Bytes>) -> Result<(), ArgsError> {
        let start = json.len();
        write_json(&self.0, json, attachments)?;
        match json.get(start) {
            Some(b'[') => {
                json.pop();
                json.remove(start);
            }
            _ if &json[start..] == b"null" => json.truncate(start),
            _ => {}
        }
        Ok(())
    }
}

impl IntoArgs for &RawArgs {
    fn write_args(self, json: &mut Vec<u8>, attachments: &mut Vec<Bytes>) -> Result<(), ArgsError> {
        json.extend_from_slice(self.json.as_bytes());
        attachments.extend_from_slice(&self.attachments);
        Ok(())
    }
}

impl IntoArgs for RawArgs {
    fn write_args(self, json: &mut Vec<u8>, attachments: &mut Vec<Bytes>) -> Result<(), ArgsError> {
        (&self).write_args(json, attachments)
    }
}

/// The arguments are not what was expected; its text names both.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ArgsError(serde_json::Error);

impl ArgsError {
    fn from_utf8(error: std::string::FromUtf8Error) -> Self {
        Self(serde_json::Error::custom(error))
    }

    pub(crate) fn from_json(error: serde_json::Error) -> Self {
        Self(error)
    }
}

fn write_json<T: Serialize>(
    value: &T,
    json: &mut Vec<u8>,
    attachments: &mut Vec<Bytes>,
) -> Result<(), ArgsError> {
    let outer = ATTACHMENTS.replace(std::mem::take(attachments));
    let written = serde_json::to_writer(json, value);
    *attachments = ATTACHMENTS.replace(outer);
    written.map_err(ArgsError)
}

thread_local! {
    /// The attachments of the value that is read or written on this thread just now: serde has
    /// no other way to hand them to a [`Binary`] deep inside it.
    static ATTACHMENTS: RefCell<Vec<Bytes>> = const { RefCell::new(Vec::new()) };
}

#[derive(Serialize)]
struct Placeholder {
    #[serde(rename = "_placeholder")]
    placeholder: bool,
    num: usize,
}

impl Serialize for Binary {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let num = ATTACHMENTS.with_borrow_mut(|attachments| {
            attachments.push(self.0.clone());
            attachments.len() - 1
        });
        Placeholder {
            placeholder: true,
            num,
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Binary {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(BinaryVisitor)
    }
}

struct BinaryVisitor;

impl<'de> Visitor<'de> for BinaryVisitor {
    type Value = Binary;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("binary data")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Binary, A::Error> {
        let (mut is_placeholder, mut num) = (None, None);
        while let Some(key) = map.next_key::<String>()? {
            match &*key {
                "_placeholder" => is_placeholder = Some(map.next_value::<PlaceholderField>()?),
                "num" => num = Some(map.next_value::<PlaceholderField>()?),
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        let (Some(PlaceholderField::Flag(true)), Some(PlaceholderField::Number(num))) =
            (is_placeholder, num)
        else {
            return Err(A::Error::invalid_type(Unexpected::Map, &self));
        };
        ATTACHMENTS
            .with_borrow(|attachments| attachments.get(num).cloned())
            .map(Binary)
            .ok_or_else(|| {
                A::Error::custom("expected binary data, found a placeholder without its attachment")
            })
    }
}

/// A field of an object that may be a placeholder, or anything of the application's.
#[derive(Deserialize)]
#[serde(untagged)]
enum PlaceholderField {
    Flag(bool),
    Number(usize),
    Other(IgnoredAny),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_written(value: impl IntoArgs, json: &str, attachments: usize) {
        let (mut text, mut binaries) = (Vec::new(), Vec::new());
        value.write_args(&mut text, &mut binaries).unwrap();
        assert_eq!(String::from_utf8(text).unwrap(), json);
        assert_eq!(binaries.len(), attachments);
    }

    #[test]
    fn one_value_is_one_argument_and_a_tuple_in_args_is_several() {
        check_written(5, "5", 0);
        check_written("five", r#""five""#, 0);
        check_written(vec![1, 2], "[1,2]", 0);
        check_written(Args((1, "2")), r#"1,"2""#, 0);
        check_written(Args(()), "", 0);
    }

    #[test]
    fn binary_becomes_a_placeholder_and_comes_back() {
        let value = vec![
            Binary::from("one".as_bytes()),
            Binary::from("two".as_bytes()),
        ];
        check_written(
            &value,
            r#"[{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#,
            2,
        );
        let (mut json, mut attachments) = (Vec::new(), Vec::new());
        Args((7, &value))
            .write_args(&mut json, &mut attachments)
            .unwrap();
        let raw = RawArgs {
            json: String::from_utf8(json).unwrap(),
            attachments,
        };
        let Args((number, back)) = raw.read::<Args<(u8, Vec<Binary>)>>().unwrap();
        assert_eq!((number, back), (7, value));
    }

    #[test]
    fn a_wrong_type_is_named() {
        let raw = RawArgs {
            json: "5".to_owned(),
            attachments: Vec::new(),
        };
        let error = raw.read::<String>().unwrap_err().to_string();
        assert!(
            error.contains("integer `5`") && error.contains("string"),
            "{error}"
        );
    }

    #[test]
    fn what_is_no_placeholder_is_no_binary_data() {
        for (json, found) in [
            ("5", "integer `5`"),
            ("null", "null"),
            ("[true,0]", "sequence"),
            (r#""AQ==""#, "string"),
            ("{}", "map"),
            (r#"{"num":0}"#, "map"),
            (r#"{"_placeholder":true}"#, "map"),
            (r#"{"_placeholder":false,"num":0}"#, "map"),
            (r#"{"_placeholder":"true","num":0}"#, "map"),
            (r#"{"_placeholder":true,"num":-1}"#, "map"),
            (r#"{"_placeholder":true,"num":{"a":[]}}"#, "map"),
            (r#"{"_placeholder":true,"num":1}"#, "without its attachment"),
        ] {
            let raw = RawArgs {
                json: json.to_owned(),
                attachments: vec![Bytes::from_static(b"one")],
            };
            let error = raw.read::<Binary>().unwrap_err().to_string();
            assert!(error.contains("expected binary data"), "{json}: {error}");
            assert!(error.contains(found), "{json}: {error}");
        }
    }

    #[test]
    fn a_placeholder_may_have_fields_in_any_order_and_further_ones() {
        let raw = RawArgs {
            json: r#"{"more":{"num":[7]},"num":0,"_placeholder":true}"#.to_owned(),
            attachments: vec![Bytes::from_static(b"one")],
        };
        assert_eq!(
            raw.read::<Binary>().unwrap(),
            Binary::from("one".as_bytes())
        );
    }

    #[test]
    fn a_handler_of_one_argument_ignores_further_ones() {
        let raw = RawArgs {
            json: "1,2,3".to_owned(),
            attachments: Vec::new(),
        };
        assert_eq!(raw.read::<u8>().unwrap(), 1);
    }
}
