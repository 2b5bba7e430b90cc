//! Nodes: what the nodes of a room tell each other, and what each knows of the others. Plain data: no clock, no lock.
//! While a node is alone, nobody hears it.
//!
//! A node tells of each change of its own people in numbered steps. Who has missed a step asks for the whole roll.

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use crate::{auth::SessionTag, person::PersonId};

/// Names a node, for as long as it runs.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub(crate) struct NodeId(pub(crate) u64);

impl NodeId {
    /// One that no other node has.
    pub(crate) fn random() -> Self {
        Self(getrandom::u64().expect("the system has random bytes"))
    }
}

/// Somebody is signed in no longer. The database knows already; what is left to do is the same on every node.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) enum Ended {
    /// A session. A guest has no other, and leaves with it.
    Session {
        session: SessionTag,
        guest: Option<PersonId>,
    },
    /// All sessions of a person but this one.
    Others { person: PersonId, but: SessionTag },
    /// The person, who is one no longer.
    Person { person: PersonId },
}

/// The event that carries an [`Ended`].
pub(crate) const ENDED: &str = "ended";

/// What a node says.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Said {
    pub(crate) node: NodeId,
    /// How many changes it has told of by now.
    pub(crate) step: u64,
    pub(crate) word: Word,
}

/// The event that carries what a node says.
pub(crate) const SAID: &str = "said";

#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) enum Word {
    /// It is there.
    Beat,
    /// A step: somebody has so many pages on it now.
    Pages(Listed),
    /// A step: somebody goes by another name.
    Renamed { person: PersonId, name: String },
    /// A part of all who have pages on it.
    Roll {
        part: usize,
        parts: usize,
        people: Vec<Listed>,
    },
    /// It wants a node's roll, or everyone's.
    Ask { whose: Option<NodeId> },
    /// Somebody writes something, or has stopped.
    Typing { person: PersonId, is_typing: bool },
    /// It ends.
    Bye,
}

#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Listed {
    pub(crate) person: PersonId,
    pub(crate) name: String,
    pub(crate) pages: usize,
}

/// What one node knows of the others.
#[derive(Debug)]
pub(crate) struct Neighbours {
    own: NodeId,
    step: u64,
    has_ended: bool,
    others: HashMap<NodeId, Neighbour>,
}

#[derive(Debug)]
struct Neighbour {
    /// Up to which step all is known, if it is.
    step: Option<u64>,
    heard: Instant,
    asked: Option<Instant>,
    roll: Option<Roll>,
}

/// A roll of which not all parts have come.
#[derive(Debug, Default)]
struct Roll {
    parts: usize,
    people: HashSet<PersonId>,
}

/// What has to be done about something that a node said.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Verdict {
    /// Nothing.
    Ignore,
    /// It is right as it is.
    Take,
    /// The same, and nobody is on that node but these.
    TakeAll(HashSet<PersonId>),
    /// Something was missed: its roll is needed.
    Ask,
}

impl Neighbours {
    pub(crate) fn new(own: NodeId) -> Self {
        Self {
            own,
            step: 0,
            has_ended: false,
            others: HashMap::new(),
        }
    }

    pub(crate) fn own(&self) -> NodeId {
        self.own
    }

    /// What this node says next; nothing more after its last word.
    pub(crate) fn say(&mut self, word: Word) -> Option<Said> {
        if is_step(&word) {
            self.step += 1;
        }
        let has_ended = std::mem::replace(&mut self.has_ended, word == Word::Bye);
        self.has_ended |= has_ended;
        (!has_ended).then_some(Said {
            node: self.own,
            step: self.step,
            word,
        })
    }

    /// Another node has said something.
    pub(crate) fn hear(&mut self, said: &Said, now: Instant) -> Verdict {
        if said.node == self.own {
            return Verdict::Ignore;
        }
        if said.word == Word::Bye {
            self.others.remove(&said.node);
            return Verdict::Take;
        }
        let other = self.others.entry(said.node).or_insert(Neighbour {
            step: None,
            heard: now,
            asked: None,
            roll: None,
        });
        other.heard = now;
        other.hear(said, now)
    }

