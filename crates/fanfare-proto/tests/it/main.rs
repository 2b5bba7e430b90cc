//! Tests through the public interface.

mod engineio;
mod pair;
mod purity;
mod socketio;
mod vectors;
mod websocket;
