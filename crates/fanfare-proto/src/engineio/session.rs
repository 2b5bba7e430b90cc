//! The server's side of one session.

use std::{mem, time::Instant};

use super::{
    CloseReason, Due, Heartbeat, Output, Packet, PollAnswer, Revision, Timing, Transport, Via,
    Violation,
    queue::Queue,
    timing::Millis,
    upgrade::{PROBE, Step, Upgrade},
};

/// The server's side of one session.
///
/// ```text
///   new(Polling)                                        new(WebSocket)
///        |                                                   |
///        v           5 on the upgrade's WebSocket            v
///     Polling ------------------------------------------> WebSocket
///      |   |                                                 |
///      |   | close, no GET pending                           | close, ping timeout, violation:
///      |   v                                                 |   CloseTransport
///      | Closing ---- 5: Upgraded, CloseTransport ----+      |
///      |   |                                          |      |
///      |   | the GET that takes the news: NoopClose   |      |
///      |   | close_timeout, abort                     |      |
///      v   v                                          v      v
///     Closed <-----------------------------------------------+
///        a pending GET is answered first, and the upgrade's WebSocket dropped
/// ```
///
/// What is sent does not pass through here: the caller buffers packets for a `GET` or writes them to the
/// WebSocket. The session tells who is alive, which transport is active, and when it is over; it holds no
/// heap memory while it waits. Once [`Closed`](Output::Closed) is out, nothing that is called has an effect.
#[derive(Debug)]
pub struct Session {
    upgrade_timeout: Millis,
    close_timeout: Millis,
    state: State,
    outputs: Queue<Output>,
}

#[derive(Debug)]
enum State {
    Polling {
        heartbeat: Heartbeat,
        get: Get,
        post: Post,
        upgrade: Upgrade,
    },
    WebSocket {
        heartbeat: Heartbeat,
    },
    Closing {
        deadline: Instant,
        post: Post,
        upgrade: Upgrade,
    },
    Closed {
        transport: Transport,
    },
}

#[derive(Clone, Copy, Debug)]
enum Get {
    None,
    Pending,
}

#[derive(Clone, Copy, Debug)]
enum Post {
    None,
    Reading,
}

impl Session {
    /// A session just opened on `transport`. Its [`Open`](super::Open) packet is the caller's to send.
    pub fn new(revision: Revision, transport: Transport, timing: &Timing, now: Instant) -> Self {
        let heartbeat = match revision {
            Revision::V3 => Heartbeat::listening(timing.ping_interval, timing.ping_timeout, now),
            Revision::V4 => Heartbeat::new(timing.ping_interval, timing.ping_timeout, now),
        };
        let state = match transport {
            Transport::Polling => State::Polling {
                heartbeat,
                get: Get::None,
                post: Post::None,
                upgrade: Upgrade::Idle,
            },
            Transport::WebSocket => State::WebSocket { heartbeat },
        };
        Self {
            upgrade_timeout: timing.upgrade_timeout.into(),
            close_timeout: timing.close_timeout.into(),
            state,
            outputs: Queue::Empty,
        }
    }

    /// A `GET` arrived.
    ///
    /// After `Ok` the caller looks whether packets are buffered and calls, before anything else comes in,
    /// either [`handle_poll_answered`](Self::handle_poll_answered) or
    /// [`handle_poll_parked`](Self::handle_poll_parked). Deadlines are judged first: a client that polls at
    /// the very instant at which it is lost finds its session gone, however late our timer is.
    ///
    /// # Errors
    ///
    /// [`UnknownSid`](Violation::UnknownSid) once closed, [`TransportMismatch`](Violation::TransportMismatch)
    /// on WebSocket, [`ConcurrentPoll`](Violation::ConcurrentPoll) while a `GET` is pending, which also ends
    /// the session.
    pub fn handle_poll(&mut self, now: Instant) -> Result<(), Violation> {
        self.handle_timeout(now);
        match self.state {
            State::Polling { get: Get::None, .. } | State::Closing { .. } => Ok(()),
            State::Polling {
                get: Get::Pending, ..
            } => {
                self.end(CloseReason::TransportError);
                Err(Violation::ConcurrentPoll)
            }
            State::WebSocket { .. } => Err(Violation::TransportMismatch),
            State::Closed { .. } => Err(Violation::UnknownSid),
        }
    }

    /// The `GET` was answered with buffered packets: at once, or later because it had been parked.
    pub fn handle_poll_answered(&mut self) {
        self.take_poll();
    }

    /// Nothing was buffered for the `GET`, so it is pending; or, if the session is closing, ends it.
    pub fn handle_poll_parked(&mut self, _now: Instant) {
        match &mut self.state {
            State::Polling { get, .. } => *get = Get::Pending,
            State::Closing { .. } => {
                self.outputs.push(Output::AnswerPoll(PollAnswer::NoopClose));
                self.end(CloseReason::ForcedClose);
            }
            State::WebSocket { .. } | State::Closed { .. } => {}
        }
    }