    /// How many others there are of whom all is known.
    #[cfg(test)]
    pub(crate) fn known(&self) -> usize {
        let others = self.others.values();
        others.filter(|other| other.step.is_some()).count()
    }

    /// Those who have been silent for too long; they are forgotten.
    pub(crate) fn take_silent(&mut self, now: Instant) -> Vec<NodeId> {
        let silent: Vec<_> = self.silent(now).collect();
        for node in &silent {
            self.others.remove(node);
        }
        silent
    }

    /// Whether somebody has been silent for too long.
    pub(crate) fn is_any_silent(&self, now: Instant) -> bool {
        self.silent(now).next().is_some()
    }

    /// Nobody could be heard until now.
    pub(crate) fn excuse(&mut self, now: Instant) {
        for other in self.others.values_mut() {
            other.heard = now;
        }
    }

    fn silent(&self, now: Instant) -> impl Iterator<Item = NodeId> {
        let silent = self
            .others
            .iter()
            .filter(move |(_, other)| other.heard + LONGEST_SILENCE <= now);
        silent.map(|(node, _)| *node)
    }
}

impl Neighbour {
    fn hear(&mut self, said: &Said, now: Instant) -> Verdict {
        match &said.word {
            Word::Roll {
                part,
                parts,
                people,
            } => self.hear_roll(said.step, *part, *parts, people, now),
            word if is_step(word) => {
                if self.step.is_none_or(|step| step + 1 != said.step) {
                    return self.ask(now);
                }
                self.step = Some(said.step);
                Verdict::Take
            }
            _ if self.step != Some(said.step) => self.ask(now),
            Word::Typing { .. } | Word::Ask { .. } => Verdict::Take,
            _ => Verdict::Ignore,
        }
    }

    fn hear_roll(
        &mut self,
        step: u64,
        part: usize,
        parts: usize,
        people: &[Listed],
        now: Instant,
    ) -> Verdict {
        if part == 0 {
            self.roll = Some(Roll::default());
        }
        let Some(roll) = self.roll.as_mut().filter(|roll| roll.parts == part) else {
            self.roll = None;
            return self.ask(now);
        };
        roll.parts += 1;
        roll.people
            .extend(people.iter().map(|listed| listed.person));
        if roll.parts < parts {
            return Verdict::Take;
        }
        self.step = Some(step);
        let roll = self.roll.take().unwrap_or_default();
        Verdict::TakeAll(roll.people)
    }

    /// The roll is needed; it is not asked for again before it can have come.
    fn ask(&mut self, now: Instant) -> Verdict {
        self.step = None;
        if self.asked.is_some_and(|asked| now < asked + ASK_INTERVAL) {
            return Verdict::Ignore;
        }
        self.asked = Some(now);
        Verdict::Ask
    }
}

fn is_step(word: &Word) -> bool {
    matches!(word, Word::Pages(_) | Word::Renamed { .. })
}

/// Between two signs of life.
pub(crate) const BEAT: Duration = Duration::from_secs(1);

/// After this, a node is taken for ended.
const LONGEST_SILENCE: Duration = Duration::from_secs(5);

