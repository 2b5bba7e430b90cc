//! Trace: what was true in a run and what a client of each node heard, over time.

use super::{
    scene::{Place, What},
    verdict::Record,
};

/// The lines of a run's plot. Times are seconds since the fault.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub(super) struct Trace {
    /// How many clients were connected, from each time on.
    pub(super) truth: Vec<(f64, u64)>,
    pub(super) heard: Vec<Heard>,
}

/// What one client heard.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub(super) struct Heard {
    /// The node that it was connected to at the fault.
    pub(super) node: usize,
    /// The number that it had, from each time on; none while it had no connection or no number yet.
    pub(super) points: Vec<(f64, Option<u64>)>,
}

impl Record {
    /// Reads the record again, for a client of each node.
    pub(super) fn trace(&self) -> Trace {
        let mut scene = self.start.clone();
        let mut witnesses: Vec<(usize, Heard)> = Vec::new();
        for (client, seen) in scene.clients() {
            if let Place::Joined(node) = seen.place
                && witnesses.iter().all(|(_, heard)| heard.node != node)
            {
                let points = vec![(0.0, seen.heard)];
                witnesses.push((client, Heard { node, points }));
            }
        }
        witnesses.sort_by_key(|(_, heard)| heard.node);
        let mut truth = vec![(0.0, *scene.truth().start())];
        for entry in &self.entries {
            scene.apply(entry.client, entry.what);
            push(&mut truth, entry.at, *scene.truth().start());
            let witness = witnesses
                .iter_mut()
                .find(|(client, _)| *client == entry.client);
            if let Some((_, heard)) = witness {
                let has = match entry.what {
                    What::Heard(number) => Some(number),
                    What::Moved(_) => None,
                };
                push(&mut heard.points, entry.at, has);
            }
        }
        Trace {
            truth,
            heard: witnesses.into_iter().map(|(_, heard)| heard).collect(),
        }
    }
}

/// Adds a point, unless nothing has changed. What changes within a millisecond is one point.
fn push<T: PartialEq>(points: &mut Vec<(f64, T)>, at: f64, value: T) {
    let at = (at * 1_000.0).round() / 1_000.0;
    points.pop_if(|(last, _)| *last == at);
    if points.last().is_none_or(|(_, last)| *last != value) {
        points.push((at, value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chaos::{scene::Scene, verdict::Entry};

    #[test]
    fn one_client_of_each_node_is_followed_wherever_it_goes() {
        let mut start = Scene::new(3);
        for (client, node) in [(0, 1), (1, 1), (2, 0)] {
            start.apply(client, What::Moved(Place::Joined(node)));
            start.apply(client, What::Heard(3));
        }
        let entries = [
            (1.0, 0, What::Moved(Place::Between)),
            (1.5, 1, What::Heard(2)),
            (1.5, 2, What::Heard(2)),
            (1.6, 2, What::Heard(2)),
            (2.0, 0, What::Moved(Place::Coming(0))),
            (2.5, 0, What::Moved(Place::Joined(0))),
            (2.5, 0, What::Heard(3)),
        ];
        let entries = entries.map(|(at, client, what)| Entry { at, client, what });
        let record = Record {
            start,
            entries: entries.to_vec(),
            from: 0.0,
            end: 5.0,
        };
        let trace = record.trace();
        assert_eq!(trace.truth, [(0.0, 3), (1.0, 2), (2.5, 3)]);
        let [first, second] = trace.heard.as_slice() else {
            panic!("{trace:?}");
        };
        assert_eq!((first.node, second.node), (0, 1));
        assert_eq!(first.points, [(0.0, Some(3)), (1.5, Some(2))]);
        assert_eq!(second.points, [(0.0, Some(3)), (1.0, None), (2.5, Some(3))]);
    }
}
