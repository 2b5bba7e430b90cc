//! Clients that come and go: what a visit costs.

use std::time::Instant;

use serde::Serialize;

use crate::error::LoadError;
use crate::latency::Latency;
use crate::meter::Cost;
use crate::swarm::{Pause, Swarm};

/// What [`churn`] found.
#[derive(Clone, Debug, Serialize)]
pub struct ChurnReport {
    /// Clients at once.
    pub clients: usize,
    /// Visits of each.
    pub turns: u32,
    /// Visits of all: connect, join, leave, end.
    pub visits: u64,
    /// What they took, all together.
    #[serde(flatten)]
    pub cost: Cost,
    /// The server's CPU time for one visit, in microseconds.
    pub server_us_per_visit: Option<f64>,
    /// Visits in a second of the clock on the wall.
    pub visits_per_s: f64,
    /// From a client's first packet of TCP until it had joined, those 256 that may be on their way at once.
    pub latency: Latency,
}

/// Lets each client connect, join, say goodbye and wait for the server's own `turns` times over, without a pause; at most 256 are
/// on their way in at a time.
///
/// The server needs no event for this. Whatever it tells its visitors is passed over.
///
/// # Errors
///
/// If a client is refused or its connection fails or ends before it has left; if the clients are not on WebSocket; or if the
/// deadline passes.
pub fn churn(swarm: &mut Swarm, turns: u32) -> Result<ChurnReport, LoadError> {
    swarm.needs_websocket("churn")?;
    let clients = swarm.n_clients();
    let visits = u64::from(turns) * clients as u64;
    let mut left = vec![turns; clients];
    let mut n_there = clients;
    let mut n_ended = 0;
    let mut latency = Latency::new();
    swarm.restart_deadline();
    let start = swarm.meter.mark()?;
    while n_ended < visits {
        let now = swarm.turn(Pause::Spin, |_, _| Ok(()))?;
        for client in swarm.news().joined.clone() {
            latency.record(swarm.since_connect(client, Instant::now()));
            swarm.leave(client)?;
        }
        for client in swarm.news().ended.clone() {
            swarm.restart_deadline();
            n_ended += 1;
            left[client.0] -= 1;
            if 0 < left[client.0] {
                swarm.come_again(client);
            } else {
                n_there -= 1;
            }
        }
        swarm.has_done("visits", n_ended, visits);
        swarm.check_deadline(now, n_there, || "the end of their visits".to_owned())?;
    }
    let cost = swarm.meter.since(start)?;
    Ok(ChurnReport {
        clients,
        turns,
        visits,
        cost,
        server_us_per_visit: cost.server_us_per(visits as f64),
        visits_per_s: visits as f64 / cost.wall_s,
        latency,
    })
}
