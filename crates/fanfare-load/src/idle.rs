//! Clients that do nothing: what it takes to hold them.

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::error::LoadError;
use crate::meter::Cost;
use crate::swarm::{Pause, Swarm};

/// What [`idle`] found.
#[derive(Clone, Debug, Serialize)]
pub struct IdleReport {
    /// Clients that were held.
    pub clients: usize,
    /// What their joining took.
    #[serde(flatten)]
    pub cost: Cost,
    /// The server's CPU time for one join, in microseconds.
    pub server_us_per_join: Option<f64>,
    /// How long they had been idle when memory was looked at, in seconds.
    pub settled_s: f64,
    /// Memory of the server's process alone for each client, in bytes: after less before.
    pub private_bytes_per_client: Option<f64>,
}

/// Lets all clients join, leaves them alone for `settle`, and looks at the server's memory.
///
/// Pings are answered meanwhile. Memory is counted from before the first connect.
///
/// # Errors
///
/// If a connection fails or is closed, the server's process cannot be read, or the deadline passes.
pub fn idle(swarm: &mut Swarm, settle: Duration) -> Result<IdleReport, LoadError> {
    let before = swarm.meter.server_private_bytes()?;
    let start = swarm.meter.mark()?;
    swarm.join_all()?;
    let cost = swarm.meter.since(start)?;
    let began = Instant::now();
    let until = began + settle;
    let mut now = began;
    while now < until {
        now = swarm.turn(Pause::Sleep(until - now), |_, _| Ok(()))?;
        swarm.has_done("seconds", (now - began).as_secs(), settle.as_secs());
    }
    let after = swarm.meter.server_private_bytes()?;
    let clients = swarm.n_clients() as f64;
    Ok(IdleReport {
        clients: swarm.n_clients(),
        cost,
        server_us_per_join: cost.server_us_per(clients),
        settled_s: settle.as_secs_f64(),
        private_bytes_per_client: before
            .zip(after)
            .map(|(before, after)| (after as f64 - before as f64) / clients),
    })
}
