//! Verdict: from what every client has heard in a run, when the count was right again for good, and how wrong before.

use super::scene::{Place, Rightness, Scene, What};

/// All that happened in a run; times are seconds since the fault.
#[derive(Clone, Debug)]
pub(super) struct Record {
    /// How everything was at the fault.
    pub(super) start: Scene,
    pub(super) entries: Vec<Entry>,
    /// From when the count could be right: the fault itself, or when what it took away was there again.
    pub(super) from: f64,
    /// When the watch ended.
    pub(super) end: f64,
}

/// Something that happened to a client.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) at: f64,
    pub(super) client: usize,
    pub(super) what: What,
}

/// What is made of a run. A time is seconds since [`Record::from`]; none means never.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub(super) struct Verdict {
    /// When half of the clients had heard the truth for good.
    pub(super) half_s: Option<f64>,
    /// When all had.
    pub(super) all_s: Option<f64>,
    /// The same for the clients of each node, as they were placed at the end; none for a node without clients.
    pub(super) nodes: Vec<NodeVerdict>,
    /// The most that anybody heard above the truth.
    pub(super) overshoot: u64,
    /// The most that anybody heard below the truth.
    pub(super) undershoot: u64,
    /// When the first client that is connected had something wrong, since the fault.
    pub(super) first_wrong_s: Option<f64>,
    /// For how long any client that is connected had something wrong, in total.
    pub(super) wrong_s: f64,
    /// The same before [`Record::from`]: while a node was stopped, say.
    pub(super) wrong_before_s: f64,
}

/// The clients of one node.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub(super) struct NodeVerdict {
    pub(super) node: usize,
    pub(super) clients: usize,
    /// When all of them had heard the truth for good.
    pub(super) all_s: Option<f64>,
}

/// What goes on while a record is read.
struct Reading {
    scene: Scene,
    /// Since when each client is right; none while it is not.
    right_since: Vec<Option<f64>>,
    verdict: Verdict,
}

impl Record {
    /// Reads it.
    pub(super) fn verdict(&self) -> Verdict {
        let mut reading = Reading::new(self.start.clone());
        let mut now = 0.0;
        for entry in &self.entries {
            reading.pass(now, entry.at, self.from);
            now = entry.at;
            let truth = reading.scene.truth();
            reading.scene.apply(entry.client, entry.what);
            match truth == reading.scene.truth() {
                true => reading.look_at(entry.client, now),
                false => reading.look(now),
            }
        }
        reading.pass(now, self.end, self.from);
        reading.finish(self.from)
    }
}

impl Reading {
    fn new(scene: Scene) -> Self {
        let n_clients = scene.clients().count();
        let mut reading = Self {
            scene,
            right_since: vec![None; n_clients],
            verdict: Verdict {
                half_s: None,
                all_s: None,
                nodes: Vec::new(),
                overshoot: 0,
                undershoot: 0,
                first_wrong_s: None,
                wrong_s: 0.0,
                wrong_before_s: 0.0,
            },
        };
        reading.look(0.0);
        reading
    }

    /// Looks at all clients.
    fn look(&mut self, at: f64) {
        for client in 0..self.right_since.len() {
            self.look_at(client, at);
        }
    }

    fn look_at(&mut self, client: usize, at: f64) {
        let verdict = &mut self.verdict;
        let seen = self.scene.client(client);
        let right = match seen.rightness(&self.scene.truth()) {
            Rightness::Right => true,
            Rightness::Over(by) => {
                verdict.overshoot = verdict.overshoot.max(by);
                false
            }
            Rightness::Under(by) => {
                verdict.undershoot = verdict.undershoot.max(by);
                false
            }
            Rightness::Absent | Rightness::Away | Rightness::Unknown => false,
        };
        let since = &mut self.right_since[client];
        *since = match right {
            true => since.or(Some(at)),
            false => None,
        };
    }

    /// Nothing happens between `start` and `end`.
    fn pass(&mut self, start: f64, end: f64, from: f64) {
        let truth = self.scene.truth();
        let wrong = self.scene.clients().any(|(_, seen)| {
            matches!(
                seen.rightness(&truth),
                Rightness::Over(_) | Rightness::Under(_)
            )
        });
        if wrong && start < end {
            let verdict = &mut self.verdict;
            verdict.first_wrong_s.get_or_insert(start);
            verdict.wrong_s += end - start;
            verdict.wrong_before_s += (end.min(from) - start).max(0.0);
        }
    }

    fn finish(self, from: f64) -> Verdict {
        let mut ends: Vec<(usize, Option<f64>)> = Vec::new();
        for (client, seen) in self.scene.clients() {
            let node = match seen.place {
                Place::Absent => continue,
                // It has not come back at all, which is as wrong as can be.
                Place::Between => NOWHERE,
                Place::Coming(node) | Place::Joined(node) | Place::Going(node) => node,
            };
            let since = self.right_since[client];
            ends.push((node, since.map(|since| (since - from).max(0.0))));
        }
        let n_nodes = ends
            .iter()
            .filter(|(node, _)| *node != NOWHERE)
            .map(|(node, _)| node + 1);
        let nodes = (0..n_nodes.max().unwrap_or(0)).filter_map(|node| {
            let ends: Vec<_> = ends
                .iter()
                .filter(|(at, _)| *at == node)
                .map(|(_, end)| *end)
                .collect();
            (!ends.is_empty()).then(|| NodeVerdict {
                node,
                clients: ends.len(),
                all_s: share(&ends, 1.0),
            })
        });
        let nodes = nodes.collect();
        let ends: Vec<_> = ends.iter().map(|(_, end)| *end).collect();
        Verdict {
            half_s: share(&ends, 0.5),
            all_s: share(&ends, 1.0),
            nodes,
            ..self.verdict
        }
    }
}