    /// The client gave the pending `GET` up.
    pub fn handle_poll_aborted(&mut self, _now: Instant) {
        match self.take_poll() {
            Get::Pending => self.end(CloseReason::TransportError),
            Get::None => {}
        }
    }

    /// A `POST` arrived; its packets follow, then [`handle_post_end`](Self::handle_post_end).
    ///
    /// Deadlines are not judged: a client that posts is not silent, and the pong may be in there. In protocol 3
    /// they are, as of a `GET`: a ping that comes at its very deadline is too late.
    ///
    /// # Errors
    ///
    /// [`UnknownSid`](Violation::UnknownSid) once closed, [`TransportMismatch`](Violation::TransportMismatch)
    /// on WebSocket, [`ConcurrentPost`](Violation::ConcurrentPost) while another is read, which also ends
    /// the session.
    pub fn handle_post(&mut self, now: Instant) -> Result<(), Violation> {
        if matches!(&self.state, State::Polling { heartbeat, .. } if heartbeat.is_listening()) {
            self.handle_timeout(now);
        }
        match &mut self.state {
            State::Polling {
                post: post @ Post::None,
                ..
            }
            | State::Closing {
                post: post @ Post::None,
                ..
            } => {
                *post = Post::Reading;
                Ok(())
            }
            State::Polling {
                post: Post::Reading,
                ..
            }
            | State::Closing {
                post: Post::Reading,
                ..
            } => {
                self.end(CloseReason::TransportError);
                Err(Violation::ConcurrentPost)
            }
            State::WebSocket { .. } => Err(Violation::TransportMismatch),
            State::Closed { .. } => Err(Violation::UnknownSid),
        }
    }

    /// The `POST` is read to its end, or was refused as too large, and is about to be answered.
    pub fn handle_post_end(&mut self) {
        self.take_post();
    }

    /// The client gave the `POST` up before its end.
    pub fn handle_post_aborted(&mut self, _now: Instant) {
        match self.take_post() {
            Post::Reading => self.end(CloseReason::TransportError),
            Post::None => {}
        }
    }

    /// A packet came in. One that came over a transport that is not, or no longer, the session's is ignored.
    pub fn handle_packet(&mut self, via: Via, packet: Packet, now: Instant) {
        let heartbeat = match (via, &mut self.state) {
            (Via::Probe, _) => return self.handle_probe_packet(&packet, now),
            (Via::Polling, State::Polling { heartbeat, .. })
            | (Via::WebSocket, State::WebSocket { heartbeat }) => heartbeat,
            (Via::Polling, State::WebSocket { .. })
            | (Via::WebSocket, State::Polling { .. })
            | (_, State::Closing { .. } | State::Closed { .. }) => return,
        };
        match packet {
            // Only a client pings in protocol 3.
            Packet::Pong(_) if heartbeat.is_listening() => self.end(CloseReason::TransportError),
            Packet::Pong(_) => heartbeat.handle_pong(now),
            Packet::Open(_) | Packet::Upgrade | Packet::Noop => heartbeat.handle_packet(now),
            Packet::Message(message) => {
                heartbeat.handle_packet(now);
                self.outputs.push(Output::Message(message));
            }
            Packet::Ping(_) if heartbeat.is_listening() => {
                heartbeat.handle_ping(now);
                self.outputs.push(Output::Send(Packet::Pong(String::new())));
            }
            // Only a server pings in protocol 4.
            Packet::Ping(_) => self.end(CloseReason::TransportError),
            Packet::Close => self.handle_close(now),
        }
    }

    /// Something that is no packet came in, or a request that its session does not survive.
    pub fn handle_violation(&mut self, via: Via, violation: Violation, _now: Instant) {
        match via {
            Via::Probe => self.cancel_upgrade(),
            Via::Polling | Via::WebSocket => {
                if let Some(reason) = self.outcome(via, violation) {
                    self.end(reason);
                }
            }
        }
    }

    /// A transport is gone: closed by the client, or broken.
    pub fn handle_transport_closed(&mut self, via: Via, reason: CloseReason, _now: Instant) {
        match (via, &mut self.state) {
            (Via::Probe, State::Polling { upgrade, .. } | State::Closing { upgrade, .. }) => {
                *upgrade = Upgrade::Idle;
            }
            (Via::Polling, State::Polling { .. } | State::Closing { .. }) => self.end(reason),
            (Via::WebSocket, State::WebSocket { .. }) => {
                self.state = State::Closed {
                    transport: Transport::WebSocket,
                };
                self.outputs.push(Output::Closed(reason));
            }
            (Via::Polling | Via::Probe, State::WebSocket { .. })
            | (Via::WebSocket, State::Polling { .. } | State::Closing { .. })
            | (_, State::Closed { .. }) => {}
        }
    }

