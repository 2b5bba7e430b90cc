//! Clients that read nothing: what becomes of them, of the others, and of the server's memory.

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::client::first_line;
use crate::error::LoadError;
use crate::latency::Latency;
use crate::meter::Cost;
use crate::numbered::{self, Numbered};
use crate::site::ClientId;
use crate::swarm::{Pause, Swarm};

/// How slow readers are made.
#[derive(Clone, Copy, Debug)]
pub struct Slow {
    /// Clients that read nothing, fewer than all.
    pub readers: usize,
    /// Messages that the others are told meanwhile.
    pub messages: u32,
    /// Bytes of each.
    pub text_bytes: usize,
    /// From one to the next, at least, whether all have been told or not.
    pub pause: Duration,
}

/// What [`slow`] found.
#[derive(Clone, Debug, Serialize)]
pub struct SlowReport {
    /// Clients in all.
    pub clients: usize,
    /// Those that read nothing.
    pub slow: usize,
    /// Messages that the others were told.
    pub messages: u32,
    /// Bytes of each.
    pub text_bytes: usize,
    /// What telling them took.
    #[serde(flatten)]
    pub cost: Cost,
    /// From an emit until one of the others had it, for each of them.
    pub latency: Latency,
    /// Memory of the server's process alone, in bytes, before the first message.
    pub private_bytes_before: Option<u64>,
    /// The same after the last.
    pub private_bytes_after: Option<u64>,
    /// The most of the server's memory in RAM while the others were told, less what there was before, in bytes.
    pub grown_bytes: Option<u64>,
    /// Bytes in the kernel's send queues of the server's connections after the last message, of those too that it has ended.
    pub kernel_queued_bytes: Option<u64>,
    /// Both, for each slow client.
    pub held_bytes_per_slow: Option<f64>,
    /// Slow clients whose connection the server had ended.
    pub disconnected: usize,
    /// Slow clients that read all of it, in order, once they read again.
    pub caught_up: usize,
    /// Slow clients that read on, and had missed some.
    pub missed_some: usize,
    /// Messages that those had missed.
    pub missed_messages: u64,
}

/// Lets all clients join, of which the last `plan.readers` have a small receive buffer and read nothing from then on; then the
/// first emits `say` with a number and a string, again and again, at a pace. In the end the slow ones read on.
///
/// The server answers `say` by emitting it to all with what it was given, the sender included. For it to be hard pressed,
/// messages × bytes have to exceed its bound for one client and the kernel's send buffer, some 4 MB.
///
/// # Errors
///
/// If any of the others is told a message out of order, twice or not at all; if a slow one is told any out of order or twice; if
/// there are no others; if the clients are not on WebSocket; or if the deadline passes.
pub fn slow(swarm: &mut Swarm, plan: &Slow) -> Result<SlowReport, LoadError> {
    swarm.needs_websocket("slow")?;
    if swarm.n_clients() <= plan.readers {
        return Err(LoadError::OnlySlow {
            clients: swarm.n_clients(),
            readers: plan.readers,
        });
    }
    let first_slow = swarm.n_clients() - plan.readers;
    swarm.narrow_from(ClientId(first_slow));
    swarm.join_all()?;
    for client in first_slow..swarm.n_clients() {
        swarm.stop_reading(ClientId(client))?;
    }
    let private_bytes_before = swarm.meter.server_private_bytes()?;
    let resident_bytes_before = swarm.meter.server_resident_bytes()?;
    let mut told = Told::new(first_slow, plan);
    swarm.expect("say");
    let start = swarm.meter.mark()?;
    told.tell_others(swarm)?;
    let cost = swarm.meter.since(start)?;
    let private_bytes_after = swarm.meter.server_private_bytes()?;
    let kernel_queued_bytes = swarm.kernel_queued_bytes()?;
    let grown_bytes = told
        .most_resident_bytes
        .zip(resident_bytes_before)
        .map(|(most, before)| most.saturating_sub(before));
    let held_bytes = grown_bytes.zip(kernel_queued_bytes);
    let late = told.read_on(swarm)?;
    let is_whole = |late: &&Late| !late.has_ended && late.missed == 0;
    let disconnected = late.iter().filter(|late| late.has_ended).count();
    let caught_up = late.iter().filter(is_whole).count();
    let on_line = late.iter().filter(|late| !late.has_ended);
    Ok(SlowReport {
        clients: swarm.n_clients(),
        slow: plan.readers,
        messages: plan.messages,
        text_bytes: plan.text_bytes,
        cost,
        latency: told.latency,
        private_bytes_before,
        private_bytes_after,
        grown_bytes,
        kernel_queued_bytes,
        held_bytes_per_slow: held_bytes
            .filter(|_| 0 < plan.readers)
            .map(|(grown, queued)| (grown + queued) as f64 / plan.readers as f64),
        disconnected,
        caught_up,
        missed_some: late.len() - disconnected - caught_up,
        missed_messages: on_line.map(|late| u64::from(late.missed)).sum(),
    })
}

