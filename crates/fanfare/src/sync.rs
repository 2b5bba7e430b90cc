//! The locks of the way out, and the stream at its end: the places where the model test has its own.

#[cfg(not(feature = "__model"))]
mod real {
    pub(crate) use std::sync::{Mutex, MutexGuard};

    /// A client's connection, into which anybody who holds its outbox may write.
    pub(crate) type Stream = std::sync::Arc<tokio::net::TcpStream>;
}

#[cfg(not(feature = "__model"))]
pub(crate) use real::{Mutex, MutexGuard, Stream};

#[cfg(feature = "__model")]
pub(crate) use crate::model::Stream;
#[cfg(feature = "__model")]
pub(crate) use shuttle::sync::{Mutex, MutexGuard};
