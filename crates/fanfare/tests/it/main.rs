//! Tests through the public interface, over real sockets.

mod api;
mod cluster;
mod notes;
mod server;
mod suites;
mod violations;
