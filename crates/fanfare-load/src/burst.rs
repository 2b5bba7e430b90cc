//! Many messages from one handler: what telling everybody costs when all of it can be gathered.

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::error::LoadError;
use crate::latency::Latency;
use crate::meter::Cost;
use crate::numbered::{self, Numbered};
use crate::site::ClientId;
use crate::swarm::{Pause, Swarm};

/// What [`burst`] found.
#[derive(Clone, Debug, Serialize)]
pub struct BurstReport {
    /// Clients that were told.
    pub clients: usize,
    /// Bursts, the warm-up not counted.
    pub bursts: u32,
    /// Messages in each.
    pub messages: usize,
    /// What the bursts took, all together.
    #[serde(flatten)]
    pub cost: Cost,
    /// The server's CPU time for one message to one client, in microseconds.
    pub server_us_per_delivery: Option<f64>,
    /// From an emit until the last client had been told everything.
    pub latency: Latency,
}

/// Lets all clients join; then the first emits `burst` with a number and a string of 128 bytes, and again once all have
/// been told everything.
///
/// The server answers `burst` by emitting `say` so many times from one handler, with the numbers from 0 on and the
/// string. Other events are passed over.
///
/// # Errors
///
/// If any client is told these out of order, twice or not at all; if a connection fails; or if the deadline passes.
pub fn burst(swarm: &mut Swarm) -> Result<BurstReport, LoadError> {
    let messages = (swarm.volume(DELIVERIES) / swarm.n_clients()).clamp(MIN_MESSAGES, MAX_MESSAGES);
    repeat(swarm, messages, BURSTS)
}

/// The same with `messages` at once, as often as it takes for a figure to mean something: what telling everybody costs
/// when there is a little to gather.
///
/// # Errors
///
/// As [`burst`].
pub fn pending(swarm: &mut Swarm, messages: usize) -> Result<BurstReport, LoadError> {
    let bursts = swarm.volume(DELIVERIES) / (swarm.n_clients() * messages.max(1));
    let bursts = u32::try_from(bursts).unwrap_or(u32::MAX);
    repeat(swarm, messages, bursts.clamp(MIN_BURSTS, MAX_BURSTS))
}

fn repeat(swarm: &mut Swarm, messages: usize, bursts: u32) -> Result<BurstReport, LoadError> {
    swarm.join_all()?;
    swarm.expect("burst");
    Burst::new(swarm, 1).say(swarm)?;
    let mut burst = Burst::new(swarm, messages);
    burst.say(swarm)?;
    let start = swarm.meter.mark()?;
    let mut latency = Latency::new();
    for said in 0..bursts {
        latency.record(burst.say(swarm)?);
        swarm.has_done("bursts", u64::from(said) + 1, u64::from(bursts));
    }
    let cost = swarm.meter.since(start)?;
    // What anybody was told twice comes in front of this.
    Burst::new(swarm, 1).say(swarm)?;
    let deliveries = f64::from(bursts) * messages as f64 * swarm.n_clients() as f64;
    Ok(BurstReport {
        clients: swarm.n_clients(),
        bursts,
        messages,
        cost,
        server_us_per_delivery: cost.server_us_per(deliveries),
        latency,
    })
}

struct Burst {
    request: Vec<u8>,
    messages: u32,
    text: String,
    numbered: Numbered,
}

impl Burst {
    fn new(swarm: &Swarm, messages: usize) -> Self {
        let text = numbered::text();
        Self {
            request: format!(r#"42["burst",{messages},"{text}"]"#).into_bytes(),
            messages: u32::try_from(messages).expect("the number on the wire is one of 32 bits"),
            text,
            numbered: Numbered::new(swarm.n_clients()),
        }
    }

    /// Has the server say it all, and returns when all have been told.
    fn say(&mut self, swarm: &mut Swarm) -> Result<Duration, LoadError> {
        self.numbered.restart();
        let start = Instant::now();
        swarm.restart_deadline();
        swarm.emit(ClientId(0), &self.request)?;
        let mut n_untold = swarm.n_clients();
        while 0 < n_untold {
            let now = swarm.turn(Pause::Spin, |client, packet| {
                if let Some(number) = self.numbered.take(client, packet, &self.text)? {
                    n_untold -= usize::from(number + 1 == self.messages);
                }
                Ok(())
            })?;
            swarm.check_deadline(now, n_untold, || format!("{} messages", self.messages))?;
        }
        Ok(start.elapsed())
    }
}

const BURSTS: u32 = 10;
/// One burst of 27 MB in frames: more than what the kernel holds for a client may come at once, but not for all.
const DELIVERIES: usize = 200_000;
const MIN_MESSAGES: usize = 10;
const MAX_MESSAGES: usize = 1_000;
const MIN_BURSTS: u32 = 20;
const MAX_BURSTS: u32 = 5_000;
