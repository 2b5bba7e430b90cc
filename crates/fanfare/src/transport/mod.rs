//! Transports: bytes to sessions, and back.

pub(crate) mod polling;
pub(crate) mod websocket;
