//! A small Socket.IO client: polling, WebSocket, and the upgrade from one to the other.
//!
//! ```no_run
//! use fanfare_client::{Address, Args, Client, Incoming, Options};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let address: Address = "http://127.0.0.1:3000".parse()?;
//! let mut client = Client::connect(&address, Options::default()).await?;
//! client.emit("chat message", Args::new(&"hello")?).await?;
//! while let Some(incoming) = client.next().await {
//!     match incoming {
//!         Incoming::Event(event) if event.name == "user count" => {
//!             let (count,): (u64,) = event.args.parse()?;
//!             println!("{count} here");
//!         }
//!         Incoming::Event(_) | Incoming::Upgraded => {}
//!         Incoming::Disconnected(reason) => println!("{reason}"),
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! It speaks Engine.IO 4 and Socket.IO 5 to any server that does, over `http://`. The protocol is `fanfare-proto`'s;
//! here are its sockets, its requests and its clock.
//!
//! * [`Client`] is a connection; [`Options`] is every setting of it.
//! * [`Incoming`] is what comes of it: events, the upgrade, the end.
//! * [`Client::disconnect`] ends it well, [`Client::abort`] as a crash would.
//!
//! Not here: `https://`, reconnecting, several namespaces over one session, connection state recovery.
#![forbid(unsafe_code)]

mod address;
mod client;
mod driver;
mod error;
mod event;
mod http;
mod options;
mod socket;
mod stream;
mod unsent;
mod websocket;
mod wires;

pub use fanfare_proto::{
    Limits,
    engineio::Transports,
    socketio::{AckId, InvalidNsp, Nsp},
};

pub use crate::{
    address::{Address, AddressError},
    client::Client,
    error::{AckError, ConnectError, EmitError, Refusal, TransportError},
    event::{Args, DisconnectReason, Event, Incoming},
    http::fetch,
    options::Options,
};
