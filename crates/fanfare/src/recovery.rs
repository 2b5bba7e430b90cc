//! Recovery: what a namespace remembers for clients that are away. Plain data: no clock, no lock.

use std::{
    any::Any,
    collections::{BTreeMap, HashMap, VecDeque},
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use data_encoding::{BASE64URL, BASE64URL_NOPAD};
use serde::Deserialize;

use crate::{broadcast::Select, draft::Draft, ranges::Keep, socket_id::SocketId};

/// Connection state recovery: a client that lost its connection and comes back in time is who it was, is in
/// the rooms that it was in, and is sent what it missed, each event once and in order.
///
/// Each ordered event carries its place in the log as one more argument, a string, which the official client
/// 4.6 and later keeps. See [`Config::recovery`](crate::Config::recovery).
///
/// Socket.IO, [Connection state recovery](https://socket.io/docs/v4/connection-state-recovery).
#[derive(Clone, Debug)]
pub struct Recovery {
    /// How long a client may be away.
    pub max_away: Duration,
    /// Bytes of events that a namespace keeps for those who are away; beyond it the oldest are forgotten, and
    /// who has missed one of them begins anew. 16 MiB: some seconds of a busy room, hours of a quiet one.
    pub max_log_bytes: usize,
    /// Bytes that one client may have missed; who has missed more begins anew. 1 MiB: it is sent in one turn,
    /// and has to fit into a [backlog](crate::Limits::max_backlog_bytes).
    pub max_missed_bytes: usize,
    /// Clients of a namespace that are away; beyond it those who left first are forgotten. 10,000: a reconnect
    /// storm of one node.
    pub max_clients: usize,
    /// Whether who comes back is let in without asking admission again.
    pub skips_admission: bool,
}

impl Default for Recovery {
    fn default() -> Self {
        Self {
            max_away: Duration::from_secs(120),
            max_log_bytes: 16 * 1024 * 1024,
            max_missed_bytes: 1024 * 1024,
            max_clients: 10_000,
            skips_admission: true,
        }
    }
}

/// Names a socket to its own client alone, to be recovered by. Whoever knows it can be that client.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub(crate) struct Pid([u8; 20]);

impl Pid {
    pub(crate) fn new(random: [u8; 15]) -> Self {
        let mut pid = [0; 20];
        BASE64URL.encode_mut(&random, &mut pid);
        Self(pid)
    }

    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Debug for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pid(…)")
    }
}

/// What a client that comes back says of itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Claim {
    pid: Pid,
    /// The place of the last event that it has.
    offset: u64,
}

impl Claim {
    /// The claim in an auth payload, if there is one.
    pub(crate) fn of(auth: &str) -> Option<Self> {
        #[derive(Deserialize)]
        struct Wire {
            pid: String,
            offset: String,
        }
        let Wire { pid, offset } = serde_json::from_str(auth).ok()?;
        let offset = BASE64URL_NOPAD.decode(offset.as_bytes()).ok()?;
        Some(Self {
            pid: Pid(pid.as_bytes().try_into().ok()?),
            offset: u64::from_be_bytes(offset.try_into().ok()?),
        })
    }
}

/// What is not needed any more. To be dropped with no lock of ours held: its `Drop` may be the application's,
/// and call us.
#[derive(Default)]
#[must_use]
pub(crate) struct Discarded(Vec<Arc<dyn Any + Send + Sync>>);

