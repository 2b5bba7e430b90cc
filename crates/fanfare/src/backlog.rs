//! Backlog: what a session's transport has not taken yet, in frames, bounded in bytes.
//!
//! Plain data. Everything in here is WebSocket frames, for polling sessions too: their requests
//! unwrap the frames, and an upgrade has nothing to convert.

use std::{collections::VecDeque, io::IoSlice, time::Instant};

use bytes::{Buf, Bytes};
use fanfare_proto::websocket::next_frame_len;

use crate::ranges::LatestKey;

/// What waits for one session's transport. Exists only while something waits.
#[derive(Debug)]
pub(crate) struct Backlog {
    /// The rest of a frame of which some bytes were written: nothing may come before it.
    head: Bytes,
    /// Pings, pongs: whole frames, before everything else but `head`.
    control: Vec<u8>,
    entries: VecDeque<Entry>,
    bytes: usize,
    /// When the transport last took a byte.
    pub(crate) progress_at: Instant,
}

#[derive(Debug)]
struct Entry {
    frames: Bytes,
    latest: Option<LatestKey>,
    /// Something before `frames` was written: an event and its attachments must not be parted.
    has_begun: bool,
}

impl Backlog {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            head: Bytes::new(),
            control: Vec::new(),
            entries: VecDeque::new(),
            bytes: 0,
            progress_at: now,
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Whether a ping or pong waits.
    pub(crate) fn has_control(&self) -> bool {
        !self.control.is_empty()
    }

    /// Adds a frame that must not wait for data. A flood of them is not answered.
    pub(crate) fn push_control(&mut self, frame: &[u8]) {
        if self.control.len() + frame.len() <= CONTROL_BYTES {
            self.control.extend_from_slice(frame);
            self.bytes += frame.len();
        }
    }

    /// Adds whole frames behind all others; the latest value of an event takes the place of an
    /// older one that waits.
    pub(crate) fn push(&mut self, frames: Bytes, latest: Option<LatestKey>) {
        self.bytes += frames.len();
        if latest.is_some()
            && let Some(older) = self.entries.iter_mut().find(|entry| entry.latest == latest)
        {
            self.bytes -= older.frames.len();
            older.frames = frames;
            return;
        }
        self.entries.push_back(Entry {
            frames,
            latest,
            has_begun: false,
        });
    }

    /// Adds frames of which the transport has taken `written` bytes already.
    pub(crate) fn push_partial(
        &mut self,
        frames: &Bytes,
        written: usize,
        latest: Option<LatestKey>,
    ) {
        if written == 0 {
            return self.push(frames.clone(), latest);
        }
        let boundary = frame_end(frames, written);
        debug_assert!(self.head.is_empty(), "two frames are partly written");
        self.head = frames.slice(written..boundary);
        self.bytes += self.head.len();
        if boundary < frames.len() {
            let rest = frames.slice(boundary..);
            self.bytes += rest.len();
            self.entries.push_back(Entry {
                frames: rest,
                latest: None,
                has_begun: true,
            });
        }
    }

    /// Drops what has waited longest, and returns how many bytes that was.
    pub(crate) fn drop_oldest(&mut self) -> Option<usize> {
        let oldest = self.entries.iter().position(|entry| !entry.has_begun)?;
        let entry = self.entries.remove(oldest)?;
        self.bytes -= entry.frames.len();
        Some(entry.frames.len())
    }

    /// What to write next, in order; as many slices as fit.
    pub(crate) fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let parts = [&self.head[..], &self.control[..]]
            .into_iter()
            .chain(self.entries.iter().map(|entry| &entry.frames[..]))
            .filter(|part| !part.is_empty());
        let mut used = 0;
        for (slice, part) in slices.iter_mut().zip(parts) {
            *slice = IoSlice::new(part);
            used += 1;
        }
        used
    }

    /// The transport took the first `written` bytes of [`slices`](Self::slices).
    pub(crate) fn advance(&mut self, mut written: usize, now: Instant) {
        if written == 0 {
            return;
        }
        self.progress_at = now;
        self.bytes -= written;
        let from_head = written.min(self.head.len());
        self.head.advance(from_head);
        written -= from_head;
        if 0 < written && !self.control.is_empty() {
            let control = Bytes::from(std::mem::take(&mut self.control));
            if written < control.len() {
                let boundary = frame_end(&control, written);
                self.head = control.slice(written..boundary);
                self.control = control[boundary..].to_vec();
                return;
            }
            written -= control.len();
        }
        while 0 < written {
            let entry = self
                .entries
                .front_mut()
                .expect("no more is written than there was");
            if entry.frames.len() <= written {
                written -= entry.frames.len();
                self.entries.pop_front();
                continue;
            }
            let boundary = frame_end(&entry.frames, written);
            self.head = entry.frames.slice(written..boundary);
            entry.frames.advance(boundary);
            entry.latest = None;
            entry.has_begun = true;
            if entry.frames.is_empty() {
                self.entries.pop_front();
            }
            return;
        }
    }

    /// Takes all that waits, in order.
    pub(crate) fn take(&mut self) -> Vec<Bytes> {
        self.bytes = 0;
        let first = [
            std::mem::take(&mut self.head),
            Bytes::from(std::mem::take(&mut self.control)),
        ];
        let entries = self.entries.drain(..).map(|entry| entry.frames);
        first
            .into_iter()
            .chain(entries)
            .filter(|frames| !frames.is_empty())
            .collect()
    }
}

