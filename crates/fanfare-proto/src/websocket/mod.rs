//! WebSocket frames and messages, [RFC 6455](https://www.rfc-editor.org/rfc/rfc6455).
//!
//! [`Reader`] turns bytes into messages; [`encode_frame`] writes the server's frames, which
//! are unmasked and hence the same bytes for every receiver. The one extension is [`deflate`].

mod close;
pub mod deflate;
mod frame;
mod handshake;
mod mask;
mod message;
mod violation;

pub use close::{CloseCode, CloseFrame};
pub use frame::{Frames, Header, OpCode, encode_frame, encode_masked_frame, next_frame_len};
pub use handshake::{HandshakeViolation, accept_key, check_upgrade, generate_key};
pub use message::{Message, Reader, Role};
pub use violation::Violation;