impl Discarded {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T: Any + Send + Sync> FromIterator<Arc<T>> for Discarded {
    fn from_iter<I: IntoIterator<Item = Arc<T>>>(items: I) -> Self {
        Self(items.into_iter().map(|item| item as _).collect())
    }
}

impl From<Away> for Discarded {
    fn from(away: Away) -> Self {
        Self(away.data.into_iter().collect())
    }
}

/// What a namespace remembers.
#[derive(Default)]
pub(crate) struct Memory {
    log: VecDeque<Logged>,
    log_bytes: usize,
    /// The place of the last event that was logged.
    last: u64,
    /// Who is away, in the order in which they left.
    left: BTreeMap<u64, Left>,
    /// Where each of them stands in it. Who leaves again has a new place, as its pid is the same.
    away: HashMap<Pid, u64>,
    /// Places that were given.
    departures: u64,
}

struct Left {
    at: Instant,
    pid: Pid,
    away: Away,
}

struct Logged {
    place: u64,
    at: Instant,
    frames: Bytes,
    select: Select,
}

/// A socket whose client is away.
#[derive(Clone)]
pub(crate) struct Away {
    pub(crate) id: SocketId,
    pub(crate) rooms: Vec<Arc<str>>,
    pub(crate) user: Option<Box<str>>,
    pub(crate) data: Option<Arc<dyn Any + Send + Sync>>,
    pub(crate) shared: Option<Box<str>>,
}

/// A socket whose client has come back.
pub(crate) struct Recovered {
    /// The same as before: by that the client sees that it has been recovered.
    pub(crate) pid: Pid,
    pub(crate) away: Away,
    /// The frames of what it has missed.
    pub(crate) missed: Vec<u8>,
}

impl Memory {
    /// Gives an event its place, and keeps it.
    pub(crate) fn log(
        &mut self,
        draft: &mut Draft,
        select: &Select,
        settings: &Recovery,
        now: Instant,
    ) {
        self.last += 1;
        draft.set_place(self.last);
        let frames = draft.encoded().plain;
        self.log.push_back(Logged {
            place: self.last,
            at: now,
            frames: Bytes::copy_from_slice(frames),
            select: select.clone(),
        });
        self.log_bytes += frames.len();
        while let Some(oldest) = self.log.front()
            && (settings.max_log_bytes < self.log_bytes || oldest.at + settings.max_away < now)
        {
            self.log_bytes -= oldest.frames.len();
            self.log.pop_front();
        }
    }

    /// Keeps a socket for its client. Returns what is left of those who are forgotten.
    pub(crate) fn keep(
        &mut self,
        pid: Pid,
        away: Away,
        settings: &Recovery,
        now: Instant,
    ) -> Discarded {
        self.departures += 1;
        self.left
            .insert(self.departures, Left { at: now, pid, away });
        self.away.insert(pid, self.departures);
        let mut discarded = Discarded::default();
        while let Some((_, first)) = self.left.first_key_value()
            && (settings.max_clients < self.left.len() || first.at + settings.max_away < now)
            && let Some((_, forgotten)) = self.left.pop_first()
        {
            self.away.remove(&forgotten.pid);
            discarded.0.extend(forgotten.away.data);
        }
        discarded
    }

    fn take(&mut self, pid: &Pid) -> Option<Left> {
        let place = self.away.remove(pid)?;
        self.left.remove(&place)
    }

    /// Whether the client could be recovered.
    pub(crate) fn knows(&self, claim: &Claim) -> bool {
        self.away.contains_key(&claim.pid) && self.has_all_since(claim.offset)
    }

    /// Gives a socket back, once, with what its client has missed.
    ///
    /// # Errors
    ///
    /// What is left of it, if it is forgotten, if something that it may have missed is, or if that is too much.
    pub(crate) fn recover(
        &mut self,
        claim: &Claim,
        settings: &Recovery,
        now: Instant,
    ) -> Result<Recovered, Discarded> {
        if !self.has_all_since(claim.offset) {
            return Err(Discarded::default());
        }
        let Left { at, away, .. } = self.take(&claim.pid).ok_or_else(Discarded::default)?;
        if at + settings.max_away < now {
            return Err(away.into());
        }
        match self.missed(&away, claim.offset, settings.max_missed_bytes) {
            Some(missed) => Ok(Recovered {
                pid: claim.pid,
                away,
                missed,
            }),
            None => Err(away.into()),
        }
    }

    /// What was meant for a socket since it had the event at `offset`; `None` if that is more than `max_bytes`.
    fn missed(&self, away: &Away, offset: u64, max_bytes: usize) -> Option<Vec<u8>> {
        let meant = self
            .log
            .iter()
            .filter(|logged| offset < logged.place && is_meant(away, &logged.select));
        let mut missed = Vec::new();
        for logged in meant {
            if max_bytes < missed.len() + logged.frames.len() {
                return None;
            }
            missed.extend_from_slice(&logged.frames);
        }
        Some(missed)
    }

