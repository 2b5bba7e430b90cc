//! Pings and pongs: what it takes to know that idle clients are alive.

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::error::LoadError;
use crate::meter::Cost;
use crate::swarm::{Pause, Swarm};

/// What [`heartbeat`] found.
#[derive(Clone, Debug, Serialize)]
pub struct HeartbeatReport {
    /// Clients that did nothing but answer.
    pub clients: usize,
    /// Pings that were answered.
    pub pings: u64,
    /// What the time took in which they were watched.
    #[serde(flatten)]
    pub cost: Cost,
    /// The server's CPU time for one ping and its pong, in microseconds.
    pub server_us_per_ping: Option<f64>,
    /// Pings of the client that had the fewest.
    pub least: u32,
    /// Pings of the client that had the most.
    pub most: u32,
}

/// Lets all clients join, and answers their pings for as long as `watched`.
///
/// How often it pings is for the server to say: it should be often, such as each second.
///
/// # Errors
///
/// If nobody is pinged, or anybody is left out where all others have been pinged twice; if a connection fails; or if joining takes
/// longer than the deadline.
pub fn heartbeat(swarm: &mut Swarm, watched: Duration) -> Result<HeartbeatReport, LoadError> {
    swarm.join_all()?;
    let start = swarm.meter.mark()?;
    let mut pinged = vec![0; swarm.n_clients()];
    let began = Instant::now();
    let mut now = began;
    while now - began < watched {
        now = swarm.turn(Pause::Sleep(watched - (now - began)), |_, _| Ok(()))?;
        for client in &swarm.news().pinged {
            pinged[client.0] += 1;
        }
        let seconds = (now - began).min(watched).as_secs();
        swarm.has_done("seconds", seconds, watched.as_secs());
    }
    let cost = swarm.meter.since(start)?;
    let (least, most) = pinged.iter().fold((u32::MAX, 0), |(least, most), pings| {
        (least.min(*pings), most.max(*pings))
    });
    let pings = pinged.iter().copied().map(u64::from).sum();
    if pings == 0 {
        return Err(LoadError::NoPings { watched });
    }
    if least == 0 && 1 < most {
        let n_left_out = pinged.iter().filter(|pings| **pings == 0).count();
        return Err(LoadError::LeftOut { n_left_out, most });
    }
    Ok(HeartbeatReport {
        clients: swarm.n_clients(),
        pings,
        cost,
        server_us_per_ping: cost.server_us_per(pings as f64),
        least,
        most,
    })
}
