//! Engine.IO: its codecs, and each machine alone. The two together are in `pair`.

mod codec;
mod heartbeat;
mod orders;
mod session;
