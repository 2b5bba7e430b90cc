//! What the clients do, and which figures servers are compared by.

use clap::ValueEnum;

use crate::{
    interval,
    metric::{Metric, Unit},
};

/// What the clients do.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Scenario {
    /// All join at once; everybody sees how many are here
    Storm,
    /// The same, with the count announced by the server itself
    Count,
    /// One speaks to all, one message under way
    Paced,
    /// The same, two messages at a time
    Pending2,
    /// The same, eight messages at a time
    Pending8,
    /// One has many messages sent to all at once
    Burst,
    /// One room of ten after the other is told something
    Rooms,
    /// Everyone asks, and asks again when answered
    Echo,
    /// Everyone comes and goes, again and again
    Churn,
    /// Nobody does anything but answer pings
    Heartbeat,
    /// One speaks to all, and the server is asked how long it kept a thread
    Held,
    /// One speaks to all, a hundred of whom do not read
    Slow,
    /// One speaks to all, who are on long polling
    Polling,
    /// One says 8 KiB to all, compressed
    Compressed,
    /// One speaks to all, over TLS
    Tls,
    /// One speaks to all, and what is said goes to a Redis, too
    Cluster,
    /// One speaks to all, and two threads of the server write
    Workers,
    /// Nobody does anything
    Idle,
    /// Nobody does anything after joining a room, and again after a burst
    Memory,
}

/// What a figure of fanfare's own is to be, at most.
pub(crate) struct Bound {
    pub(crate) metric: Metric,
    /// In the report's unit.
    pub(crate) most: f64,
}

impl Scenario {
    pub(crate) fn name(self) -> String {
        let value = self.to_possible_value().expect("none is skipped");
        value.get_name().to_owned()
    }

