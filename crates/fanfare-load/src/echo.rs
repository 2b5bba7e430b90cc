//! Questions: every client has one emit with an ack under way, all the time.

use std::time::Instant;

use serde::Serialize;

use crate::client::first_line;
use crate::error::LoadError;
use crate::latency::Latency;
use crate::meter::Cost;
use crate::numbered;
use crate::site::ClientId;
use crate::swarm::{Pause, Swarm};

/// What [`echo`] found.
#[derive(Clone, Debug, Serialize)]
pub struct EchoReport {
    /// Clients that asked.
    pub clients: usize,
    /// Acks in all, the warm-up not counted.
    pub acks: u64,
    /// What they took, all together.
    #[serde(flatten)]
    pub cost: Cost,
    /// The server's CPU time for one emit and its ack, in microseconds.
    pub server_us_per_ack: Option<f64>,
    /// Acks in a second of the clock on the wall.
    pub acks_per_s: f64,
    /// From an emit until its ack.
    pub latency: Latency,
}

/// Lets all clients join; then each emits `echo` with a string of 128 bytes, and again as soon as it has its ack.
///
/// The server acks `echo` with the string. Other events are passed over.
///
/// # Errors
///
/// If an ack is for anything but the emit under way, or does not hold the string; if a connection fails; or if the
/// deadline passes.
pub fn echo(swarm: &mut Swarm) -> Result<EchoReport, LoadError> {
    swarm.join_all()?;
    let clients = swarm.n_clients();
    let mut asking = Asking::new(clients);
    swarm.expect("echo");
    asking.ask_all(swarm, WARM_UP)?;
    asking.latency = Latency::new();
    let each = u32::try_from(swarm.volume(ACKS) / clients).unwrap_or(u32::MAX);
    let each = each.clamp(MIN_EACH, MAX_EACH);
    let start = swarm.meter.mark()?;
    asking.ask_all(swarm, each)?;
    let cost = swarm.meter.since(start)?;
    let latency = std::mem::replace(&mut asking.latency, Latency::new());
    // An ack that came twice is in front of these.
    asking.ask_all(swarm, 1)?;
    let acks = u64::from(each) * clients as u64;
    Ok(EchoReport {
        clients,
        acks,
        cost,
        server_us_per_ack: cost.server_us_per(acks as f64),
        acks_per_s: acks as f64 / cost.wall_s,
        latency,
    })
}

/// What each client has asked.
struct Asking {
    text: String,
    latency: Latency,
    /// Its number is the id of its ack.
    questions: Vec<Question>,
}

#[derive(Clone, Copy)]
struct Question {
    number: u32,
    at: Instant,
}

impl Asking {
    fn new(clients: usize) -> Self {
        let nothing_yet = Question {
            number: 0,
            at: Instant::now(),
        };
        Self {
            text: numbered::text(),
            latency: Latency::new(),
            questions: vec![nothing_yet; clients],
        }
    }

    /// Has every client ask so many times.
    fn ask_all(&mut self, swarm: &mut Swarm, times: u32) -> Result<(), LoadError> {
        let last = self.questions[0].number + times;
        let all = u64::from(times) * self.questions.len() as u64;
        let mut n_acks = 0;
        let mut n_asking = self.questions.len();
        let mut next: Vec<ClientId> = (0..n_asking).map(ClientId).collect();
        while 0 < n_asking {
            if !next.is_empty() {
                swarm.restart_deadline();
            }
            for client in next.drain(..) {
                self.ask(swarm, client)?;
            }
            let now = swarm.turn(Pause::Spin, |client, packet| {
                if !self.take(client, packet)? {
                    return Ok(());
                }
                n_acks += 1;
                if self.questions[client.0].number == last {
                    n_asking -= 1;
                } else {
                    next.push(client);
                }
                Ok(())
            })?;
            swarm.check_deadline(now, n_asking, || "their acks".to_owned())?;
            swarm.has_done("acks", n_acks, all);
        }
        Ok(())
    }

    fn ask(&mut self, swarm: &mut Swarm, client: ClientId) -> Result<(), LoadError> {
        let question = &mut self.questions[client.0];
        question.number += 1;
        question.at = Instant::now();
        let packet = format!(r#"42{}["echo","{}"]"#, question.number, self.text);
        swarm.emit(client, packet.as_bytes())
    }

    /// Whether `packet` is the ack that is due.
    fn take(&mut self, client: ClientId, packet: &[u8]) -> Result<bool, LoadError> {
        let Some(ack) = packet.strip_prefix(b"43") else {
            return Ok(false);
        };
        let Question { number, at } = self.questions[client.0];
        if !is_ack(ack, number, &self.text) {
            let packet = first_line(packet);
            let what = format!("was sent {packet} for the ack of emit {number}");
            return Err(LoadError::Wrong { client, what });
        }
        self.latency.record(at.elapsed());
        Ok(true)
    }
}

/// Whether this is `7["text"]`.
fn is_ack(ack: &[u8], number: u32, text: &str) -> bool {
    ack.strip_suffix(br#""]"#)
        .and_then(|ack| ack.strip_suffix(text.as_bytes()))
        .and_then(|ack| ack.strip_suffix(br#"[""#))
        .and_then(|digits| str::from_utf8(digits).ok()?.parse().ok())
        .is_some_and(|acked: u32| acked == number)
}

const WARM_UP: u32 = 2;
const ACKS: usize = 200_000;
const MIN_EACH: u32 = 10;
const MAX_EACH: u32 = 5_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ack_has_the_number_and_the_text_of_its_emit() {
        assert!(is_ack(br#"7["hi"]"#, 7, "hi"));
        assert!(!is_ack(br#"8["hi"]"#, 7, "hi"));
        assert!(!is_ack(br#"7["ho"]"#, 7, "hi"));
        assert!(!is_ack(br"7[]", 7, "hi"));
    }
}
