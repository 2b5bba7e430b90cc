//! Engine.IO, Socket.IO and WebSocket: values in, values out.
//!
//! The protocols of a Socket.IO server, and of a client, without a socket, a clock or a runtime.
//! Bytes and the time are arguments; what is to be sent, told and waited for are results. So
//! the same code runs under any runtime, and its tests run in virtual time.
//!
//! | module | what it turns into what |
//! |---|---|
//! | [`websocket`] | a stream of bytes into messages, RFC 6455 |
//! | [`engineio`] | messages and polling bodies into packets, and packets into a session: heartbeat, upgrade, close |
//! | [`socketio`] | a session's messages into events, acks and attachments |
//!
//! The three do not know one another: who drives them puts them together, as below. Whatever a
//! peer sends, nothing panics and nothing grows over its [`Limits`]; what breaks a protocol is
//! that module's `Violation`, which says what the peer did.
//!
//! # The order of calls
//!
//! [`engineio::Session`] is a machine with one rule: **after each `handle_*` or command, call
//! `poll_output` until it returns `None`; then wait for bytes, or for the instant that
//! `poll_timeout` names, and call `handle_timeout` when it has come.** The rest are plain
//! functions. A whole server over one WebSocket, after the handshake, that echoes events:
//!
//! ```
//! use std::time::Instant;
//!
//! use fanfare_proto::engineio::{self, CloseReason, Revision, Session, Timing, Transport, Via};
//! use fanfare_proto::socketio::{self, Assembled, Assembly};
//! use fanfare_proto::websocket::{self, CloseFrame, OpCode, Reader, Role};
//! use fanfare_proto::Limits;
//!
//! struct Connection {
//!     reader: Reader,
//!     session: Session,
//!     assembly: Assembly,
//!     limits: Limits,
//!     /// What is to be written to the socket.
//!     out: Vec<u8>,
//! }
//!
//! impl Connection {
//!     fn new(now: Instant) -> Self {
//!         let limits = Limits::default();
//!         Self {
//!             reader: Reader::new(Role::Server, &limits),
//!             session: Session::new(Revision::V4, Transport::WebSocket, &Timing::default(), now),
//!             assembly: Assembly::new(),
//!             limits,
//!             out: Vec::new(), // begins with an engineio::Open packet
//!         }
//!     }
//!
//!     /// The socket gave `input`.
//!     fn handle_bytes(&mut self, mut input: &[u8], now: Instant) {
//!         loop {
//!             match self.reader.read(&mut input) {
//!                 Ok(Some(message)) => self.handle_message(message, now),
//!                 Ok(None) => return,
//!                 Err(violation) => {
//!                     let mut reason = Vec::new();
//!                     let reason_text = CloseReason::TransportError.as_str().to_owned();
//!                     CloseFrame { code: violation.close_code(), reason: reason_text }.encode(&mut reason);
//!                     websocket::encode_frame(&mut self.out, OpCode::Close, &[&reason]);
//!                     self.session.handle_transport_closed(Via::WebSocket, CloseReason::TransportError, now);
//!                 }
//!             }
//!             self.drain(now);
//!         }
//!     }
//!
//!     /// `session.poll_timeout()` has come.
//!     fn handle_timeout(&mut self, now: Instant) {
//!         self.session.handle_timeout(now);
//!         self.drain(now);
//!     }
//!
//!     fn handle_message(&mut self, message: websocket::Message, now: Instant) {
//!         let via = Via::WebSocket;
//!         match message {
//!             websocket::Message::Text(text) => match engineio::Packet::decode_text(&text) {
//!                 Ok(packet) => self.session.handle_packet(via, packet, now),
//!                 Err(violation) => self.session.handle_violation(via, violation, now),
//!             },
//!             websocket::Message::Binary(data) => {
//!                 self.session.handle_packet(via, engineio::Packet::decode_binary(data), now);
//!             }
//!             websocket::Message::Ping(data) => {
//!                 websocket::encode_frame(&mut self.out, OpCode::Pong, &[&data]);
//!             }
//!             websocket::Message::Pong(_) => {}
//!             websocket::Message::Close(_) => {
//!                 self.session.handle_transport_closed(via, CloseReason::TransportClose, now);
//!             }
//!         }
//!     }
//!
//!     fn drain(&mut self, now: Instant) {
//!         while let Some(output) = self.session.poll_output() {
//!             match output {
//!                 engineio::Output::Send(packet) => {
//!                     let mut text = Vec::new();
//!                     packet.encode_text(&mut text);
//!                     websocket::encode_frame(&mut self.out, OpCode::Text, &[&text]);
//!                 }
//!                 engineio::Output::Message(message) => {
//!                     let assembled = match message {
//!                         engineio::Message::Text(text) => self.assembly.handle_text(&text, &self.limits),
//!                         engineio::Message::Binary(data) => self.assembly.handle_binary(data),
//!                     };
//!                     match assembled {
//!                         Ok(Some(assembled)) => self.handle_packet(assembled),
//!                         Ok(None) => {} // attachments are still to come
//!                         Err(_violation) => self.session.close(now),
//!                     }
//!                 }
//!                 engineio::Output::CloseTransport => {
//!                     websocket::encode_frame(&mut self.out, OpCode::Close, &[]);
//!                 }
//!                 engineio::Output::Closed(_reason) => {} // write what is left, and close the socket
//!                 // Of polling and the upgrade, which this server has not.
//!                 engineio::Output::SendProbe(_)
//!                 | engineio::Output::AnswerPoll(_)
//!                 | engineio::Output::DropProbe
//!                 | engineio::Output::Upgraded => {}
//!             }
//!         }
//!     }
//!
//!     /// Here a server looks after namespaces, handlers and rooms.
//!     fn handle_packet(&mut self, Assembled { packet, attachments }: Assembled) {
//!         let mut reply = b"4".to_vec(); // an Engine.IO message
//!         match packet {
//!             socketio::Packet::Connect { nsp, .. } => {
//!                 let data = Some(r#"{"sid":"…"}"#.to_owned());
//!                 socketio::Packet::Connect { nsp, data }.encode(&mut reply);
//!             }
//!             event @ socketio::Packet::Event { id: None, .. } => event.encode(&mut reply),
//!             _ => return,
//!         }
//!         websocket::encode_frame(&mut self.out, OpCode::Text, &[&reply]);
//!         for data in attachments {
//!             websocket::encode_frame(&mut self.out, OpCode::Binary, &[&data]);
//!         }
//!     }
//! }
//!
//! // The driver: a socket, a clock, and nothing else.
//! let start = Instant::now();
//! let mut connection = Connection::new(start);
//! let mut bytes = Vec::new();
//! for text in ["40", r#"42["user count",2]"#] {
//!     websocket::encode_masked_frame(&mut bytes, OpCode::Text, &[text.as_bytes()], [1, 2, 3, 4]);
//! }
//! connection.handle_bytes(&bytes, start);
//! let written: Vec<_> = websocket::Frames::new(&connection.out).map(|(_, payload)| payload).collect();
//! assert_eq!(written, [r#"40{"sid":"…"}"#.as_bytes(), br#"42["user count",2]"#]);
//!
//! // 25 seconds on, a ping is due; 20 more without an answer, and the client is lost.
//! connection.out.clear();
//! while let Some(next) = connection.session.poll_timeout() {
//!     connection.handle_timeout(next);
//! }
//! let written: Vec<_> = websocket::Frames::new(&connection.out).collect();
//! assert_eq!(written, [(OpCode::Text, &b"2"[..]), (OpCode::Close, b"")]);
//! ```
//!
//! # What is not here
//!
//! HTTP, which only carries the polling transport; who has joined what; queues of what is still to
//! be sent. Engine.IO 3, JSONP, WebTransport, permessage-deflate and the msgpack parser.
#![forbid(unsafe_code)]

pub mod engineio;
mod limits;
pub mod socketio;
pub mod websocket;

pub use limits::Limits;
