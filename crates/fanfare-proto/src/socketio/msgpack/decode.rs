//! MessagePack to JSON text and attachments.

use std::ops::Range;

use bytes::Bytes;
use rmp::Marker;
use time::OffsetDateTime;

use super::{ENVELOPE_DEPTH, EXT_TYPE, MAX_DEPTH, TIMESTAMP_TYPE};
use crate::{
    Limits,
    socketio::{AckId, Assembled, Nsp, Packet, Violation, codec::decode_event, json},
};

/// Reads one binary message.
///
/// `undefined` is `null` in an array and nothing in an object, a date is its ISO 8601 text, and what is no finite
/// number is `null`, as `JSON.stringify` has them. An object that looks like a placeholder is a violation: it
/// would be taken for binary data.
///
/// # Errors
///
/// The [`Violation`] it holds; the connection is to be closed.
pub fn decode(message: &Bytes, limits: &Limits) -> Result<Assembled, Violation> {
    let fields = Fields::find(message)?;
    let kind = fields.kind(message)?;
    let nsp = fields.nsp(message, limits)?;
    let id = fields.id(message)?;
    let mut transcoder = Transcoder::new(message, limits);
    let data = match fields.data {
        Some(range) => transcoder.transcode(range)?,
        None => None,
    };
    let attachments = transcoder.attachments;
    let packet = match kind {
        0 => match data.as_deref().map(str::as_bytes) {
            None | Some([b'{', ..]) => Packet::Connect { nsp, data },
            Some(_) => return Err(Violation::ConnectPayload),
        },
        1 if data.is_none() => Packet::Disconnect { nsp },
        1 => return Err(Violation::DisconnectPayload),
        2 => {
            let data = data.filter(|data| data.starts_with('['));
            let data = data.ok_or(Violation::EventPayload)?;
            let (event, args) = match &*data {
                // It means nothing, as without data in text.
                "[]" => (None, ""),
                data => decode_event(data, limits)?,
            };
            Packet::Event {
                nsp,
                id,
                event,
                args: args.to_owned(),
                attachments: attachments.len(),
            }
        }
        3 => {
            let data = data.filter(|data| data.starts_with('['));
            let data = data.ok_or(Violation::AckPayload)?;
            let args = json::strip_brackets(&data).unwrap_or_default().to_owned();
            Packet::Ack {
                nsp,
                id,
                args,
                attachments: attachments.len(),
            }
        }
        4 => match data.as_deref().map(str::as_bytes) {
            Some([b'{' | b'"', ..]) => Packet::ConnectError { nsp, data },
            None | Some(_) => return Err(Violation::ConnectErrorPayload),
        },
        _ => return Err(Violation::UnknownType),
    };
    Ok(Assembled {
        packet,
        attachments,
    })
}

/// Reads one value of any kind: its JSON text, and the attachments that its placeholders stand for. As in
/// [`decode`], but a value as deep as a client may send may be wrapped in eight more.
///
/// # Errors
///
/// The [`Violation`] that keeps it from being one.
pub fn decode_value(message: &Bytes, limits: &Limits) -> Result<(String, Vec<Bytes>), Violation> {
    let mut transcoder = Transcoder::new(message, limits);
    transcoder.max_depth += ENVELOPE_DEPTH;
    let json = transcoder.transcode(0..message.len())?;
    match json {
        Some(json) if transcoder.reader.at == message.len() => Ok((json, transcoder.attachments)),
        Some(_) | None => Err(Violation::InvalidMessagePack),
    }
}

/// Where in the message the packet's fields are. Of repeated ones the last counts, as in JavaScript.
#[derive(Default)]
struct Fields {
    kind: Option<Range<usize>>,
    data: Option<Range<usize>>,
    nsp: Option<Range<usize>>,
    id: Option<Range<usize>>,
}

impl Fields {
    fn find(message: &[u8]) -> Result<Self, Violation> {
        let mut reader = Reader {
            bytes: message,
            at: 0,
        };
        let Token::Map(n) = reader.next()? else {
            return Err(Violation::InvalidMessagePack);
        };
        let mut fields = Self::default();
        for _ in 0..n {
            let Token::String(key) = reader.next()? else {
                return Err(Violation::InvalidMessagePack);
            };
            let start = reader.at;
            reader.skip_value()?;
            let field = match key {
                "type" => &mut fields.kind,
                "data" => &mut fields.data,
                "nsp" => &mut fields.nsp,
                "id" => &mut fields.id,
                _ => continue,
            };
            *field = Some(start..reader.at);
        }
        match reader.at == message.len() {
            true => Ok(fields),
            false => Err(Violation::InvalidMessagePack),
        }
    }

