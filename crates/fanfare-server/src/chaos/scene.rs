//! Scene: who is where and has heard what, at one moment; plain data, for the run and for the verdict after it.

use std::ops::RangeInclusive;

/// All clients.
#[derive(Clone, Debug, Default)]
pub(super) struct Scene {
    clients: Vec<Seen>,
    /// Clients that are connected.
    joined: u64,
    /// Clients that are just coming or going: a server may count them or not.
    unsure: u64,
}

/// A client.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Seen {
    pub(super) place: Place,
    /// The last number that it has heard on its connection.
    pub(super) heard: Option<u64>,
}

/// Where a client is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Place {
    /// Nowhere, and it will not come.
    #[default]
    Absent,
    /// Nowhere, and it will come back.
    Between,
    /// On its way to this node.
    Coming(usize),
    /// Connected to this node.
    Joined(usize),
    /// On its way from this node.
    Going(usize),
}

/// What happens to a client.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum What {
    /// It is somewhere else now.
    Moved(Place),
    /// It was told this number.
    Heard(u64),
}

impl Scene {
    /// Nobody is there yet.
    pub(super) fn new(n_clients: usize) -> Self {
        Self {
            clients: vec![Seen::default(); n_clients],
            ..Self::default()
        }
    }

    /// Something has happened to `client`.
    pub(super) fn apply(&mut self, client: usize, what: What) {
        let seen = &mut self.clients[client];
        match what {
            What::Heard(number) => seen.heard = Some(number),
            What::Moved(place) => {
                for (place, number) in [(seen.place, -1), (place, 1)] {
                    match place {
                        Place::Absent | Place::Between => {}
                        Place::Coming(_) | Place::Going(_) => {
                            self.unsure = self.unsure.saturating_add_signed(number);
                        }
                        Place::Joined(_) => {
                            self.joined = self.joined.saturating_add_signed(number);
                        }
                    }
                }
                if matches!(place, Place::Coming(_)) {
                    seen.heard = None;
                }
                seen.place = place;
            }
        }
    }

    /// What a server may say: those who are connected, and any number of those who are coming or going.
    pub(super) fn truth(&self) -> RangeInclusive<u64> {
        self.joined..=self.joined + self.unsure
    }

    /// The clients, by their numbers.
    pub(super) fn clients(&self) -> impl Iterator<Item = (usize, Seen)> + '_ {
        self.clients.iter().copied().enumerate()
    }

    /// One of them.
    pub(super) fn client(&self, client: usize) -> Seen {
        self.clients[client]
    }

    /// The clients that are connected to `node`.
    pub(super) fn joined_at(&self, node: usize) -> Vec<usize> {
        let here =
            |(client, seen): (usize, Seen)| (seen.place == Place::Joined(node)).then_some(client);
        self.clients().filter_map(here).collect()
    }

    /// Whether everyone who is to be there is, and has heard the truth.
    pub(super) fn is_right(&self) -> bool {
        let truth = self.truth();
        self.clients()
            .all(|(_, seen)| match seen.rightness(&truth) {
                Rightness::Absent | Rightness::Right => true,
                Rightness::Away | Rightness::Unknown | Rightness::Over(_) | Rightness::Under(_) => {
                    false
                }
            })
    }
}

/// How what a client has heard compares with the truth.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Rightness {
    /// It is not there, and need not be.
    Absent,
    /// It is not connected, and will be.
    Away,
    /// It is connected, and has heard nothing yet.
    Unknown,
    Right,
    /// So many too many.
    Over(u64),
    /// So many too few.
    Under(u64),
}

impl Seen {
    pub(super) fn rightness(&self, truth: &RangeInclusive<u64>) -> Rightness {
        match (self.place, self.heard) {
            (Place::Absent, _) => Rightness::Absent,
            (Place::Between | Place::Coming(_) | Place::Going(_), _) => Rightness::Away,
            (Place::Joined(_), None) => Rightness::Unknown,
            (Place::Joined(_), Some(heard)) if *truth.end() < heard => {
                Rightness::Over(heard - truth.end())
            }
            (Place::Joined(_), Some(heard)) if heard < *truth.start() => {
                Rightness::Under(truth.start() - heard)
            }
            (Place::Joined(_), Some(_)) => Rightness::Right,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_or_goes_may_be_counted_or_not() {
        let mut scene = Scene::new(3);
        scene.apply(0, What::Moved(Place::Joined(0)));
        scene.apply(1, What::Moved(Place::Coming(1)));
        assert_eq!(scene.truth(), 1..=2);
        for (number, expected) in [
            (0, Rightness::Under(1)),
            (1, Rightness::Right),
            (2, Rightness::Right),
            (5, Rightness::Over(3)),
        ] {
            scene.apply(0, What::Heard(number));
            assert_eq!(scene.client(0).rightness(&scene.truth()), expected);
        }
        scene.apply(1, What::Moved(Place::Joined(1)));
        assert_eq!(scene.truth(), 2..=2);
        scene.apply(1, What::Moved(Place::Going(1)));
        assert_eq!(scene.truth(), 1..=2);
        scene.apply(1, What::Moved(Place::Between));
        assert_eq!(scene.truth(), 1..=1);
    }

    #[test]
    fn all_is_right_when_everyone_is_there_and_knows() {
        let mut scene = Scene::new(2);
        assert!(scene.is_right());
        scene.apply(0, What::Moved(Place::Joined(0)));
        assert!(!scene.is_right());
        scene.apply(0, What::Heard(1));
        assert!(scene.is_right());
        scene.apply(1, What::Moved(Place::Between));
        assert!(!scene.is_right());
    }
}
