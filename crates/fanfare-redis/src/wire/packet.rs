//! The packet inside a message: an event that is not encoded for any client yet.

use bytes::Bytes;
use fanfare::RawArgs;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Wrong, field::Field, text};

#[derive(Debug, Deserialize)]
pub(super) struct PacketIn<'a> {
    #[serde(rename = "type")]
    kind: u8,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    nsp: Option<String>,
}

impl PacketIn<'_> {
    pub(super) fn nsp(&self) -> &str {
        self.nsp.as_deref().unwrap_or("/")
    }

    /// The event's name and arguments.
    pub(super) fn event(&self, attachments: &[Bytes]) -> Result<(String, RawArgs), Wrong> {
        match self.kind {
            EVENT | BINARY_EVENT => {}
            kind => return Err(Wrong::NoEvent(kind)),
        }
        let data = self.data.ok_or(Wrong::Missing("data"))?;
        event(data, attachments)
    }
}

/// The name and the arguments of an event that is a list.
pub(super) fn event(data: &RawValue, attachments: &[Bytes]) -> Result<(String, RawArgs), Wrong> {
    let values: Vec<&RawValue> = serde_json::from_str(data.get())?;
    let (name, values) = values.split_first().ok_or(Wrong::Missing("event"))?;
    // A number is allowed, and is called by its text.
    let name = serde_json::from_str::<text::Room>(name.get())?.into_name();
    Ok((name, text::args(values, attachments)))
}

pub(super) fn encode(nsp: &str, event: &str, args: &RawArgs) -> Field {
    Field::Map(vec![
        ("type", Field::new(&EVENT)),
        ("data", Field::event(event, args)),
        ("nsp", Field::new(&nsp)),
    ])
}

const EVENT: u8 = 2;
/// Written by servers before version 3.
const BINARY_EVENT: u8 = 5;
