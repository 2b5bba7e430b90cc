//! Many messages from one handler: what telling everybody costs when all of it can be gathered.

use serde::Serialize;

use crate::client::first_line;
use crate::error::LoadError;
use crate::frame;
use crate::meter::Cost;
use crate::swarm::{ClientId, Pause, Swarm};

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
    swarm.join_all()?;
    let messages = (DELIVERIES / swarm.n_clients()).clamp(MIN_MESSAGES, MAX_MESSAGES);
    let text = "x".repeat(TEXT_BYTES);
    let request = frame::text(format!(r#"42["burst",{messages},"{text}"]"#).as_bytes());
    say(swarm, &request, messages)?;
    let start = swarm.meter.mark()?;
    for _ in 0..BURSTS {
        say(swarm, &request, messages)?;
    }
    let cost = swarm.meter.since(start)?;
    let deliveries = f64::from(BURSTS) * messages as f64 * swarm.n_clients() as f64;
    Ok(BurstReport {
        clients: swarm.n_clients(),
        bursts: BURSTS,
        messages,
        cost,
        server_us_per_delivery: cost.server_cpu_s.map(|cpu| cpu * 1e6 / deliveries),
    })
}

fn say(swarm: &mut Swarm, request: &[u8], messages: usize) -> Result<(), LoadError> {
    let mut told = vec![0; swarm.n_clients()];
    let mut n_untold = swarm.n_clients();
    swarm.restart_deadline();
    swarm.send(ClientId(0), request)?;
    while 0 < n_untold {
        let now = swarm.turn(Pause::Spin, |client, packet| {
            let Some(number) = said(packet) else {
                return Ok(());
            };
            if number != Some(told[client.0]) {
                let what = format!(
                    "was told {} instead of number {}",
                    first_line(packet),
                    told[client.0]
                );
                return Err(LoadError::Wrong { client, what });
            }
            told[client.0] += 1;
            n_untold -= usize::from(told[client.0] == messages);
            Ok(())
        })?;
        swarm.check_deadline(now, n_untold, || format!("{messages} messages"))?;
    }
    Ok(())
}

/// The number in a `say` event, or `Some(None)` if it has none; `None` for any other event.
fn said(packet: &[u8]) -> Option<Option<usize>> {
    let args = packet.strip_prefix(br#"42["say","#)?;
    let digits = args.split(|byte| *byte == b',').next().unwrap_or_default();
    Some(
        str::from_utf8(digits)
            .ok()
            .and_then(|digits| digits.parse().ok()),
    )
}

const TEXT_BYTES: usize = 128;
const BURSTS: u32 = 10;
/// One burst of 27 MB in frames: more than what the kernel holds for a client may come at once, but not for all.
const DELIVERIES: usize = 200_000;
const MIN_MESSAGES: usize = 10;
const MAX_MESSAGES: usize = 1_000;
