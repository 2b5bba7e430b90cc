//! The lesson under load: all join at once, and everybody sees how many are here.

use serde::Serialize;

use crate::client::first_line;
use crate::error::LoadError;
use crate::meter::{Cost, Mark};
use crate::site::ClientId;
use crate::swarm::{Pause, Swarm};

/// Who leaves once all have seen the full number.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Leaving {
    /// Nobody: for a server that counts up only.
    Nobody,
    /// Every second client is cut at once, without a word.
    Half,
}

/// What [`storm`] found.
#[derive(Clone, Debug, Serialize)]
pub struct StormReport {
    /// Clients that joined, which is also the number that all of them saw in the end.
    pub clients: usize,
    /// Clients that were told every number from their own first to the last, none left out.
    pub told_every_number: usize,
    /// From the first connect until the last client was joined, in seconds.
    pub joined_s: f64,
    /// From then until all had seen the full number, in seconds.
    pub caught_up_s: f64,
    /// From the first connect until all had seen the full number.
    pub rise: Phase,
    /// Its messages, as a part of two for each client and four more for each second: what a server needs that tells four times a second.
    pub messages_of_rate: f64,
    /// From the first cut until all that were left had seen their number.
    pub fall: Option<Phase>,
}

/// One half of a storm.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Phase {
    /// What it took.
    #[serde(flatten)]
    pub cost: Cost,
    /// `user count` messages that clients received.
    pub messages: u64,
}

/// Lets all clients join at once, and waits until each has seen exactly their number; then, as `leaving` says, until those
/// that stay have seen theirs.
///
/// The server tells its count by the event `user count`, with one integer, and has no clients beforehand.
///
/// # Errors
///
/// If the number falls while clients join or rises while they leave, at any client; if it passes the goal, or is no
/// number; if a connection fails; or if the deadline passes.
pub fn storm(swarm: &mut Swarm, leaving: Leaving) -> Result<StormReport, LoadError> {
    let start = swarm.meter.mark()?;
    let mut watch = Watch::new(swarm.n_clients());
    let mut joined_s = None;
    swarm.restart_deadline();
    while 0 < watch.n_short {
        let now = swarm.turn(Pause::Spin, |client, packet| watch.rising(client, packet))?;
        if joined_s.is_none() && swarm.n_joined() == swarm.n_clients() {
            joined_s = Some(swarm.meter.since(start)?.wall_s);
            if watch.messages == 0 {
                swarm.expect("user count");
            }
        }
        swarm.check_deadline(now, watch.n_short, || format!("{} to be told", watch.goal))?;
        let n_told = swarm.n_clients() - watch.n_short;
        swarm.has_done("told all", n_told as u64, swarm.n_clients() as u64);
    }
    let rise = watch.phase(swarm, start)?;
    let joined_s = joined_s.unwrap_or(rise.cost.wall_s);
    let at_rate = swarm.n_clients() as f64 * (2.0 + 4.0 * rise.cost.wall_s);
    let fall = match leaving {
        Leaving::Nobody => None,
        Leaving::Half => Some(halve(swarm, &mut watch)?),
    };
    Ok(StormReport {
        clients: swarm.n_clients(),
        told_every_number: watch.views.iter().filter(|view| !view.has_gap).count(),
        joined_s,
        caught_up_s: rise.cost.wall_s - joined_s,
        messages_of_rate: rise.messages as f64 / at_rate,
        rise,
        fall,
    })
}

fn halve(swarm: &mut Swarm, watch: &mut Watch) -> Result<Phase, LoadError> {
    let start = swarm.meter.mark()?;
    for client in (1..swarm.n_clients()).step_by(2) {
        swarm.cut(ClientId(client));
    }
    watch.aim(swarm.n_clients().div_ceil(2));
    swarm.restart_deadline();
    while 0 < watch.n_short {
        let now = swarm.turn(Pause::Spin, |client, packet| watch.falling(client, packet))?;
        swarm.check_deadline(now, watch.n_short, || format!("{} to be told", watch.goal))?;
    }
    watch.phase(swarm, start)
}

/// What each client has been told, and how many have yet to be told the goal.
struct Watch {
    goal: u32,
    n_short: usize,
    views: Vec<View>,
    messages: u64,
}

#[derive(Clone, Copy, Default)]
struct View {
    /// The last number; 0 before the first.
    count: u32,
    has_gap: bool,
}

impl Watch {
    fn new(clients: usize) -> Self {
        let goal = u32::try_from(clients).expect("there are not that many sockets");
        Self {
            goal,
            n_short: clients,
            views: vec![View::default(); clients],
            messages: 0,
        }
    }

