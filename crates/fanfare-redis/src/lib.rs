//! Many fanfare nodes, and Node's Socket.IO servers, as one server, over Redis or Valkey.
#![forbid(unsafe_code)]

#[cfg_attr(not(test), expect(dead_code, reason = "the adapter will speak it"))]
mod wire;
