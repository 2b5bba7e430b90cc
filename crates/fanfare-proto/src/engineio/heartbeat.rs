//! When to ping a client, and when a silent one is lost; in protocol 3 the client pings.

use std::time::{Duration, Instant};

use super::timing::Millis;

/// Decides when to ping a client, and when a silent one is lost.
///
/// ```text
///                 ping_at: Ping                 lost_at: Lost
///   Waiting ----------------------> Pinged ----------------------> (closed)
///      ^                            |    ^  |
///      +----------------------------+    +--+
///                  pong                   first other packet of the cycle: lost_at anew
///
///                 lost_at: Lost
///   Listening ----------------------> (closed)         protocol 3
///      ^   |
///      +---+ the client's ping
/// ```
///
/// Engine.IO v4, [Heartbeat](https://github.com/socketio/socket.io/blob/main/docs/engine.io-protocol/v4-current.md#heartbeat).
#[derive(Debug)]
pub struct Heartbeat {
    interval: Millis,
    timeout: Millis,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Waiting { ping_at: Instant },
    Pinged { lost_at: Instant, credit: Credit },
    Listening { lost_at: Instant },
}

/// Whether a packet that is no pong may still buy the client time in this cycle.
#[derive(Clone, Copy, Debug)]
enum Credit {
    Left,
    Spent,
}

/// What the caller has to do now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub enum Due {
    /// Send a ping packet.
    Ping,
    /// Close the session: the last ping went unanswered.
    Lost,
}

impl Heartbeat {
    /// Waits one `interval` before the first ping, and then `timeout` for its pong. Both count in whole
    /// milliseconds, up to 49 days.
    pub fn new(interval: Duration, timeout: Duration, now: Instant) -> Self {
        let interval = Millis::from(interval);
        let state = State::Waiting {
            ping_at: interval.after(now),
        };
        Self {
            interval,
            timeout: timeout.into(),
            state,
        }
    }

    /// Waits for the client's pings, as protocol 3 has it: one is due every `interval`, and the client is
    /// lost when none has come for `interval` and `timeout`.
    pub fn listening(interval: Duration, timeout: Duration, now: Instant) -> Self {
        let mut heartbeat = Self::new(interval, timeout, now);
        heartbeat.state = heartbeat.listen(now);
        heartbeat
    }

    /// Whether the client pings, and not the server.
    pub fn is_listening(&self) -> bool {
        matches!(self.state, State::Listening { .. })
    }

    /// The client pinged. Means nothing where the server does.
    pub fn handle_ping(&mut self, now: Instant) {
        match self.state {
            State::Listening { .. } => self.state = self.listen(now),
            State::Waiting { .. } | State::Pinged { .. } => {}
        }
    }

    /// The client answered, or sent a pong of its own accord: the next ping is due one interval from `now`.
    pub fn handle_pong(&mut self, now: Instant) {
        match self.state {
            State::Waiting { .. } | State::Pinged { .. } => {
                self.state = State::Waiting {
                    ping_at: self.interval.after(now),
                };
            }
            State::Listening { .. } => {}
        }
    }

    /// A packet that is no pong came: the client lives, and has one timeout more. It works once in a cycle,
    /// else a client that never answers could stay by sending.
    pub fn handle_packet(&mut self, now: Instant) {
        match self.state {
            State::Pinged {
                credit: Credit::Left,
                lost_at,
            } => {
                let lost_at = lost_at.max(self.timeout.after(now));
                self.state = State::Pinged {
                    lost_at,
                    credit: Credit::Spent,
                };
            }
            State::Waiting { .. }
            | State::Listening { .. }
            | State::Pinged {
                credit: Credit::Spent,
                ..
            } => {}
        }
    }

    /// An outstanding pong is not due before one timeout from `now`: the ping has only now left, or we
    /// were not listening.
    pub fn defer_pong(&mut self, now: Instant) {
        match &mut self.state {
            State::Pinged { lost_at, .. } | State::Listening { lost_at } => {
                *lost_at = (*lost_at).max(self.timeout.after(now));
            }
            State::Waiting { .. } => {}
        }
    }

    /// Time has moved on to `now`; returns what that makes due.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<Due> {
        match self.state {
            State::Waiting { ping_at } if ping_at <= now => {
                let lost_at = self.timeout.after(self.pinged_at(ping_at, now));
                self.state = State::Pinged {
                    lost_at,
                    credit: Credit::Left,
                };
                Some(Due::Ping)
            }
            State::Pinged { lost_at, .. } | State::Listening { lost_at } if lost_at <= now => {
                Some(Due::Lost)
            }
            State::Waiting { .. } | State::Pinged { .. } | State::Listening { .. } => None,
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) next has something to do.
    pub fn poll_timeout(&self) -> Instant {
        match self.state {
            State::Waiting { ping_at } => ping_at,
            State::Pinged { lost_at, .. } | State::Listening { lost_at } => lost_at,
        }
    }

    fn listen(&self, now: Instant) -> State {
        State::Listening {
            lost_at: self.timeout.after(self.interval.after(now)),
        }
    }

    /// From when the pong is waited for. A timer that fires a little late does not move the client's deadline,
    /// which it knows as interval plus timeout; a process that slept does, since its client had no chance.
    fn pinged_at(&self, ping_at: Instant, now: Instant) -> Instant {
        let late = now.saturating_duration_since(ping_at);
        if late < Duration::from(self.timeout) / 2 {
            ping_at
        } else {
            now
        }
    }
}
