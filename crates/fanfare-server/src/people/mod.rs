//! People: who is here, by name. Plain data: no clock, no sockets, no lock.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, HashMap},
    time::{Duration, Instant},
};

use crate::{names::Name, nodes::NodeId, person::PersonId};

/// Who is here, and who holds which name.
///
/// ```text
///             connect                 last disconnect
///   Reserved ---------> Here(pages) ----------------> Leaving
///      |                     ^                             | |
///      | after GRACE         +-----------------------------+ | after GRACE
///      v                                 connect             v
///    (free)                                              (free), told
/// ```
///
/// A name belongs to one person at a time. Somebody who is leaving is still here: a page that is
/// reloaded leaves and comes back. Pages on other nodes keep a person here as those on this one do.
#[derive(Debug, Default)]
pub(crate) struct People {
    places: HashMap<PersonId, Place>,
    /// Who holds which name, by its key. Invariant: these are the names of the places. Where two nodes have given
    /// one name to two people, it is the first one's.
    holders: HashMap<Box<str>, PersonId>,
    /// Those who are here, in the order in which they came.
    arrivals: BTreeMap<u64, PersonId>,
    next_arrival: u64,
    /// When whose name may become free. Those that no longer hold are passed over when due.
    deadlines: BinaryHeap<Reverse<(Instant, PersonId)>>,
}

/// Somebody who holds a name.
#[derive(Debug)]
struct Place {
    name: Name,
    presence: Presence,
}

#[derive(Debug)]
enum Presence {
    Reserved { until: Instant },
    Here { arrival: u64, pages: Pages },
    Leaving { arrival: u64, until: Instant },
}

/// How many pages somebody has, of whom there is at least one.
#[derive(Debug, Default)]
struct Pages {
    here: usize,
    elsewhere: BTreeMap<NodeId, usize>,
}

impl Pages {
    fn total(&self) -> usize {
        self.here + self.elsewhere.values().sum::<usize>()
    }
}

/// What another node's word means for everyone on this one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Change {
    /// Somebody came.
    Came,
    /// Somebody has so many pages now; none if they may be leaving.
    Tabs(usize),
}

/// What a connect means for everyone else.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Arrival {
    /// Somebody came.
    First,
    /// Somebody who is here already has so many pages now.
    Further(usize),
}

/// Somebody who is here.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Present<'a> {
    /// Where this one stands among the others.
    pub(crate) arrival: u64,
    pub(crate) id: PersonId,
    pub(crate) name: &'a Name,
    pub(crate) pages: usize,
}

/// The name belongs to somebody else, who spells it so.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the name {0} is taken: somebody here has it")]
pub(crate) struct Taken(pub(crate) Name);

impl People {
    /// Holds `name` for `person` until `until`, or until a page of theirs connects. Gives the name that
    /// the person has already, if they are here.
    ///
    /// # Errors
    ///
    /// [`Taken`] if somebody else holds the name.
    pub(crate) fn reserve(
        &mut self,
        name: &Name,
        person: PersonId,
        until: Instant,
    ) -> Result<Name, Taken> {
        self.check_free(name, person)?;
        if let Some(place) = self.places.get(&person) {
            match place.presence {
                Presence::Reserved { .. } => drop(self.take(person)),
                Presence::Here { .. } | Presence::Leaving { .. } => return Ok(place.name.clone()),
            }
        }
        self.put(person, name, Presence::Reserved { until });
        self.due(until, person);
        Ok(name.clone())
    }

    /// A page of the person connected.
    ///
    /// # Errors
    ///
    /// [`Taken`] if somebody else holds the name.
    pub(crate) fn connect(&mut self, name: &Name, person: PersonId) -> Result<Arrival, Taken> {
        if let Some(place) = self.places.get_mut(&person) {
            match &mut place.presence {
                Presence::Here { pages, .. } => {
                    pages.here += 1;
                    return Ok(Arrival::Further(pages.total()));
                }
                Presence::Leaving { arrival, .. } => {
                    place.presence = Presence::Here {
                        arrival: *arrival,
                        pages: Pages {
                            here: 1,
                            ..Pages::default()
                        },
                    };
                    return Ok(Arrival::Further(1));
                }
                Presence::Reserved { .. } => {}
            }
        }
        self.check_free(name, person)?;
        let pages = Pages {
            here: 1,
            ..Pages::default()
        };
        self.arrive(name, person, pages);
        Ok(Arrival::First)
    }

