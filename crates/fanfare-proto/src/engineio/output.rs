//! What a [`Session`](super::Session) asks of its driver.

use super::{CloseReason, Message, Packet};

/// What the driver of a [`Session`](super::Session) has to do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Output {
    /// Send it on the active transport, ahead of data, between frames: a ping. On polling it answers a
    /// pending `GET`, like any packet.
    Send(Packet),
    /// Send it on the upgrade's WebSocket: the answer to its probe.
    SendProbe(Packet),
    /// Answer the pending `GET` with exactly this. The session counts it as answered.
    AnswerPoll(PollAnswer),
    /// Close the upgrade's WebSocket with an empty Close frame.
    DropProbe,
    /// The upgrade's WebSocket is the transport now: what is unsent goes out there.
    Upgraded,
    /// The client sent a message.
    Message(Message),
    /// Flush what is unsent to the WebSocket, then send an empty Close frame. [`Closed`](Self::Closed) follows.
    CloseTransport,
    /// The session is over. Always the last output.
    Closed(CloseReason),
}

/// The body of a `GET` that is answered without data.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PollAnswer {
    /// `6`: an upgrading client is let go, or one that has closed.
    Noop,
    /// `1`: the session is over.
    Close,
    /// `6` and `1`: the session is over, told to the first `GET` since it was.
    NoopClose,
}

impl PollAnswer {
    /// The body, a payload.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Noop => "6",
            Self::Close => "1",
            Self::NoopClose => "6\u{1e}1",
        }
    }
}
