//! People: who is here, by name. Plain data: no clock, no sockets, no lock.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    time::{Duration, Instant},
};

use crate::{names::Name, session::SessionId};

/// Who is here, and who holds which name.
///
/// ```text
///             connect                 last disconnect
///   Reserved ---------> Here(sockets) ----------------> Leaving
///      |                     ^                             | |
///      | after GRACE         +-----------------------------+ | after GRACE
///      v                                 connect             v
///    (free)                                              (free), told
/// ```
///
/// A name belongs to one session at a time. Somebody who is leaving is still here: a page that is
/// reloaded leaves and comes back.
#[derive(Debug, Default)]
pub(crate) struct People {
    places: HashMap<Box<str>, Place>,
    /// The keys of those who are here, in the order in which they came.
    arrivals: BTreeMap<u64, Box<str>>,
    next_arrival: u64,
    /// When which name may become free. Those that no longer hold are passed over when due.
    deadlines: VecDeque<(Instant, Box<str>)>,
}

/// A name that somebody holds.
#[derive(Debug)]
struct Place {
    name: Name,
    session: SessionId,
    presence: Presence,
}

#[derive(Debug)]
enum Presence {
    Reserved { until: Instant },
    Here { arrival: u64, sockets: usize },
    Leaving { arrival: u64, until: Instant },
}

/// What a connect means for everyone else.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Arrival {
    /// Somebody came.
    First,
    /// Somebody who is here already has a further page.
    Further,
}

/// The name belongs to somebody else, who spells it so.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the name {0} is taken: somebody here has it")]
pub(crate) struct Taken(pub(crate) Name);

impl People {
    /// Holds `name` for `session` until a socket of it connects, at most [`GRACE`]. Gives the name
    /// as the session has it already, if it is here.
    ///
    /// # Errors
    ///
    /// [`Taken`] if another session holds the name.
    pub(crate) fn reserve(
        &mut self,
        name: &Name,
        session: SessionId,
        now: Instant,
    ) -> Result<Name, Taken> {
        let until = now + GRACE;
        match self.places.get_mut(name.key()) {
            Some(place) if place.session != session => return Err(Taken(place.name.clone())),
            Some(place) => match &mut place.presence {
                Presence::Reserved { until: deadline } => {
                    *deadline = until;
                    place.name = name.clone();
                }
                Presence::Here { .. } | Presence::Leaving { .. } => return Ok(place.name.clone()),
            },
            None => {
                let place = Place {
                    name: name.clone(),
                    session,
                    presence: Presence::Reserved { until },
                };
                self.places.insert(name.key().into(), place);
            }
        }
        self.deadlines.push_back((until, name.key().into()));
        Ok(name.clone())
    }

    /// A socket of the session connected.
    ///
    /// # Errors
    ///
    /// [`Taken`] if another session holds the name.
    pub(crate) fn connect(&mut self, name: &Name, session: SessionId) -> Result<Arrival, Taken> {
        if let Some(place) = self.places.get_mut(name.key()) {
            if place.session != session {
                return Err(Taken(place.name.clone()));
            }
            match &mut place.presence {
                Presence::Here { sockets, .. } => {
                    *sockets += 1;
                    return Ok(Arrival::Further);
                }
                Presence::Leaving { arrival, .. } => {
                    place.presence = Presence::Here {
                        arrival: *arrival,
                        sockets: 1,
                    };
                    return Ok(Arrival::Further);
                }
                Presence::Reserved { .. } => {}
            }
        }
        let arrival = self.next_arrival;
        self.next_arrival += 1;
        self.arrivals.insert(arrival, name.key().into());
        let presence = Presence::Here {
            arrival,
            sockets: 1,
        };
        self.places.insert(
            name.key().into(),
            Place {
                name: name.clone(),
                session,
                presence,
            },
        );
        Ok(Arrival::First)
    }

    /// A socket of the session disconnected. After the last one, its person leaves in [`GRACE`].
    pub(crate) fn disconnect(&mut self, name: &Name, session: SessionId, now: Instant) {
        let Some(place) = self
            .places
            .get_mut(name.key())
            .filter(|place| place.session == session)
        else {
            return;
        };
        let Presence::Here { arrival, sockets } = &mut place.presence else {
            return;
        };
        *sockets -= 1;
        if *sockets == 0 {
            let until = now + GRACE;
            place.presence = Presence::Leaving {
                arrival: *arrival,
                until,
            };
            self.deadlines.push_back((until, name.key().into()));
        }
    }

    /// The session has ended: its person leaves at once. Gives the name, if it was here.
    pub(crate) fn remove(&mut self, name: &Name, session: SessionId) -> Option<Name> {
        if self.places.get(name.key())?.session != session {
            return None;
        }
        self.take(name.key())
    }

