//! Many fanfare nodes, and Node's Socket.IO servers, as one server, over Redis or Valkey.
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use fanfare::{Config, Io};
//! use fanfare_redis::RedisAdapter;
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let io = Io::with(Config {
//!         adapter: Some(Arc::new(RedisAdapter::new("redis://127.0.0.1:6379")?)),
//!         ..Config::default()
//!     });
//!     io.emit("news", "reaches everyone, on every node");
//!     io.listen("127.0.0.1:3000").await?;
//!     Ok(())
//! }
//! ```
//!
//! All else is as without it: handlers, rooms and broadcasts are the same. What nodes say to each other is what
//! `@socket.io/redis-adapter` 8 says, so that servers of Node may be among them; `@socket.io/redis-emitter` 5
//! reaches all. `docs/cluster.md` has what is promised, and what is not.
//!
//! Who is connected to a node gets all that is emitted there whether or not Redis is there. When it is away, messages
//! for other nodes wait, in bounds; what other nodes say meanwhile is lost to this one, as Redis keeps nothing.
//! [`RedisAdapter::is_deaf`] says so, and the log.
#![forbid(unsafe_code)]

mod adapter;
mod count;
mod lane;
mod link;
mod metrics;
mod publisher;
mod wire;

pub use adapter::{BadRoots, BadUrl, RedisAdapter};
pub use metrics::Metrics;
