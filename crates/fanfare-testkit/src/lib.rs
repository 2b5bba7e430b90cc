//! Raw clients for tests, over real TCP or any other stream.
//!
//! | client | speaks |
//! |---|---|
//! | [`Http`] | HTTP/1.1, one request after the other, well-formed or not |
//! | [`Polling`] | Engine.IO over HTTP long-polling |
//! | [`WebSocket`] | RFC 6455 and whatever is put into its messages |
//! | [`Client`] | Socket.IO over a [`WebSocket`], as wire text; answers pings |
//!
//! [`Redis`] is a redis-server of a test's own, [`Proxy`] a network that breaks when a test says so.
//!
//! They do what the test says and nothing else, so that a test can break every rule. Each wait has
//! a deadline, [`DEADLINE`], and panics with what it was for: a test that hangs says where.
#![forbid(unsafe_code)]

mod client;
mod deadline;
pub mod frame;
mod http;
mod polling;
mod proxy;
mod punctual;
mod random;
mod redis;
mod tcp;
mod websocket;

pub use client::Client;
pub use deadline::{DEADLINE, eventually, within};
pub use http::{Http, Request, Response};
pub use polling::Polling;
pub use proxy::Proxy;
pub use punctual::punctual;
pub use random::Random;
pub use redis::Redis;
pub use tcp::{connect, connect_with_buffer, reset};
pub use websocket::{Heard, WebSocket, upgrade_request};
