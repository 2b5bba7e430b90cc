//! One message under way at a time: what telling everybody costs when there is nothing to gather.

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::client::first_line;
use crate::error::LoadError;
use crate::latency::Latency;
use crate::meter::Cost;
use crate::numbered;
use crate::site::ClientId;
use crate::swarm::{Pause, Swarm};

/// What [`paced`] found.
#[derive(Clone, Debug, Serialize)]
pub struct PacedReport {
    /// Clients that were told.
    pub clients: usize,
    /// Messages that each was told, the warm-up not counted.
    pub messages: usize,
    /// What they took, all together.
    #[serde(flatten)]
    pub cost: Cost,
    /// The server's CPU time for one message to one client, in microseconds.
    pub server_us_per_delivery: Option<f64>,
    /// From an emit until the last client had it, in microseconds: half of the messages took longer.
    pub median_us: f64,
    /// As [`median_us`](Self::median_us), for one in a hundred.
    pub p99_us: f64,
    /// The same as a distribution: from an emit until the last client had it.
    pub latency: Latency,
    /// From an emit until one client had it, for every client.
    pub delivery: Latency,
    /// Bytes of each message.
    pub text_bytes: usize,
    /// Deliveries that came compressed, those of the warm-up among them.
    pub compressed: u64,
    /// The longest that the server says one of its threads was kept from other tasks, in microseconds, if it was asked.
    pub longest_hold_us: Option<f64>,
}

/// What is said, and what is asked in the end.
#[derive(Clone, Copy, Debug)]
pub struct Paced {
    /// Bytes of each message, at least 8.
    pub text_bytes: usize,
    /// Whether the server is asked something in the end.
    pub asking: Asking,
}

impl Default for Paced {
    /// 128 bytes, and nothing is asked.
    fn default() -> Self {
        Self {
            text_bytes: numbered::TEXT_BYTES,
            asking: Asking::Nothing,
        }
    }
}

/// Whether the server is asked what it knows itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Asking {
    /// It answers `held` with the longest that a thread of its was kept, in microseconds.
    Held,
    /// It need not know.
    Nothing,
}

/// Lets all clients join; then the first emits `say` with a string of so many bytes, and again once all have been told it.
///
/// The server answers `say` by emitting it to all, the sender included, and `held` if `plan` asks for that. Other events are passed over.
///
/// # Errors
///
/// If any client is told anything but the message that is under way, or is told it twice; if a connection fails; or if
/// the deadline passes.
pub fn paced(swarm: &mut Swarm, plan: &Paced) -> Result<PacedReport, LoadError> {
    swarm.join_all()?;
    let mut talk = Talk::new(swarm.n_clients(), plan.text_bytes);
    swarm.expect("say");
    for _ in 0..WARM_UP {
        talk.say(swarm)?;
    }
    let messages = (swarm.volume(DELIVERIES) / swarm.n_clients()).clamp(MIN_MESSAGES, MAX_MESSAGES);
    let start = swarm.meter.mark()?;
    let mut latency = Latency::new();
    talk.delivery = Latency::new();
    for said in 0..messages {
        latency.record(talk.say(swarm)?);
        swarm.has_done("messages", said as u64 + 1, messages as u64);
    }
    let cost = swarm.meter.since(start)?;
    let delivery = std::mem::replace(&mut talk.delivery, Latency::new());
    // Who was told the last message twice is so before this one.
    talk.say(swarm)?;
    let longest_hold_us = match plan.asking {
        Asking::Held => Some(held(swarm)?),
        Asking::Nothing => None,
    };
    let deliveries = (messages * swarm.n_clients()) as f64;
    Ok(PacedReport {
        clients: swarm.n_clients(),
        messages,
        cost,
        server_us_per_delivery: cost.server_us_per(deliveries),
        median_us: latency.at_us(0.5),
        p99_us: latency.at_us(0.99),
        latency,
        delivery,
        text_bytes: plan.text_bytes,
        compressed: swarm.n_compressed(),
        longest_hold_us,
    })
}

