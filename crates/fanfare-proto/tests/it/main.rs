//! Tests through the public interface.

mod engineio;
mod purity;
mod socketio;
mod vectors;
mod websocket;
