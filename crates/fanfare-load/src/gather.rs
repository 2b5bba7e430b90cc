//! A part of a crowd: these clients come to one node of a cluster, others to the other nodes, and each is to see how many all are.

use std::time::{Duration, Instant, SystemTime};

use serde::Serialize;

use crate::error::LoadError;
use crate::meter::Cost;
use crate::storm::user_count;
use crate::swarm::{Pause, Swarm};

/// What [`gather`] found.
#[derive(Clone, Debug, Serialize)]
pub struct GatherReport {
    /// Clients that joined here.
    pub clients: usize,
    /// What it took until each had seen the number of all.
    #[serde(flatten)]
    pub cost: Cost,
    /// When the last was joined, in milliseconds since 1970.
    pub joined_at_ms: u64,
    /// When each had seen the number of all.
    pub seen_at_ms: u64,
    /// `user count` messages that clients received until then.
    pub messages: u64,
}

/// Lets all clients join, waits until each has seen `total`, and stays for `hold`, so that those elsewhere can see it, too.
///
/// The server tells its count by the event `user count`, with one integer.
///
/// # Errors
///
/// If the number passes `total`, or is no number; if a connection fails; or if the deadline passes.
pub fn gather(swarm: &mut Swarm, total: u32, hold: Duration) -> Result<GatherReport, LoadError> {
    let start = swarm.meter.mark()?;
    let mut has_seen = vec![false; swarm.n_clients()];
    let (mut n_short, mut messages, mut joined_at_ms) = (swarm.n_clients(), 0, None);
    swarm.restart_deadline();
    while 0 < n_short {
        let now = swarm.turn(PAUSE, |client, packet| {
            let Some(count) = user_count(client, packet)? else {
                return Ok(());
            };
            messages += 1;
            if total < count {
                let what = format!("was told {count}, though {total} come in all");
                return Err(LoadError::Wrong { client, what });
            }
            let is_first = count == total && !std::mem::replace(&mut has_seen[client.0], true);
            n_short -= usize::from(is_first);
            Ok(())
        })?;
        if swarm.n_joined() == swarm.n_clients() {
            joined_at_ms.get_or_insert_with(unix_ms);
        }
        swarm.check_deadline(now, n_short, || format!("{total} to be told"))?;
        let n_told = swarm.n_clients() - n_short;
        swarm.has_done("told all", n_told as u64, swarm.n_clients() as u64);
    }
    let seen_at_ms = unix_ms();
    let cost = swarm.meter.since(start)?;
    let until = Instant::now() + hold;
    while swarm.turn(PAUSE, |_, _| Ok(()))? < until {}
    Ok(GatherReport {
        clients: swarm.n_clients(),
        cost,
        joined_at_ms: joined_at_ms.unwrap_or(seen_at_ms),
        seen_at_ms,
        messages,
    })
}

fn unix_ms() -> u64 {
    let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Others share the machine: nobody spins.
const PAUSE: Pause = Pause::Sleep(Duration::from_millis(100));
