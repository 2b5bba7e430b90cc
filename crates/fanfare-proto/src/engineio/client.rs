//! The client's side of one session.

use std::{
    mem,
    time::{Duration, Instant},
};

use super::{
    CloseReason, Message, Open, Packet, Transport, Via, Violation, queue::Queue, timing::Millis,
    upgrade::PROBE,
};

/// The client's side of one session.
///
/// ```text
///             open packet                 last poll and post ended: SendProbe(5), Upgraded
///   Opening --------------> Polling ------------------------------------------> WebSocket
///      |  \                    |                                                    |
///      |   \      open packet  |                                                    |
///      |    +---------------------------------------------------------------------->|
///      v                       v      no ping for interval + timeout, violation,    v
///    Closed <--------------- Closed   transport closed, close                    Closed
///
///   While on polling, of the upgrade:
///
///             Opened(open)           handle_probe_open             3probe
///      Idle --------------> Opening ------------------> Probing -----------> Pausing
///        ^                     |                           |                    |
///        +---------------------+---------------------------+--------------------+
///                   deadline, anything else on it, closed: polling goes on
/// ```
///
/// As the official client, it sends nothing between the server's `3probe` and its own `5`, and no `5` before
/// the `GET` and `POST` under way have ended; so nothing is in flight on polling when the session moves.
/// What the application sends does not pass through here: the driver keeps it, together with what
/// [`Send`](ClientOutput::Send) adds, and writes it when and where [`writable`](Self::writable) says.
#[derive(Debug)]
pub struct ClientSession {
    transports: Transports,
    upgrade_timeout: Millis,
    state: State,
    outputs: Queue<ClientOutput>,
}

#[derive(Debug)]
enum State {
    Opening {
        deadline: Instant,
    },
    Polling {
        watchdog: Watchdog,
        get: Get,
        post: Post,
        upgrade: Upgrade,
    },
    WebSocket {
        watchdog: Watchdog,
    },
    Closed {
        transport: Transport,
    },
}

/// The server is lost unless it pings before `lost_at`.
#[derive(Clone, Copy, Debug)]
struct Watchdog {
    span: Millis,
    lost_at: Instant,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Get {
    None,
    Pending,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Post {
    None,
    Pending,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Upgrade {
    Idle,
    Opening { deadline: Instant },
    Probing { deadline: Instant },
    Pausing { deadline: Instant },
}

/// Which transports a client uses.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Transports {
    /// Polling, to the end.
    Polling,
    /// WebSocket, from the start.
    WebSocket,
    /// Polling, then WebSocket if the server offers it and it works. It is tried once.
    PollingThenWebSocket,
}

/// How long a client waits for what; how long for a ping, the server says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ClientTiming {
    /// From the beginning to the open packet.
    pub open_timeout: Duration,
    /// From [`OpenProbe`](ClientOutput::OpenProbe) to the end of the upgrade.
    pub upgrade_timeout: Duration,
}

impl Default for ClientTiming {
    fn default() -> Self {
        Self {
            open_timeout: Duration::from_secs(20),
            upgrade_timeout: Duration::from_secs(10),
        }
    }
}

/// What the driver of a [`ClientSession`] has to do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ClientOutput {
    /// Send a `GET`. Feed the packets of its answer, then call [`handle_poll_end`](ClientSession::handle_poll_end).
    Poll,
    /// The session is open.
    Opened(Open),
    /// Append it to what is to be sent: a pong.
    Send(Packet),
    /// Open a WebSocket with the session's sid; then call [`handle_probe_open`](ClientSession::handle_probe_open),
    /// or [`handle_transport_closed`](ClientSession::handle_transport_closed) if it does not open.
    OpenProbe,
    /// Send it on the upgrade's WebSocket.
    SendProbe(Packet),
    /// Close the upgrade's WebSocket, or stop opening it.
    DropProbe,
    /// The upgrade's WebSocket is the transport now.
    Upgraded,
    /// The server sent a message.
    Message(Message),
    /// Send what is unsent, and then that it is over: on polling `1` in a `POST`, once the one under way has
    /// ended; on WebSocket an empty Close frame. [`Closed`](Self::Closed) follows.
    CloseTransport,
    /// The session is over. Always the last output.
    Closed(CloseReason),
}