    /// What the generator is told besides.
    pub(crate) fn words(self) -> &'static [&'static str] {
        match self {
            Self::Storm | Self::Count => &["storm"],
            Self::Paced => &["paced"],
            Self::Pending2 => &["pending", "--messages", "2"],
            Self::Pending8 => &["pending", "--messages", "8"],
            Self::Burst => &["burst"],
            Self::Rooms => &["rooms", "--members", "10"],
            Self::Echo => &["echo"],
            Self::Churn => &["churn"],
            Self::Heartbeat => &["heartbeat", "--seconds", "10"],
            Self::Slow => SLOW,
            Self::Polling => &["paced", "--transport", "polling"],
            Self::Compressed => &["paced", "--bytes", "8192"],
            Self::Cluster | Self::Tls | Self::Workers => &["paced"],
            Self::Idle => &["idle", "--settle", "10"],
            Self::Held => &["paced", "--held"],
            Self::Memory => MEMORY,
        }
    }

    /// What the servers are told by the environment.
    pub(crate) fn environment(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Heartbeat => Some(("PING_INTERVAL", "1000")),
            Self::Slow => Some(("MAX_BACKLOG_BYTES", "524288")),
            _ => None,
        }
    }

    pub(crate) fn default_clients(self) -> usize {
        match self {
            Self::Storm
            | Self::Paced
            | Self::Pending2
            | Self::Pending8
            | Self::Burst
            | Self::Echo
            | Self::Polling
            | Self::Tls
            | Self::Workers => 1_000,
            Self::Churn => 64,
            Self::Compressed => 500,
            Self::Cluster | Self::Heartbeat => 5_000,
            Self::Slow | Self::Idle | Self::Memory => 10_000,
            Self::Count | Self::Rooms | Self::Held => 15_000,
        }
    }

    pub(crate) fn title(self, clients: usize, rounds: usize) -> String {
        let what = match self {
            Self::Storm => "join at once, until all have seen the full number",
            Self::Count => "join at once, and the server announces their number",
            Self::Cluster | Self::Paced | Self::Tls => "are told 128 bytes, one message under way",
            Self::Pending2 => "are told 128 bytes, two messages at a time from one handler",
            Self::Pending8 => "are told 128 bytes, eight messages at a time from one handler",
            Self::Burst => "are told 128 bytes, many messages from one handler",
            Self::Rooms => {
                "are in a room each, and one room of ten after the other is told 128 bytes; beside it one message to all at a time"
            }
            Self::Echo => "emit 128 bytes with an ack each, and again once they have it",
            Self::Churn => "connect, join, leave and close, again and again",
            Self::Heartbeat => "are pinged every second, and do nothing else",
            Self::Held => {
                "are told 128 bytes, one message under way, and the server says how long a thread was kept, a raw loop how long 16 sends took"
            }
            Self::Slow => {
                "are told 8 KiB each 250 ms, a hundred of them do not read, and 512 KiB may wait for each"
            }
            Self::Compressed => {
                "are told 8 KiB of words and numbers, one message under way, of which compression leaves less than half"
            }
            Self::Polling => "are told 128 bytes by long polling, one message under way",
            Self::Workers => {
                "are told 128 bytes, one message under way, and the server may use both cores"
            }
            Self::Idle => "idle for 10 s",
            Self::Memory => {
                "with 700 bytes of headers, in one room, told one message, rest for 60 s; then a burst, and again"
            }
        };
        let spread = match interval::ranks(rounds) {
            Some(_) => "median (least–most), of ratios the median (and where it is with 95 %)",
            None => "median (least–most)",
        };
        format!("{clients} clients {what}; {spread} of {rounds}.")
    }

    /// What the first ratio of fanfare's is to be, at most.
    pub(crate) fn goal(self, clients: usize) -> Option<f64> {
        match self {
            Self::Storm if 5_000 <= clients => Some(1.0),
            Self::Storm => Some(1.2),
            Self::Paced => Some(1.1),
            Self::Pending2 => Some(0.6),
            Self::Pending8 => Some(0.35),
            Self::Burst | Self::Echo => Some(1.5),
            Self::Heartbeat => Some(1.3),
            Self::Churn => Some(1.6),
            Self::Slow => Some(1.25),
            Self::Polling => Some(0.25),
            Self::Workers => Some(1.15),
            Self::Cluster
            | Self::Count
            | Self::Rooms
            | Self::Idle
            | Self::Held
            | Self::Compressed
            | Self::Tls
            | Self::Memory => None,
        }
    }

    /// What fanfare's own figures are to be, beside nobody's.
    pub(crate) fn bounds(self) -> Vec<Bound> {
        let bound = |title, pointer, unit, most| Bound {
            metric: Metric::new(title, pointer, unit),
            most,
        };
        match self {
            Self::Held => vec![bound(
                "ms a thread was kept",
                "/longest_hold_us",
                Unit::Milliseconds,
                2_000.0,
            )],
            // A pass of the raw loop to so many takes some 135 ms here; the goal is 250 ms and one and a half of them.
            Self::Count => vec![
                bound(
                    "s from the last join until all saw all",
                    "/caught_up_s",
                    Unit::Plain,
                    0.45,
                ),
                bound(
                    "messages, of two a client and four more a second",
                    "/messages_of_rate",
                    Unit::Plain,
                    1.0,
                ),
            ],
            Self::Memory => vec![
                bound(
                    "bytes at rest",
                    "/private_bytes_per_client",
                    Unit::Whole,
                    2_500.0,
                ),
                bound(
                    "bytes after a burst",
                    "/after_bytes_per_client",
                    Unit::Whole,
                    2_500.0,
                ),
            ],
            Self::Slow => vec![bound(
                "MB a slow reader, the kernel's too",
                "/held_bytes_per_slow",
                Unit::Megabytes,
                524_288.0,
            )],
            _ => Vec::new(),
        }
    }

    /// Rounds after which another would say nothing new: memory is the same each time, and its rests are long, as is what slow readers take, and the raw
    /// loop's 112 million messages.
    pub(crate) fn most_rounds(self) -> usize {
        match self {
            Self::Memory => 3,
            Self::Slow => 5,
            Self::Count => 7,
            _ => usize::MAX,
        }
    }

    /// The columns; the first is what servers are compared by.
    pub(crate) fn metrics(self) -> Vec<Metric> {
        let mut metrics = self.own_metrics();
        let (user, busy) = match self {
            Self::Storm | Self::Count => ("/rise/server_user_share", "/rise/generator_busy"),
            _ => ("/server_user_share", "/generator_busy"),
        };
        metrics.push(Metric::new("user time", user, Unit::Percent));
        metrics.push(Metric::new("generator busy", busy, Unit::Percent));
        metrics
    }

    fn own_metrics(self) -> Vec<Metric> {
        let delivery = || {
            let pointer = "/server_us_per_delivery";
            Metric::new("CPU µs a delivery", pointer, Unit::Plain).compared()
        };
        match self {
            Self::Storm | Self::Count => vec![
                Metric::new("s until all saw all", "/rise/wall_s", Unit::Plain).compared(),
                Metric::new("CPU s", "/rise/server_cpu_s", Unit::Plain).compared(),
                Metric::new("s until all joined", "/joined_s", Unit::Plain),
                Metric::new("s from then", "/caught_up_s", Unit::Plain),
                Metric::new("messages", "/rise/messages", Unit::Whole),
                Metric::new("half cut, s", "/fall/wall_s", Unit::Plain),
            ],
            Self::Cluster
            | Self::Paced
            | Self::Pending2
            | Self::Pending8
            | Self::Polling
            | Self::Tls
            | Self::Workers => vec![
                delivery(),
                Metric::new("ms until all have it", "/median_us", Unit::Milliseconds).compared(),
                Metric::new("p99, ms", "/p99_us", Unit::Milliseconds),
            ],
            Self::Compressed => vec![
                delivery(),
                Metric::new("ms until all have it", "/median_us", Unit::Milliseconds).compared(),
                Metric::new("came compressed", "/compressed", Unit::Whole),
            ],
            Self::Burst => vec![delivery(), Metric::new("wall s", "/wall_s", Unit::Plain)],
            Self::Rooms => vec![
                delivery(),
                Metric::new("p99, ms", "/latency/p99_us", Unit::Milliseconds),
            ],
            Self::Echo => vec![
                Metric::new("CPU µs an ack", "/server_us_per_ack", Unit::Plain).compared(),
                Metric::new("acks a second", "/acks_per_s", Unit::Whole),
                Metric::new("p99, ms", "/latency/p99_us", Unit::Milliseconds),
            ],
            Self::Churn => vec![
                Metric::new("CPU µs a visit", "/server_us_per_visit", Unit::Plain).compared(),
                Metric::new("visits a second", "/visits_per_s", Unit::Whole),
            ],
            Self::Heartbeat => vec![
                Metric::new("CPU µs a ping", "/server_us_per_ping", Unit::Plain).compared(),
                Metric::new("pings", "/pings", Unit::Whole),
            ],
            Self::Slow => vec![
                Metric::new(
                    "p99 of the others, ms",
                    "/latency/p99_us",
                    Unit::Milliseconds,
                )
                .compared(),
                Metric::new("disconnected", "/disconnected", Unit::Whole),
                Metric::new("server memory, MB", "/server_peak_bytes", Unit::Megabytes),
                Metric::new(
                    "kernel's queues, MB",
                    "/kernel_queued_bytes",
                    Unit::Megabytes,
                ),
                Metric::new("MB a slow reader", "/held_bytes_per_slow", Unit::Megabytes),
            ],
            Self::Held => vec![
                Metric::new(
                    "ms a thread was kept, at most",
                    "/longest_hold_us",
                    Unit::Milliseconds,
                ),
                Metric::new("ms until all have it", "/median_us", Unit::Milliseconds),
                delivery(),
            ],
            Self::Memory => vec![
                Metric::new(
                    "bytes a client at rest",
                    "/private_bytes_per_client",
                    Unit::Whole,
                ),
                Metric::new(
                    "while all are behind",
                    "/peak_bytes_per_client",
                    Unit::Whole,
                ),
                Metric::new("at rest again", "/after_bytes_per_client", Unit::Whole),
            ],
            Self::Idle => vec![
                Metric::new("CPU µs a join", "/server_us_per_join", Unit::Plain).compared(),
                Metric::new(
                    "private bytes a client",
                    "/private_bytes_per_client",
                    Unit::Whole,
                ),
            ],
        }
    }
}

/// So much that a slow reader's outbox is over its bound: 900 kB, of which the kernel holds 266 at most.
pub(crate) const SLOW: &[&str] = &slow("100");
/// The same, and everybody reads.
pub(crate) const NOBODY_SLOW: &[&str] = &slow("0");

const fn slow(readers: &'static str) -> [&'static str; 9] {
    [
        "slow",
        "--readers",
        readers,
        "--messages",
        "110",
        "--bytes",
        "8192",
        "--pause",
        "250",
    ]
}

/// With the 136 that a WebSocket's request needs anyway, 700 bytes of headers.
const MEMORY: &[&str] = &["memory", "--header-bytes", "564"];