/// Messages with their numbers, and when each was emitted.
struct Told {
    plan: Slow,
    text: String,
    first_slow: usize,
    numbered: Numbered,
    emitted: Vec<Instant>,
    latency: Latency,
    most_resident_bytes: Option<u64>,
}

/// How far a slow client is behind.
#[derive(Clone, Copy, Default)]
struct Late {
    /// The number after the last that it was told.
    due: u32,
    missed: u32,
    has_ended: bool,
    has_settled: bool,
}

impl Told {
    fn new(first_slow: usize, plan: &Slow) -> Self {
        Self {
            plan: *plan,
            text: "x".repeat(plan.text_bytes),
            first_slow,
            numbered: Numbered::new(first_slow),
            emitted: Vec::new(),
            latency: Latency::new(),
            most_resident_bytes: None,
        }
    }

    fn say(&mut self, swarm: &mut Swarm) -> Result<(), LoadError> {
        let number = self.emitted.len();
        self.emitted.push(Instant::now());
        let packet = format!(r#"42["say",{number},"{}"]"#, self.text);
        swarm.emit(ClientId(0), packet.as_bytes())
    }

    /// Emits all messages at their pace, and returns when the others have been told the last.
    fn tell_others(&mut self, swarm: &mut Swarm) -> Result<(), LoadError> {
        let messages = self.plan.messages;
        let mut next_at = Instant::now();
        let mut n_behind = self.first_slow;
        while 0 < n_behind {
            let n_emitted = self.emitted.len();
            if n_emitted < messages as usize && next_at <= Instant::now() {
                next_at = Instant::now() + self.plan.pause;
                swarm.restart_deadline();
                self.say(swarm)?;
                let resident_bytes = swarm.meter.server_resident_bytes()?;
                self.most_resident_bytes = self.most_resident_bytes.max(resident_bytes);
                swarm.has_done("messages", n_emitted as u64 + 1, messages.into());
            }
            let now = swarm.turn(Pause::Spin, |client, packet| {
                if let Some(number) = self.numbered.take(client, packet, &self.text)? {
                    self.latency.record(self.emitted[number as usize].elapsed());
                    n_behind -= usize::from(number + 1 == messages);
                }
                Ok(())
            })?;
            swarm.check_deadline(now, n_behind, || "the last message".to_owned())?;
        }
        Ok(())
    }

    /// Has the slow clients read on until each has ended or is told a message of now.
    fn read_on(&mut self, swarm: &mut Swarm) -> Result<Vec<Late>, LoadError> {
        let mut late = vec![Late::default(); self.plan.readers];
        for client in 0..self.plan.readers {
            swarm.go_on_reading(ClientId(self.first_slow + client))?;
        }
        let mut n_unsettled = late.len();
        let mut next_at = Instant::now();
        swarm.restart_deadline();
        while 0 < n_unsettled {
            // One that has lost the tail of what it was to be told shows it only when there is more to tell.
            if next_at <= Instant::now() {
                next_at += MARKER_EVERY;
                self.say(swarm)?;
            }
            let now = swarm.turn(Pause::Sleep(MARKER_EVERY), |client, packet| {
                let Some(client_late) = client.0.checked_sub(self.first_slow) else {
                    return self.numbered.take(client, packet, &self.text).map(drop);
                };
                let late = &mut late[client_late];
                late.take(client, packet, &self.text)?;
                if !late.has_settled && self.plan.messages < late.due {
                    late.has_settled = true;
                    n_unsettled -= 1;
                }
                Ok(())
            })?;
            for client in &swarm.news().ended {
                let late = &mut late[client.0 - self.first_slow];
                late.has_ended = true;
                if !late.has_settled {
                    late.has_settled = true;
                    n_unsettled -= 1;
                }
            }
            swarm.check_deadline(now, n_unsettled, || "what slow readers missed".to_owned())?;
        }
        Ok(late)
    }
}

impl Late {
    fn take(&mut self, client: ClientId, packet: &[u8], text: &str) -> Result<(), LoadError> {
        let Some(args) = packet.strip_prefix(br#"42["say","#) else {
            return Ok(());
        };
        match numbered::read(args, text) {
            Some(number) if self.due <= number => {
                self.missed += number - self.due;
                self.due = number + 1;
                Ok(())
            }
            Some(_) | None => {
                let due = self.due;
                let packet = first_line(packet);
                let what = format!("was told {packet} once it read on, after number {due} was due");
                Err(LoadError::Wrong { client, what })
            }
        }
    }
}

const MARKER_EVERY: Duration = Duration::from_millis(50);
