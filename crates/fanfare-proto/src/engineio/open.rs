//! The open packet: what a server tells a client about its new session.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use super::{Transport, Violation, sid::Prefix};

/// What a server tells a client about its new session.
///
/// Engine.IO v4, [Handshake](https://github.com/socketio/socket.io/blob/main/docs/engine.io-protocol/v4-current.md#handshake).
#[derive(Clone, Eq, PartialEq)]
pub struct Open {
    /// The session's id. Text and not a [`Sid`](super::Sid), since other servers' ids have other shapes. A secret.
    pub sid: String,
    /// Where the session may move to; what the client does not know is left out.
    pub upgrades: &'static [Transport],
    /// From one pong to the next ping.
    pub ping_interval: Duration,
    /// From a ping to its pong.
    pub ping_timeout: Duration,
    /// Bytes that one payload or message may have; `usize::MAX` where the server names no bound.
    pub max_payload: usize,
}

impl Open {
    /// Appends the packet, `0` and its JSON.
    ///
    /// Spans are told in whole milliseconds.
    #[expect(
        clippy::missing_panics_doc,
        reason = "serializing strings and integers cannot fail"
    )]
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(b'0');
        let wire = Wire {
            sid: self.sid.clone(),
            upgrades: self
                .upgrades
                .iter()
                .map(|transport| transport.as_str().to_owned())
                .collect(),
            ping_interval: millis(self.ping_interval),
            ping_timeout: millis(self.ping_timeout),
            max_payload: Some(u64::try_from(self.max_payload).unwrap_or(u64::MAX)),
        };
        serde_json::to_writer(&mut *out, &wire).expect("strings and integers are JSON");
    }

    /// Reads the JSON of a [`Packet::Open`](super::Packet::Open). Keys that are not known are skipped.
    ///
    /// # Errors
    ///
    /// [`MalformedOpen`](Violation::MalformedOpen) unless it is an object with `sid`, `upgrades`,
    /// `pingInterval` and `pingTimeout`, and the sid is not empty.
    pub fn decode(json: &str) -> Result<Self, Violation> {
        let wire: Wire = serde_json::from_str(json).map_err(|_| Violation::MalformedOpen)?;
        if wire.sid.is_empty() {
            return Err(Violation::MalformedOpen);
        }
        Ok(Self {
            upgrades: known_upgrades(&wire.upgrades),
            sid: wire.sid,
            ping_interval: Duration::from_millis(wire.ping_interval),
            ping_timeout: Duration::from_millis(wire.ping_timeout),
            max_payload: wire.max_payload.map_or(usize::MAX, |bytes| {
                usize::try_from(bytes).unwrap_or(usize::MAX)
            }),
        })
    }
}

impl fmt::Debug for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Open")
            .field("sid", &format_args!("{}", Prefix(&self.sid)))
            .field("upgrades", &self.upgrades)
            .field("ping_interval", &self.ping_interval)
            .field("ping_timeout", &self.ping_timeout)
            .field("max_payload", &self.max_payload)
            .finish()
    }
}

/// The JSON object, its keys in the reference implementation's order.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    sid: String,
    upgrades: Vec<String>,
    ping_interval: u64,
    ping_timeout: u64,
    #[serde(default)]
    max_payload: Option<u64>,
}

fn known_upgrades(names: &[String]) -> &'static [Transport] {
    let websocket = Transport::WebSocket.as_str();
    if names.iter().any(|name| name == websocket) {
        &[Transport::WebSocket]
    } else {
        &[]
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
