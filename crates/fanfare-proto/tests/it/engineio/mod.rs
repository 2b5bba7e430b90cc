//! Engine.IO: its codecs, and each machine alone. The two together are in `pair`.

mod client;
mod codec;
mod heartbeat;
mod orders;
mod session;
mod v3;
