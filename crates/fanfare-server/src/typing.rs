//! Typing: who is writing something just now. Plain data: no clock, no lock.

use std::time::{Duration, Instant};

use crate::person::PersonId;

/// Those who write, in the order in which they began.
#[derive(Debug, Default)]
pub(crate) struct Typing {
    writers: Vec<(PersonId, Instant)>,
}

impl Typing {
    /// Somebody writes, or has stopped. Whether that changes who does.
    pub(crate) fn set(&mut self, person: PersonId, is_typing: bool, now: Instant) -> bool {
        let at = self
            .writers
            .iter()
            .position(|(writer, _)| *writer == person);
        match (at, is_typing) {
            (Some(at), true) => {
                self.writers[at].1 = now + FORGET;
                false
            }
            (Some(at), false) => {
                self.writers.remove(at);
                true
            }
            (None, true) if self.writers.len() < MAX_WRITERS => {
                self.writers.push((person, now + FORGET));
                true
            }
            (None, true | false) => false,
        }
    }

    /// Time has moved on to `now`. Whether that changes who writes.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> bool {
        let before = self.writers.len();
        self.writers.retain(|(_, until)| now < *until);
        self.writers.len() != before
    }

    /// When [`handle_timeout`](Self::handle_timeout) next has something to do.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.writers.iter().map(|(_, until)| *until).min()
    }

    /// Who writes.
    pub(crate) fn people(&self) -> impl Iterator<Item = PersonId> {
        self.writers.iter().map(|(person, _)| *person)
    }
}

/// Who says nothing for this long has stopped.
const FORGET: Duration = Duration::from_secs(5);

/// Beyond it nobody could say who.
const MAX_WRITERS: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_writer_stays_as_long_as_it_goes_on() {
        let (mut typing, now) = (Typing::default(), Instant::now());
        let (anna, bert) = (PersonId::Account(1), PersonId::Guest(2));
        assert!(typing.set(anna, true, now));
        assert!(!typing.set(anna, true, now + FORGET / 2));
        assert!(typing.set(bert, true, now + FORGET / 2));
        assert!(!typing.handle_timeout(now + FORGET));
        assert_eq!(typing.people().collect::<Vec<_>>(), [anna, bert]);
        assert!(typing.set(anna, false, now + FORGET));
        assert!(!typing.set(anna, false, now + FORGET));
        assert_eq!(typing.poll_timeout(), Some(now + FORGET / 2 + FORGET));
        assert!(typing.handle_timeout(now + FORGET / 2 + FORGET));
        assert_eq!((typing.people().count(), typing.poll_timeout()), (0, None));
    }

    #[test]
    fn a_crowd_is_bounded() {
        let (mut typing, now) = (Typing::default(), Instant::now());
        for number in 0..1_000 {
            typing.set(PersonId::Guest(number), true, now);
        }
        assert_eq!(typing.people().count(), MAX_WRITERS);
    }
}
