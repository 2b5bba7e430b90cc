//! Session: one Engine.IO session and its sockets, from its first request to its end.
//!
//! ```text
//! bytes -> transport -> handle_* -> [state: machine, assembly, entries] -> steps -> carry_out
//! ```
//! Everything is decided under `state`; what that asks of the rest of the house is carried out
//! after the lock is released, in the same order.

mod choosing;
mod incoming;
mod membership;
mod outgoing;
mod packets;

use std::{
    fmt,
    sync::{
        Arc, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU32},
    },
    time::{Duration, Instant, SystemTime},
};

use fanfare_proto::{
    engineio::{self, CloseReason, Output, Packet, Sid, Transport, Via},
    socketio::{Assembly, Nsp},
};
use smallvec::SmallVec;
use tokio::sync::{Notify, mpsc, oneshot};
use tracing::debug;

use crate::{
    args::RawArgs,
    clock,
    dialect::{Dialect, WireForm},
    engine, frame,
    head::Head,
    inbox::{self, Leaving, Place},
    namespace::Namespace,
    outbox::{Outbox, Sink},
    reason::DisconnectReason,
    recovery::Discarded,
    round,
    server::Server,
    shard::Shard,
    slots::SlotId,
    socket::Socket,
    sync::{Mutex, MutexGuard},
};

/// One Engine.IO session, the same object through an upgrade.
pub(crate) struct Session {
    pub(crate) sid: Sid,
    pub(crate) server: Arc<Server>,
    pub(crate) shard: Arc<Shard>,
    pub(crate) slot: SlotId,
    pub(crate) head: Head,
    /// Milliseconds since 1970.
    issued_ms: u64,
    pub(crate) dialect: Dialect,
    state: Mutex<State>,
    out: Mutex<Outbox>,
    /// Tells the session's task to look after the outbox, the inbox, or its end.
    pub(crate) wake: Notify,
    /// Tells whoever reads for the session, but does not write, that it may be read again.
    pub(crate) resumed: Notify,
    /// Sockets whose inbox is full: the session is not read while there are any.
    n_full: AtomicU32,
    /// Sockets that have left, but whose handlers are not done.
    n_leaving: AtomicU32,
    /// Whether the address's count of sessions that have not joined still has this one in it.
    is_joining: AtomicBool,
    /// What the client takes on WebSocket.
    form: OnceLock<WireForm>,
}

/// How a session begins.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Opening {
    Polling,
    WebSocket(WireForm),
}

struct State {
    machine: engineio::Session,
    assembly: Assembly,
    entries: SmallVec<[Entry; 1]>,
    /// The deadline that stands in the shard's heap; `None` once the session is over.
    armed: Option<Instant>,
    /// Until when a namespace must be joined.
    join_by: Option<Instant>,
    /// The task of an upgrade's WebSocket, while the upgrade is not done.
    candidate: Option<mpsc::Sender<ProbeCommand>>,
    /// What the client did wrong, if that is why the session ends.
    detail: Option<Box<str>>,
}

/// A namespace that the session is in, or about to be.
enum Entry {
    /// There is none of this name, but one may be made.
    Choosing(Nsp),
    /// Middlewares or the admission hook have not answered yet.
    Joining(Arc<Namespace>),
    /// Counted. Whoever takes the socket out of here takes it out of the count, once.
    Joined(Socket),
}

/// What the task of an upgrade's WebSocket has to do.
#[derive(Debug)]
pub(crate) enum ProbeCommand {
    Send(Vec<u8>),
    Drop,
}