/// Longer than a roll takes.
const ASK_INTERVAL: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    const A: NodeId = NodeId(1);
    const B: NodeId = NodeId(2);
    const ANNA: PersonId = PersonId::Guest(1);
    const BERT: PersonId = PersonId::Guest(2);

    fn listed(person: PersonId, pages: usize) -> Listed {
        let name = "Anna".to_owned();
        Listed {
            person,
            name,
            pages,
        }
    }

    fn roll(part: usize, parts: usize, people: &[PersonId]) -> Word {
        let people = people.iter().map(|person| listed(*person, 1)).collect();
        Word::Roll {
            part,
            parts,
            people,
        }
    }

    fn say(node: &mut Neighbours, word: Word) -> Said {
        node.say(word).expect("it has not ended")
    }

    /// A node that is known from its first step on, and one that knows it.
    fn pair(now: Instant) -> [Neighbours; 2] {
        let [mut a, mut b] = [Neighbours::new(A), Neighbours::new(B)];
        let verdict = b.hear(&say(&mut a, roll(0, 1, &[])), now);
        assert_eq!(verdict, Verdict::TakeAll(HashSet::new()));
        [a, b]
    }

    #[test]
    fn whoever_is_new_is_asked_for_its_roll_once_in_a_while() {
        let (mut a, mut b, now) = (Neighbours::new(A), Neighbours::new(B), Instant::now());
        assert_eq!(b.hear(&say(&mut a, Word::Beat), now), Verdict::Ask);
        assert_eq!(b.hear(&say(&mut a, Word::Beat), now), Verdict::Ignore);
        let later = now + ASK_INTERVAL;
        assert_eq!(b.hear(&say(&mut a, Word::Beat), later), Verdict::Ask);
        assert_eq!(
            b.hear(&say(&mut a, roll(0, 2, &[ANNA])), later),
            Verdict::Take
        );
        let all = Verdict::TakeAll(HashSet::from([ANNA, BERT]));
        assert_eq!(b.hear(&say(&mut a, roll(1, 2, &[BERT])), later), all);
        assert_eq!(b.hear(&say(&mut a, Word::Beat), later), Verdict::Ignore);
    }

    #[test]
    fn steps_are_taken_in_order_and_a_missing_one_is_noticed() {
        let now = Instant::now();
        let [mut a, mut b] = pair(now);
        for pages in 1..4 {
            let said = say(&mut a, Word::Pages(listed(ANNA, pages)));
            assert_eq!(b.hear(&said, now), Verdict::Take);
        }
        say(&mut a, Word::Pages(listed(ANNA, 4)));
        let said = say(&mut a, Word::Pages(listed(ANNA, 5)));
        assert_eq!(b.hear(&said, now), Verdict::Ask);
        let said = say(&mut a, Word::Pages(listed(ANNA, 6)));
        assert_eq!(b.hear(&said, now), Verdict::Ignore, "its roll is under way");
        b.hear(&say(&mut a, roll(0, 1, &[ANNA])), now);
        let said = say(&mut a, Word::Pages(listed(ANNA, 7)));
        assert_eq!(b.hear(&said, now), Verdict::Take);
    }

    #[test]
    fn a_last_step_that_is_missing_is_noticed_at_the_next_beat() {
        let now = Instant::now();
        let [mut a, mut b] = pair(now);
        say(&mut a, Word::Pages(listed(ANNA, 1)));
        assert_eq!(b.hear(&say(&mut a, Word::Beat), now), Verdict::Ask);
    }

    #[test]
    fn a_roll_with_a_missing_part_is_none() {
        let now = Instant::now();
        let [mut a, mut b] = pair(now);
        b.hear(&say(&mut a, roll(0, 3, &[ANNA])), now);
        assert_eq!(b.hear(&say(&mut a, roll(2, 3, &[BERT])), now), Verdict::Ask);
    }

    #[test]
    fn a_silent_node_is_forgotten_unless_nobody_could_be_heard() {
        let now = Instant::now();
        let [mut a, mut b] = pair(now);
        let silent = now + LONGEST_SILENCE;
        assert!(!b.is_any_silent(silent - BEAT) && b.is_any_silent(silent));
        b.excuse(silent);
        assert_eq!(b.take_silent(silent), []);
        assert_eq!(b.take_silent(silent + LONGEST_SILENCE), [A]);
        assert_eq!(b.take_silent(silent + LONGEST_SILENCE), []);
        assert_eq!(b.hear(&say(&mut a, Word::Beat), silent), Verdict::Ask);
    }

    #[test]
    fn nobody_hears_their_own_words() {
        let mut a = Neighbours::new(A);
        let said = say(&mut a, Word::Beat);
        assert_eq!(a.hear(&said, Instant::now()), Verdict::Ignore);
    }

    #[test]
    fn a_node_is_silent_after_its_last_word() {
        let now = Instant::now();
        let [mut a, mut b] = pair(now);
        assert_eq!(b.hear(&say(&mut a, Word::Bye), now), Verdict::Take);
        assert_eq!(a.say(Word::Pages(listed(ANNA, 0))), None);
        assert_eq!(a.say(Word::Beat), None);
    }
}
