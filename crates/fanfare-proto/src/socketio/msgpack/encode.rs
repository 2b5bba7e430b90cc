//! JSON text and attachments to MessagePack.

use std::fmt;

use bytes::Bytes;
use rmp::encode::{
    write_array_len, write_bin, write_bool, write_f64, write_map_len, write_nil, write_sint,
    write_str, write_uint,
};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::socketio::{AckId, Nsp, Packet};

/// Appends an event. `args` are JSON values joined by commas; their placeholders become the attachments. A string
/// that is the last argument ends the packet.
///
/// # Errors
///
/// If `args` are no JSON values, or hold halves of surrogate pairs.
pub fn encode_event(
    out: &mut Vec<u8>,
    nsp: &Nsp,
    id: Option<AckId>,
    event: &str,
    args: &str,
    attachments: &[Bytes],
) -> serde_json::Result<()> {
    let name = serde_json::to_string(event)?;
    let data = match args.is_empty() {
        true => format!("[{name}]"),
        false => format!("[{name},{args}]"),
    };
    packet(out, 2, nsp, id, Some(&data), attachments)
}

/// Appends an answer; see [`encode_event`].
///
/// # Errors
///
/// If `args` are no JSON values, or hold halves of surrogate pairs.
pub fn encode_ack(
    out: &mut Vec<u8>,
    nsp: &Nsp,
    id: AckId,
    args: &str,
    attachments: &[Bytes],
) -> serde_json::Result<()> {
    packet(
        out,
        3,
        nsp,
        Some(id),
        Some(&format!("[{args}]")),
        attachments,
    )
}

/// Appends a packet without attachments.
///
/// # Errors
///
/// If its data is not JSON, or holds halves of surrogate pairs.
pub fn encode(out: &mut Vec<u8>, what: &Packet) -> serde_json::Result<()> {
    match what {
        Packet::Connect { nsp, data } => packet(out, 0, nsp, None, data.as_deref(), &[]),
        Packet::Disconnect { nsp } => packet(out, 1, nsp, None, None, &[]),
        Packet::Event {
            nsp,
            id,
            event: Some(event),
            args,
            ..
        } => encode_event(out, nsp, *id, event, args, &[]),
        Packet::Event { nsp, id, .. } => packet(out, 2, nsp, *id, Some("[]"), &[]),
        Packet::Ack { nsp, id, args, .. } => {
            packet(out, 3, nsp, *id, Some(&format!("[{args}]")), &[])
        }
        Packet::ConnectError { nsp, data } => packet(out, 4, nsp, None, data.as_deref(), &[]),
    }
}

/// Appends one value of any kind. The placeholders in `json` become the attachments.
///
/// # Errors
///
/// If `json` is no JSON value, or holds halves of surrogate pairs.
pub fn encode_value(
    out: &mut Vec<u8>,
    json: &str,
    attachments: &[Bytes],
) -> serde_json::Result<()> {
    let mut json = serde_json::Deserializer::from_str(json);
    Value { out, attachments }.deserialize(&mut json)?;
    json.end()
}

/// The data comes last, so that what it ends with, the packet ends with.
fn packet(
    out: &mut Vec<u8>,
    kind: u64,
    nsp: &Nsp,
    id: Option<AckId>,
    data: Option<&str>,
    attachments: &[Bytes],
) -> serde_json::Result<()> {
    let fields = 2 + u32::from(id.is_some()) + u32::from(data.is_some());
    written(write_map_len(out, fields));
    written(write_str(out, "type"));
    written(write_uint(out, kind));
    written(write_str(out, "nsp"));
    written(write_str(out, nsp.as_str()));
    if let Some(AckId(id)) = id {
        written(write_str(out, "id"));
        written(write_uint(out, id));
    }
    if let Some(data) = data {
        written(write_str(out, "data"));
        encode_value(out, data, attachments)?;
    }
    Ok(())
}

/// A value that is written as it is read.
struct Value<'a> {
    out: &'a mut Vec<u8>,
    attachments: &'a [Bytes],
}

impl Value<'_> {
    fn again(&mut self) -> Value<'_> {
        Value {
            out: self.out,
            attachments: self.attachments,
        }
    }

    /// Puts the length of an array or map, which was not known before, in front of it.
    fn put_before<T>(&mut self, start: usize, len: impl FnOnce(&mut Vec<u8>) -> T) {
        let mut header = Vec::with_capacity(5);
        len(&mut header);
        self.out.splice(start..start, header);
    }
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = Seen;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Seen, D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// What a value was, as far as it can be part of a placeholder.
enum Seen {
    True,
    Number(u64),
    Other,
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = Seen;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Seen, E> {
        written(write_nil(self.out));
        Ok(Seen::Other)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Seen, E> {
        written(write_bool(self.out, value));
        Ok(if value { Seen::True } else { Seen::Other })
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Seen, E> {
        written(write_uint(self.out, value));
        Ok(Seen::Number(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Seen, E> {
        written(write_sint(self.out, value));
        Ok(Seen::Other)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Seen, E> {
        written(write_f64(self.out, value));
        Ok(Seen::Other)
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Seen, E> {
        written(write_str(self.out, value));
        Ok(Seen::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut array: A) -> Result<Seen, A::Error> {
        let (start, mut n) = (self.out.len(), 0);
        while array.next_element_seed(self.again())?.is_some() {
            n += 1;
        }
        self.put_before(start, |out| written(write_array_len(out, n)));
        Ok(Seen::Other)
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Seen, A::Error> {
        let (start, mut n) = (self.out.len(), 0);
        let (mut is_placeholder, mut num) = (false, None);
        while let Some(key) = map.next_key::<String>()? {
            n += 1;
            written(write_str(self.out, &key));
            match (&*key, map.next_value_seed(self.again())?) {
                ("_placeholder", seen) => is_placeholder = matches!(seen, Seen::True),
                ("num", Seen::Number(value)) => num = usize::try_from(value).ok(),
                (_, _) => {}
            }
        }
        match num.and_then(|num| self.attachments.get(num)) {
            Some(data) if is_placeholder => {
                self.out.truncate(start);
                written(write_bin(self.out, data));
            }
            Some(_) | None => self.put_before(start, |out| written(write_map_len(out, n))),
        }
        Ok(Seen::Other)
    }
}

fn written<T, E: fmt::Debug>(result: Result<T, E>) -> T {
    result.expect("a Vec has room")
}
