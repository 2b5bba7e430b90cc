//! What a scenario found, in one form for all.

use std::fs;

use serde::Serialize;
use serde_json::{Value, json};

use crate::burst::BurstReport;
use crate::churn::ChurnReport;
use crate::echo::EchoReport;
use crate::figure::{Figure, Unit};
use crate::gather::GatherReport;
use crate::heartbeat::HeartbeatReport;
use crate::idle::IdleReport;
use crate::latency::Latency;
use crate::memory::MemoryReport;
use crate::meter::Cost;
use crate::paced::PacedReport;
use crate::rooms::RoomsReport;
use crate::site::Transport;
use crate::slow::SlowReport;
use crate::storm::StormReport;
use crate::swarm::Swarm;
use crate::watch::Moment;

/// What a scenario found, for people and for programs.
#[derive(Clone, Debug)]
pub struct Report {
    /// The scenario's name.
    pub scenario: &'static str,
    /// Clients in all.
    pub clients: usize,
    /// How they came.
    pub transport: Transport,
    /// What was found, and how it went with the server and the generator.
    pub findings: Findings,
    /// What was seen meanwhile; empty unless somebody watched.
    pub moments: Vec<Moment>,
    /// The most memory that the server has had in RAM since it began; `None` if its process is not known.
    pub server_peak_bytes: Option<u64>,
    /// The same of the generator.
    pub generator_peak_bytes: Option<u64>,
}

/// The results of one scenario.
#[derive(Clone, Debug)]
pub struct Findings {
    /// What is special to the scenario; the figure that servers are compared by is the first.
    pub figures: Vec<Figure>,
    /// How long things took, and which.
    pub latencies: Vec<(&'static str, Latency)>,
    /// What it took.
    pub cost: Cost,
    json: Value,
}

impl Report {
    pub(crate) fn new(scenario: &'static str, findings: Findings, swarm: Swarm) -> Self {
        let load = swarm.load();
        Self {
            scenario,
            clients: load.clients,
            transport: load.transport,
            findings,
            server_peak_bytes: load.server_pid.and_then(|pid| peak_bytes(&pid.to_string())),
            generator_peak_bytes: peak_bytes("self"),
            moments: swarm.into_moments(),
        }
    }

    /// Why the figures may be the generator's rather than the server's.
    pub fn doubts(&self) -> Vec<String> {
        self.findings.cost.doubts()
    }

    /// What is known of the server's process.
    pub fn server(&self) -> Vec<Figure> {
        let cost = &self.findings.cost;
        let cpu = cost
            .server_cpu_s
            .map(|cpu| Figure::of("CPU time", cpu, Unit::Seconds));
        let user = cost
            .server_user_share
            .map(|share| Figure::of("outside the kernel", share, Unit::Share));
        let peak = self
            .server_peak_bytes
            .map(|bytes| Figure::of("memory, at most", bytes as f64, Unit::Bytes));
        [cpu, user, peak].into_iter().flatten().collect()
    }

    /// How the generator itself did.
    pub fn generator(&self) -> Vec<Figure> {
        let cost = &self.findings.cost;
        let mut figures = vec![
            Figure::of("had something to do", cost.generator_busy, Unit::Share),
            Figure::of("CPU time", cost.generator_cpu_s, Unit::Seconds),
        ];
        if let Some(waited_s) = cost.generator_waited_s {
            let share = waited_s / cost.wall_s;
            figures.push(Figure::of("ready, and had no core", share, Unit::Share));
        }
        if let Some(bytes) = self.generator_peak_bytes {
            figures.push(Figure::of("memory, at most", bytes as f64, Unit::Bytes));
        }
        figures
    }

