//! What a request's query string says about the session it is for.
//!
//! What the application may want to know of the rest, [`Query::pairs`] gives.

use std::borrow::Cow;

use super::{Sid, Transport, Violation};

/// What a request's query string says about the session it is for.
///
/// Wrongs are kept beside what is right, so that the caller can complain in the order the protocol demands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Query {
    /// `EIO`.
    pub revision: Revision,
    /// `transport`, or [`UnknownTransport`](Violation::UnknownTransport).
    pub transport: Result<Transport, Violation>,
    /// `sid`; `None` for a handshake, [`UnknownSid`](Violation::UnknownSid) if it cannot be one of ours.
    pub sid: Result<Option<Sid>, Violation>,
    /// `b64`: the client wants binary messages as base64 on WebSocket too.
    pub base64: bool,
    /// `j`, its digits: answers are scripts that call this function.
    pub jsonp: Option<u64>,
}

/// The revision of the protocol that a client speaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Revision {
    /// `EIO` is missing, or anything but `4`.
    V3,
    /// `EIO=4`.
    V4,
}

impl Query {
    /// Reads a query string, without the question mark. Of duplicates the last one counts.
    pub fn parse(raw: &str) -> Self {
        let mut query = Self {
            revision: Revision::V3,
            transport: Err(Violation::UnknownTransport),
            sid: Ok(None),
            base64: false,
            jsonp: None,
        };
        for (name, value) in Self::pairs(raw) {
            query.set(&name, &value);
        }
        query
    }

    /// All pairs of a query string, decoded, in order, duplicates included.
    pub fn pairs(raw: &str) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        form_urlencoded::parse(raw.as_bytes())
    }

    fn set(&mut self, name: &str, value: &str) {
        match name {
            "EIO" => self.revision = Revision::parse(value),
            "transport" => {
                self.transport = Transport::parse(value).ok_or(Violation::UnknownTransport);
            }
            "sid" => self.sid = parse_sid(value),
            "b64" => self.base64 = !value.is_empty(),
            "j" => self.jsonp = Some(parse_digits(value)),
            _ => {}
        }
    }
}

impl Revision {
    fn parse(value: &str) -> Self {
        match value {
            "4" => Self::V4,
            _ => Self::V3,
        }
    }
}

/// The number that the digits make; 0 if there are none, or too many for any client of ours.
fn parse_digits(value: &str) -> u64 {
    let digits: String = value.chars().filter(char::is_ascii_digit).collect();
    digits.parse().unwrap_or_default()
}

fn parse_sid(value: &str) -> Result<Option<Sid>, Violation> {
    if value.is_empty() {
        return Ok(None);
    }
    Sid::parse(value).map(Some).ok_or(Violation::UnknownSid)
}
