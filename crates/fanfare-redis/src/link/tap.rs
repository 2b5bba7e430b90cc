//! Tap: what comes on one channel, for whoever takes it.

use bytes::Bytes;
use tokio::sync::mpsc;

use super::{Ear, Group, GroupId, Link, Name};

/// What comes on one channel.
#[derive(Debug)]
pub(crate) struct Tap {
    link: Link,
    pub(super) id: GroupId,
    messages: mpsc::Receiver<Bytes>,
}

impl Tap {
    /// The next message.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub(crate) async fn next(&mut self) -> Option<Bytes> {
        self.messages.recv().await
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.link.unsubscribe(self.id);
    }
}

impl Link {
    /// What comes on a channel, until the [`Tap`] is dropped. What nobody takes in time is dropped.
    pub(crate) fn listen(&self, channel: &str) -> Tap {
        let (to, messages) = mpsc::channel(TAPPED_MESSAGES);
        let ear = Ear::new(move |_, payload| {
            if to.try_send(payload).is_err() {
                tracing::debug!("a message that nobody took in time was dropped");
            }
        });
        let id = self.subscribe(Group::of([(Name::channel(channel), ear)]));
        let link = self.clone();
        Tap { link, id, messages }
    }
}

/// What a tap holds: more than come while its taker does something else.
const TAPPED_MESSAGES: usize = 1_024;
