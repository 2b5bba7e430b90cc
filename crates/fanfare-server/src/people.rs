//! People: who is here, by name. Plain data: no clock, no sockets, no lock.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, HashMap},
    time::{Duration, Instant},
};

use crate::{names::Name, person::PersonId};

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
/// reloaded leaves and comes back.
#[derive(Debug, Default)]
pub(crate) struct People {
    places: HashMap<PersonId, Place>,
    /// Who holds which name, by its key. Invariant: these are the names of the places.
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
    Here { arrival: u64, pages: usize },
    Leaving { arrival: u64, until: Instant },
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
                    *pages += 1;
                    return Ok(Arrival::Further(*pages));
                }
                Presence::Leaving { arrival, .. } => {
                    place.presence = Presence::Here {
                        arrival: *arrival,
                        pages: 1,
                    };
                    return Ok(Arrival::Further(1));
                }
                Presence::Reserved { .. } => {}
            }
        }
        self.check_free(name, person)?;
        self.take(person);
        let arrival = self.next_arrival;
        self.next_arrival += 1;
        self.arrivals.insert(arrival, person);
        self.put(person, name, Presence::Here { arrival, pages: 1 });
        Ok(Arrival::First)
    }

    /// A page of the person disconnected; gives how many are left. After the last one, the person
    /// leaves in [`GRACE`].
    pub(crate) fn disconnect(&mut self, person: PersonId, now: Instant) -> Option<usize> {
        let place = self.places.get_mut(&person)?;
        let Presence::Here { arrival, pages } = &mut place.presence else {
            return None;
        };
        *pages -= 1;
        let left = *pages;
        if left == 0 {
            let until = now + GRACE;
            place.presence = Presence::Leaving {
                arrival: *arrival,
                until,
            };
            self.due(until, person);
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
        self.holders.remove(place.name.key());
        place.name = name.clone();
        let is_here = !matches!(place.presence, Presence::Reserved { .. });
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
        let pages = match place.presence {
            Presence::Here { pages, .. } => pages,
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

    fn put(&mut self, person: PersonId, name: &Name, presence: Presence) {
        self.holders.insert(name.key().into(), person);
        let name = name.clone();
        self.places.insert(person, Place { name, presence });
    }

    /// Frees a person's name. Gives it, if the person was here.
    fn take(&mut self, person: PersonId) -> Option<Name> {
        let place = self.places.remove(&person)?;
        self.holders.remove(place.name.key());
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
mod tests {
    use std::collections::HashSet;

    use proptest::{collection::vec, prelude::*};

    use super::*;

    const ONE: PersonId = PersonId::Guest(1);
    const OTHER: PersonId = PersonId::Account(2);

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    #[track_caller]
    fn check_names(people: &People, expected: &[&str]) {
        let names = people.after(None).map(|present| present.name.as_str());
        assert_eq!(names.collect::<Vec<_>>(), expected);
        assert_eq!(people.total(), expected.len());
    }

    #[test]
    fn several_pages_are_one_person_who_leaves_with_the_last() {
        let (mut people, anna, now) = (People::default(), name("Anna"), Instant::now());
        assert_eq!(people.connect(&anna, ONE), Ok(Arrival::First));
        assert_eq!(people.connect(&anna, ONE), Ok(Arrival::Further(2)));
        assert_eq!(people.disconnect(ONE, now), Some(1));
        assert_eq!(people.poll_timeout(), None);
        assert_eq!(people.disconnect(ONE, now), Some(0));
        assert_eq!(people.disconnect(ONE, now), None);
        assert_eq!(people.poll_timeout(), Some(now + GRACE));
        let almost = now + GRACE - Duration::from_millis(1);
        assert_eq!(people.handle_timeout(almost), None);
        check_names(&people, &["Anna"]);
        assert_eq!(people.handle_timeout(now + GRACE), Some((ONE, anna)));
        assert_eq!(people.handle_timeout(now + GRACE), None);
        check_names(&people, &[]);
    }

    #[test]
    fn whoever_comes_back_in_time_has_not_left() {
        let (mut people, anna, now) = (People::default(), name("Anna"), Instant::now());
        let later = now + Duration::from_secs(2);
        people.connect(&anna, ONE).unwrap();
        people.disconnect(ONE, now);
        assert_eq!(people.connect(&anna, ONE), Ok(Arrival::Further(1)));
        assert_eq!(people.handle_timeout(now + GRACE), None);
        people.disconnect(ONE, later);
        assert_eq!(people.handle_timeout(now + GRACE), None);
        assert_eq!(people.handle_timeout(later + GRACE), Some((ONE, anna)));
    }

    #[test]
    fn a_name_belongs_to_one_person_until_they_have_left() {
        let (mut people, now) = (People::default(), Instant::now());
        let taken = Err(Taken(name("Anna")));
        assert_eq!(
            people.reserve(&name("Anna"), ONE, now + GRACE),
            Ok(name("Anna"))
        );
        assert_eq!(people.reserve(&name("anna"), OTHER, now + GRACE), taken);
        people.connect(&name("Anna"), ONE).unwrap();
        assert_eq!(people.reserve(&name("ANNA"), OTHER, now + GRACE), taken);
        assert_eq!(
            people.connect(&name("ANNA"), OTHER),
            Err(Taken(name("Anna")))
        );
        assert_eq!(people.disconnect(OTHER, now), None);
        check_names(&people, &["Anna"]);
        people.disconnect(ONE, now);
        assert_eq!(people.reserve(&name("anna"), OTHER, now + GRACE), taken);
        people.handle_timeout(now + GRACE);
        let free = people.reserve(&name("anna"), OTHER, now + 2 * GRACE);
        assert_eq!(free, Ok(name("anna")));
    }

    #[test]
    fn who_comes_again_goes_by_the_name_they_have_here() {
        let (mut people, now) = (People::default(), Instant::now());
        people.connect(&name("Anna"), ONE).unwrap();
        assert_eq!(
            people.reserve(&name("ANNA"), ONE, now + GRACE),
            Ok(name("Anna"))
        );
        people.disconnect(ONE, now);
        assert_eq!(
            people.reserve(&name("ANNA"), ONE, now + GRACE),
            Ok(name("Anna"))
        );
        people.handle_timeout(now + GRACE);
        assert_eq!(
            people.reserve(&name("ANNA"), ONE, now + GRACE),
            Ok(name("ANNA"))
        );
    }

    #[test]
    fn a_reserved_name_is_free_again_when_nobody_comes_in_time() {
        let (mut people, now) = (People::default(), Instant::now());
        let later = now + Duration::from_secs(1);
        people.reserve(&name("Anna"), ONE, now + GRACE).unwrap();
        people.reserve(&name("Anna"), ONE, later + GRACE).unwrap();
        check_names(&people, &[]);
        assert_eq!(people.handle_timeout(now + GRACE), None);
        people
            .reserve(&name("Anna"), OTHER, now + 2 * GRACE)
            .unwrap_err();
        assert_eq!(people.handle_timeout(later + GRACE), None);
        people
            .reserve(&name("Anna"), OTHER, later + 2 * GRACE)
            .unwrap();
    }

    #[test]
    fn who_reserves_another_name_gives_the_first_one_back() {
        let (mut people, now) = (People::default(), Instant::now());
        people.reserve(&name("Anna"), ONE, now + GRACE).unwrap();
        people.reserve(&name("Bert"), ONE, now + GRACE).unwrap();
        people.reserve(&name("Anna"), OTHER, now + GRACE).unwrap();
        people
            .reserve(&name("Bert"), OTHER, now + GRACE)
            .unwrap_err();
    }

    #[test]
    fn who_is_removed_is_gone_at_once_and_stays_gone() {
        let (mut people, anna, now) = (People::default(), name("Anna"), Instant::now());
        people.connect(&anna, ONE).unwrap();
        assert_eq!(people.remove(OTHER), None);
        assert_eq!(people.remove(ONE), Some(anna.clone()));
        assert_eq!(people.connect(&anna, OTHER), Ok(Arrival::First));
        assert_eq!(people.disconnect(ONE, now), None);
        assert_eq!(people.handle_timeout(now + GRACE), None);
        check_names(&people, &["Anna"]);
        people.reserve(&name("Bert"), ONE, now + GRACE).unwrap();
        assert_eq!(people.remove(ONE), None);
        people
            .reserve(&name("Bert"), PersonId::Guest(3), now + GRACE)
            .unwrap();
    }

    #[test]
    fn another_name_frees_the_old_one() {
        let (mut people, now) = (People::default(), Instant::now());
        assert!(!people.rename(ONE, &name("Nobody")));
        people.connect(&name("Anna"), ONE).unwrap();
        assert!(people.rename(ONE, &name("Anne")));
        check_names(&people, &["Anne"]);
        people.reserve(&name("Anna"), OTHER, now + GRACE).unwrap();
        people
            .reserve(&name("ANNE"), OTHER, now + GRACE)
            .unwrap_err();
        assert!(people.rename(ONE, &name("ANNE")));
        assert_eq!(people.name_of(ONE), Some(&name("ANNE")));
    }

    #[test]
    fn names_come_in_the_order_of_arrival() {
        let (mut people, now) = (People::default(), Instant::now());
        let [anna, bert, carla] = [1, 2, 3].map(PersonId::Account);
        for (text, id) in [("Carla", carla), ("Anna", anna), ("Bert", bert)] {
            people.connect(&name(text), id).unwrap();
        }
        people.disconnect(carla, now);
        people.connect(&name("Carla"), carla).unwrap();
        check_names(&people, &["Carla", "Anna", "Bert"]);
        people.remove(anna);
        people.connect(&name("Anna"), anna).unwrap();
        check_names(&people, &["Carla", "Bert", "Anna"]);
        let first = people.after(None).next().unwrap().arrival;
        let rest = people.after(Some(first)).map(|present| present.id);
        assert_eq!(rest.collect::<Vec<_>>(), [bert, anna]);
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Reserve(usize, usize),
        Connect(usize, usize),
        Disconnect(usize),
        Remove(usize),
        Wait(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        let who = || (0..3_usize, 0..3_usize);
        prop_oneof![
            who().prop_map(|(name, person)| Step::Reserve(name, person)),
            who().prop_map(|(name, person)| Step::Connect(name, person)),
            (0..8_usize).prop_map(Step::Disconnect),
            (0..3_usize).prop_map(Step::Remove),
            (0..4_000_u64).prop_map(Step::Wait),
        ]
    }

    proptest! {
        /// What others are told always agrees with which pages are open: whoever has one has come
        /// and not left, and who has had none for the time of grace has left. No two have one name.
        #[test]
        fn what_is_told_agrees_with_the_open_pages(steps in vec(step(), 1..60)) {
            let names = ["Anna", "Bert", "Carla"].map(name);
            let persons = [1, 2, 3].map(PersonId::Account);
            let (mut people, mut now) = (People::default(), Instant::now());
            let (mut open, mut here) = (Vec::new(), HashSet::new());
            for step in steps {
                match step {
                    Step::Reserve(name, person) => {
                        let _ = people.reserve(&names[name], persons[person], now + GRACE);
                    }
                    Step::Connect(name, person) => match people.connect(&names[name], persons[person]) {
                        Ok(arrival) => {
                            open.push(persons[person]);
                            let pages = open.iter().filter(|open| **open == persons[person]).count();
                            match arrival {
                                Arrival::First => prop_assert!(here.insert(persons[person])),
                                Arrival::Further(told) => prop_assert_eq!(told, pages),
                            }
                        }
                        Err(Taken(_)) => prop_assert!(!here.contains(&persons[person])),
                    },
                    Step::Disconnect(index) if index < open.len() => {
                        let person = open.swap_remove(index);
                        let pages = open.iter().filter(|open| **open == person).count();
                        prop_assert_eq!(people.disconnect(person, now), Some(pages));
                    }
                    Step::Disconnect(_) => {}
                    Step::Remove(person) => {
                        let removed = people.remove(persons[person]).is_some();
                        prop_assert_eq!(removed, here.remove(&persons[person]));
                        open.retain(|open| *open != persons[person]);
                    }
                    Step::Wait(ms) => {
                        now += Duration::from_millis(ms);
                        while let Some((left, _)) = people.handle_timeout(now) {
                            prop_assert!(here.remove(&left));
                            prop_assert!(!open.contains(&left));
                        }
                    }
                }
                prop_assert_eq!(people.total(), here.len());
                prop_assert!(open.iter().all(|person| here.contains(person)));
                let keys: HashSet<_> = people.after(None).map(|present| present.name.key()).collect();
                prop_assert_eq!(keys.len(), here.len());
                prop_assert_eq!(people.holders.len(), people.places.len());
            }
            while let Some(person) = open.pop() {
                people.disconnect(person, now);
            }
            while people.handle_timeout(now + GRACE).is_some() {}
            check_names(&people, &[]);
            prop_assert!(people.places.is_empty() && people.holders.is_empty() && people.deadlines.is_empty());
        }
    }
}