    /// Another node says how many pages the person has there. Nothing is to be told if that is no news.
    pub(crate) fn set_elsewhere(
        &mut self,
        node: NodeId,
        name: &Name,
        person: PersonId,
        n: usize,
        now: Instant,
    ) -> Option<Change> {
        if let Some(place) = self.places.get_mut(&person) {
            match &mut place.presence {
                Presence::Here { pages, .. } => {
                    let before = match n {
                        0 => pages.elsewhere.remove(&node),
                        n => pages.elsewhere.insert(node, n),
                    };
                    let total = pages.total();
                    if total == 0 {
                        self.begin_leaving(person, now);
                    }
                    return (before.unwrap_or(0) != n).then_some(Change::Tabs(total));
                }
                Presence::Leaving { arrival, .. } if 0 < n => {
                    place.presence = Presence::Here {
                        arrival: *arrival,
                        pages: Pages {
                            here: 0,
                            elsewhere: BTreeMap::from([(node, n)]),
                        },
                    };
                    return Some(Change::Tabs(n));
                }
                Presence::Leaving { .. } | Presence::Reserved { .. } => {}
            }
        }
        if n == 0 {
            return None;
        }
        let pages = Pages {
            here: 0,
            elsewhere: BTreeMap::from([(node, n)]),
        };
        self.arrive(name, person, pages);
        Some(Change::Came)
    }

    /// Those who have pages on another node.
    pub(crate) fn at(&self, node: NodeId) -> Vec<PersonId> {
        let places = self.places.iter();
        let there = places.filter(|(_, place)| match &place.presence {
            Presence::Here { pages, .. } => pages.elsewhere.contains_key(&node),
            Presence::Reserved { .. } | Presence::Leaving { .. } => false,
        });
        there.map(|(person, _)| *person).collect()
    }

    /// How many pages the person has on this node.
    pub(crate) fn pages_here(&self, person: PersonId) -> usize {
        let place = self.places.get(&person);
        place.map_or(0, |place| match &place.presence {
            Presence::Here { pages, .. } => pages.here,
            Presence::Reserved { .. } | Presence::Leaving { .. } => 0,
        })
    }

    /// Those who have pages on this node, and how many.
    pub(crate) fn here(&self) -> impl Iterator<Item = (PersonId, &Name, usize)> {
        self.places
            .iter()
            .filter_map(|(person, place)| match &place.presence {
                Presence::Here { pages, .. } if 0 < pages.here => {
                    Some((*person, &place.name, pages.here))
                }
                Presence::Here { .. } | Presence::Reserved { .. } | Presence::Leaving { .. } => {
                    None
                }
            })
    }

    /// A page of the person disconnected; gives how many are left. After the last one, the person
    /// leaves in [`GRACE`].
    pub(crate) fn disconnect(&mut self, person: PersonId, now: Instant) -> Option<usize> {
        let place = self.places.get_mut(&person)?;
        let Presence::Here { pages, .. } = &mut place.presence else {
            return None;
        };
        pages.here = pages.here.checked_sub(1)?;
        let left = pages.total();
        if left == 0 {
            self.begin_leaving(person, now);
        }
        Some(left)
    }

    /// Gives a reserved name back; whoever is here keeps theirs.
    pub(crate) fn release(&mut self, person: PersonId) {
        let place = self.places.get(&person);
        if place.is_some_and(|place| matches!(place.presence, Presence::Reserved { .. })) {
            self.take(person);
        }
    }

    /// The person is gone for good, and so at once. Gives the name, if they were here.
    pub(crate) fn remove(&mut self, person: PersonId) -> Option<Name> {
        self.take(person)
    }