    /// All of it as one JSON object; names are kept from version to version.
    pub fn json(&self) -> Value {
        let mut json = self.findings.json.clone();
        if let Value::Object(report) = &mut json {
            report.insert("scenario".to_owned(), self.scenario.into());
            report.insert("transport".to_owned(), self.transport.to_string().into());
            report.insert(
                "server_peak_bytes".to_owned(),
                json!(self.server_peak_bytes),
            );
            report.insert(
                "generator_peak_bytes".to_owned(),
                json!(self.generator_peak_bytes),
            );
            report.insert("doubts".to_owned(), json!(self.doubts()));
        }
        json
    }
}

impl Figure {
    fn of(title: &'static str, value: f64, unit: Unit) -> Self {
        Self { title, value, unit }
    }

    fn count(title: &'static str, count: usize) -> Self {
        Self::of(title, count as f64, Unit::Count)
    }
}

impl Findings {
    fn of(report: &impl Serialize, cost: Cost) -> Self {
        Self {
            figures: Vec::new(),
            latencies: Vec::new(),
            cost,
            json: serde_json::to_value(report).expect("numbers and names are JSON"),
        }
    }

    fn figure(mut self, title: &'static str, value: f64, unit: Unit) -> Self {
        self.figures.push(Figure::of(title, value, unit));
        self
    }

    fn known(self, title: &'static str, value: Option<f64>, unit: Unit) -> Self {
        match value {
            Some(value) => self.figure(title, value, unit),
            None => self,
        }
    }

    fn count(mut self, title: &'static str, count: usize) -> Self {
        self.figures.push(Figure::count(title, count));
        self
    }

