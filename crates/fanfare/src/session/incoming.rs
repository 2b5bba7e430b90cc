//! What comes in from the transports, and when time is up.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use bytes::Bytes;
use fanfare_proto::{
    engineio::{CloseReason, Packet, Via, Violation},
    websocket,
};
use tokio::sync::{mpsc, oneshot};
use tracing::debug;

use super::{ProbeCommand, Session};
use crate::{clock, inbox::Place, outbox::PollAnswer, reason::DisconnectReason};

impl Session {
    pub(crate) fn handle_packet(self: &Arc<Self>, via: Via, packet: Packet) {
        let now = clock::now();
        self.update(|state, _| state.machine.handle_packet(via, packet, now));
    }

    pub(crate) fn handle_violation(self: &Arc<Self>, via: Via, violation: Violation) {
        debug!(sid = ?self.sid, %violation, "a client broke the protocol");
        let now = clock::now();
        self.update(|state, _| {
            state.note(via, &violation);
            state.machine.handle_violation(via, violation, now);
        });
    }

    /// A frame on its WebSocket breaks RFC 6455.
    pub(crate) fn note_violation(&self, via: Via, violation: &websocket::Violation) {
        debug!(sid = ?self.sid, %violation, "a client broke RFC 6455");
        self.lock().note(via, violation);
    }

    pub(crate) fn handle_transport_closed(self: &Arc<Self>, via: Via, reason: CloseReason) {
        let now = clock::now();
        self.update(|state, _| {
            state.machine.handle_transport_closed(via, reason, now);
            if via == Via::Probe {
                state.candidate = None;
            }
        });
    }

    /// The deadline `at` has come; the heap may hold ones that count no more.
    pub(crate) fn handle_deadline(self: &Arc<Self>, at: Instant, now: Instant) {
        let stalled_at = {
            let limits = &self.server.config.limits;
            let out = self.outbox();
            out.progress_at()
                .filter(|_| limits.soft_backlog_bytes < out.waiting_bytes())
                .map(|progress| progress + limits.stall_timeout)
        };
        let is_deaf = 0 < self.n_full.load(Ordering::Acquire);
        self.update_at(Place::Task, |state, _| {
            if state.armed != Some(at) {
                return;
            }
            state.armed = None;
            if is_deaf || LATE < now.saturating_duration_since(at) {
                state.machine.defer_pong(now);
            }
            state.machine.handle_timeout(now);
            if state.join_by.is_some_and(|join_by| join_by <= now) {
                state.join_by = None;
                state.machine.close(now);
            }
        });
        match stalled_at {
            Some(at) if at <= now => self.end(DisconnectReason::SlowReader),
            // It has taken something meanwhile.
            Some(at) => self.arm_by(at),
            None => {}
        }
    }

    /// A poll has come.
    ///
    /// # Errors
    ///
    /// What was wrong with it.
    pub(crate) fn handle_poll(
        self: &Arc<Self>,
    ) -> Result<oneshot::Receiver<Vec<Bytes>>, Violation> {
        let now = clock::now();
        let (to, frames) = oneshot::channel();
        let answer = self.update(|state, _| {
            state.machine.handle_poll(now)?;
            let answer = self.outbox().poll(to);
            match &answer {
                Some(_) => state.machine.handle_poll_answered(),
                None => state.machine.handle_poll_parked(now),
            }
            Ok(answer)
        })?;
        if let Some(PollAnswer { to, frames }) = answer {
            // The receiver is in our hands.
            let _ = to.send(frames);
        }
        Ok(frames)
    }

    pub(crate) fn handle_poll_aborted(self: &Arc<Self>) {
        let now = clock::now();
        drop(self.outbox().take_poll());
        self.update(|state, _| state.machine.handle_poll_aborted(now));
    }

    /// A post has come; its packets follow.
    ///
    /// # Errors
    ///
    /// What was wrong with it.
    pub(crate) fn handle_post(self: &Arc<Self>) -> Result<(), Violation> {
        let now = clock::now();
        self.update(|state, _| state.machine.handle_post(now))
    }

    pub(crate) fn handle_post_end(self: &Arc<Self>) {
        self.update(|state, _| state.machine.handle_post_end());
    }

    pub(crate) fn handle_post_aborted(self: &Arc<Self>) {
        let now = clock::now();
        self.update(|state, _| state.machine.handle_post_aborted(now));
    }

    /// A WebSocket asks to take the session over.
    ///
    /// # Errors
    ///
    /// The session can't be upgraded now.
    pub(crate) fn handle_probe(
        self: &Arc<Self>,
    ) -> Result<mpsc::Receiver<ProbeCommand>, Violation> {
        let now = clock::now();
        let (commands, receiver) = mpsc::channel(PROBE_COMMANDS);
        self.update(|state, _| {
            state.machine.handle_probe(now)?;
            state.candidate = Some(commands);
            Ok(receiver)
        })
    }
}

/// Commands that wait for an upgrade's task: the answer to its probe, and its end.
const PROBE_COMMANDS: usize = 4;

/// A deadline seen to later than this after it came: our own fault, for which no client is judged
/// before its bytes have been read.
const LATE: Duration = Duration::from_secs(1);
