//! What comes in, as JSON text and attachments; and the parts that several messages have.

use std::borrow::Cow;

use bytes::Bytes;
use fanfare::{RawArgs, Targets};
use fanfare_proto::{Limits, socketio::msgpack};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::Wrong;

/// The JSON text of a payload in either form, and its attachments.
pub(super) fn read(payload: &Bytes) -> Result<(Cow<'_, str>, Vec<Bytes>), Wrong> {
    match payload.first() {
        Some(b'{') => Ok((std::str::from_utf8(payload)?.into(), Vec::new())),
        _ => {
            let (json, attachments) = msgpack::decode_value(payload, &limits_of(payload))?;
            Ok((json.into(), attachments))
        }
    }
}

/// A node may say what its own handlers gave it, however many buffers that has; each takes two bytes at least.
fn limits_of(payload: &Bytes) -> Limits {
    Limits {
        max_attachments: payload.len() / 2,
        ..Limits::default()
    }
}

/// Arguments that are JSON values; placeholders count through all attachments of their message.
pub(super) fn args(values: &[&RawValue], attachments: &[Bytes]) -> RawArgs {
    let texts: Vec<_> = values.iter().map(|value| value.get()).collect();
    RawArgs {
        json: texts.join(","),
        attachments: attachments.to_vec(),
    }
}

/// The first argument as JSON text, and the others.
pub(super) fn split_first(args: &RawArgs) -> Result<Option<(String, Vec<String>)>, Wrong> {
    let list = format!("[{}]", args.json);
    let values: Vec<&RawValue> = serde_json::from_str(&list)?;
    let mut texts = values.into_iter().map(|value| value.get().to_owned());
    Ok(texts.next().map(|first| (first, texts.collect())))
}

/// Sockets, chosen by rooms.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Opts {
    rooms: Option<Vec<Room>>,
    except: Option<Vec<Room>>,
    pub(super) flags: Option<Flags>,
}

/// How an event is sent. What is not named here is ignored.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct Flags {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) volatile: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) compress: Option<bool>,
    /// Milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) timeout: Option<f64>,
    /// fanfare's own: receivers need the latest value only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) latest: Option<bool>,
}

/// The same to be written. Without `flags` there are none.
#[derive(Debug, Serialize)]
pub(super) struct OptsOut<'a> {
    rooms: &'a [String],
    except: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    flags: Option<Flags>,
}

impl<'a> OptsOut<'a> {
    pub(super) fn new(targets: &'a Targets, flags: Option<Flags>) -> Self {
        Self {
            rooms: &targets.rooms,
            except: &targets.except,
            flags,
        }
    }
}

impl Opts {
    pub(super) fn into_targets(self) -> Targets {
        Targets {
            rooms: names(self.rooms),
            except: names(self.except),
        }
    }
}

/// A room's name, which may be a number in JavaScript.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Room {
    Name(String),
    Number(serde_json::Number),
}

impl Room {
    pub(super) fn into_name(self) -> String {
        match self {
            Self::Name(name) => name,
            Self::Number(number) => number.to_string(),
        }
    }
}

pub(super) fn names(rooms: Option<Vec<Room>>) -> Vec<String> {
    let rooms = rooms.into_iter().flatten();
    rooms.map(Room::into_name).collect()
}
