//! Tests through the public interface.

mod engineio;
mod msgpack;
mod pair;
mod purity;
mod socketio;
mod vectors;
mod websocket;
