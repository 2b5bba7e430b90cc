//! What clients may not do, and what exactly they are answered.

mod handshake;
mod origin;
mod packets;
mod polling;
mod reset;
mod socketio;
mod upgrade;
mod websocket;