    /// A WebSocket with this session's sid was opened.
    ///
    /// # Errors
    ///
    /// [`ConcurrentUpgrade`](Violation::ConcurrentUpgrade) if another one is being tried out, is the transport
    /// already, or the session is ending: the new one gets an empty Close frame, the session goes on.
    ///
    /// **Deviation.** The reference lets a WebSocket take over a session that was born on WebSocket. No
    /// client of its own does so, and whoever learnt a sid could.
    pub fn handle_probe(&mut self, now: Instant) -> Result<(), Violation> {
        match &mut self.state {
            State::Polling {
                upgrade: upgrade @ Upgrade::Idle,
                ..
            } => {
                *upgrade = Upgrade::open(self.upgrade_timeout.after(now));
                Ok(())
            }
            State::Polling {
                upgrade: Upgrade::Opened { .. } | Upgrade::Probed { .. },
                ..
            }
            | State::WebSocket { .. }
            | State::Closing { .. }
            | State::Closed { .. } => Err(Violation::ConcurrentUpgrade),
        }
    }

    /// Closes the session gracefully, for the reason [`ForcedClose`](CloseReason::ForcedClose).
    ///
    /// On WebSocket, and on polling while a `GET` is pending, it is over at once. Else it closes when a `GET`
    /// has taken the news, at the latest after `close_timeout`; meanwhile what the client sends is ignored,
    /// and what is buffered still goes out.
    pub fn close(&mut self, now: Instant) {
        match self.state {
            State::Polling {
                get: Get::None,
                post,
                upgrade,
                ..
            } => {
                let deadline = self.close_timeout.after(now);
                self.state = State::Closing {
                    deadline,
                    post,
                    upgrade,
                };
            }
            State::Polling {
                get: Get::Pending, ..
            }
            | State::WebSocket { .. } => {
                self.end(CloseReason::ForcedClose);
            }
            State::Closing { .. } | State::Closed { .. } => {}
        }
    }

    /// The same behind packets that have just been sent. A pending `GET` is left to them, and the next one ends
    /// the session: answered with a close alone, it would take the client's only news of why with it.
    pub fn close_behind(&mut self, now: Instant) {
        self.take_poll();
        self.close(now);
    }

    /// Ends the session at once; what is buffered for a `GET` is lost.
    pub fn abort(&mut self, reason: CloseReason) {
        self.end(reason);
    }

    /// An outstanding pong is not due before one ping timeout from `now`: the ping has only now left our
    /// buffers, or we have not been reading. Not for polling, where the client is to fetch its ping in time.
    pub fn defer_pong(&mut self, now: Instant) {
        match &mut self.state {
            State::Polling { heartbeat, .. } | State::WebSocket { heartbeat } => {
                heartbeat.defer_pong(now);
            }
            State::Closing { .. } | State::Closed { .. } => {}
        }
    }

    /// Time has moved on to `now`. Never wrong to call: early, late or twice.
    pub fn handle_timeout(&mut self, now: Instant) {
        match &mut self.state {
            State::Polling {
                heartbeat, upgrade, ..
            } => match heartbeat.handle_timeout(now) {
                Some(Due::Lost) => self.end(CloseReason::PingTimeout),
                // The ping releases the pending GET; what else the upgrade wants can wait a turn.
                Some(Due::Ping) => self.outputs.push(Output::Send(Packet::Ping(String::new()))),
                None => {
                    let step = upgrade.handle_timeout(now);
                    self.take_step(step);
                }
            },
            State::WebSocket { heartbeat } => match heartbeat.handle_timeout(now) {
                Some(Due::Lost) => self.end(CloseReason::PingTimeout),
                Some(Due::Ping) => self.outputs.push(Output::Send(Packet::Ping(String::new()))),
                None => {}
            },
            State::Closing { deadline, .. } if *deadline <= now => {
                self.end(CloseReason::ForcedClose);
            }
            State::Closing { upgrade, .. } => {
                let step = upgrade.handle_timeout(now);
                self.take_step(step);
            }
            State::Closed { .. } => {}
        }
    }

