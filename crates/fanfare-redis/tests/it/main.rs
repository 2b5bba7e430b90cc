//! Nodes of fanfare over a real redis-server.

mod counts;
mod emits;
mod freezing;
mod frozen;
mod node;
mod outages;
mod questions;
