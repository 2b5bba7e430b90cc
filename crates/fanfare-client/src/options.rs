//! Every setting of a client.

use std::time::Duration;

use fanfare_proto::{Limits, engineio::Transports, socketio::Nsp};
use http::HeaderMap;

/// Every setting of a client. Change some and take the rest from `Options::default()`.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which transports are used, and whether the client moves from one to the other.
    pub transports: Transports,
    /// The namespace to join; a client joins one.
    pub namespace: Nsp,
    /// Where Socket.IO answers, with a slash at its beginning and its end.
    pub path: String,
    /// The text of a JSON object for the server to admit the client by.
    pub auth: Option<String>,
    /// Headers of every request, such as `Cookie`.
    pub headers: HeaderMap,
    /// How long [`connect`](crate::Client::connect) may take.
    pub connect_timeout: Duration,
    /// How long the upgrade to WebSocket may take; after that polling goes on.
    pub upgrade_timeout: Duration,
    /// How long a clean end may take; after that connections are dropped.
    pub close_timeout: Duration,
    /// Events that wait to be taken with [`next`](crate::Client::next) before the server is read no further.
    /// 1,024: seconds of a busy server. One polling body may go beyond it.
    pub max_inbox: usize,
    /// The bounds of what the server may send. `max_payload_bytes` is 16 MB here: what a server sends is not
    /// bound by the `maxPayload` that it tells, and one polling body carries all that has gathered.
    pub limits: Limits,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            transports: Transports::PollingThenWebSocket,
            namespace: Nsp::main(),
            path: "/socket.io/".to_owned(),
            auth: None,
            headers: HeaderMap::new(),
            connect_timeout: Duration::from_secs(20),
            upgrade_timeout: Duration::from_secs(10),
            close_timeout: Duration::from_secs(5),
            max_inbox: 1_024,
            limits: Limits {
                max_payload_bytes: 16_000_000,
                ..Limits::default()
            },
        }
    }
}
