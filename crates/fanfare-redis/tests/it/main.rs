//! Nodes of fanfare over a real redis-server.

mod counts;
mod emits;
mod failovers;
mod freezing;
mod frozen;
mod networks;
mod node;
mod outages;
mod questions;
mod room_counts;
mod tls;
