//! Socket.IO packets,
//! [protocol 5](https://github.com/socketio/socket.io/blob/main/docs/socket.io-protocol/v5-current.md).
//!
//! Event data stays JSON text: it is checked and cut apart here, and given a type where a
//! handler asks for one.

mod attachments;
mod codec;
mod json;
pub mod msgpack;
mod namespace;
mod packet;
mod placeholders;
mod violation;

pub use attachments::{Assembled, Assembly};
pub use codec::{encode_ack, encode_event};
pub use namespace::{InvalidNsp, Nsp};
pub use packet::{AckId, Packet, is_reserved};
pub use violation::Violation;