    /// The person goes by another name from now on, unless somebody else holds it. Whether they are here.
    pub(crate) fn rename(&mut self, person: PersonId, name: &Name) -> bool {
        if self.check_free(name, person).is_err() {
            return false;
        }
        let Some(place) = self.places.get_mut(&person) else {
            return false;
        };
        let old = std::mem::replace(&mut place.name, name.clone());
        let is_here = !matches!(place.presence, Presence::Reserved { .. });
        self.free(&old, person);
        self.holders.insert(name.key().into(), person);
        is_here
    }

    /// Time has moved on to `now`; gives one who has left. Call it until it gives nobody.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Option<(PersonId, Name)> {
        while self.poll_timeout().is_some_and(|due| due <= now) {
            let Reverse((_, person)) = self.deadlines.pop()?;
            let is_over = self
                .places
                .get(&person)
                .is_some_and(|place| match place.presence {
                    Presence::Reserved { until } | Presence::Leaving { until, .. } => until <= now,
                    Presence::Here { .. } => false,
                });
            if is_over && let Some(name) = self.take(person) {
                return Some((person, name));
            }
        }
        None
    }

    /// When [`handle_timeout`](Self::handle_timeout) next has something to do.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.peek().map(|Reverse((due, _))| *due)
    }

    /// How many people are here.
    pub(crate) fn total(&self) -> usize {
        self.arrivals.len()
    }

    /// Those who came after the one who stands at `arrival`, or all who are here, in the order in
    /// which they came.
    pub(crate) fn after(&self, arrival: Option<u64>) -> impl Iterator<Item = Present<'_>> {
        let from = arrival.map_or(0, |arrival| arrival.saturating_add(1));
        self.arrivals
            .range(from..)
            .filter_map(|(arrival, id)| self.present(*arrival, *id))
    }

    /// The name of somebody who is here.
    pub(crate) fn name_of(&self, person: PersonId) -> Option<&Name> {
        self.places.get(&person).map(|place| &place.name)
    }

    fn present(&self, arrival: u64, id: PersonId) -> Option<Present<'_>> {
        let place = self.places.get(&id)?;
        let pages = match &place.presence {
            Presence::Here { pages, .. } => pages.total(),
            Presence::Leaving { .. } | Presence::Reserved { .. } => 0,
        };
        Some(Present {
            arrival,
            id,
            name: &place.name,
            pages,
        })
    }

    fn check_free(&self, name: &Name, person: PersonId) -> Result<(), Taken> {
        match self.holders.get(name.key()) {
            Some(holder) if *holder != person => {
                Err(Taken(self.name_of(*holder).unwrap_or(name).clone()))
            }
            _ => Ok(()),
        }
    }

    fn due(&mut self, at: Instant, person: PersonId) {
        self.deadlines.push(Reverse((at, person)));
    }

    fn arrive(&mut self, name: &Name, person: PersonId, pages: Pages) {
        self.take(person);
        let arrival = self.next_arrival;
        self.next_arrival += 1;
        self.arrivals.insert(arrival, person);
        self.put(person, name, Presence::Here { arrival, pages });
    }

    fn begin_leaving(&mut self, person: PersonId, now: Instant) {
        if let Some(place) = self.places.get_mut(&person)
            && let Presence::Here { arrival, .. } = place.presence
        {
            let until = now + GRACE;
            place.presence = Presence::Leaving { arrival, until };
            self.due(until, person);
        }
    }

    fn put(&mut self, person: PersonId, name: &Name, presence: Presence) {
        self.holders.entry(name.key().into()).or_insert(person);
        let name = name.clone();
        self.places.insert(person, Place { name, presence });
    }

    fn free(&mut self, name: &Name, person: PersonId) {
        if self.holders.get(name.key()) == Some(&person) {
            self.holders.remove(name.key());
        }
    }

    /// Frees a person's name. Gives it, if the person was here.
    fn take(&mut self, person: PersonId) -> Option<Name> {
        let place = self.places.remove(&person)?;
        self.free(&place.name, person);
        match place.presence {
            Presence::Here { arrival, .. } | Presence::Leaving { arrival, .. } => {
                self.arrivals.remove(&arrival);
                Some(place.name)
            }
            Presence::Reserved { .. } => None,
        }
    }
}

/// How long somebody may be away before the others are told, and before the name is free again: a
/// page that is reloaded takes less.
pub(crate) const GRACE: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests;