    /// Time has moved on to `now`; gives one who has left. Call it until it gives nobody.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Option<Name> {
        while self.poll_timeout().is_some_and(|due| due <= now) {
            let (_, key) = self.deadlines.pop_front()?;
            let is_over = self
                .places
                .get(&key)
                .is_some_and(|place| match place.presence {
                    Presence::Reserved { until } | Presence::Leaving { until, .. } => until <= now,
                    Presence::Here { .. } => false,
                });
            if is_over && let Some(name) = self.take(&key) {
                return Some(name);
            }
        }
        None
    }

    /// When [`handle_timeout`](Self::handle_timeout) next has something to do.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.front().map(|(due, _)| *due)
    }

    /// How many people are here.
    pub(crate) fn total(&self) -> usize {
        self.arrivals.len()
    }

    /// The names of those who are here, in the order in which they came.
    pub(crate) fn names(&self) -> impl Iterator<Item = &Name> {
        self.arrivals
            .values()
            .filter_map(|key| self.places.get(key))
            .map(|place| &place.name)
    }

    /// Frees a name. Gives it, if its person was here.
    fn take(&mut self, key: &str) -> Option<Name> {
        let place = self.places.remove(key)?;
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
    use crate::session::Session;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    fn session() -> SessionId {
        Session::new(name("any"), std::time::UNIX_EPOCH).id
    }

    #[track_caller]
    fn check_names(people: &People, expected: &[&str]) {
        assert_eq!(
            people.names().map(Name::as_str).collect::<Vec<_>>(),
            expected
        );
        assert_eq!(people.total(), expected.len());
    }

    #[test]
    fn several_pages_are_one_person_who_leaves_with_the_last() {
        let (mut people, anna, id, now) =
            (People::default(), name("Anna"), session(), Instant::now());
        assert_eq!(people.connect(&anna, id), Ok(Arrival::First));
        assert_eq!(people.connect(&anna, id), Ok(Arrival::Further));
        people.disconnect(&anna, id, now);
        assert_eq!(people.poll_timeout(), None);
        people.disconnect(&anna, id, now);
        assert_eq!(people.poll_timeout(), Some(now + GRACE));
        assert_eq!(
            people.handle_timeout(now + GRACE - Duration::from_millis(1)),
            None
        );
        check_names(&people, &["Anna"]);
        assert_eq!(people.handle_timeout(now + GRACE), Some(anna));
        assert_eq!(people.handle_timeout(now + GRACE), None);
        check_names(&people, &[]);
    }

    #[test]
    fn whoever_comes_back_in_time_has_not_left() {
        let (mut people, anna, id, now) =
            (People::default(), name("Anna"), session(), Instant::now());
        let later = now + Duration::from_secs(2);
        people.connect(&anna, id).unwrap();
        people.disconnect(&anna, id, now);
        assert_eq!(people.connect(&anna, id), Ok(Arrival::Further));
        assert_eq!(people.handle_timeout(now + GRACE), None);
        people.disconnect(&anna, id, later);
        assert_eq!(people.handle_timeout(now + GRACE), None);
        assert_eq!(people.handle_timeout(later + GRACE), Some(anna));
    }

    #[test]
    fn a_name_belongs_to_one_session_until_its_person_has_left() {
        let (mut people, first, second, now) =
            (People::default(), session(), session(), Instant::now());
        let taken = Err(Taken(name("Anna")));
        assert_eq!(people.reserve(&name("Anna"), first, now), Ok(name("Anna")));
        assert_eq!(people.reserve(&name("anna"), second, now), taken);
        people.connect(&name("Anna"), first).unwrap();
        assert_eq!(people.reserve(&name("ANNA"), second, now), taken);
        assert_eq!(
            people.connect(&name("ANNA"), second),
            Err(Taken(name("Anna")))
        );
        people.disconnect(&name("ANNA"), second, now);
        check_names(&people, &["Anna"]);
        people.disconnect(&name("Anna"), first, now);
        assert_eq!(people.reserve(&name("anna"), second, now), taken);
        people.handle_timeout(now + GRACE);
        assert_eq!(
            people.reserve(&name("anna"), second, now + GRACE),
            Ok(name("anna"))
        );
    }

    #[test]
    fn a_session_that_comes_again_goes_by_the_name_it_has_here() {
        let (mut people, id, now) = (People::default(), session(), Instant::now());
        people.connect(&name("Anna"), id).unwrap();
        assert_eq!(people.reserve(&name("ANNA"), id, now), Ok(name("Anna")));
        people.disconnect(&name("Anna"), id, now);
        assert_eq!(people.reserve(&name("ANNA"), id, now), Ok(name("Anna")));
        people.handle_timeout(now + GRACE);
        assert_eq!(people.reserve(&name("ANNA"), id, now), Ok(name("ANNA")));
    }

    #[test]
    fn a_reserved_name_is_free_again_when_nobody_comes_in_time() {
        let (mut people, first, second, now) =
            (People::default(), session(), session(), Instant::now());
        let later = now + Duration::from_secs(1);
        people.reserve(&name("Anna"), first, now).unwrap();
        people.reserve(&name("Anna"), first, later).unwrap();
        check_names(&people, &[]);
        assert_eq!(people.handle_timeout(now + GRACE), None);
        people
            .reserve(&name("Anna"), second, now + GRACE)
            .unwrap_err();
        assert_eq!(people.handle_timeout(later + GRACE), None);
        people
            .reserve(&name("Anna"), second, later + GRACE)
            .unwrap();
    }

    #[test]
    fn a_session_that_is_removed_is_gone_at_once_and_stays_gone() {
        let (mut people, first, second, now) =
            (People::default(), session(), session(), Instant::now());
        let anna = name("Anna");
        people.connect(&anna, first).unwrap();
        assert_eq!(people.remove(&anna, second), None);
        assert_eq!(people.remove(&anna, first), Some(anna.clone()));
        assert_eq!(people.connect(&anna, second), Ok(Arrival::First));
        people.disconnect(&anna, first, now);
        assert_eq!(people.handle_timeout(now + GRACE), None);
        check_names(&people, &["Anna"]);
        people.reserve(&name("Bert"), first, now).unwrap();
        assert_eq!(people.remove(&name("Bert"), first), None);
        people.reserve(&name("Bert"), second, now).unwrap();
    }

    #[test]
    fn names_come_in_the_order_of_arrival() {
        let (mut people, id, now) = (People::default(), session(), Instant::now());
        for text in ["Carla", "Anna", "Bert"] {
            people.connect(&name(text), id).unwrap();
        }
        people.disconnect(&name("Carla"), id, now);
        people.connect(&name("Carla"), id).unwrap();
        check_names(&people, &["Carla", "Anna", "Bert"]);
        people.remove(&name("Anna"), id);
        people.connect(&name("Anna"), id).unwrap();
        check_names(&people, &["Carla", "Bert", "Anna"]);
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Reserve(usize, usize),
        Connect(usize, usize),
        Disconnect(usize),
        Remove(usize, usize),
        Wait(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        let who = || (0..3_usize, 0..3_usize);
        prop_oneof![
            who().prop_map(|(name, session)| Step::Reserve(name, session)),
            who().prop_map(|(name, session)| Step::Connect(name, session)),
            (0..8_usize).prop_map(Step::Disconnect),
            who().prop_map(|(name, session)| Step::Remove(name, session)),
            (0..4_000_u64).prop_map(Step::Wait),
        ]
    }

    proptest! {
        /// What others are told always agrees with which sockets are open: whoever has one has
        /// come and not left, and who has had none for the time of grace has left.
        #[test]
        fn what_is_told_agrees_with_the_open_sockets(steps in vec(step(), 1..60)) {
            let names = ["Anna", "Bert", "Carla"].map(name);
            let sessions = [session(), session(), session()];
            let (mut people, mut now) = (People::default(), Instant::now());
            let (mut open, mut here) = (Vec::new(), HashSet::new());
            for step in steps {
                match step {
                    Step::Reserve(name, session) => {
                        let _ = people.reserve(&names[name], sessions[session], now);
                    }
                    Step::Connect(name, session) => match people.connect(&names[name], sessions[session]) {
                        Ok(arrival) => {
                            prop_assert_eq!(here.insert(name), arrival == Arrival::First);
                            open.push((name, session));
                        }
                        Err(Taken(_)) => prop_assert!(open.iter().all(|socket| *socket != (name, session))),
                    },
                    Step::Disconnect(index) if index < open.len() => {
                        let (name, session) = open.swap_remove(index);
                        people.disconnect(&names[name], sessions[session], now);
                    }
                    Step::Disconnect(_) => {}
                    Step::Remove(name, session) => {
                        let removed = people.remove(&names[name], sessions[session]);
                        if removed.is_some() {
                            prop_assert!(here.remove(&name));
                            open.retain(|socket| *socket != (name, session));
                        }
                    }
                    Step::Wait(ms) => {
                        now += Duration::from_millis(ms);
                        while let Some(left) = people.handle_timeout(now) {
                            let left = names.iter().position(|name| *name == left).unwrap();
                            prop_assert!(here.remove(&left));
                            prop_assert!(open.iter().all(|(name, _)| *name != left));
                        }
                    }
                }
                prop_assert_eq!(people.total(), here.len());
                prop_assert!(open.iter().all(|(name, _)| here.contains(name)));
            }
            while let Some((name, session)) = open.pop() {
                people.disconnect(&names[name], sessions[session], now);
            }
            while people.handle_timeout(now + GRACE).is_some() {}
            check_names(&people, &[]);
            prop_assert!(people.places.is_empty() && people.deadlines.is_empty());
        }
    }
}
