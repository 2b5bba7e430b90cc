//! Clients that have done something and rest: what it takes to hold them, and whether a burst leaves anything behind.

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::error::LoadError;
use crate::meter::Cost;
use crate::numbered::Numbered;
use crate::rooms::Rooms;
use crate::site::ClientId;
use crate::swarm::{Pause, Swarm};

/// How memory is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// How long all rest before it is looked at.
    pub settle: Duration,
    /// Messages that all are told while they do not read.
    pub messages: u32,
    /// Bytes of each.
    pub text_bytes: usize,
}

/// What [`memory`] found; bytes are those that only the server's process holds, for each client, less what it held before the
/// first connect.
#[derive(Clone, Debug, Serialize)]
pub struct MemoryReport {
    /// Clients that were held.
    pub clients: usize,
    /// What all of it took.
    #[serde(flatten)]
    pub cost: Cost,
    /// How long they had rested when memory was looked at, in seconds.
    pub settled_s: f64,
    /// Messages of the burst.
    pub messages: u32,
    /// Bytes of each.
    pub text_bytes: usize,
    /// After the first rest: in a room, and told one message.
    pub private_bytes_per_client: Option<f64>,
    /// When all but one were behind with the whole burst, as far as the kernel had not taken it.
    pub peak_bytes_per_client: Option<f64>,
    /// After the second rest.
    pub after_bytes_per_client: Option<f64>,
}

/// Lets all clients join, and join one room; one message is told to all; they rest for `plan.settle`. Then all but one stop reading while
/// that one has all told `plan.messages`; they read on, and rest again.
///
/// The server answers `join` and `burst` as in [`rooms`](crate::rooms()) and [`burst`](crate::burst()), and `echo` as in
/// [`echo`](crate::echo()).
///
/// # Errors
///
/// If a client is told a message out of order, twice or not at all; if a connection fails or is closed; if the clients are not on
/// WebSocket; or if the deadline passes.
pub fn memory(swarm: &mut Swarm, plan: &Memory) -> Result<MemoryReport, LoadError> {
    swarm.needs_websocket("memory")?;
    let before = swarm.meter.server_private_bytes()?;
    let start = swarm.meter.mark()?;
    let speaker = ClientId(swarm.n_clients() - 1);
    swarm.keep_kernels_part_small();
    swarm.join_all()?;
    Rooms::new(swarm.n_clients(), swarm.n_clients()).join(swarm)?;
    swarm.expect("burst");
    let mut once = Told::new(swarm, speaker, plan, 1);
    once.say(swarm)?;
    once.until_all_are_told(swarm)?;
    rest(swarm, plan.settle)?;
    let rested = swarm.meter.server_private_bytes()?;

    for client in (0..swarm.n_clients()).filter(|client| *client != speaker.0) {
        swarm.stop_reading(ClientId(client))?;
    }
    let mut burst = Told::new(swarm, speaker, plan, plan.messages);
    burst.say(swarm)?;
    burst.until_speaker_is_answered(swarm)?;
    let peak = swarm.meter.server_private_bytes()?;
    for client in (0..swarm.n_clients()).filter(|client| *client != speaker.0) {
        swarm.go_on_reading(ClientId(client))?;
    }
    burst.until_all_are_told(swarm)?;
    rest(swarm, plan.settle)?;
    let after = swarm.meter.server_private_bytes()?;

    let clients = swarm.n_clients() as f64;
    let each = |bytes: Option<u64>| {
        let both = before.zip(bytes);
        both.map(|(before, bytes)| (bytes as f64 - before as f64) / clients)
    };
    Ok(MemoryReport {
        clients: swarm.n_clients(),
        cost: swarm.meter.since(start)?,
        settled_s: plan.settle.as_secs_f64(),
        messages: plan.messages,
        text_bytes: plan.text_bytes,
        private_bytes_per_client: each(rested),
        peak_bytes_per_client: each(peak),
        after_bytes_per_client: each(after),
    })
}

/// Nobody does anything but answer pings.
fn rest(swarm: &mut Swarm, settle: Duration) -> Result<(), LoadError> {
    let began = Instant::now();
    let until = began + settle;
    let mut now = began;
    while now < until {
        now = swarm.turn(Pause::Sleep(until - now), |_, _| Ok(()))?;
        swarm.has_done("seconds", (now - began).as_secs(), settle.as_secs());
        nobody_has_ended(swarm)?;
    }
    Ok(())
}

/// One burst, and how far each has been told.
struct Told {
    speaker: ClientId,
    messages: u32,
    text: String,
    numbered: Numbered,
    n_untold: usize,
}

impl Told {
    fn new(swarm: &Swarm, speaker: ClientId, plan: &Memory, messages: u32) -> Self {
        Self {
            speaker,
            messages,
            text: "x".repeat(plan.text_bytes),
            numbered: Numbered::new(swarm.n_clients()),
            n_untold: swarm.n_clients(),
        }
    }

    /// Has the server tell it all, and asks for an answer behind it.
    fn say(&self, swarm: &mut Swarm) -> Result<(), LoadError> {
        let Self { messages, text, .. } = self;
        swarm.restart_deadline();
        let burst = format!(r#"42["burst",{messages},"{text}"]"#);
        swarm.emit(self.speaker, burst.as_bytes())?;
        swarm.emit(self.speaker, br#"4299["echo","all said"]"#)
    }

    /// What was said to all has been written to all as far as it was taken: the answer is of a later turn.
    fn until_speaker_is_answered(&mut self, swarm: &mut Swarm) -> Result<(), LoadError> {
        let mut is_answered = false;
        while !is_answered {
            let now = swarm.turn(Pause::Spin, |client, packet| {
                is_answered |= client == self.speaker && packet.starts_with(b"4399[");
                self.take(client, packet)
            })?;
            nobody_has_ended(swarm)?;
            swarm.check_deadline(now, 1, || "the ack of 'echo'".to_owned())?;
        }
        Ok(())
    }

    fn until_all_are_told(&mut self, swarm: &mut Swarm) -> Result<(), LoadError> {
        while 0 < self.n_untold {
            let now = swarm.turn(Pause::Spin, |client, packet| self.take(client, packet))?;
            nobody_has_ended(swarm)?;
            swarm.check_deadline(now, self.n_untold, || format!("{} messages", self.messages))?;
        }
        Ok(())
    }

    fn take(&mut self, client: ClientId, packet: &[u8]) -> Result<(), LoadError> {
        if let Some(number) = self.numbered.take(client, packet, &self.text)? {
            self.n_untold -= usize::from(number + 1 == self.messages);
        }
        Ok(())
    }
}

/// Who is behind for a moment is not to be disconnected for it.
fn nobody_has_ended(swarm: &Swarm) -> Result<(), LoadError> {
    match swarm.news().ended.first() {
        None => Ok(()),
        Some(&client) => Err(LoadError::Wrong {
            client,
            what: "was disconnected, though it read on after the burst".to_owned(),
        }),
    }
}