    /// What to do next. To be drained after every `handle_*` and command.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop()
    }

    /// When [`handle_timeout`](Self::handle_timeout) next has something to do; `None` once closed.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let (deadline, upgrade) = match &self.state {
            State::Polling {
                heartbeat, upgrade, ..
            } => (heartbeat.poll_timeout(), upgrade),
            State::Closing {
                deadline, upgrade, ..
            } => (*deadline, upgrade),
            State::WebSocket { heartbeat } => return Some(heartbeat.poll_timeout()),
            State::Closed { .. } => return None,
        };
        Some(
            upgrade
                .poll_timeout()
                .map_or(deadline, |at| at.min(deadline)),
        )
    }

    /// The active transport; of a closed session, its last.
    pub fn transport(&self) -> Transport {
        match self.state {
            State::Polling { .. } | State::Closing { .. } => Transport::Polling,
            State::WebSocket { .. } => Transport::WebSocket,
            State::Closed { transport } => transport,
        }
    }

    /// Whether packets may be sent and are accepted: neither closing nor closed.
    pub fn is_open(&self) -> bool {
        match self.state {
            State::Polling { .. } | State::WebSocket { .. } => true,
            State::Closing { .. } | State::Closed { .. } => false,
        }
    }

    fn handle_close(&mut self, now: Instant) {
        match &mut self.state {
            State::Polling { .. } => {
                self.answer_poll(PollAnswer::Noop);
                self.end(CloseReason::TransportClose);
            }
            // The reference ignores it there: what ends a WebSocket is a Close frame.
            State::WebSocket { heartbeat } => heartbeat.handle_packet(now),
            State::Closing { .. } | State::Closed { .. } => {}
        }
    }

    fn handle_probe_packet(&mut self, packet: &Packet, now: Instant) {
        match &mut self.state {
            State::Polling { upgrade, .. } | State::Closing { upgrade, .. } => {
                let step = upgrade.handle_packet(packet, now);
                self.take_step(step);
            }
            State::WebSocket { .. } | State::Closed { .. } => {}
        }
    }

    fn take_step(&mut self, step: Option<Step>) {
        match step {
            Some(Step::Answer) => {
                self.outputs
                    .push(Output::SendProbe(Packet::Pong(PROBE.to_owned())));
                self.answer_poll(PollAnswer::Noop);
            }
            Some(Step::Release) => self.answer_poll(PollAnswer::Noop),
            Some(Step::Complete) => self.complete_upgrade(),
            Some(Step::Drop) => self.outputs.push(Output::DropProbe),
            None => {}
        }
    }

    fn complete_upgrade(&mut self) {
        // No official client has a GET pending here: it has paused polling.
        self.answer_poll(PollAnswer::Close);
        let upgraded = State::Closed {
            transport: Transport::WebSocket,
        };
        match mem::replace(&mut self.state, upgraded) {
            State::Polling { heartbeat, .. } => {
                self.state = State::WebSocket { heartbeat };
                self.outputs.push(Output::Upgraded);
            }
            State::Closing { .. } => {
                self.outputs.push(Output::Upgraded);
                self.outputs.push(Output::CloseTransport);
                self.outputs.push(Output::Closed(CloseReason::ForcedClose));
            }
            other @ (State::WebSocket { .. } | State::Closed { .. }) => self.state = other,
        }
    }

    fn cancel_upgrade(&mut self) {
        match &mut self.state {
            State::Polling { upgrade, .. } | State::Closing { upgrade, .. } => {
                let step = upgrade.cancel();
                self.take_step(step);
            }
            State::WebSocket { .. } | State::Closed { .. } => {}
        }
    }

    /// How the session ends by `violation`, if it does.
    fn outcome(&self, via: Via, violation: Violation) -> Option<CloseReason> {
        match (via, &self.state) {
            (Via::Polling, State::Polling { .. }) | (Via::WebSocket, State::WebSocket { .. }) => {
                violation.close_reason(via)
            }
            // What a client sends while its session is closing is ignored, packet or not.
            (_, State::Polling { .. } | State::WebSocket { .. })
            | (_, State::Closing { .. } | State::Closed { .. }) => None,
        }
    }

    fn answer_poll(&mut self, answer: PollAnswer) {
        match self.take_poll() {
            Get::Pending => self.outputs.push(Output::AnswerPoll(answer)),
            Get::None => {}
        }
    }

    fn take_poll(&mut self) -> Get {
        match &mut self.state {
            State::Polling { get, .. } => mem::replace(get, Get::None),
            State::WebSocket { .. } | State::Closing { .. } | State::Closed { .. } => Get::None,
        }
    }

    fn take_post(&mut self) -> Post {
        match &mut self.state {
            State::Polling { post, .. } | State::Closing { post, .. } => {
                mem::replace(post, Post::None)
            }
            State::WebSocket { .. } | State::Closed { .. } => Post::None,
        }
    }

    /// Ends the session: each part of it that is still open is told, and `Closed` is the last word.
    fn end(&mut self, reason: CloseReason) {
        self.answer_poll(PollAnswer::Close);
        self.cancel_upgrade();
        let transport = self.transport();
        match mem::replace(&mut self.state, State::Closed { transport }) {
            State::Polling { .. } | State::Closing { .. } => {}
            State::WebSocket { .. } => self.outputs.push(Output::CloseTransport),
            State::Closed { .. } => return,
        }
        self.outputs.push(Output::Closed(reason));
    }
}