    fn has_all_since(&self, offset: u64) -> bool {
        let oldest = self
            .log
            .front()
            .map_or(self.last + 1, |logged| logged.place);
        (oldest - 1..=self.last).contains(&offset)
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory")
            .field("log_bytes", &self.log_bytes)
            .field("away", &self.away.len())
            .finish_non_exhaustive()
    }
}

/// Whether an event is for a socket, by the rooms that it was in when it left.
fn is_meant(away: &Away, select: &Select) -> bool {
    let is_in = |room: &Arc<str>| **room == *away.id.as_str() || away.rooms.contains(room);
    (select.rooms.is_empty() || select.rooms.iter().any(is_in))
        && !select.except.iter().any(is_in)
        && select.but != Some(away.id)
}

/// What follows an event's arguments, so that its client knows its place in the log.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Trailer {
    /// Nothing: the client takes no string in it for a place.
    None,
    /// Its place, to be filled in.
    Place,
    /// It has none. A string at its end would be taken for one, so that something else is put there.
    Shield,
}

impl Trailer {
    /// What an event needs that its client does not answer.
    pub(crate) fn of(settings: Option<&Recovery>, keep: Keep) -> Self {
        match (settings, keep) {
            (None, _) => Self::None,
            (Some(_), Keep::Event) => Self::Place,
            (Some(_), Keep::Latest(_) | Keep::Nothing) => Self::Shield,
        }
    }
}

