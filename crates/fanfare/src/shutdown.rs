//! Shutting down: nobody new, everyone told, and time for what is under way.

use std::sync::Arc;

use tokio::time::timeout;

use crate::{reason::DisconnectReason, server::Server};

pub(crate) async fn run(server: &Arc<Server>) {
    server.closing.send_replace(true);
    for shard in server.shards() {
        let sessions = shard.lock().sessions();
        for session in sessions {
            session.end(DisconnectReason::ServerShuttingDown);
        }
    }
    if let Some(adapter) = &server.cluster.adapter {
        // Its messages are the last that this server says.
        let _ = timeout(server.config.shutdown_timeout, adapter.close()).await;
    }
    server.tasks.close();
    // Whatever is not done by then is cut off by the end of the process.
    let _ = timeout(server.config.shutdown_timeout, server.tasks.wait()).await;
}
