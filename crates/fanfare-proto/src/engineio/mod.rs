//! Engine.IO, protocol 4, and 3 on the server: packets, payloads, the heartbeat, the upgrade, and the session that ties them together.
//!
//! [Engine.IO v4](https://github.com/socketio/socket.io/blob/main/docs/engine.io-protocol/v4-current.md).
//! What a message means is the business of the layer above; sockets, requests and the clock are the caller's.
//!
//! Both machines, [`Session`] on the server and [`ClientSession`] on the client, are driven alike:
//! after each `handle_*` or command, call `poll_output` until it returns `None`, then wait for input
//! or for the instant that `poll_timeout` names, whichever comes first.

mod client;
mod heartbeat;
mod open;
mod output;
mod packet;
pub mod payload;
mod query;
mod queue;
mod reason;
mod session;
mod sid;
mod timing;
mod transport;
mod upgrade;
pub mod v3;
mod violation;

pub use client::{ClientOutput, ClientSession, ClientTiming, Transports};
pub use heartbeat::{Due, Heartbeat};
pub use open::Open;
pub use output::{Output, PollAnswer};
pub use packet::{Message, Packet};
pub use query::{Query, Revision};
pub use reason::CloseReason;
pub use session::Session;
pub use sid::Sid;
pub use timing::Timing;
pub use transport::{Transport, Via};
pub use violation::{Answer, Violation};
