//! Typing: who is writing something just now. Plain data: no clock, no lock.

use std::time::{Duration, Instant};

use crate::person::PersonId;

/// Those who write, in the order in which they began.
#[derive(Debug, Default)]
pub(crate) struct Typing {
    writers: Vec<Writer>,
}

#[derive(Debug)]
struct Writer {
    person: PersonId,
    until: Instant,
    /// When other nodes were last told.
    told_at: Instant,
}

impl Typing {
    /// Somebody writes, or has stopped. Whether that changes who does.
    pub(crate) fn set(&mut self, person: PersonId, is_typing: bool, now: Instant) -> bool {
        let mut writers = self.writers.iter();
        let at = writers.position(|writer| writer.person == person);
        let until = now + FORGET;
        match (at, is_typing) {
            (Some(at), true) => {
                self.writers[at].until = until;
                false
            }
            (Some(at), false) => {
                self.writers.remove(at);
                true
            }
            (None, true) if self.writers.len() < MAX_WRITERS => {
                self.writers.push(Writer {
                    person,
                    until,
                    told_at: now,
                });
                true
            }
            (None, true | false) => false,
        }
    }

    /// Before that is [set](Self::set): whether other nodes, which keep the same, have to be told. What they know of
    /// somebody lasts as long as it does here.
    pub(crate) fn tell(&mut self, person: PersonId, is_typing: bool, now: Instant) -> bool {
        let mut writers = self.writers.iter_mut();
        let known = writers.find(|writer| writer.person == person);
        match (known, is_typing) {
            (Some(writer), true) => {
                let is_due = writer.told_at + TELL_AGAIN <= now;
                if is_due {
                    writer.told_at = now;
                }
                is_due
            }
            (Some(_), false) => true,
            (None, true) => self.writers.len() < MAX_WRITERS,
            (None, false) => false,
        }
    }

    /// Time has moved on to `now`. Whether that changes who writes.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> bool {
        let before = self.writers.len();
        self.writers.retain(|writer| now < writer.until);
        self.writers.len() != before
    }

    /// When [`handle_timeout`](Self::handle_timeout) next has something to do.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.writers.iter().map(|writer| writer.until).min()
    }

    /// Who writes.
    pub(crate) fn people(&self) -> impl Iterator<Item = PersonId> {
        self.writers.iter().map(|writer| writer.person)
    }
}

/// Who says nothing for this long has stopped.
const FORGET: Duration = Duration::from_secs(5);

/// What others know must not be forgotten while it is true, and need not be told at each key.
const TELL_AGAIN: Duration = Duration::from_millis(1_500);

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

    #[test]
    fn others_are_told_of_changes_and_reminded_before_they_forget() {
        let (mut typing, now) = (Typing::default(), Instant::now());
        let anna = PersonId::Account(1);
        let mut told = 0;
        for step in 0..10 {
            let at = now + Duration::from_secs(step);
            told += u32::from(typing.tell(anna, true, at));
            typing.set(anna, true, at);
        }
        assert_eq!(told, 5);
        let end = now + Duration::from_secs(10);
        assert!(typing.tell(anna, false, end));
        typing.set(anna, false, end);
        assert!(!typing.tell(anna, false, end));
    }
}
