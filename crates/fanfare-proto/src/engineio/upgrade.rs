//! A polling session tries out a WebSocket.

use std::time::{Duration, Instant};

use super::Packet;

/// How far a polling session is with moving to WebSocket.
///
/// ```text
///           open                    2probe: Answer
///   Idle ----------> Opened ------------------------> Probed --+
///    ^                 |  |                            |  | ^  | noop_at: Release
///    |                 |  +-------------+--------------+  | +--+ 2probe: Answer
///    |                 |                | 5: Complete     |
///    |                 |                v                 |
///    |                 |            (upgraded)            |
///    +-----------------+----------------------------------+
///       deadline: Drop, any other packet: Drop, cancel
/// ```
///
/// Engine.IO v4, [Upgrade](https://github.com/socketio/socket.io/blob/main/docs/engine.io-protocol/v4-current.md#upgrade).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Upgrade {
    Idle,
    Opened { deadline: Instant },
    Probed { deadline: Instant, noop_at: Instant },
}

/// What the session has to do for its upgrade.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Step {
    /// Answer the probe, and release the pending `GET`: the client pauses polling before it goes on.
    Answer,
    /// Release the pending `GET`: the client polled once more before it had our answer.
    Release,
    /// Move to the WebSocket.
    Complete,
    /// Close the WebSocket and stay on polling.
    Drop,
}

impl Upgrade {
    /// A WebSocket was opened, to be given up at `deadline`.
    pub(super) fn open(deadline: Instant) -> Self {
        Self::Opened { deadline }
    }

    /// A packet came over the WebSocket.
    ///
    /// `5` without a probe is accepted, as the reference does.
    pub(super) fn handle_packet(&mut self, packet: &Packet, now: Instant) -> Option<Step> {
        let deadline = self.deadline()?;
        match packet {
            Packet::Ping(data) if data == PROBE => {
                *self = Self::Probed {
                    deadline,
                    noop_at: now + RELEASE_INTERVAL,
                };
                Some(Step::Answer)
            }
            Packet::Upgrade => {
                *self = Self::Idle;
                Some(Step::Complete)
            }
            Packet::Open(_)
            | Packet::Close
            | Packet::Ping(_)
            | Packet::Pong(_)
            | Packet::Message(_)
            | Packet::Noop => {
                *self = Self::Idle;
                Some(Step::Drop)
            }
        }
    }

    /// Time has moved on to `now`; returns what that makes due.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> Option<Step> {
        match self {
            Self::Opened { deadline } | Self::Probed { deadline, .. } if *deadline <= now => {
                *self = Self::Idle;
                Some(Step::Drop)
            }
            Self::Probed { noop_at, .. } if *noop_at <= now => {
                *noop_at = now + RELEASE_INTERVAL;
                Some(Step::Release)
            }
            Self::Idle | Self::Opened { .. } | Self::Probed { .. } => None,
        }
    }

    /// Gives the WebSocket up; returns [`Step::Drop`] if there was one.
    pub(super) fn cancel(&mut self) -> Option<Step> {
        self.deadline()?;
        *self = Self::Idle;
        Some(Step::Drop)
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        match *self {
            Self::Idle => None,
            Self::Opened { deadline } => Some(deadline),
            Self::Probed { deadline, noop_at } => Some(deadline.min(noop_at)),
        }
    }

    fn deadline(&self) -> Option<Instant> {
        match *self {
            Self::Idle => None,
            Self::Opened { deadline } | Self::Probed { deadline, .. } => Some(deadline),
        }
    }
}

/// What the pings and pongs of an upgrade carry.
pub(super) const PROBE: &str = "probe";

/// How often a `GET` that pends while a client upgrades is released; the reference implementation's value.
const RELEASE_INTERVAL: Duration = Duration::from_millis(100);
