//! Flusher: one task per shard, which writes out what a turn has gathered, and sees to deadlines.

use std::{
    sync::{Arc, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use smallvec::SmallVec;
use tokio::{task::yield_now, time::sleep_until};

use crate::{
    clock,
    emitted::{Outcome, Refusal, Turn},
    outbox::Delivery,
    ranges::{Lane, Lanes},
    reason::DisconnectReason,
    session::Session,
    shard::Shard,
    slots::Work,
};

/// A turn that is being written out. The flusher and an emit that found the buffers full advance
/// it by turns.
#[derive(Default)]
pub(crate) struct Pass {
    pub(crate) lanes: Lanes<Bytes>,
    pub(crate) work: Vec<Work>,
    next: usize,
    pub(crate) report: Arc<Turn>,
    pub(crate) superseded: Vec<(Lane, u32, usize)>,
    pub(crate) refusals: Vec<Refusal>,
    doomed: Vec<(Arc<Session>, DisconnectReason)>,
    began: Option<Instant>,
}

/// Serves `shard` until it is closed.
pub(crate) async fn run(shard: Arc<Shard>) {
    loop {
        let (next, is_closed) = {
            let turn = shard.lock();
            (turn.next_deadline(), turn.is_closed())
        };
        if is_closed {
            return;
        }
        tokio::select! {
            () = shard.wake.notified() => {}
            () = sleep_until(next.unwrap_or_else(|| clock::now() + IDLE).into()), if next.is_some() => {}
        }
        // A task that an emit wakes runs next: without this, the turn would hold one event.
        yield_now().await;
        write_out(&shard).await;
        see_to_deadlines(&shard).await;
    }
}

/// Writes out, in the caller's time, all that `shard` holds: back-pressure for whoever emits
/// without a pause.
pub(crate) fn write_out_now(shard: &Shard) {
    let mut pass = shard.pass.lock().unwrap_or_else(PoisonError::into_inner);
    pass.step(shard, None);
    shard.lock().swap(&mut pass);
    pass.step(shard, None);
    if !pass.doomed.is_empty() {
        shard.wake.notify_one();
    }
}

async fn write_out(shard: &Shard) {
    loop {
        let began = clock::now();
        let (is_over, doomed) = {
            let mut pass = shard.pass.lock().unwrap_or_else(PoisonError::into_inner);
            if pass.is_over() {
                shard.lock().swap(&mut pass);
            }
            pass.step(shard, Some(began + STEP));
            (pass.is_over(), std::mem::take(&mut pass.doomed))
        };
        for (session, reason) in doomed {
            session.end(reason);
        }
        shard.holds.note(clock::now() - began);
        if is_over {
            return;
        }
        yield_now().await;
    }
}

async fn see_to_deadlines(shard: &Shard) {
    for served in 1_usize.. {
        let now = clock::now();
        let Some((session, at)) = shard.lock().pop_due(now) else {
            return;
        };
        session.handle_deadline(at, now);
        if served.is_multiple_of(DEADLINES_PER_STEP) {
            yield_now().await;
        }
    }
}

impl Pass {
    pub(crate) fn begin(&mut self, lanes: Lanes<Bytes>) {
        debug_assert!(self.is_over(), "passes of a shard never overlap");
        self.lanes = lanes;
        self.work.clear();
        self.next = 0;
        self.began = Some(clock::now());
    }

    fn is_over(&self) -> bool {
        self.began.is_none()
    }

    /// Writes to the next sessions, until `pause_at` has come or all have been written to.
    fn step(&mut self, shard: &Shard, pause_at: Option<Instant>) {
        let Some(began) = self.began else { return };
        let mut now = clock::now();
        while self.next < self.work.len() {
            let end = self.work.len().min(self.next + WRITES_PER_LOOK);
            let receivers: SmallVec<[_; WRITES_PER_LOOK]> = {
                let mut turn = shard.lock();
                let work = &self.work[self.next..end];
                work.iter().map(|work| turn.receiver(work)).collect()
            };
            for receiver in receivers {
                self.deliver(self.next, receiver, now);
                self.next += 1;
            }
            now = clock::now();
            if pause_at.is_some_and(|pause_at| pause_at <= now) {
                break;
            }
        }
        if self.next == self.work.len() {
            self.finish(shard, began);
        }
    }

    fn deliver(&mut self, index: usize, receiver: Option<Arc<Session>>, now: Instant) {
        let work = &self.work[index];
        let delivery = match &receiver {
            Some(session) => session.deliver(&work.ranges, &self.lanes, now),
            None => Delivery::dropped(work.ranges.len_bytes()),
        };
        if let Some(fate) = delivery.fate {
            self.refusals.push(Refusal {
                ranges: work.ranges.clone(),
                written_bytes: delivery.written_bytes,
                fate,
                volatile: delivery.volatile,
            });
        }
        let Some(session) = receiver else { return };
        if work.is_last() {
            session.finish();
        }
        if let Some(reason) = delivery.doom {
            self.doomed.push((session, reason));
        }
    }

    fn finish(&mut self, shard: &Shard, began: Instant) {
        if !self.work.is_empty() {
            shard.set_last_pass(clock::now() - began);
        }
        self.work.clear();
        self.work.shrink_to(WORK_KEPT);
        self.began = None;
        let outcome = Outcome {
            refusals: std::mem::take(&mut self.refusals),
            superseded: std::mem::take(&mut self.superseded),
        };
        // Nobody else sets it: each turn is finished once.
        let _ = std::mem::take(&mut self.report).set(outcome);
        let spare = std::mem::take(&mut self.lanes).map(|lane| lane.try_into_mut().ok());
        shard.lock().recycle(spare);
    }
}

/// How long other tasks wait for the thread, at most; then they get it.
const STEP: Duration = match cfg!(feature = "__model") {
    true => Duration::ZERO,
    false => Duration::from_millis(1),
};

/// Sessions written to between two looks at the clock: a tenth of a millisecond of system calls.
const WRITES_PER_LOOK: usize = if cfg!(feature = "__model") { 1 } else { 16 };

/// Deadlines seen to before other tasks get the thread.
const DEADLINES_PER_STEP: usize = 128;

/// Work items whose memory a pass keeps for the next.
const WORK_KEPT: usize = 32 * 1024;

const IDLE: Duration = Duration::from_secs(3600);
