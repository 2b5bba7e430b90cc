//! Emitted: what became of an event, for whoever asks.

use std::{fmt, sync::Arc};

use smallvec::SmallVec;
use tokio::sync::SetOnce;

use crate::{
    args::ArgsError,
    ranges::{Keep, Lane, Range, Ranges},
};

/// What an emit returns: the event has its place in the order of its namespace, and will be
/// written when the current turn ends. May be ignored.
pub struct Emitted {
    parts: SmallVec<[Part; 2]>,
    error: Option<EmitError>,
}

impl Emitted {
    pub(crate) fn new() -> Self {
        Self {
            parts: SmallVec::new(),
            error: None,
        }
    }

    pub(crate) fn failed(error: EmitError) -> Self {
        Self {
            parts: SmallVec::new(),
            error: Some(error),
        }
    }

    pub(crate) fn push(&mut self, part: Part) {
        self.parts.push(part);
    }

    pub(crate) fn extend(&mut self, other: Self) {
        self.parts.extend(other.parts);
    }

    /// Sockets on this node that the event was addressed to.
    pub fn receivers(&self) -> usize {
        self.parts.iter().map(|part| part.receivers).sum()
    }

    /// Waits until the event has been written out, as far as the kernel would take it.
    ///
    /// # Errors
    ///
    /// [`EmitError`] if there was nothing to send.
    ///
    /// # Cancel safety
    ///
    /// The event is sent whether or not this is awaited.
    pub async fn report(self) -> Result<Report, EmitError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let mut report = Report::default();
        for part in &self.parts {
            part.turn.wait().await.add_to(&mut report, part);
        }
        Ok(report)
    }
}

impl fmt::Debug for Emitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emitted")
            .field("receivers", &self.receivers())
            .field("error", &self.error)
            .finish()
    }
}

/// What became of one event, by the number of its receivers.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Report {
    /// The kernel, or a pending poll, took it.
    pub written: usize,
    /// It waits in the receiver's backlog: a slow reader, or one between two polls.
    pub queued: usize,
    /// The receiver's backlog was full, or the receiver is gone.
    pub dropped: usize,
    /// A newer value of the same `emit_latest` took its place.
    pub superseded: usize,
    /// It was [`volatile`](crate::Io::volatile), and the receiver's transport not writable.
    pub dropped_volatile: usize,
}

/// Why an event was not sent at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmitError {
    /// The name means something else to clients.
    #[error("'{0}' is a reserved event name")]
    Reserved(String),
    /// The arguments can't be written as JSON.
    #[error("the arguments of '{event}' can't be sent: {source}")]
    Args {
        /// The event's name.
        event: String,
        /// What was wrong with them.
        source: ArgsError,
    },
    /// The event is larger than what may wait for a client.
    #[error("'{event}' takes {bytes} bytes, more than the {max} of `max_backlog_bytes`")]
    TooLarge {
        /// The event's name.
        event: String,
        /// What it would take on the wire.
        bytes: usize,
        /// [`Limits::max_backlog_bytes`](crate::Limits::max_backlog_bytes).
        max: usize,
    },
}

/// The outcome of a shard's turn, once its pass is over.
pub(crate) type Turn = SetOnce<Outcome>;

/// An emit's share of one shard.
pub(crate) struct Part {
    pub(crate) turn: Arc<Turn>,
    /// Where the event lies in the turn's buffers.
    pub(crate) open: Option<Range>,
    pub(crate) deflated: Option<Range>,
    pub(crate) receivers: usize,
}

impl Part {
    fn ranges(&self) -> impl Iterator<Item = &Range> {
        self.open.iter().chain(&self.deflated)
    }
}

/// What did not go the usual way in a pass; all else was written.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) refusals: Vec<Refusal>,
    /// Where events lay that a newer value replaced, and for how many receivers.
    pub(crate) superseded: Vec<(Lane, u32, usize)>,
}

/// One receiver that did not take all of its ranges.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) ranges: Ranges,
    pub(crate) written_bytes: usize,
    pub(crate) fate: Fate,
    /// The same, of volatile events.
    pub(crate) volatile: Fate,
}

/// What became of the bytes that were refused.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Fate {
    #[default]
    Queued,
    Dropped,
    DroppedVolatile,
}

impl Outcome {
    fn add_to(&self, report: &mut Report, part: &Part) {
        let is_of = |(lane, start, _): &&(Lane, u32, usize)| {
            part.ranges()
                .any(|range| (range.lane, range.start) == (*lane, *start))
        };
        let superseded = self.superseded.iter().filter(is_of);
        let superseded: usize = superseded.map(|(.., times)| *times).sum();
        let (mut queued, mut dropped, mut volatile) = (0, 0, 0);
        for refusal in &self.refusals {
            match refusal.fate_of(part) {
                Some(Fate::Queued) => queued += 1,
                Some(Fate::Dropped) => dropped += 1,
                Some(Fate::DroppedVolatile) => volatile += 1,
                None => {}
            }
        }
        report.superseded += superseded;
        report.queued += queued;
        report.dropped += dropped;
        report.dropped_volatile += volatile;
        report.written += part.receivers - superseded - queued - dropped - volatile;
    }
}

impl Refusal {
    /// `None` if the event was written, or was not for this receiver.
    fn fate_of(&self, part: &Part) -> Option<Fate> {
        let mut before = 0;
        for range in self.ranges.iter() {
            if let Some(part) = part.ranges().find(|part| range.holds(part)) {
                let start = before + (part.start - range.start) as usize;
                let end = before + (part.end - range.start) as usize;
                let fate = match range.keep {
                    Keep::Event | Keep::Latest(_) => self.fate,
                    // What has begun is finished.
                    Keep::Nothing if start < self.written_bytes => Fate::Queued,
                    Keep::Nothing => self.volatile,
                };
                return (self.written_bytes < end).then_some(fate);
            }
            before += range.len();
        }
        None
    }
}