impl ClientSession {
    /// A session about to be opened. On polling, [`Poll`](ClientOutput::Poll) is the first output; for
    /// WebSocket, the driver opens one without a sid.
    pub fn new(transports: Transports, timing: &ClientTiming, now: Instant) -> Self {
        let deadline = Millis::from(timing.open_timeout).after(now);
        let mut session = Self {
            transports,
            upgrade_timeout: timing.upgrade_timeout.into(),
            state: State::Opening { deadline },
            outputs: Queue::Empty,
        };
        match transports.first() {
            Transport::Polling => session.outputs.push(ClientOutput::Poll),
            Transport::WebSocket => {}
        }
        session
    }

    /// The `GET` was answered, and its packets have been fed.
    pub fn handle_poll_end(&mut self, _now: Instant) {
        match &mut self.state {
            State::Polling { get, .. } => *get = Get::None,
            State::Opening { .. } | State::WebSocket { .. } | State::Closed { .. } => return,
        }
        self.go_on();
    }

    /// A `POST` is sent off, which [`writable`](Self::writable) allowed.
    pub fn handle_post(&mut self) {
        match &mut self.state {
            State::Polling { post, .. } => *post = Post::Pending,
            State::Opening { .. } | State::WebSocket { .. } | State::Closed { .. } => {}
        }
    }

    /// The `POST` was answered with success.
    pub fn handle_post_end(&mut self, _now: Instant) {
        match &mut self.state {
            State::Polling { post, .. } => *post = Post::None,
            State::Opening { .. } | State::WebSocket { .. } | State::Closed { .. } => return,
        }
        self.go_on();
    }

    /// The upgrade's WebSocket is open.
    pub fn handle_probe_open(&mut self, _now: Instant) {
        match &mut self.state {
            State::Polling { upgrade, .. } => match *upgrade {
                Upgrade::Opening { deadline } => {
                    *upgrade = Upgrade::Probing { deadline };
                    self.outputs
                        .push(ClientOutput::SendProbe(Packet::Ping(PROBE.to_owned())));
                }
                Upgrade::Idle | Upgrade::Probing { .. } | Upgrade::Pausing { .. } => {}
            },
            State::Opening { .. } | State::WebSocket { .. } | State::Closed { .. } => {}
        }
    }

    /// A packet came in. One that came over a transport that is not the session's is ignored.
    pub fn handle_packet(&mut self, via: Via, packet: Packet, now: Instant) {
        match (via, &mut self.state) {
            (Via::Probe, _) => self.handle_probe_packet(&packet),
            (_, State::Opening { .. }) => {
                if via == self.transports.first().via() {
                    self.handle_opening_packet(packet, now);
                }
            }
            (Via::Polling, State::Polling { watchdog, .. })
            | (Via::WebSocket, State::WebSocket { watchdog }) => match packet {
                Packet::Ping(_) => {
                    watchdog.feed(now);
                    self.outputs
                        .push(ClientOutput::Send(Packet::Pong(String::new())));
                }
                Packet::Message(message) => self.outputs.push(ClientOutput::Message(message)),
                Packet::Close => self.handle_close(),
                Packet::Open(_) | Packet::Pong(_) | Packet::Upgrade | Packet::Noop => {}
            },
            (Via::Polling, State::WebSocket { .. })
            | (Via::WebSocket, State::Polling { .. })
            | (_, State::Closed { .. }) => {}
        }
    }

    /// Something that is no packet came in.
    pub fn handle_violation(&mut self, via: Via, _violation: Violation, _now: Instant) {
        match via {
            Via::Probe => self.drop_probe(),
            Via::Polling | Via::WebSocket => {
                if self.is_active(via) {
                    self.end(CloseReason::ParseError);
                }
            }
        }
    }

    /// A transport is gone: closed by the server or broken, or a `GET` or `POST` failed.
    pub fn handle_transport_closed(&mut self, via: Via, reason: CloseReason, _now: Instant) {
        match via {
            Via::Probe => {
                self.take_probe();
                self.go_on();
            }
            Via::Polling | Via::WebSocket => {
                if self.is_active(via) {
                    self.end_silently(reason);
                }
            }
        }
    }

    /// Closes the session at once, for the reason [`ForcedClose`](CloseReason::ForcedClose).
    pub fn close(&mut self, _now: Instant) {
        self.end(CloseReason::ForcedClose);
    }

