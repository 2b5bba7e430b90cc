//! A Socket.IO server that tells everyone, and knows how many are there.
//!
//! ```no_run
//! use fanfare::{Ack, Io, Result, Socket};
//!
//! #[tokio::main]
//! async fn main() -> Result<()> {
//!     let io = Io::new();
//!     io.announce_count("user count", |count| count.sockets);
//!     io.on("chat message", |socket: Socket, text: String, ack: Ack| async move {
//!         socket.io().emit("chat message", text);
//!         ack.send("sent");
//!     });
//!     io.listen("127.0.0.1:3000").await
//! }
//! ```
//!
//! Clients are the official ones, unmodified: `io("http://127.0.0.1:3000")` in a page.
//!
//! * [`Io`] is the server, seen from a namespace: handlers are registered there, once for all
//!   sockets, and broadcasts begin there.
//! * [`Io::use_connect`] and [`Io::use_event`] are middleware; [`Io::admit`] says who a client is.
//! * [`Socket`] is one client, as handlers hold it; [`Broadcast`] is many, chosen by their rooms.
//! * [`Io::count`] and [`Io::announce_count`] know and tell how many are there, [`Io::count_room`] how many are in a room.
//! * [`Config`] has every setting, [`Limits`] every bound.
//! * [`Io::layer`] mounts the server in any tower stack, such as an `axum::Router`.
//! * [`Io::of_matching`] makes namespaces when clients ask for them.
//! * [`Adapter`] connects the server with other nodes of a cluster; the crate `fanfare-redis` has one for Redis.
#![forbid(unsafe_code)]

mod ack;
mod admission;
mod announce;
mod args;
mod backlog;
mod book;
mod broadcast;
mod clock;
mod cluster;
mod config;
mod counted_room;
mod dialect;
mod draft;
mod emitted;
pub mod engine;
mod everyone;
mod flusher;
mod frame;
mod handler;
mod head;
mod http;
mod inbox;
mod io;
mod members;
mod metrics;
#[cfg(test)]
mod micro;
#[cfg(feature = "__model")]
mod model;
mod namespace;
mod namespaces;
mod operations;
mod outbox;
mod pace;
mod ranges;
mod reason;
mod recovery;
mod room_counts;
mod rooms;
mod round;
mod server;
mod session;
mod sessions;
mod shard;
mod shutdown;
mod slots;
mod socket;
mod socket_id;
mod sync;
mod transport;
mod untold;
mod users;

pub use fanfare_proto::{Limits as ProtoLimits, engineio::Transport};

pub use crate::{
    ack::{Ack, AckError, BroadcastAckError},
    admission::{Admission, Handshake, Refusal},
    args::{Args, ArgsError, Binary, FromArgs, IntoArgs, RawArgs},
    book::{Count, Present},
    broadcast::{Broadcast, Volatile},
    cluster::{
        Adapter, Answer, AskId, ClusterError, Counted, Elsewhere, Held, Manner, Message, Node,
        Question, RemoteSocket, Reply, SocketState, Targets, WhenUnreachable, Worth,
    },
    config::{
        Config, Cookie, Cors, EmptyNamespaces, Limits, Origins, Parser, SameSite, SlowReader,
        Transports,
    },
    counted_room::{CountRoomError, CountedRoom},
    emitted::{EmitError, Emitted, Report},
    handler::{BoxFuture, EventHandler},
    http::{
        AllowRequest, Body, ClientBundle, ConnectionError, ConnectionErrorListener, FanfareLayer,
        FanfareService, Forbidden, HeaderHook, Listener, OriginPredicate, OverTls, PolicyFunction,
        RemoteAddr, ServeError, SidGenerator,
    },
    io::Io,
    metrics::Metrics,
    reason::DisconnectReason,
    recovery::Recovery,
    rooms::RoomEvent,
    socket::Socket,
    socket_id::{NoSocketId, SocketId},
    users::UserEvent,
};

/// What serving returns.
pub type Result<T> = std::result::Result<T, ServeError>;
