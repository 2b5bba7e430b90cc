//! Tests through the public interface, over real sockets.

mod server;
mod suites;
mod violations;