/// Where the frame ends that `written` bytes into `frames` reach into.
fn frame_end(frames: &[u8], written: usize) -> usize {
    let mut end = 0;
    while end < written {
        match next_frame_len(&frames[end..]) {
            0 => return frames.len(),
            len => end += len,
        }
    }
    end
}

/// Bytes of pings and pongs that wait. 512: four pongs of the largest size, where one is due.
const CONTROL_BYTES: usize = 512;

#[cfg(test)]
mod tests {
    use fanfare_proto::websocket::{Frames, OpCode, encode_frame};

    use super::*;

    fn frame(text: &str) -> Bytes {
        let mut out = Vec::new();
        encode_frame(&mut out, OpCode::Text, &[text.as_bytes()]);
        out.into()
    }

    /// Writes `step` bytes at a time; returns the payloads that arrive.
    fn drain(backlog: &mut Backlog, step: usize) -> Vec<String> {
        let mut out = Vec::new();
        while !backlog.is_empty() {
            let mut slices = [IoSlice::new(&[]); 4];
            let used = backlog.slices(&mut slices);
            let all: Vec<u8> = slices[..used]
                .iter()
                .flat_map(|slice| slice.iter().copied())
                .collect();
            let written = step.min(all.len());
            out.extend_from_slice(&all[..written]);
            backlog.advance(written, Instant::now());
        }
        Frames::new(&out)
            .map(|(_, payload)| String::from_utf8(payload.to_vec()).unwrap())
            .collect()
    }

    #[test]
    fn frames_come_out_whole_and_in_order_however_little_is_taken() {
        for step in 1..20 {
            let mut backlog = Backlog::new(Instant::now());
            let two = [frame("one"), frame("two")].concat();
            backlog.push(two.into(), None);
            backlog.push(frame("three"), None);
            assert_eq!(
                drain(&mut backlog, step),
                ["one", "two", "three"],
                "{step} bytes at a time"
            );
        }
    }

    #[test]
    fn a_ping_overtakes_data_but_no_frame_that_has_begun() {
        let mut backlog = Backlog::new(Instant::now());
        backlog.push_partial(&[frame("one"), frame("two")].concat().into(), 2, None);
        backlog.push_control(&frame("2"));
        let mut slices = [IoSlice::new(&[]); 4];
        let used = backlog.slices(&mut slices);
        let rest: Vec<u8> = slices[..used]
            .iter()
            .flat_map(|slice| slice.iter().copied())
            .collect();
        assert_eq!(
            rest,
            [&frame("one")[2..], &frame("2")[..], &frame("two")[..]].concat()
        );
    }

    #[test]
    fn a_latest_value_replaces_its_older_one_unless_that_has_begun() {
        let key = Some(LatestKey(1));
        let mut backlog = Backlog::new(Instant::now());
        backlog.push(frame("count 1"), key);
        backlog.push(frame("chat"), None);
        backlog.push(frame("count 2"), key);
        assert_eq!(drain(&mut backlog, 1), ["count 2", "chat"]);

        let mut backlog = Backlog::new(Instant::now());
        backlog.push(frame("count 1"), key);
        backlog.advance(3, Instant::now());
        backlog.push(frame("count 2"), key);
        assert_eq!(
            backlog.bytes(),
            frame("count 1").len() - 3 + frame("count 2").len()
        );
    }

    #[test]
    fn dropping_the_oldest_never_drops_a_frame_that_has_begun() {
        let mut backlog = Backlog::new(Instant::now());
        backlog.push_partial(&frame("one"), 2, None);
        assert_eq!(backlog.drop_oldest(), None);
        backlog.push(frame("two"), None);
        assert_eq!(backlog.drop_oldest(), Some(frame("two").len()));
    }
}