    /// Time has moved on to `now`. Never wrong to call: early, late or twice.
    pub fn handle_timeout(&mut self, now: Instant) {
        match &self.state {
            State::Opening { deadline } => {
                if *deadline <= now {
                    self.end(CloseReason::TransportError);
                }
            }
            State::Polling {
                watchdog, upgrade, ..
            } => {
                if watchdog.lost_at <= now {
                    self.end(CloseReason::PingTimeout);
                } else if upgrade.deadline().is_some_and(|deadline| deadline <= now) {
                    self.drop_probe();
                }
            }
            State::WebSocket { watchdog } => {
                if watchdog.lost_at <= now {
                    self.end(CloseReason::PingTimeout);
                }
            }
            State::Closed { .. } => {}
        }
    }

    /// What to do next. To be drained after every `handle_*` and command.
    pub fn poll_output(&mut self) -> Option<ClientOutput> {
        self.outputs.pop()
    }

    /// When [`handle_timeout`](Self::handle_timeout) next has something to do; `None` once closed.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match &self.state {
            State::Opening { deadline } => Some(*deadline),
            State::Polling {
                watchdog, upgrade, ..
            } => {
                let lost_at = watchdog.lost_at;
                Some(
                    upgrade
                        .deadline()
                        .map_or(lost_at, |deadline| deadline.min(lost_at)),
                )
            }
            State::WebSocket { watchdog } => Some(watchdog.lost_at),
            State::Closed { .. } => None,
        }
    }

    /// Where what is unsent may be written to now. Nowhere before the session is open, while a `POST` is
    /// under way, and between the server's `3probe` and our `5`.
    pub fn writable(&self) -> Option<Transport> {
        match &self.state {
            State::Polling {
                post: Post::None,
                upgrade,
                ..
            } => match upgrade {
                Upgrade::Idle | Upgrade::Opening { .. } | Upgrade::Probing { .. } => {
                    Some(Transport::Polling)
                }
                Upgrade::Pausing { .. } => None,
            },
            State::WebSocket { .. } => Some(Transport::WebSocket),
            State::Polling {
                post: Post::Pending,
                ..
            }
            | State::Opening { .. }
            | State::Closed { .. } => None,
        }
    }

    /// The active transport; of a closed session, its last.
    pub fn transport(&self) -> Transport {
        match self.state {
            State::Opening { .. } => self.transports.first(),
            State::Polling { .. } => Transport::Polling,
            State::WebSocket { .. } => Transport::WebSocket,
            State::Closed { transport } => transport,
        }
    }

    /// Whether the application may send: neither opening nor closed.
    pub fn is_open(&self) -> bool {
        match self.state {
            State::Polling { .. } | State::WebSocket { .. } => true,
            State::Opening { .. } | State::Closed { .. } => false,
        }
    }

    fn handle_opening_packet(&mut self, packet: Packet, now: Instant) {
        match packet {
            Packet::Open(json) => match Open::decode(&json) {
                Ok(open) => self.open(open, now),
                Err(_) => self.end(CloseReason::ParseError),
            },
            Packet::Close => self.end_silently(CloseReason::TransportClose),
            Packet::Ping(_)
            | Packet::Pong(_)
            | Packet::Message(_)
            | Packet::Upgrade
            | Packet::Noop => self.end(CloseReason::ParseError),
        }
    }

    fn open(&mut self, open: Open, now: Instant) {
        let watchdog = Watchdog::new(&open, now);
        match self.transports.first() {
            Transport::WebSocket => {
                self.state = State::WebSocket { watchdog };
                self.outputs.push(ClientOutput::Opened(open));
            }
            Transport::Polling => {
                let upgrade = self.first_upgrade(&open, now);
                self.state = State::Polling {
                    watchdog,
                    get: Get::Pending,
                    post: Post::None,
                    upgrade,
                };
                self.outputs.push(ClientOutput::Opened(open));
                if upgrade != Upgrade::Idle {
                    self.outputs.push(ClientOutput::OpenProbe);
                }
            }
        }
    }

    fn first_upgrade(&self, open: &Open, now: Instant) -> Upgrade {
        match self.transports {
            Transports::PollingThenWebSocket if open.upgrades.contains(&Transport::WebSocket) => {
                Upgrade::Opening {
                    deadline: self.upgrade_timeout.after(now),
                }
            }
            Transports::PollingThenWebSocket | Transports::Polling | Transports::WebSocket => {
                Upgrade::Idle
            }
        }
    }

    fn handle_close(&mut self) {
        match &self.state {
            State::Polling { .. } => self.end_silently(CloseReason::TransportClose),
            // As the official client: what ends a WebSocket is a Close frame.
            State::Opening { .. } | State::WebSocket { .. } | State::Closed { .. } => {}
        }
    }

    fn handle_probe_packet(&mut self, packet: &Packet) {
        let State::Polling { upgrade, .. } = &mut self.state else {
            return;
        };
        match *upgrade {
            Upgrade::Probing { deadline } if is_probe_answer(packet) => {
                *upgrade = Upgrade::Pausing { deadline };
                self.go_on();
            }
            Upgrade::Probing { .. } | Upgrade::Opening { .. } => self.drop_probe(),
            Upgrade::Idle | Upgrade::Pausing { .. } => {}
        }
    }

    /// Something that polling waited for is over: polls again, or if it is pausing and has come to rest, moves.
    fn go_on(&mut self) {
        let State::Polling {
            watchdog,
            get,
            post,
            upgrade,
        } = &mut self.state
        else {
            return;
        };
        match (&upgrade, &get, &post) {
            (Upgrade::Pausing { .. }, Get::None, Post::None) => {
                self.state = State::WebSocket {
                    watchdog: *watchdog,
                };
                self.outputs.push(ClientOutput::SendProbe(Packet::Upgrade));
                self.outputs.push(ClientOutput::Upgraded);
            }
            (Upgrade::Idle | Upgrade::Opening { .. } | Upgrade::Probing { .. }, Get::None, _) => {
                *get = Get::Pending;
                self.outputs.push(ClientOutput::Poll);
            }
            (Upgrade::Pausing { .. }, Get::None, Post::Pending) | (_, Get::Pending, _) => {}
        }
    }

    fn drop_probe(&mut self) {
        if self.take_probe() != Upgrade::Idle {
            self.outputs.push(ClientOutput::DropProbe);
        }
        self.go_on();
    }

    fn take_probe(&mut self) -> Upgrade {
        match &mut self.state {
            State::Polling { upgrade, .. } => mem::replace(upgrade, Upgrade::Idle),
            State::Opening { .. } | State::WebSocket { .. } | State::Closed { .. } => Upgrade::Idle,
        }
    }

    fn is_active(&self, via: Via) -> bool {
        via == self.transport().via()
    }

    /// Ends the session and tells the server.
    fn end(&mut self, reason: CloseReason) {
        let closing = match self.state {
            State::Polling { .. } | State::WebSocket { .. } => Some(ClientOutput::CloseTransport),
            State::Opening { .. } | State::Closed { .. } => None,
        };
        self.finish(closing, reason);
    }

    /// Ends the session whose server has ended it, or cannot be told.
    fn end_silently(&mut self, reason: CloseReason) {
        self.finish(None, reason);
    }

    fn finish(&mut self, closing: Option<ClientOutput>, reason: CloseReason) {
        if self.take_probe() != Upgrade::Idle {
            self.outputs.push(ClientOutput::DropProbe);
        }
        let transport = self.transport();
        match mem::replace(&mut self.state, State::Closed { transport }) {
            State::Opening { .. } | State::Polling { .. } | State::WebSocket { .. } => {}
            State::Closed { .. } => return,
        }
        closing
            .into_iter()
            .for_each(|output| self.outputs.push(output));
        self.outputs.push(ClientOutput::Closed(reason));
    }
}

impl Transports {
    fn first(self) -> Transport {
        match self {
            Self::Polling | Self::PollingThenWebSocket => Transport::Polling,
            Self::WebSocket => Transport::WebSocket,
        }
    }
}

impl Watchdog {
    fn new(open: &Open, now: Instant) -> Self {
        let span = Millis::from(open.ping_interval.saturating_add(open.ping_timeout));
        Self {
            span,
            lost_at: span.after(now),
        }
    }

    fn feed(&mut self, now: Instant) {
        self.lost_at = self.span.after(now);
    }
}

impl Upgrade {
    fn deadline(self) -> Option<Instant> {
        match self {
            Self::Idle => None,
            Self::Opening { deadline }
            | Self::Probing { deadline }
            | Self::Pausing { deadline } => Some(deadline),
        }
    }
}

fn is_probe_answer(packet: &Packet) -> bool {
    matches!(packet, Packet::Pong(data) if data == PROBE)
}
