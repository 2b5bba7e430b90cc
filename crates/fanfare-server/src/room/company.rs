//! Company: what this node tells the others of its people, and what becomes of what they tell.
//!
//! Each node tells its own sockets of everyone, so what is emitted for it stays local.

use std::{
    collections::HashSet,
    future::ready,
    sync::{Arc, MutexGuard},
    time::{Duration, Instant},
};

use tokio::time::sleep;

use super::{Change as Told, Room, locked};
use crate::{
    broker::{Broker, names},
    names::Name,
    nodes::{BEAT, ENDED, Ended, Listed, Neighbours, NodeId, SAID, Said, Verdict, Word},
    people::{Change, People},
    person::PersonId,
    wire::Renamed,
};

impl Room {
    pub(super) fn on_nodes(self: &Arc<Self>) {
        let here = self.clone();
        self.io.on_server_side(ENDED, move |_, ended: Ended| {
            here.end_here(ended);
            ready(())
        });
        let here = self.clone();
        self.io.on_server_side(SAID, move |_, said: Said| {
            here.hear(said);
            ready(())
        });
    }

    /// Tells the other nodes something. Whoever does holds the lock on the people, so that all hear it in one order.
    pub(super) fn tell_nodes(&self, _people: &People, word: Word) {
        if self.broker.is_none() {
            return;
        }
        if let Some(said) = self.neighbours().say(word) {
            self.io.server_side_emit(SAID, said);
        }
    }

    /// Tells them how many pages somebody has here.
    pub(super) fn tell_nodes_pages(&self, people: &People, person: PersonId, name: &Name) {
        let pages = people.pages_here(person);
        let name = name.as_str().to_owned();
        self.tell_nodes(
            people,
            Word::Pages(Listed {
                person,
                name,
                pages,
            }),
        );
    }

    /// The last that other nodes hear of this one: nobody is here any more.
    pub(crate) fn tell_nodes_bye(&self) {
        self.tell_nodes(&self.people(), Word::Bye);
    }

    /// Gives signs of life, and notices who gives none; for as long as it is polled.
    pub(super) async fn keep_company(&self) {
        let Some(broker) = &self.broker else {
            return;
        };
        self.tell_nodes(&self.people(), Word::Ask { whose: None });
        let mut renewed_at = Instant::now();
        loop {
            tokio::select! {
                () = self.roll_wanted.notified() => self.call_roll(),
                () = sleep(BEAT) => self.tell_nodes(&self.people(), Word::Beat),
            }
            self.free_names(broker).await;
            if renewed_at + LEASE / 3 <= Instant::now() {
                renewed_at = Instant::now();
                self.renew_names(broker).await;
            }
            if !self.neighbours().is_any_silent(Instant::now()) {
                continue;
            }
            // Where nobody can be heard, nobody has left.
            match broker.is_there().await {
                Ok(()) => self.forget_silent(),
                Err(_) => self.neighbours().excuse(Instant::now()),
            }
        }
    }

    /// Holds a guest's name on all nodes; gives it as somebody else has it there, if they do.
    pub(super) async fn hold_everywhere(
        &self,
        name: &Name,
        person: PersonId,
        time: Duration,
    ) -> Option<Name> {
        let broker = self.broker.as_ref().filter(|_| !person.is_account())?;
        self.free_names(broker).await;
        let held = names::hold(broker, name, person, time).await;
        // No guest comes in while sessions can't be kept, so there is nobody to take it from.
        held.unwrap_or_else(|error| {
            tracing::warn!(%error, "a name is held on this node alone");
            None
        })
    }

    /// A guest's name is free, which other nodes are told in a moment.
    pub(super) fn free_everywhere(&self, name: &Name, person: PersonId) {
        if self.broker.is_some() && !person.is_account() {
            locked(&self.freed).push((name.clone(), person));
        }
    }

    /// Whoever asks for a name now finds free what has been freed here before.
    async fn free_names(&self, broker: &Broker) {
        let _one_at_a_time = self.freeing.lock().await;
        let freed = std::mem::take(&mut *locked(&self.freed));
        if let Err(error) = names::release(broker, &freed).await {
            tracing::debug!(%error, "names are free a little later");
        }
    }