    /// From now on, all that are left are to be told `goal`.
    fn aim(&mut self, goal: usize) {
        self.goal = u32::try_from(goal).expect("fewer than before");
        self.n_short = goal;
        self.messages = 0;
    }

    fn rising(&mut self, client: ClientId, packet: &[u8]) -> Result<(), LoadError> {
        let Some(count) = user_count(client, packet)? else {
            return Ok(());
        };
        self.messages += 1;
        let View { count: before, .. } = self.views[client.0];
        if count < before || self.goal < count || count == 0 {
            let what = format!("was told {count} after {before}, while {} join", self.goal);
            return Err(LoadError::Wrong { client, what });
        }
        let view = &mut self.views[client.0];
        view.has_gap |= before != 0 && before + 1 < count;
        view.count = count;
        self.n_short -= usize::from(count == self.goal && before != self.goal);
        Ok(())
    }

    fn falling(&mut self, client: ClientId, packet: &[u8]) -> Result<(), LoadError> {
        let Some(count) = user_count(client, packet)? else {
            return Ok(());
        };
        self.messages += 1;
        let View { count: before, .. } = self.views[client.0];
        if before < count || count < self.goal {
            let what = format!(
                "was told {count} after {before}, while all but {} leave",
                self.goal
            );
            return Err(LoadError::Wrong { client, what });
        }
        self.views[client.0].count = count;
        self.n_short -= usize::from(count == self.goal && before != self.goal);
        Ok(())
    }

    fn phase(&self, swarm: &Swarm, start: Mark) -> Result<Phase, LoadError> {
        Ok(Phase {
            cost: swarm.meter.since(start)?,
            messages: self.messages,
        })
    }
}

/// The number in a `user count` event; `None` for any other event.
pub(crate) fn user_count(client: ClientId, packet: &[u8]) -> Result<Option<u32>, LoadError> {
    let Some(args) = packet.strip_prefix(br#"42["user count","#) else {
        return Ok(None);
    };
    let count = args
        .strip_suffix(b"]")
        .filter(|digits| (1..=9).contains(&digits.len()))
        .and_then(|digits| {
            digits.iter().try_fold(0, |count, digit| {
                digit
                    .is_ascii_digit()
                    .then(|| 10 * count + u32::from(digit - b'0'))
            })
        });
    match count {
        Some(count) => Ok(Some(count)),
        None => Err(LoadError::Wrong {
            client,
            what: format!("was sent {} for a count", first_line(packet)),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(counts: &[&str], expected: &str) {
        let mut watch = Watch::new(2);
        let told = counts.iter().try_for_each(|count| {
            watch.rising(
                ClientId(0),
                format!(r#"42["user count",{count}]"#).as_bytes(),
            )
        });
        let actual = match told {
            Ok(()) => format!("{} short, gap: {}", watch.n_short, watch.views[0].has_gap),
            Err(error) => error.to_string(),
        };
        assert_eq!(actual, expected, "{counts:?}");
    }

    #[test]
    fn a_count_must_not_fall_while_clients_join() {
        check(&["1", "2"], "1 short, gap: false");
        check(&["2", "2"], "1 short, gap: false");
        check(&["2", "1"], "client 0: was told 1 after 2, while 2 join");
        check(&["3"], "client 0: was told 3 after 0, while 2 join");
        check(&["0"], "client 0: was told 0 after 0, while 2 join");
        check(
            &["two"],
            r#"client 0: was sent 42["user count",two] for a count"#,
        );
        check(
            &["\"2\""],
            r#"client 0: was sent 42["user count","2"] for a count"#,
        );
    }

    #[test]
    fn a_number_left_out_is_a_gap() {
        let mut watch = Watch::new(3);
        for count in [1, 3] {
            watch
                .rising(
                    ClientId(0),
                    format!(r#"42["user count",{count}]"#).as_bytes(),
                )
                .unwrap();
        }
        assert!(watch.views[0].has_gap);
    }

    #[test]
    fn a_count_must_not_rise_while_clients_leave() {
        let mut watch = Watch::new(4);
        watch.rising(ClientId(0), br#"42["user count",4]"#).unwrap();
        watch.aim(2);
        watch
            .falling(ClientId(0), br#"42["user count",3]"#)
            .unwrap();
        assert!(
            watch
                .falling(ClientId(0), br#"42["user count",4]"#)
                .is_err()
        );
        assert!(
            watch
                .falling(ClientId(0), br#"42["user count",1]"#)
                .is_err()
        );
        watch
            .falling(ClientId(0), br#"42["user count",2]"#)
            .unwrap();
        assert_eq!(watch.n_short, 1);
    }
}
