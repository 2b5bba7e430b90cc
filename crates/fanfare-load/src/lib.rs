//! A load generator for Socket.IO servers.
//!
//! One thread and one epoll hold up to 19,000 clients that speak Engine.IO 4 and Socket.IO 5, over WebSocket unless
//! [`Load::transport`] says otherwise. They join the namespace `/`, and check every message that they are sent. Each scenario returns a report, or an error that names the
//! client that saw something wrong.
//!
//! ```no_run
//! use fanfare_load::{Leaving, Load, Swarm, storm};
//!
//! # fn main() -> Result<(), fanfare_load::LoadError> {
//! let address = "127.0.0.1:3000".parse().expect("an address");
//! let mut swarm = Swarm::new(Load::new(address, 1_000))?;
//! let report = storm(&mut swarm, Leaving::Half)?;
//! println!("all saw {} after {:.3} s", report.clients, report.rise.cost.wall_s);
//! # Ok(())
//! # }
//! ```
//!
//! Scenarios spin while they measure, so that waking up is not part of the figure; each ends by its own deadline.
//! A swarm serves one scenario: its clients stay as that left them.
#![forbid(unsafe_code)]

mod burst;
mod churn;
mod client;
mod echo;
mod error;
mod figure;
mod frame;
mod gather;
mod heartbeat;
mod http;
mod idle;
mod inflater;
mod latency;
mod line;
mod memory;
mod meter;
mod numbered;
mod paced;
mod page;
mod plot;
mod report;
mod rooms;
mod scenario;
mod site;
mod slow;
mod storm;
mod stream;
mod swarm;
mod table;
mod watch;

pub use burst::{BurstReport, burst, pending};
pub use churn::{ChurnReport, churn};
pub use echo::{EchoReport, echo};
pub use error::LoadError;
pub use figure::{Figure, Unit};
pub use gather::{GatherReport, gather};
pub use heartbeat::{HeartbeatReport, heartbeat};
pub use idle::{IdleReport, idle};
pub use latency::{Latency, Quantiles};
pub use memory::{Memory, MemoryReport, memory};
pub use meter::Cost;
pub use paced::{Asking, Paced, PacedReport, paced};
pub use page::page;
pub use report::{Findings, Report};
pub use rooms::{RoomsReport, rooms};
pub use scenario::Scenario;
pub use site::{ClientId, Length, Load, Transport};
pub use slow::{Slow, SlowReport, slow};
pub use storm::{Leaving, Phase, StormReport, storm};
pub use stream::Tls;
pub use swarm::{Progress, Swarm};
pub use table::table;
pub use watch::Moment;