/// What has to be done once `state` is released.
enum Step {
    Control(Packet),
    Probe(ProbeCommand, mpsc::Sender<ProbeCommand>),
    AnswerPoll(&'static str),
    Upgraded,
    Choose(Nsp, Option<Arc<str>>),
    Admit(Arc<Namespace>, Option<Arc<str>>),
    Send(Vec<u8>),
    Raw(engineio::Message),
    Serve(Socket),
    Answer(oneshot::Sender<RawArgs>, RawArgs),
    RoundOver(round::Over),
    Left(Socket, Leaving),
    Discard(Discarded),
    CloseTransport,
    Over(CloseReason),
}

type Steps = SmallVec<[Step; 2]>;

impl Session {
    pub(crate) fn new(
        sid: Sid,
        server: Arc<Server>,
        shard: Arc<Shard>,
        slot: SlotId,
        head: Head,
        dialect: Dialect,
        opening: Opening,
    ) -> Self {
        let now = clock::now();
        let config = &server.config;
        let (transport, sink) = match opening {
            Opening::Polling => (Transport::Polling, Sink::Polling(None)),
            Opening::WebSocket(_) => (Transport::WebSocket, Sink::Task),
        };
        let machine = engineio::Session::new(dialect.revision, transport, &config.timing(), now);
        let state = State {
            machine,
            assembly: Assembly::new(),
            entries: SmallVec::new(),
            armed: None,
            join_by: config
                .engine
                .is_none()
                .then(|| now + config.connect_timeout),
            candidate: None,
            detail: None,
        };
        Self {
            sid,
            shard,
            slot,
            head,
            issued_ms: clock::unix_ms(),
            dialect,
            state: Mutex::new(state),
            out: Mutex::new(Outbox::new(sink)),
            wake: Notify::new(),
            resumed: Notify::new(),
            n_full: AtomicU32::new(0),
            n_leaving: AtomicU32::new(0),
            is_joining: AtomicBool::new(true),
            form: OnceLock::new(),
            server,
        }
    }

    /// When its first request came.
    pub(crate) fn issued(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(self.issued_ms)
    }

    /// What the client did wrong, if that is why the session ends.
    pub(crate) fn detail(&self) -> Option<String> {
        self.lock().detail.as_deref().map(str::to_owned)
    }

    pub(crate) fn form(&self) -> WireForm {
        self.form.get().copied().unwrap_or(WireForm::Frames)
    }