/// Characters of a place: the base64 of its eight bytes. Always as many, so that a place can be put into frames
/// that are finished.
pub(crate) const OFFSET_CHARS: usize = 11;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame;

    fn pid(n: u8) -> Pid {
        Pid::new([n; 15])
    }

    fn away(n: u8, rooms: &[&str]) -> Away {
        Away {
            id: SocketId::new([n; 15]),
            rooms: rooms.iter().map(|room| Arc::from(*room)).collect(),
            user: None,
            data: None,
            shared: None,
        }
    }

    fn to(room: &str) -> Select {
        Select {
            rooms: [Arc::from(room)].into_iter().collect(),
            ..Select::default()
        }
    }

    fn event(text: &str) -> Draft {
        let text = format!(r#"42["e","{text}","{}"]"#, "A".repeat(OFFSET_CHARS));
        Draft::plain(frame::text(text.as_bytes()))
    }

    fn claim(n: u8, offset: u64) -> Claim {
        Claim {
            pid: pid(n),
            offset,
        }
    }

    #[track_caller]
    fn check(recovered: Result<Recovered, Discarded>, texts: &[&str]) {
        let missed = recovered.ok().expect("it is recovered").missed;
        let missed = String::from_utf8_lossy(&missed).into_owned();
        let heard: Vec<_> = missed
            .split("[\"e\",\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .collect();
        assert_eq!(heard, texts);
    }

    #[test]
    fn who_comes_back_gets_what_was_meant_for_it_once() {
        let (mut memory, settings, now) = (Memory::default(), Recovery::default(), Instant::now());
        let log = |memory: &mut Memory, text: &str, select: &Select| {
            memory.log(&mut event(text), select, &settings, now);
        };
        log(&mut memory, "had", &Select::default());
        drop(memory.keep(pid(1), away(1, &["a"]), &settings, now));
        log(&mut memory, "all", &Select::default());
        log(&mut memory, "a", &to("a"));
        log(&mut memory, "b", &to("b"));
        log(&mut memory, "me", &to(SocketId::new([1; 15]).as_str()));
        let but = Select {
            but: Some(SocketId::new([1; 15])),
            ..Select::default()
        };
        log(&mut memory, "others", &but);
        let except = Select {
            except: [Arc::from("a")].into_iter().collect(),
            ..Select::default()
        };
        log(&mut memory, "not a", &except);
        assert!(memory.knows(&claim(1, 1)) && !memory.knows(&claim(2, 1)));
        check(
            memory.recover(&claim(1, 1), &settings, now),
            &["all", "a", "me"],
        );
        assert!(
            memory.recover(&claim(1, 1), &settings, now).is_err(),
            "once"
        );
    }

    #[test]
    fn a_place_that_is_not_in_the_log_recovers_nobody() {
        let (mut memory, now) = (Memory::default(), Instant::now());
        let settings = Recovery {
            max_log_bytes: 3 * event("0").encoded().plain.len(),
            ..Recovery::default()
        };
        for n in 1..=5 {
            memory.log(
                &mut event(&n.to_string()),
                &Select::default(),
                &settings,
                now,
            );
        }
        drop(memory.keep(pid(1), away(1, &[]), &settings, now));
        for offset in [0, 1, 6, u64::MAX] {
            assert!(
                memory.recover(&claim(1, offset), &settings, now).is_err(),
                "{offset}"
            );
        }
        check(
            memory.recover(&claim(1, 2), &settings, now),
            &["3", "4", "5"],
        );
    }

    #[test]
    fn time_forgets_both_who_left_and_what_was_said() {
        let (mut memory, settings, now) = (Memory::default(), Recovery::default(), Instant::now());
        memory.log(&mut event("old"), &Select::default(), &settings, now);
        drop(memory.keep(pid(1), away(1, &[]), &settings, now));
        drop(memory.keep(pid(2), away(2, &[]), &settings, now));
        let later = now + settings.max_away + Duration::from_millis(1);
        assert!(memory.recover(&claim(1, 1), &settings, later).is_err());
        memory.log(&mut event("new"), &Select::default(), &settings, later);
        assert_eq!(memory.log.len(), 1);
        drop(memory.keep(pid(3), away(3, &[]), &settings, later));
        assert_eq!((memory.away.len(), memory.left.len()), (1, 1));
        // Nothing has been missed since the last event, however long ago that was.
        check(memory.recover(&claim(3, 2), &settings, later), &[]);
    }

    #[test]
    fn who_has_missed_too_much_begins_anew() {
        for (missed, is_recovered) in [(3, true), (4, false)] {
            let (mut memory, now) = (Memory::default(), Instant::now());
            let settings = Recovery {
                max_missed_bytes: 3 * event("0").encoded().plain.len(),
                ..Recovery::default()
            };
            drop(memory.keep(pid(1), away(1, &[]), &settings, now));
            for n in 0..missed {
                memory.log(
                    &mut event(&n.to_string()),
                    &Select::default(),
                    &settings,
                    now,
                );
            }
            let recovered = memory.recover(&claim(1, 0), &settings, now);
            assert_eq!(recovered.is_ok(), is_recovered, "{missed}");
        }
    }

    #[test]
    fn those_who_are_away_are_bounded() {
        let (mut memory, now) = (Memory::default(), Instant::now());
        let settings = Recovery {
            max_clients: 2,
            ..Recovery::default()
        };
        for n in 0..10 {
            drop(memory.keep(pid(n), away(n, &[]), &settings, now));
        }
        assert_eq!((memory.away.len(), memory.left.len()), (2, 2));
        assert!(memory.knows(&claim(9, 0)) && !memory.knows(&claim(1, 0)));
    }

    #[test]
    fn who_leaves_again_is_kept_as_long_as_the_first_time() {
        let (mut memory, settings, now) = (Memory::default(), Recovery::default(), Instant::now());
        drop(memory.keep(pid(1), away(1, &[]), &settings, now));
        check(memory.recover(&claim(1, 0), &settings, now), &[]);
        let again = now + settings.max_away / 2;
        drop(memory.keep(pid(1), away(1, &[]), &settings, again));
        let later = now + settings.max_away + Duration::from_millis(1);
        drop(memory.keep(pid(2), away(2, &[]), &settings, later));
        check(memory.recover(&claim(1, 0), &settings, later), &[]);
    }

    #[test]
    fn who_came_back_takes_nobodys_place() {
        let (mut memory, now) = (Memory::default(), Instant::now());
        let settings = Recovery {
            max_clients: 2,
            ..Recovery::default()
        };
        drop(memory.keep(pid(1), away(1, &[]), &settings, now));
        for _ in 0..10 {
            drop(memory.keep(pid(2), away(2, &[]), &settings, now));
            check(memory.recover(&claim(2, 0), &settings, now), &[]);
        }
        drop(memory.keep(pid(2), away(2, &[]), &settings, now));
        assert!(memory.knows(&claim(1, 0)) && memory.knows(&claim(2, 0)));
    }

    #[test]
    fn a_claim_is_read_from_any_auth() {
        let place = BASE64URL_NOPAD.encode(&7_u64.to_be_bytes());
        let auth = format!(
            r#"{{"token":1,"pid":"{}","offset":"{place}"}}"#,
            pid(1).as_str()
        );
        assert_eq!(Claim::of(&auth), Some(claim(1, 7)));
        for auth in [
            "{}",
            r#"{"pid":"x","offset":"y"}"#,
            r#"{"pid":1,"offset":2}"#,
            "[]",
            "",
        ] {
            assert_eq!(Claim::of(auth), None, "{auth}");
        }
    }
}