    fn kind(&self, message: &[u8]) -> Result<u64, Violation> {
        match token_at(message, self.kind.as_ref()) {
            Some(Token::Unsigned(kind)) => Ok(kind),
            Some(_) | None => Err(Violation::UnknownType),
        }
    }

    fn nsp(&self, message: &[u8], limits: &Limits) -> Result<Nsp, Violation> {
        match token_at(message, self.nsp.as_ref()) {
            Some(Token::String(name)) if limits.max_nsp_bytes < name.len() => {
                Err(Violation::NspTooLong)
            }
            Some(Token::String(name)) => Nsp::parse(name).map_err(|_| Violation::IllegalNsp),
            Some(_) | None => Err(Violation::IllegalNsp),
        }
    }

    fn id(&self, message: &[u8]) -> Result<Option<AckId>, Violation> {
        match token_at(message, self.id.as_ref()) {
            None | Some(Token::Undefined) => Ok(None),
            Some(Token::Unsigned(id)) => Ok(Some(AckId(id))),
            Some(_) => Err(Violation::IllegalAckId),
        }
    }
}

fn token_at<'a>(message: &'a [u8], range: Option<&Range<usize>>) -> Option<Token<'a>> {
    let mut reader = Reader {
        bytes: message.get(range?.clone())?,
        at: 0,
    };
    reader.next().ok()
}

