//! What goes out, and what that asks of the session.

use std::{sync::Arc, time::Instant};

use bytes::Bytes;
use fanfare_proto::engineio::Transport;
use tracing::debug;

use super::Session;
use crate::{
    clock,
    outbox::{Delivery, PollAnswer},
    ranges::{Keep, Lanes, Ranges},
};

impl Session {
    /// Sends frames behind all that the session has been sent.
    pub(crate) fn send(&self, frames: &[u8]) {
        self.shard
            .tell_after(|turn| turn.push_private(self.slot, frames, Keep::Event));
    }

    /// Sends a frame of the transport's own before all that waits.
    pub(crate) fn send_control(self: &Arc<Self>, frame: &[u8]) {
        let delivery = self.outbox().send_control(frame, clock::now());
        self.follow_up(delivery);
    }

    /// Delivers what a turn holds for this session. Called by the shard's pass alone.
    pub(crate) fn deliver(
        self: &Arc<Self>,
        ranges: &Ranges,
        lanes: &Lanes<Bytes>,
        now: Instant,
    ) -> Delivery {
        let mut delivery = self
            .outbox()
            .deliver(ranges, lanes, &self.server.config, now);
        if 0 < delivery.dropped_bytes {
            self.server.metrics.count_dropped(delivery.dropped_bytes);
            debug!(sid = ?self.sid, bytes = delivery.dropped_bytes, "events were dropped: the client reads too slowly");
        }
        if 0 < delivery.volatile_bytes {
            self.server.metrics.count_volatile(delivery.volatile_bytes);
        }
        let doom = delivery.doom.take();
        self.follow_up(Delivery {
            poll: delivery.poll.take(),
            ..delivery
        });
        Delivery { doom, ..delivery }
    }

    fn follow_up(&self, delivery: Delivery) {
        if let Some(PollAnswer { to, frames }) = delivery.poll {
            self.lock().machine.handle_poll_answered();
            // A request that has gone meanwhile tells the machine so itself.
            let _ = to.send(frames);
        }
        if delivery.wakes_task {
            self.wake.notify_one();
        }
        if delivery.has_stalled {
            self.arm_by(clock::now() + self.server.config.limits.stall_timeout);
        }
    }

    /// Sees to it that the session is looked after at `at`, if not sooner.
    pub(super) fn arm_by(&self, at: Instant) {
        let is_sooner = {
            let mut state = self.lock();
            let is_sooner = state.armed.is_some_and(|armed| at < armed);
            if is_sooner {
                state.armed = Some(at);
            }
            is_sooner
        };
        if is_sooner {
            self.arm(at);
        }
    }

    /// Bytes have left: a pong can't be due for a ping that was among them.
    pub(crate) fn defer_pong(&self) {
        let now = clock::now();
        self.lock().machine.defer_pong(now);
    }

    pub(crate) fn transport(&self) -> Transport {
        self.lock().machine.transport()
    }

    /// Whether the session has not begun to end.
    pub(crate) fn is_open(&self) -> bool {
        self.lock().machine.is_open()
    }

    pub(super) fn arm(&self, at: Instant) {
        let is_next = {
            let mut turn = self.shard.lock();
            let is_next = turn.next_deadline().is_none_or(|next| at < next);
            turn.arm(self.slot, at);
            is_next
        };
        if is_next {
            self.shard.wake.notify_one();
        }
    }

    /// Puts the session's first deadline into the heap.
    pub(crate) fn start(self: &Arc<Self>) {
        self.update(|_, _| ());
    }
}
