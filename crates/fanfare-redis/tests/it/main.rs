//! Nodes of fanfare over a real redis-server.

mod emits;
mod node;
mod outages;
mod questions;