    async fn renew_names(&self, broker: &Broker) {
        let holders: Vec<_> = {
            let people = self.people();
            let guests = people.here().filter(|(person, ..)| !person.is_account());
            guests
                .map(|(person, name, _)| (name.clone(), person))
                .collect()
        };
        if let Err(error) = names::renew(broker, &holders, LEASE).await {
            tracing::warn!(%error, "names of guests can't be held on all nodes");
        }
    }

    fn call_roll(&self) {
        let people = self.people();
        let listed = people.here().map(|(person, name, pages)| Listed {
            person,
            name: name.as_str().to_owned(),
            pages,
        });
        let listed: Vec<_> = listed.collect();
        let parts = listed.len().div_ceil(ROLL_PART).max(1);
        for part in 0..parts {
            let rest = listed.get(part * ROLL_PART..).unwrap_or_default();
            self.tell_nodes(
                &people,
                Word::Roll {
                    part,
                    parts,
                    people: rest.iter().take(ROLL_PART).cloned().collect(),
                },
            );
        }
    }

    fn hear(&self, said: Said) {
        let now = Instant::now();
        let mut people = self.people();
        let verdict = {
            let mut neighbours = self.neighbours();
            if let Word::Ask { whose } = said.word
                && whose.is_none_or(|whose| whose == neighbours.own())
            {
                self.roll_wanted.notify_one();
            }
            neighbours.hear(&said, now)
        };
        let node = said.node;
        match verdict {
            Verdict::Ignore => {}
            Verdict::Ask => self.tell_nodes(&people, Word::Ask { whose: Some(node) }),
            Verdict::Take => self.take(&mut people, said, now),
            Verdict::TakeAll(there) => {
                self.take(&mut people, said, now);
                self.clear(&mut people, node, &there, now);
            }
        }
    }

    fn take(&self, people: &mut People, said: Said, now: Instant) {
        match said.word {
            Word::Pages(listed) => self.set_elsewhere(people, said.node, &listed, now),
            Word::Roll { people: roll, .. } => {
                for listed in roll {
                    self.set_elsewhere(people, said.node, &listed, now);
                }
            }
            Word::Renamed { person, name } => {
                if let Ok(name) = Name::parse(&name) {
                    self.rename_here(people, person, &name);
                }
            }
            Word::Typing { person, is_typing } => self.set_typing(person, is_typing),
            Word::Bye => self.clear(people, said.node, &HashSet::new(), now),
            Word::Beat | Word::Ask { .. } => {}
        }
    }

    fn set_elsewhere(&self, people: &mut People, node: NodeId, listed: &Listed, now: Instant) {
        // A later version may have other names.
        let Ok(name) = Name::parse(&listed.name) else {
            return;
        };
        let person = listed.person;
        match people.set_elsewhere(node, &name, person, listed.pages, now) {
            Some(Change::Came) => return self.tell(person, &name, Told::Came),
            Some(Change::Tabs(0)) => self.away(person),
            Some(Change::Tabs(tabs)) => self.tell_tabs(person, tabs),
            None => {}
        }
        if people.name_of(person).is_some_and(|known| *known != name) {
            self.rename_here(people, person, &name);
        }
    }

    /// Nobody is on the node any more but these.
    fn clear(&self, people: &mut People, node: NodeId, but: &HashSet<PersonId>, now: Instant) {
        let gone = people.at(node).into_iter();
        for person in gone.filter(|person| !but.contains(person)) {
            let Some(name) = people.name_of(person).cloned() else {
                continue;
            };
            let name = name.as_str().to_owned();
            let listed = Listed {
                person,
                name,
                pages: 0,
            };
            self.set_elsewhere(people, node, &listed, now);
        }
    }

    fn forget_silent(&self) {
        let now = Instant::now();
        let mut people = self.people();
        let silent = self.neighbours().take_silent(now);
        for node in silent {
            tracing::warn!(?node, "a node has fallen silent; its people are leaving");
            self.clear(&mut people, node, &HashSet::new(), now);
        }
    }

    pub(super) fn rename_here(&self, people: &mut People, person: PersonId, name: &Name) {
        if people.rename(person, name) {
            let (id, name) = (person.to_string(), name.as_str());
            self.io.local().emit("renamed", Renamed { id, name });
        }
    }

    fn neighbours(&self) -> MutexGuard<'_, Neighbours> {
        locked(&self.neighbours)
    }
}

/// How long a guest's name is held without a renewal.
pub(super) const LEASE: Duration = Duration::from_secs(15);

/// People of one message.
const ROLL_PART: usize = 500;
