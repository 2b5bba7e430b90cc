//! Messages to one room of many: its members are told, and nobody else.

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::client::first_line;
use crate::error::LoadError;
use crate::latency::Latency;
use crate::meter::Cost;
use crate::numbered::{Numbered, TEXT_BYTES};
use crate::site::ClientId;
use crate::swarm::{Pause, Swarm};

/// What [`rooms`] found.
#[derive(Clone, Debug, Serialize)]
pub struct RoomsReport {
    /// Clients, each in one room.
    pub clients: usize,
    /// Rooms.
    pub rooms: usize,
    /// Members of each but the last, which may have fewer.
    pub members: usize,
    /// Messages, the warm-up not counted, each to one room.
    pub messages: usize,
    /// Messages to one client, all together.
    pub deliveries: u64,
    /// What they took, all together.
    #[serde(flatten)]
    pub cost: Cost,
    /// The server's CPU time for one message to one client, in microseconds.
    pub server_us_per_delivery: Option<f64>,
    /// From an emit until the last member had it.
    pub latency: Latency,
}

/// Lets all clients join, and each join one room of `members`; then a member tells its room 128 bytes, one of the next room as
/// soon as all have been told, and so on.
///
/// The server answers `join`, with a room, by joining the client to it and an ack; and `tell`, with a room, a number and
/// a string, by emitting `say` with number and string to that room, the sender included. Other events are passed over.
///
/// # Errors
///
/// If a member is told a message out of order, twice or not at all, or anybody else is told it; if a connection fails; or if
/// the deadline passes.
pub fn rooms(swarm: &mut Swarm, members: NonZeroUsize) -> Result<RoomsReport, LoadError> {
    swarm.join_all()?;
    let mut rooms = Rooms::new(swarm.n_clients(), members.get());
    rooms.join(swarm)?;
    swarm.expect("tell");
    for room in 0..rooms.n_rooms() {
        rooms.tell(swarm, room)?;
    }
    let messages = (swarm.volume(DELIVERIES) / members).clamp(MIN_MESSAGES, MAX_MESSAGES);
    let mut deliveries = 0;
    let mut latency = Latency::new();
    let start = swarm.meter.mark()?;
    for said in 0..messages {
        let room = said % rooms.n_rooms();
        latency.record(rooms.tell(swarm, room)?);
        deliveries += rooms.members_of(room).len() as u64;
        swarm.has_done("messages", said as u64 + 1, messages as u64);
    }
    let cost = swarm.meter.since(start)?;
    // Whatever reached the wrong client is in front of this ack.
    rooms.join(swarm)?;
    Ok(RoomsReport {
        clients: swarm.n_clients(),
        rooms: rooms.n_rooms(),
        members: rooms.members,
        messages,
        deliveries,
        cost,
        server_us_per_delivery: cost.server_us_per(deliveries as f64),
        latency,
    })
}

/// Everybody in one of many rooms.
pub(crate) struct Rooms {
    clients: usize,
    members: usize,
    numbered: Numbered,
    /// The id of everybody's next ack.
    ack: u32,
}

impl Rooms {
    pub(crate) fn new(clients: usize, members: usize) -> Self {
        Self {
            clients,
            members: members.min(clients),
            numbered: Numbered::new(clients),
            ack: 0,
        }
    }

    fn n_rooms(&self) -> usize {
        self.clients.div_ceil(self.members)
    }

    fn members_of(&self, room: usize) -> std::ops::Range<usize> {
        let first = room * self.members;
        first..self.clients.min(first + self.members)
    }

    /// Each joins its room, and waits for the ack; nobody is told anything meanwhile.
    pub(crate) fn join(&mut self, swarm: &mut Swarm) -> Result<(), LoadError> {
        swarm.expect("join");
        let start = format!("43{}[", self.ack);
        for client in 0..self.clients {
            let packet = format!(r#"42{}["join","room-{}"]"#, self.ack, client / self.members);
            swarm.emit(ClientId(client), packet.as_bytes())?;
        }
        self.ack += 1;
        let mut has_joined = vec![false; self.clients];
        let mut n_outside = self.clients;
        while 0 < n_outside {
            let now = swarm.turn(Pause::Spin, |client, packet| {
                if packet.starts_with(start.as_bytes()) && !has_joined[client.0] {
                    has_joined[client.0] = true;
                    n_outside -= 1;
                } else if packet.starts_with(b"43") || packet.starts_with(SAY) {
                    return Err(unexpected(client, packet, "nothing is said"));
                }
                Ok(())
            })?;
            swarm.check_deadline(now, n_outside, || "the ack of 'join'".to_owned())?;
        }
        Ok(())
    }

    /// A member tells `room` its next message; returns when all members have been told.
    fn tell(&mut self, swarm: &mut Swarm, room: usize) -> Result<Duration, LoadError> {
        let members = self.members_of(room);
        let teller = ClientId(members.start);
        let number = self.numbered.due(teller);
        let teller = ClientId(members.start + number as usize % members.len());
        let text = text(room);
        let packet = format!(r#"42["tell","room-{room}",{number},"{text}"]"#);
        let start = Instant::now();
        swarm.restart_deadline();
        swarm.emit(teller, packet.as_bytes())?;
        let mut n_untold = members.len();
        while 0 < n_untold {
            let now = swarm.turn(Pause::Spin, |client, packet| {
                if packet.starts_with(SAY) && !members.contains(&client.0) {
                    return Err(unexpected(client, packet, "it is in another room"));
                }
                if self.numbered.take(client, packet, &text)?.is_some() {
                    n_untold -= 1;
                }
                Ok(())
            })?;
            swarm.check_deadline(now, n_untold, || format!("message {number} to room {room}"))?;
        }
        Ok(start.elapsed())
    }
}

/// What `room` is told: its number, and `x` up to the usual length.
fn text(room: usize) -> String {
    format!("{room:x<TEXT_BYTES$}")
}

fn unexpected(client: ClientId, packet: &[u8], why: &str) -> LoadError {
    let what = format!("was told {}, though {why}", first_line(packet));
    LoadError::Wrong { client, what }
}

const SAY: &[u8] = br#"42["say","#;
const DELIVERIES: usize = 100_000;
const MIN_MESSAGES: usize = 20;
const MAX_MESSAGES: usize = 10_000;
