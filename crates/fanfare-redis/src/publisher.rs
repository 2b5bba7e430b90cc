//! The publisher: sends what the lane holds, in order, many in one turn.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use redis::Pipeline;
use tracing::{debug, error, warn};

use crate::{
    lane::{Lane, Parcel},
    link::Link,
    wire::{Publication, Wire, Wrong},
};

/// What has become of messages that were taken from the lane.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    pub(crate) published: AtomicU64,
    /// Nobody knows whether they were published.
    pub(crate) lost: AtomicU64,
}

/// Runs until the lane is closed and empty, or the link is closed.
pub(crate) async fn run(lane: Arc<Lane>, wire: Wire, link: Link, sent: Arc<Sent>) {
    while lane.wait().await.is_some() && link.ready().await.is_some() {
        let parcels = lane.take(MAX_MESSAGES, MAX_BYTES);
        let mut pipeline = Pipeline::with_capacity(parcels.len());
        let mut n = 0;
        for Publication { channel, payload } in parcels.iter().filter_map(|it| encode(&wire, it)) {
            pipeline.publish(channel, payload).ignore();
            n += 1;
        }
        if 0 < n {
            match link.send(&pipeline).await {
                Ok(()) => sent.published.fetch_add(n, Ordering::Relaxed),
                // Sent once more, some would come twice.
                Err(wrong) => {
                    warn!(%wrong, messages = n, "messages to the cluster may be lost");
                    sent.lost.fetch_add(n, Ordering::Relaxed)
                }
            };
        }
        lane.done(parcels.len());
    }
}

fn encode(wire: &Wire, parcel: &Parcel) -> Option<Publication> {
    let encoded = match parcel {
        Parcel::Message(message) => wire.encode(message).map(Some),
        Parcel::Reply(reply) => wire.encode_reply(reply),
    };
    match encoded {
        Ok(publication) => publication,
        Err(Wrong::Json(wrong)) => {
            error!(%wrong, "arguments that are no JSON were not sent to other nodes");
            None
        }
        Err(wrong) => {
            debug!(%wrong, "a message was not sent to other nodes");
            None
        }
    }
}

/// Messages of one turn: enough to be worth the way, and few enough to lose.
const MAX_MESSAGES: usize = 512;

/// Bytes of one turn, about.
const MAX_BYTES: usize = 1 << 20;