/// When this share of the clients was right for good.
fn share(ends: &[Option<f64>], share: f64) -> Option<f64> {
    let mut ends: Vec<_> = ends
        .iter()
        .map(|end| end.unwrap_or(f64::INFINITY))
        .collect();
    ends.sort_by(f64::total_cmp);
    let needed = (ends.len() as f64 * share).ceil() as usize;
    let last = ends.get(needed.checked_sub(1)?)?;
    last.is_finite().then_some(*last)
}

const NOWHERE: usize = usize::MAX;

#[cfg(test)]
mod tests {
    use super::*;

    /// A run of two clients at two nodes who know of each other at the beginning.
    fn run(from: f64, entries: &[(f64, usize, What)]) -> Verdict {
        let mut start = Scene::new(3);
        for client in [0, 1] {
            start.apply(client, What::Moved(Place::Joined(client)));
            start.apply(client, What::Heard(2));
        }
        let entry = |&(at, client, what): &(f64, usize, What)| Entry { at, client, what };
        let entries = entries.iter().map(entry).collect();
        let record = Record {
            start,
            entries,
            from,
            end: 20.0,
        };
        record.verdict()
    }

    fn nodes(verdict: &Verdict) -> Vec<Option<f64>> {
        verdict.nodes.iter().map(|node| node.all_s).collect()
    }

    #[test]
    fn what_was_never_wrong_was_right_from_the_fault_on() {
        let verdict = run(0.0, &[]);
        assert_eq!((verdict.half_s, verdict.all_s), (Some(0.0), Some(0.0)));
        assert_eq!((verdict.first_wrong_s, verdict.wrong_s), (None, 0.0));
    }

    #[test]
    fn only_what_stays_right_is_right() {
        let verdict = run(
            0.0,
            &[
                (1.0, 0, What::Heard(5)),
                (2.0, 0, What::Heard(2)),
                (3.0, 0, What::Heard(1)),
                (3.5, 1, What::Heard(1)),
                (4.0, 0, What::Heard(2)),
                (5.0, 1, What::Heard(2)),
            ],
        );
        assert_eq!((verdict.half_s, verdict.all_s), (Some(4.0), Some(5.0)));
        assert_eq!(nodes(&verdict), [Some(4.0), Some(5.0)]);
        assert_eq!((verdict.overshoot, verdict.undershoot), (3, 1));
        assert_eq!((verdict.first_wrong_s, verdict.wrong_s), (Some(1.0), 3.0));
    }

    #[test]
    fn what_is_wrong_at_the_end_is_never_right() {
        let verdict = run(0.0, &[(1.0, 1, What::Heard(3))]);
        assert_eq!((verdict.half_s, verdict.all_s), (Some(0.0), None));
        assert_eq!(nodes(&verdict), [Some(0.0), None]);
        assert_eq!(verdict.wrong_s, 19.0);
    }

    #[test]
    fn who_comes_back_is_right_when_it_has_heard_so() {
        let gone = What::Moved(Place::Going(1));
        let back = What::Moved(Place::Joined(0));
        let verdict = run(
            0.0,
            &[
                (0.0, 1, gone),
                (0.1, 1, What::Moved(Place::Between)),
                (1.0, 1, What::Moved(Place::Coming(0))),
                (1.5, 1, back),
                (1.5, 1, What::Heard(3)),
                (4.0, 0, What::Heard(2)),
                (4.5, 1, What::Heard(2)),
            ],
        );
        // While it is coming, either number is right.
        assert_eq!((verdict.half_s, verdict.all_s), (Some(1.0), Some(4.5)));
        assert_eq!(nodes(&verdict), [Some(4.5)]);
        assert_eq!(verdict.overshoot, 1);
        let never = run(0.0, &[(0.1, 1, What::Moved(Place::Between))]);
        assert_eq!(never.all_s, None);
    }

    #[test]
    fn who_has_left_is_not_asked_and_who_has_joined_is() {
        let left = [
            (1.0, 1, What::Moved(Place::Absent)),
            (1.25, 0, What::Heard(1)),
        ];
        let verdict = run(1.0, &left);
        assert_eq!(verdict.all_s, Some(0.25));
        assert_eq!(nodes(&verdict), [Some(0.25)]);
        let joined = [
            (1.0, 2, What::Moved(Place::Coming(1))),
            (1.1, 0, What::Heard(3)),
            (2.0, 2, What::Moved(Place::Joined(1))),
            (2.5, 2, What::Heard(3)),
        ];
        // The client of the other node never hears of it.
        let verdict = run(2.0, &joined);
        assert_eq!((verdict.half_s, verdict.all_s), (Some(0.5), None));
        assert_eq!(verdict.overshoot, 0);
    }

    #[test]
    fn what_was_wrong_while_the_node_was_stopped_is_told_apart() {
        let verdict = run(10.0, &[(4.0, 0, What::Heard(1)), (10.5, 0, What::Heard(2))]);
        assert_eq!(verdict.all_s, Some(0.5));
        assert_eq!((verdict.wrong_before_s, verdict.wrong_s), (6.0, 6.5));
        assert_eq!(verdict.first_wrong_s, Some(4.0));
    }
}