/// What stands at the front of some bytes; of an array or map, its length.
enum Token<'a> {
    Null,
    Undefined,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    String(&'a str),
    Binary(Range<usize>),
    /// Milliseconds since 1970.
    Date(i64),
    Array(usize),
    Map(usize),
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<Token<'a>, Violation> {
        let [marker] = self.take_array()?;
        Ok(match Marker::from_u8(marker) {
            Marker::Null => Token::Null,
            Marker::True => Token::Bool(true),
            Marker::False => Token::Bool(false),
            Marker::FixPos(n) => Token::Unsigned(n.into()),
            Marker::U8 => Token::Unsigned(u8::from_be_bytes(self.take_array()?).into()),
            Marker::U16 => Token::Unsigned(u16::from_be_bytes(self.take_array()?).into()),
            Marker::U32 => Token::Unsigned(u32::from_be_bytes(self.take_array()?).into()),
            Marker::U64 => Token::Unsigned(u64::from_be_bytes(self.take_array()?)),
            Marker::FixNeg(n) => Token::Signed(n.into()),
            Marker::I8 => signed(i8::from_be_bytes(self.take_array()?).into()),
            Marker::I16 => signed(i16::from_be_bytes(self.take_array()?).into()),
            Marker::I32 => signed(i32::from_be_bytes(self.take_array()?).into()),
            Marker::I64 => signed(i64::from_be_bytes(self.take_array()?)),
            Marker::F32 => Token::Float(f32::from_be_bytes(self.take_array()?).into()),
            Marker::F64 => Token::Float(f64::from_be_bytes(self.take_array()?)),
            Marker::FixStr(n) => self.string(n.into())?,
            Marker::Str8 => self.len::<1>().and_then(|n| self.string(n))?,
            Marker::Str16 => self.len::<2>().and_then(|n| self.string(n))?,
            Marker::Str32 => self.len::<4>().and_then(|n| self.string(n))?,
            Marker::Bin8 => self.len::<1>().and_then(|n| self.binary(n))?,
            Marker::Bin16 => self.len::<2>().and_then(|n| self.binary(n))?,
            Marker::Bin32 => self.len::<4>().and_then(|n| self.binary(n))?,
            Marker::FixArray(n) => Token::Array(n.into()),
            Marker::Array16 => Token::Array(self.len::<2>()?),
            Marker::Array32 => Token::Array(self.len::<4>()?),
            Marker::FixMap(n) => Token::Map(n.into()),
            Marker::Map16 => Token::Map(self.len::<2>()?),
            Marker::Map32 => Token::Map(self.len::<4>()?),
            Marker::FixExt1 => match self.take_array()? {
                [EXT_TYPE, 0] => Token::Undefined,
                _ => return Err(Violation::InvalidMessagePack),
            },
            Marker::FixExt4 => match self.take_array()? {
                [TIMESTAMP_TYPE] => {
                    Token::Date(i64::from(u32::from_be_bytes(self.take_array()?)) * 1_000)
                }
                [_] => return Err(Violation::InvalidMessagePack),
            },
            Marker::FixExt8 => match self.take_array()? {
                [EXT_TYPE] => Token::Date(i64::from_be_bytes(self.take_array()?)),
                [TIMESTAMP_TYPE] => {
                    let both = u64::from_be_bytes(self.take_array()?);
                    let seconds = i64::try_from(both & 0x3_ffff_ffff).unwrap_or_default();
                    Token::Date(millis(
                        seconds,
                        u32::try_from(both >> 34).unwrap_or_default(),
                    ))
                }
                [_] => return Err(Violation::InvalidMessagePack),
            },
            Marker::Ext8 => self.len::<1>().and_then(|n| self.ext(n))?,
            Marker::Ext16 => self.len::<2>().and_then(|n| self.ext(n))?,
            Marker::Ext32 => self.len::<4>().and_then(|n| self.ext(n))?,
            Marker::FixExt2 | Marker::FixExt16 | Marker::Reserved => {
                return Err(Violation::InvalidMessagePack);
            }
        })
    }

    /// Skips a value with all that is in it, without recursion. What it announces must have room in what is left.
    fn skip_value(&mut self) -> Result<(), Violation> {
        let mut values: usize = 1;
        while values > 0 {
            values -= 1;
            values += match self.next()? {
                Token::Array(n) => n,
                Token::Map(n) => n.saturating_mul(2),
                Token::Null
                | Token::Undefined
                | Token::Bool(_)
                | Token::Unsigned(_)
                | Token::Signed(_)
                | Token::Float(_)
                | Token::String(_)
                | Token::Binary(_)
                | Token::Date(_) => 0,
            };
            if self.bytes.len() - self.at < values {
                return Err(Violation::InvalidMessagePack);
            }
        }
        Ok(())
    }

    fn take(&mut self, n: usize) -> Result<&'a [u8], Violation> {
        let end = self
            .at
            .checked_add(n)
            .ok_or(Violation::InvalidMessagePack)?;
        let taken = self.bytes.get(self.at..end);
        self.at = end;
        taken.ok_or(Violation::InvalidMessagePack)
    }

    fn take_array<const N: usize>(&mut self) -> Result<[u8; N], Violation> {
        let taken = self.take(N)?;
        taken.try_into().map_err(|_| Violation::InvalidMessagePack)
    }

    /// A length of so many bytes.
    fn len<const N: usize>(&mut self) -> Result<usize, Violation> {
        let len: [u8; N] = self.take_array()?;
        Ok(len
            .iter()
            .fold(0, |len, byte| len << 8 | usize::from(*byte)))
    }

    fn string(&mut self, n: usize) -> Result<Token<'a>, Violation> {
        let text = std::str::from_utf8(self.take(n)?);
        text.map(Token::String)
            .map_err(|_| Violation::InvalidMessagePack)
    }

    fn binary(&mut self, n: usize) -> Result<Token<'a>, Violation> {
        let start = self.at;
        self.take(n)?;
        Ok(Token::Binary(start..self.at))
    }

    fn ext(&mut self, n: usize) -> Result<Token<'a>, Violation> {
        match (self.take_array()?, n) {
            ([EXT_TYPE], n) => self.binary(n),
            ([TIMESTAMP_TYPE], 12) => {
                let nanos = u32::from_be_bytes(self.take_array()?);
                Ok(Token::Date(millis(
                    i64::from_be_bytes(self.take_array()?),
                    nanos,
                )))
            }
            ([_], _) => Err(Violation::InvalidMessagePack),
        }
    }
}

/// What is too far away for a date stays so.
fn millis(seconds: i64, nanos: u32) -> i64 {
    let whole = seconds.saturating_mul(1_000);
    whole.saturating_add(i64::from(nanos / 1_000_000))
}

