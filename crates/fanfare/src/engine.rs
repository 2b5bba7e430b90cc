//! Engine.IO alone: messages without Socket.IO's packets, for protocols of one's own.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use fanfare_proto::engineio::Packet;

use crate::{frame, session::Session};

/// A message, as [`Config::engine`](crate::Config::engine) is handed it.
pub use fanfare_proto::engineio::Message;

/// The function that gets every message of a server without Socket.IO.
#[derive(Clone)]
pub struct EngineHandler(Arc<Handler>);

type Handler = dyn Fn(&EngineSocket, Message) + Send + Sync;

impl EngineHandler {
    /// Calls `handler` for each message, in the order of each session.
    pub fn new(handler: impl Fn(&EngineSocket, Message) + Send + Sync + 'static) -> Self {
        Self(Arc::new(handler))
    }
}

impl fmt::Debug for EngineHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EngineHandler")
    }
}

/// One client of a server without Socket.IO.
#[derive(Clone)]
pub struct EngineSocket(Arc<Session>);

impl EngineSocket {
    /// Sends a message to the client.
    pub fn send(&self, message: Message) {
        self.0
            .send(&frame::engine_packet(&Packet::Message(message)));
    }
}

impl fmt::Debug for EngineSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("EngineSocket").field(&self.0.sid).finish()
    }
}

pub(crate) fn handle(session: &Arc<Session>, message: Message) {
    if let Some(EngineHandler(handler)) = &session.server.config.engine {
        let handled = || handler(&EngineSocket(session.clone()), message);
        if catch_unwind(AssertUnwindSafe(handled)).is_err() {
            tracing::error!("a message handler panicked");
        }
    }
}
