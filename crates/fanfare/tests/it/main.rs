//! Tests through the public interface, over real sockets.