fn signed<'a>(n: i64) -> Token<'a> {
    u64::try_from(n).map_or(Token::Signed(n), Token::Unsigned)
}

/// Writes values as JSON text.
struct Transcoder<'a> {
    message: &'a Bytes,
    reader: Reader<'a>,
    json: String,
    attachments: Vec<Bytes>,
    max_attachments: usize,
    max_depth: usize,
}

impl<'a> Transcoder<'a> {
    fn new(message: &'a Bytes, limits: &Limits) -> Self {
        Self {
            message,
            reader: Reader {
                bytes: message,
                at: 0,
            },
            json: String::new(),
            attachments: Vec::new(),
            // Small values are many in little space: their text has to be in proportion to it.
            max_attachments: limits.max_attachments + message.len() / 64,
            max_depth: MAX_DEPTH,
        }
    }

    /// The JSON text of one value; `None` for `undefined`.
    fn transcode(&mut self, range: Range<usize>) -> Result<Option<String>, Violation> {
        self.reader.at = range.start;
        match self.value(0)? {
            Defined::Yes => Ok(Some(std::mem::take(&mut self.json))),
            Defined::No => Ok(None),
        }
    }

    fn value(&mut self, depth: usize) -> Result<Defined, Violation> {
        match self.reader.next()? {
            Token::Undefined => return Ok(Defined::No),
            Token::Null => self.json.push_str("null"),
            Token::Bool(true) => self.json.push_str("true"),
            Token::Bool(false) => self.json.push_str("false"),
            Token::Unsigned(n) => self.push(&n),
            Token::Signed(n) => self.push(&n),
            Token::Float(n) => self.push(&n),
            Token::String(text) => self.push(text),
            Token::Date(ms) => self.push(&iso_8601(ms)),
            Token::Binary(range) => self.attachment(range)?,
            Token::Array(_) | Token::Map(_) if depth == self.max_depth => {
                return Err(Violation::InvalidMessagePack);
            }
            Token::Array(n) => self.array(n, depth + 1)?,
            Token::Map(n) => self.map(n, depth + 1)?,
        }
        Ok(Defined::Yes)
    }

    fn array(&mut self, n: usize, depth: usize) -> Result<(), Violation> {
        self.json.push('[');
        for i in 0..n {
            if 0 < i {
                self.json.push(',');
            }
            if let Defined::No = self.value(depth)? {
                self.json.push_str("null");
            }
        }
        self.json.push(']');
        Ok(())
    }

    fn map(&mut self, n: usize, depth: usize) -> Result<(), Violation> {
        let start = self.json.len();
        self.json.push('{');
        for _ in 0..n {
            let before = self.json.len();
            let Token::String(key) = self.reader.next()? else {
                return Err(Violation::InvalidMessagePack);
            };
            if before - start > 1 {
                self.json.push(',');
            }
            self.push(key);
            self.json.push(':');
            let value = self.json.len();
            match self.value(depth)? {
                Defined::No => self.json.truncate(before),
                Defined::Yes if key == "_placeholder" && &self.json[value..] == "true" => {
                    return Err(Violation::IllegalPlaceholder);
                }
                Defined::Yes => {}
            }
        }
        self.json.push('}');
        Ok(())
    }

    fn attachment(&mut self, range: Range<usize>) -> Result<(), Violation> {
        if self.attachments.len() == self.max_attachments {
            return Err(Violation::TooManyAttachments);
        }
        let num = self.attachments.len();
        self.attachments.push(self.message.slice(range));
        self.json.push_str(r#"{"_placeholder":true,"num":"#);
        self.push(&num);
        self.json.push('}');
        Ok(())
    }

    fn push<T: serde::Serialize + ?Sized>(&mut self, value: &T) {
        let text = serde_json::to_string(value);
        self.json
            .push_str(&text.expect("texts and numbers have a JSON form"));
    }
}

enum Defined {
    Yes,
    No,
}

/// A date as JavaScript writes it; `None`, which is `null`, outside the years that four digits name.
fn iso_8601(ms: i64) -> Option<String> {
    let date = OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000).ok()?;
    let (year, month, day) = date.to_calendar_date();
    let (hour, minute, second, ms) = date.to_hms_milli();
    let month = u8::from(month);
    (0 <= year).then(|| {
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
    })
}
