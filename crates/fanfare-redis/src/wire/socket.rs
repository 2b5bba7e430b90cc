//! A socket as nodes tell it to each other.

use std::{
    net::SocketAddr,
    time::{Duration, SystemTime},
};

use fanfare::{SocketId, SocketState};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json, value::RawValue};
use time::OffsetDateTime;

use super::text::{self, Room};

#[derive(Debug, Serialize)]
pub(super) struct SocketOut<'a> {
    id: &'a str,
    handshake: HandshakeOut<'a>,
    rooms: Vec<&'a str>,
    /// What JavaScript applications expect to be an object.
    data: Value,
    /// For those that read it.
    fanfare: OwnOut<'a>,
}

#[derive(Debug, Serialize)]
struct HandshakeOut<'a> {
    headers: Map<String, Value>,
    time: String,
    address: String,
    xdomain: bool,
    secure: bool,
    issued: u64,
    url: &'a str,
    query: Map<String, Value>,
    auth: &'a Value,
}

/// What only fanfare's nodes have.
#[derive(Debug, Serialize)]
struct OwnOut<'a> {
    user: Option<&'a str>,
    has_shared: bool,
    /// With its port, which others leave out.
    address: Option<&'a str>,
}

impl<'a> SocketOut<'a> {
    pub(super) fn new(state: &'a SocketState) -> Self {
        let id = state.id.as_str();
        let rooms = state.rooms.iter().map(String::as_str);
        let has_shared = !state.shared.is_null();
        Self {
            id,
            handshake: HandshakeOut::new(state),
            rooms: std::iter::once(id).chain(rooms).collect(),
            data: match has_shared {
                true => state.shared.clone(),
                false => json!({}),
            },
            fanfare: OwnOut {
                user: state.user.as_deref(),
                has_shared,
                address: state.address.as_deref(),
            },
        }
    }
}

impl<'a> HandshakeOut<'a> {
    fn new(state: &'a SocketState) -> Self {
        let mut headers = Map::new();
        for (name, value) in &state.headers {
            put(&mut headers, name, value, ", ");
        }
        let mut query = Map::new();
        let (_, text) = state.url.split_once('?').unwrap_or_default();
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            query.insert(name.into_owned(), value.into_owned().into());
        }
        Self {
            time: javascript_date(state.issued),
            address: without_port(state.address.as_deref().unwrap_or_default()),
            xdomain: headers.contains_key("origin"),
            secure: state.is_secure,
            issued: millis(state.issued),
            url: &state.url,
            query,
            auth: &state.auth,
            headers,
        }
    }
}

fn without_port(address: &str) -> String {
    let parsed = address.parse::<SocketAddr>();
    parsed.map_or_else(|_| address.to_owned(), |address| address.ip().to_string())
}

/// Adds a header, behind what there is of its name.
fn put(headers: &mut Map<String, Value>, name: &str, value: &str, between: &str) {
    match headers.get_mut(name) {
        Some(Value::String(before)) => {
            before.push_str(between);
            before.push_str(value);
        }
        Some(_) | None => drop(headers.insert(name.to_owned(), value.into())),
    }
}

fn millis(at: SystemTime) -> u64 {
    let since = at.duration_since(SystemTime::UNIX_EPOCH);
    let millis = since.unwrap_or_default().as_millis();
    u64::try_from(millis).unwrap_or(u64::MAX)
}

/// The way in which JavaScript shows a date, in UTC.
fn javascript_date(at: SystemTime) -> String {
    let at = i128::from(millis(at)) * 1_000_000;
    let Ok(at) = OffsetDateTime::from_unix_timestamp_nanos(at) else {
        return "Invalid Date".to_owned();
    };
    let short = |name: String| name.chars().take(3).collect::<String>();
    let (weekday, month) = (
        short(at.weekday().to_string()),
        short(at.month().to_string()),
    );
    let (year, day) = (at.year(), at.day());
    let (hour, minute, second) = at.to_hms();
    format!(
        "{weekday} {month} {day:02} {year:04} {hour:02}:{minute:02}:{second:02} \
         GMT+0000 (Coordinated Universal Time)"
    )
}

#[derive(Debug, Deserialize)]
pub(super) struct SocketIn {
    id: SocketId,
    #[serde(default)]
    handshake: HandshakeIn,
    rooms: Option<Vec<Room>>,
    #[serde(default)]
    data: Value,
    fanfare: Option<OwnIn>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OwnIn {
    user: Option<String>,
    has_shared: bool,
    address: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct HandshakeIn {
    headers: Map<String, Value>,
    address: Option<String>,
    secure: bool,
    issued: u64,
    url: String,
    auth: Value,
}

impl SocketIn {
    /// Those that are sockets.
    pub(super) fn all(texts: &[&RawValue]) -> Vec<SocketState> {
        let mut states = Vec::with_capacity(texts.len());
        for text in texts {
            match serde_json::from_str::<Self>(text.get()) {
                Ok(socket) => states.push(socket.into_state()),
                Err(wrong) => tracing::debug!(%wrong, "another node's socket is none"),
            }
        }
        states
    }

    fn into_state(self) -> SocketState {
        let id = self.id.as_str();
        let mut rooms = text::names(self.rooms);
        rooms.retain(|room| room != id);
        let handshake = self.handshake;
        let is_own = self.fanfare.is_some();
        let own = self.fanfare.unwrap_or_default();
        SocketState {
            id: self.id,
            rooms,
            user: own.user,
            shared: match is_own && !own.has_shared {
                true => Value::Null,
                false => self.data,
            },
            address: match is_own {
                true => own.address,
                false => handshake.address,
            },
            issued: since_1970(handshake.issued),
            is_secure: handshake.secure,
            url: handshake.url,
            headers: handshake.headers.into_iter().flat_map(values).collect(),
            auth: match handshake.auth {
                Value::Null => json!({}),
                auth => auth,
            },
        }
    }
}

fn since_1970(millis: u64) -> SystemTime {
    let at = SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(millis));
    at.unwrap_or(SystemTime::UNIX_EPOCH)
}

/// A header's values, of which Node keeps some apart.
fn values((name, value): (String, Value)) -> Vec<(String, String)> {
    let text = |value: Value| match value {
        Value::String(text) => Some((name.clone(), text)),
        _ => None,
    };
    match value {
        Value::Array(values) => values.into_iter().filter_map(text).collect(),
        value => text(value).into_iter().collect(),
    }
}
