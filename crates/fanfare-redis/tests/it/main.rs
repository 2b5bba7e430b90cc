//! Nodes of fanfare over a real redis-server.

mod counts;
mod emits;
mod node;
mod outages;
mod questions;
