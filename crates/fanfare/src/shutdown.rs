//! Shutting down: nobody new, everyone told, and time for what is under way.

use std::sync::Arc;

use tokio::{
    sync::watch,
    time::{Instant, sleep_until, timeout},
};

use crate::{reason::DisconnectReason, server::Server};

/// How far a server's end is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Phase {
    Serving,
    /// Nobody new comes; who is there is served until its turn.
    Draining,
    /// Every session has been ended.
    Ended,
}

impl Phase {
    /// Waits until the server's end is so far.
    pub(crate) async fn reached(self, mut phase: watch::Receiver<Self>) {
        // An error means that the server is gone altogether.
        let _ = phase.wait_for(|phase| self <= *phase).await.map(drop);
    }
}

pub(crate) async fn run(server: &Arc<Server>) {
    drain(server).await;
    if let Some(adapter) = &server.cluster.adapter {
        // Its messages are the last that this server says.
        let _ = timeout(server.config.shutdown_timeout, adapter.close()).await;
    }
    server.tasks.close();
    // Whatever is not done by then is cut off by the end of the process.
    let _ = timeout(server.config.shutdown_timeout, server.tasks.wait()).await;
}

/// Ends all sessions, evenly over the time that there is for it. None begins from here on.
pub(crate) async fn drain(server: &Server) {
    server.begin(Phase::Draining);
    let sessions: Vec<_> = server
        .shards()
        .iter()
        .flat_map(|shard| shard.lock().sessions())
        .collect();
    let pause = server.config.drain_time / u32::try_from(sessions.len()).unwrap_or(u32::MAX).max(1);
    let begin = Instant::now();
    for (n, session) in (0..).zip(sessions) {
        if !pause.is_zero() {
            sleep_until(begin + pause * n).await;
        }
        session.end(DisconnectReason::ServerShuttingDown);
    }
    server.begin(Phase::Ended);
}