    fn latency(mut self, title: &'static str, latency: Latency) -> Self {
        self.latencies.push((title, latency));
        self
    }
}

impl From<StormReport> for Findings {
    fn from(report: StormReport) -> Self {
        let rise = report.rise;
        let mut findings = Self::of(&report, rise.cost)
            .figure("until all saw all", rise.cost.wall_s, Unit::Seconds)
            .figure("until all had joined", report.joined_s, Unit::Seconds)
            .figure("messages", rise.messages as f64, Unit::Count)
            .count("clients that saw every number", report.told_every_number);
        if let Some(fall) = report.fall {
            findings = findings
                .figure(
                    "half cut, until the others saw it",
                    fall.cost.wall_s,
                    Unit::Seconds,
                )
                .figure("messages meanwhile", fall.messages as f64, Unit::Count);
        }
        findings
    }
}

impl From<GatherReport> for Findings {
    fn from(report: GatherReport) -> Self {
        Self::of(&report, report.cost)
            .figure("until all saw all", report.cost.wall_s, Unit::Seconds)
            .figure("messages", report.messages as f64, Unit::Count)
    }
}

impl From<PacedReport> for Findings {
    fn from(report: PacedReport) -> Self {
        let per_s = (report.messages * report.clients) as f64 / report.cost.wall_s;
        Self::of(&report, report.cost)
            .known(
                "server CPU per delivery",
                report.server_us_per_delivery,
                Unit::Microseconds,
            )
            .known(
                "a thread was kept, at most",
                report.longest_hold_us,
                Unit::Microseconds,
            )
            .count("messages", report.messages)
            .known(
                "of their deliveries, came compressed",
                (0 < report.compressed).then_some(report.compressed as f64),
                Unit::Count,
            )
            .figure("deliveries", per_s, Unit::PerSecond)
            .latency("until all had it", report.latency)
            .latency("until one had it", report.delivery)
    }
}

impl From<BurstReport> for Findings {
    fn from(report: BurstReport) -> Self {
        let deliveries = f64::from(report.bursts) * (report.messages * report.clients) as f64;
        Self::of(&report, report.cost)
            .known(
                "server CPU per delivery",
                report.server_us_per_delivery,
                Unit::Microseconds,
            )
            .count("messages at once", report.messages)
            .figure("bursts", report.bursts.into(), Unit::Count)
            .figure(
                "deliveries",
                deliveries / report.cost.wall_s,
                Unit::PerSecond,
            )
            .latency("until all had all", report.latency)
    }
}

impl From<EchoReport> for Findings {
    fn from(report: EchoReport) -> Self {
        Self::of(&report, report.cost)
            .known(
                "server CPU per ack",
                report.server_us_per_ack,
                Unit::Microseconds,
            )
            .figure("acks", report.acks as f64, Unit::Count)
            .figure("rate of acks", report.acks_per_s, Unit::PerSecond)
            .latency("until the ack", report.latency)
    }
}

impl From<RoomsReport> for Findings {
    fn from(report: RoomsReport) -> Self {
        Self::of(&report, report.cost)
            .known(
                "server CPU per delivery",
                report.server_us_per_delivery,
                Unit::Microseconds,
            )
            .count("rooms", report.rooms)
            .count("members of each", report.members)
            .count("messages", report.messages)
            .figure("deliveries", report.deliveries as f64, Unit::Count)
            .latency("until all members had it", report.latency)
    }
}

impl From<ChurnReport> for Findings {
    fn from(report: ChurnReport) -> Self {
        Self::of(&report, report.cost)
            .known(
                "server CPU per visit",
                report.server_us_per_visit,
                Unit::Microseconds,
            )
            .figure("visits", report.visits as f64, Unit::Count)
            .figure("rate of visits", report.visits_per_s, Unit::PerSecond)
            .latency("until joined", report.latency)
    }
}

impl From<SlowReport> for Findings {
    fn from(report: SlowReport) -> Self {
        let bytes = |bytes: Option<u64>| bytes.map(|bytes| bytes as f64);
        Self::of(&report, report.cost)
            .count("slow readers", report.slow)
            .count("disconnected of them", report.disconnected)
            .count("caught up with everything", report.caught_up)
            .count("caught up, and missed some", report.missed_some)
            .figure(
                "messages missed",
                report.missed_messages as f64,
                Unit::Count,
            )
            .known(
                "server memory before",
                bytes(report.private_bytes_before),
                Unit::Bytes,
            )
            .known(
                "server memory after",
                bytes(report.private_bytes_after),
                Unit::Bytes,
            )
            .known(
                "kernel's send queues after",
                bytes(report.kernel_queued_bytes),
                Unit::Bytes,
            )
            .known(
                "memory and queues per slow reader",
                report.held_bytes_per_slow,
                Unit::Bytes,
            )
            .figure("messages", report.messages.into(), Unit::Count)
            .latency("until one of the others had it", report.latency)
    }
}

impl From<HeartbeatReport> for Findings {
    fn from(report: HeartbeatReport) -> Self {
        Self::of(&report, report.cost)
            .known(
                "server CPU per ping and pong",
                report.server_us_per_ping,
                Unit::Microseconds,
            )
            .figure("pings", report.pings as f64, Unit::Count)
            .figure("of one client, at least", report.least.into(), Unit::Count)
            .figure("of one client, at most", report.most.into(), Unit::Count)
    }
}

impl From<IdleReport> for Findings {
    fn from(report: IdleReport) -> Self {
        Self::of(&report, report.cost)
            .known(
                "server memory per client",
                report.private_bytes_per_client,
                Unit::Bytes,
            )
            .known(
                "server CPU per join",
                report.server_us_per_join,
                Unit::Microseconds,
            )
            .figure("idle for", report.settled_s, Unit::Seconds)
    }
}

impl From<MemoryReport> for Findings {
    fn from(report: MemoryReport) -> Self {
        Self::of(&report, report.cost)
            .known(
                "server memory per client, at rest",
                report.private_bytes_per_client,
                Unit::Bytes,
            )
            .known(
                "while all are behind",
                report.peak_bytes_per_client,
                Unit::Bytes,
            )
            .known("at rest again", report.after_bytes_per_client, Unit::Bytes)
            .figure("rests of", report.settled_s, Unit::Seconds)
            .figure("messages at once", report.messages.into(), Unit::Count)
            .figure("bytes of each", report.text_bytes as f64, Unit::Bytes)
    }
}

/// The most memory that a process has had in RAM, `VmHWM` of proc_pid_status(5).
fn peak_bytes(process: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes * 1024)
}