    /// The session is on a WebSocket from here on, and what is sent from here on goes there.
    pub(crate) fn set_form(&self, form: WireForm) {
        // A session moves once.
        let _ = self.form.set(form);
        if form == WireForm::Deflated {
            self.shard.lock().deflate(self.slot);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn outbox(&self) -> MutexGuard<'_, Outbox> {
        self.out.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Applies `change` to the state, then does what follows from it.
    fn update<T>(self: &Arc<Self>, change: impl FnOnce(&mut State, &mut Steps) -> T) -> T {
        self.update_at(Place::Here, change)
    }

    fn update_at<T>(
        self: &Arc<Self>,
        place: Place,
        change: impl FnOnce(&mut State, &mut Steps) -> T,
    ) -> T {
        let mut steps = Steps::new();
        let (result, arm) = {
            let mut state = self.lock();
            let result = change(&mut state, &mut steps);
            self.drain(&mut state, &mut steps);
            (result, state.rearm())
        };
        if let Some(at) = arm {
            self.arm(at);
        }
        for step in steps {
            self.carry_out(step, place);
        }
        result
    }

    fn drain(self: &Arc<Self>, state: &mut State, steps: &mut Steps) {
        let mut closes = None;
        while let Some(output) = state.machine.poll_output() {
            match output {
                Output::Send(packet) => steps.push(Step::Control(packet)),
                Output::SendProbe(packet) => {
                    let command = ProbeCommand::Send(frame::engine_packet(&packet));
                    steps.extend(
                        state
                            .candidate
                            .clone()
                            .map(|probe| Step::Probe(command, probe)),
                    );
                }
                Output::AnswerPoll(answer) => steps.push(Step::AnswerPoll(answer.as_str())),
                Output::DropProbe => {
                    steps.extend(
                        state
                            .candidate
                            .take()
                            .map(|probe| Step::Probe(ProbeCommand::Drop, probe)),
                    );
                }
                Output::Upgraded => {
                    state.candidate = None;
                    steps.push(Step::Upgraded);
                    self.tell_of_upgrade(state, steps);
                }
                Output::Message(message) if self.server.config.engine.is_some() => {
                    steps.push(Step::Raw(message));
                }
                Output::Message(message) => self.handle_message(state, message, steps),
                // `Closed` follows, and says why.
                Output::CloseTransport => closes = Some(Step::CloseTransport),
                Output::Closed(reason) => {
                    state.leave_all(reason.into(), steps);
                    steps.extend(closes.take());
                    steps.push(Step::Over(reason));
                }
            }
        }
    }

    fn carry_out(self: &Arc<Self>, step: Step, place: Place) {
        match step {
            Step::Control(packet) => self.send_control(&frame::engine_packet(&packet)),
            // A probe's channel is full or gone only when its connection is about to end.
            Step::Probe(command, to) => drop(to.try_send(command)),
            Step::AnswerPoll(payload) => {
                if let Some(to) = self.outbox().take_poll() {
                    let frames = payload
                        .split('\u{1e}')
                        .map(|packet| frame::text(packet.as_bytes()).into())
                        .collect();
                    // The request may be gone already.
                    let _ = to.send(frames);
                }
            }
            // The WebSocket's task has its stream, and takes over from here.
            Step::Upgraded => self.outbox().upgrade(),
            Step::Choose(nsp, auth) => self.choose(nsp, auth, place),
            Step::Admit(namespace, auth) => self.admit(namespace, auth, place),
            Step::Send(frame) => self.send(&frame),
            Step::Raw(message) => engine::handle(self, message),
            Step::Serve(socket) => inbox::serve(&socket, place),
            // Nobody may wait for the answer any more.
            Step::Answer(to, args) => drop(to.send(args)),
            Step::RoundOver(over) => over.tell(),
            Step::Left(socket, leaving) => self.after_leave(&socket, leaving, place),
            Step::Discard(discarded) => membership::discard(discarded, place),
            Step::CloseTransport => {
                self.shard
                    .tell_after(|turn| turn.free_slot_after(self.slot, &frame::close()));
            }
            Step::Over(reason) => self.over(reason),
        }
    }

    fn over(self: &Arc<Self>, reason: CloseReason) {
        debug!(sid = ?self.sid, reason = reason.as_str(), "a session is over");
        self.server.forget(self);
        self.end_joining();
        let is_flushing = {
            let mut turn = self.shard.lock();
            let is_flushing = turn.is_leaving(self.slot);
            if !is_flushing {
                turn.free_slot(self.slot);
            }
            is_flushing
        };
        if !is_flushing {
            self.finish();
        }
    }

    /// Nothing more is queued: what the outbox holds is the end of it.
    pub(crate) fn finish(&self) {
        self.outbox().end();
        self.wake.notify_one();
    }
}

impl State {
    /// Keeps what the client did wrong for its handlers; what fails an upgrade alone ends nobody.
    fn note(&mut self, via: Via, wrong: &dyn fmt::Display) {
        if via != Via::Probe && self.detail.is_none() {
            self.detail = Some(wrong.to_string().into());
        }
    }

    fn joined(&self, nsp: &Nsp) -> Option<&Socket> {
        self.entries.iter().find_map(|entry| match entry {
            Entry::Joined(socket) if socket.namespace().nsp == *nsp => Some(socket),
            Entry::Choosing(_) | Entry::Joining(_) | Entry::Joined(_) => None,
        })
    }

    fn leave_all(&mut self, reason: DisconnectReason, steps: &mut Steps) {
        for entry in std::mem::take(&mut self.entries) {
            if let Entry::Joined(socket) = entry {
                membership::leave(socket, reason, steps);
            }
        }
    }

    /// The deadline that has to be put into the heap, if one has.
    fn rearm(&mut self) -> Option<Instant> {
        let next = self.machine.poll_timeout()?;
        let next = self.join_by.map_or(next, |join_by| join_by.min(next));
        if self.armed.is_some_and(|armed| armed <= next) {
            return None;
        }
        self.armed = Some(next);
        Some(next)
    }
}

impl Entry {
    fn nsp(&self) -> &Nsp {
        match self {
            Self::Choosing(nsp) => nsp,
            Self::Joining(namespace) => &namespace.nsp,
            Self::Joined(socket) => &socket.namespace().nsp,
        }
    }
}