/// Asks the server how long a thread of its was kept at most.
fn held(swarm: &mut Swarm) -> Result<f64, LoadError> {
    swarm.expect("held");
    swarm.emit(ClientId(0), br#"420["held"]"#)?;
    let mut answer = None;
    while answer.is_none() {
        let now = swarm.turn(Pause::Spin, |client, packet| {
            if let Some(args) = packet.strip_prefix(b"430[") {
                let number = str::from_utf8(args.strip_suffix(b"]").unwrap_or_default());
                let number = number.ok().and_then(|number| number.parse().ok());
                let wrong = || LoadError::Wrong {
                    client,
                    what: format!("was answered {} instead of a time", first_line(packet)),
                };
                answer = Some(number.ok_or_else(wrong)?);
            }
            Ok(())
        })?;
        swarm.check_deadline(now, 1, || "the ack of 'held'".to_owned())?;
    }
    Ok(answer.unwrap_or_default())
}

/// The messages so far, and who has been told the last.
struct Talk {
    /// The message under way, 1 for the first.
    number: u32,
    packet: Vec<u8>,
    told: Vec<u32>,
    delivery: Latency,
}

impl Talk {
    fn new(clients: usize, text_bytes: usize) -> Self {
        let text = prose(text_bytes);
        Self {
            number: 0,
            packet: format!(r#"42["say","{text}"]"#).into_bytes(),
            told: vec![0; clients],
            delivery: Latency::new(),
        }
    }

    /// Whether this is the message under way.
    fn is_it(&self, packet: &[u8]) -> bool {
        let args = self.packet.strip_suffix(b"]").unwrap_or_default();
        packet.strip_prefix(args).is_some_and(numbered::is_end)
    }

    /// Emits the next message, and returns when all have been told it.
    fn say(&mut self, swarm: &mut Swarm) -> Result<Duration, LoadError> {
        self.number += 1;
        self.packet[PREFIX.len()..][..8].copy_from_slice(format!("{:08}", self.number).as_bytes());
        let start = Instant::now();
        swarm.restart_deadline();
        swarm.emit(ClientId(0), &self.packet)?;
        let mut n_untold = swarm.n_clients();
        while 0 < n_untold {
            let now = swarm.turn(Pause::Spin, |client, packet| {
                if self.is_it(packet) && self.told[client.0] + 1 == self.number {
                    self.told[client.0] = self.number;
                    self.delivery.record(start.elapsed());
                    n_untold -= 1;
                } else if packet.starts_with(PREFIX) {
                    let what = format!(
                        "was told {} while message {} was under way",
                        first_line(packet),
                        self.number
                    );
                    return Err(LoadError::Wrong { client, what });
                }
                Ok(())
            })?;
            swarm.check_deadline(now, n_untold, || format!("message {}", self.number))?;
        }
        Ok(start.elapsed())
    }
}

/// Text that compresses about as well as what people say: words, some of them often.
fn prose(bytes: usize) -> String {
    let mut text = String::with_capacity(bytes + 16);
    text.push_str("00000000");
    let mut random = fastrand::Rng::with_seed(1);
    while text.len() < bytes {
        // The last ones are said most.
        let word = random.usize(..WORDS.len() * WORDS.len()).isqrt();
        text.push(' ');
        text.push_str(WORDS[word]);
        if random.u8(..3) == 0 {
            text.push_str(&random.u16(..10_000).to_string());
        }
    }
    text.truncate(bytes.max(8));
    text
}

const PREFIX: &[u8] = br#"42["say",""#;
const WORDS: [&str; 32] = [
    "voltage", "harbour", "gravel", "quorum", "lantern", "walnut", "ferry", "meadow", "signal",
    "copper", "thunder", "violin", "ladder", "oyster", "engine", "market", "window", "paper",
    "evening", "number", "people", "before", "every", "which", "would", "from", "there", "have",
    "that", "with", "and", "the",
];
const WARM_UP: u32 = 20;
/// Enough for two seconds of a bare loop's CPU, so that the share outside the kernel means something.
const DELIVERIES: usize = 300_000;
const MIN_MESSAGES: usize = 20;
const MAX_MESSAGES: usize = 5_000;
