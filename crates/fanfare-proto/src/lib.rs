//! Engine.IO, Socket.IO and WebSocket: values in, values out.
#![forbid(unsafe_code)]

pub mod engineio;
mod limits;
pub mod socketio;
pub mod websocket;

pub use limits::Limits;
