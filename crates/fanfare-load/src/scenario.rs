//! Every scenario, by its name.

use std::num::NonZeroUsize;
use std::time::Duration;

use clap::builder::RangedU64ValueParser;

use crate::error::LoadError;
use crate::memory::Memory;
use crate::paced::{Asking, Paced};
use crate::report::Report;
use crate::slow::Slow;
use crate::storm::Leaving;
use crate::swarm::Swarm;
use crate::{
    burst, churn, echo, gather, heartbeat, idle, memory, paced, pending, rooms, slow, storm,
};

/// What is done to a server, as a command line says it.
#[derive(Clone, Copy, Debug, clap::Subcommand)]
pub enum Scenario {
    /// All join at once, and each is to see how many they are: 'user count', with the number
    Storm {
        /// Cut half of them then, until the others see how many are left
        #[arg(long)]
        halve: bool,
    },
    /// All join, others elsewhere, and each is to see how many all are: 'user count', with the number
    Gather {
        /// How many come in all
        #[arg(long, value_name = "N")]
        total: u32,
        /// Seconds that they stay once each has seen it, for the others to see it, too
        #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(..=3_600))]
        hold: u64,
    },
    /// One says 128 bytes to all, again and again, one message under way: 'say'
    Paced {
        /// Bytes of each message
        #[arg(long, value_name = "BYTES", default_value_t = 128, value_parser = RangedU64ValueParser::<usize>::new().range(8..=65_536))]
        bytes: usize,
        /// Ask the server then how long a thread of its was kept at most: 'held'
        #[arg(long)]
        held: bool,
    },
    /// One has the server say many messages at once, as many as it takes for 200,000 deliveries: 'burst'
    Burst,
    /// The same with a few messages, again and again: 'burst'
    Pending {
        /// Messages at once
        #[arg(long, value_name = "K", default_value_t = 8, value_parser = one_to(10_000))]
        messages: usize,
    },
    /// Everyone has one emit with an ack under way, all the time: 'echo'
    Echo,
    /// Everyone is in one room, and one room after the other is told something: 'join', 'tell'
    Rooms {
        /// Members of each room
        #[arg(long, value_name = "R", default_value = "10")]
        members: NonZeroUsize,
    },
    /// Everyone connects, joins and leaves, over and over: no event
    Churn {
        /// Visits of each
        #[arg(long, value_name = "TURNS", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
        turns: u32,
    },
    /// Some read nothing, while the others are told messages at a pace: 'say'
    Slow {
        /// Clients that read nothing
        #[arg(long, value_name = "S", default_value_t = 10)]
        readers: usize,
        /// Messages that the others are told
        #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
        messages: u32,
        /// Bytes of each
        #[arg(long, value_name = "BYTES", default_value_t = 16_384, value_parser = one_to(65_536))]
        bytes: usize,
        /// Milliseconds from one to the next
        #[arg(long, value_name = "MS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(..=60_000))]
        pause: u64,
    },
    /// All are pinged, and nothing else; the server has to ping often: no event
    Heartbeat {
        /// How long
        #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3_600))]
        seconds: u64,
    },
    /// All do nothing: what it takes to hold them: no event
    Idle {
        /// Seconds until memory is looked at
        #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(..=3_600))]
        settle: u64,
    },
    /// All join a room, are told something and rest; then all are told much while they do not read, and rest: 'join', 'burst', 'echo'
    Memory {
        /// Seconds of each rest
        #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(..=3_600))]
        settle: u64,
        /// Messages that all are told at once
        #[arg(long, value_name = "N", default_value_t = 400, value_parser = clap::value_parser!(u32).range(1..=100_000))]
        messages: u32,
        /// Bytes of each
        #[arg(long, value_name = "BYTES", default_value_t = 128, value_parser = one_to(65_536))]
        bytes: usize,
    },
}

impl Scenario {
    /// Its name on a command line.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Storm { .. } => "storm",
            Self::Gather { .. } => "gather",
            Self::Paced { .. } => "paced",
            Self::Burst => "burst",
            Self::Pending { .. } => "pending",
            Self::Echo => "echo",
            Self::Rooms { .. } => "rooms",
            Self::Churn { .. } => "churn",
            Self::Slow { .. } => "slow",
            Self::Heartbeat { .. } => "heartbeat",
            Self::Idle { .. } => "idle",
            Self::Memory { .. } => "memory",
        }
    }

    /// Does it, with the clients of `swarm`.
    ///
    /// # Errors
    ///
    /// What the scenario's own function has.
    pub fn run(&self, mut swarm: Swarm) -> Result<Report, LoadError> {
        let clients = &mut swarm;
        let findings = match *self {
            Self::Storm { halve: true } => storm(clients, Leaving::Half)?.into(),
            Self::Storm { halve: false } => storm(clients, Leaving::Nobody)?.into(),
            Self::Gather { total, hold } => {
                gather(clients, total, Duration::from_secs(hold))?.into()
            }
            Self::Paced { bytes, held } => {
                let plan = Paced {
                    text_bytes: bytes,
                    asking: match held {
                        true => Asking::Held,
                        false => Asking::Nothing,
                    },
                };
                paced(clients, &plan)?.into()
            }
            Self::Burst => burst(clients)?.into(),
            Self::Pending { messages } => pending(clients, messages)?.into(),
            Self::Echo => echo(clients)?.into(),
            Self::Rooms { members } => rooms(clients, members)?.into(),
            Self::Churn { turns } => churn(clients, turns)?.into(),
            Self::Slow {
                readers,
                messages,
                bytes,
                pause,
            } => {
                let plan = Slow {
                    readers,
                    messages,
                    text_bytes: bytes,
                    pause: Duration::from_millis(pause),
                };
                slow(clients, &plan)?.into()
            }
            Self::Heartbeat { seconds } => heartbeat(clients, Duration::from_secs(seconds))?.into(),
            Self::Idle { settle } => idle(clients, Duration::from_secs(settle))?.into(),
            Self::Memory {
                settle,
                messages,
                bytes,
            } => {
                let plan = Memory {
                    settle: Duration::from_secs(settle),
                    messages,
                    text_bytes: bytes,
                };
                memory(clients, &plan)?.into()
            }
        };
        Ok(Report::new(self.name(), findings, swarm))
    }
}

fn one_to(most: u64) -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..=most)
}
