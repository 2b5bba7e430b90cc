//! Tests through the public interface.
mod engineio;
mod socketio;
mod websocket;
