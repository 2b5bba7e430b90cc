//! What a scenario costs the server, and how busy it keeps the generator.

use std::fs;
use std::io;
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_getcpuclockid};
use nix::unistd::{Pid, SysconfVar, sysconf};
use serde::Serialize;

use crate::error::LoadError;

/// What a stretch of a scenario took.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Cost {
    /// By the clock on the wall, in seconds.
    pub wall_s: f64,
    /// CPU time of the server's process in seconds, from its CPU clock; absent if its process is not known.
    pub server_cpu_s: Option<f64>,
    /// The part of [`server_cpu_s`](Self::server_cpu_s) spent outside the kernel, 0–1.
    ///
    /// The kernel samples it at its timer's rate (250 a second is common): under a second of CPU it is a guess.
    pub server_user_share: Option<f64>,
    /// The part of [`wall_s`](Self::wall_s) in which the generator had something to do, 0–1.
    ///
    /// Near 1, the figures are the generator's rather than the server's.
    pub generator_busy: f64,
    /// CPU time of the generator's thread, in seconds: near [`wall_s`](Self::wall_s), since it spins while it measures.
    pub generator_cpu_s: f64,
    /// How long the generator's thread was ready to run and had no core, in seconds; absent where the kernel does not say.
    pub generator_waited_s: Option<f64>,
}

impl Cost {
    /// The server's CPU time for one of `things`, in microseconds.
    pub(crate) fn server_us_per(&self, things: f64) -> Option<f64> {
        self.server_cpu_s.map(|cpu| cpu * 1e6 / things)
    }

    /// Why the figures may be the generator's rather than the server's; nothing if they are the server's.
    ///
    /// The generator knows it by three figures: the part of the time in which it had something to do, the part in which it
    /// was ready and had no core, and the part in which it ran at all.
    pub fn doubts(&self) -> Vec<String> {
        let mut doubts = Vec::new();
        if MOST_BUSY < self.generator_busy {
            doubts.push(format!(
                "the generator had something to do {:.0} % of the time (over {:.0} %): times and rates are its own, a faster server would not look it",
                100.0 * self.generator_busy,
                100.0 * MOST_BUSY
            ));
        }
        let waited = self.generator_waited_s.unwrap_or(0.0) / self.wall_s;
        if MOST_WAITED < waited {
            doubts.push(format!(
                "the generator was ready and had no core {:.0} % of the time (over {:.0} %): give it one to itself, as with taskset",
                100.0 * waited,
                100.0 * MOST_WAITED
            ));
        }
        doubts
    }
}

/// Watches a server's process, and the generator itself.
#[derive(Debug)]
pub(crate) struct Meter {
    server: Option<Server>,
    busy: Duration,
    turned_at: Instant,
}

/// A moment to measure from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    at: Instant,
    busy: Duration,
    cpu: Duration,
    waited: Option<Duration>,
    server: Option<Sample>,
}

/// What can be seen in passing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Glance {
    pub(crate) busy: Duration,
    pub(crate) server: Option<ServerGlance>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct ServerGlance {
    pub(crate) cpu: Duration,
    pub(crate) resident_bytes: u64,
}

/// What a turn of the generator was spent on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Spent {
    Working,
    Waiting,
}

impl Meter {
    pub(crate) fn new(server_pid: Option<u32>) -> Result<Self, LoadError> {
        let server = server_pid.map(Server::new).transpose()?;
        Ok(Self {
            server,
            busy: Duration::ZERO,
            turned_at: Instant::now(),
        })
    }

    /// The turn that ends now was `spent` so; returns the time.
    pub(crate) fn turned(&mut self, spent: Spent) -> Instant {
        let now = Instant::now();
        if spent == Spent::Working {
            self.busy += now - self.turned_at;
        }
        self.turned_at = now;
        now
    }

    pub(crate) fn mark(&self) -> Result<Mark, LoadError> {
        let server = self.server.as_ref().map(Server::sample).transpose()?;
        Ok(Mark {
            at: Instant::now(),
            busy: self.busy,
            cpu: thread_cpu(),
            waited: waited(),
            server,
        })
    }

    /// The cost of all since `start`.
    pub(crate) fn since(&self, start: Mark) -> Result<Cost, LoadError> {
        let end = self.mark()?;
        let wall_s = (end.at - start.at).as_secs_f64();
        let server = start.server.zip(end.server);
        Ok(Cost {
            wall_s,
            server_cpu_s: server.map(|(start, end)| (end.cpu - start.cpu).as_secs_f64()),
            server_user_share: server.and_then(|(start, end)| end.user_share_since(start)),
            generator_busy: (end.busy - start.busy).as_secs_f64() / wall_s,
            generator_cpu_s: (end.cpu - start.cpu).as_secs_f64(),
            generator_waited_s: start
                .waited
                .zip(end.waited)
                .map(|(start, end)| (end - start).as_secs_f64()),
        })
    }

    pub(crate) fn glance(&self) -> Result<Glance, LoadError> {
        Ok(Glance {
            busy: self.busy,
            server: self.server.as_ref().map(Server::glance).transpose()?,
        })
    }

    /// Memory of the server's process that is in RAM, if that is known.
    pub(crate) fn server_resident_bytes(&self) -> Result<Option<u64>, LoadError> {
        let glance = self.server.as_ref().map(Server::glance).transpose()?;
        Ok(glance.map(|glance| glance.resident_bytes))
    }

    /// Bytes that the kernel holds for clients of the server at `port`, written and not taken, if the server is on this machine.
    ///
    /// It takes the kernel milliseconds for thousands of connections.
    pub(crate) fn kernel_queued_bytes(&self, port: u16) -> Result<Option<u64>, LoadError> {
        if self.server.is_none() {
            return Ok(None);
        }
        let mut bytes = 0;
        for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
            match fs::read_to_string(table) {
                Ok(table) => bytes += queued_bytes(&table, port),
                // A system without IPv6 has no such table.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(unreadable(error)),
            }
        }
        Ok(Some(bytes))
    }

    /// Memory that only the server's process holds, if that is known.
    pub(crate) fn server_private_bytes(&self) -> Result<Option<u64>, LoadError> {
        self.server.as_ref().map(Server::private_bytes).transpose()
    }
}

#[derive(Debug)]
struct Server {
    pid: u32,
    clock: ClockId,
}

#[derive(Clone, Copy, Debug)]
struct Sample {
    cpu: Duration,
    user_ticks: u64,
    system_ticks: u64,
}

impl Server {
    fn new(pid: u32) -> Result<Self, LoadError> {
        let clock = i32::try_from(pid)
            .map_err(|_| nix::Error::ESRCH)
            .and_then(|pid| clock_getcpuclockid(Pid::from_raw(pid)))
            .map_err(|error| LoadError::Io {
                doing: "find the server's process (is its id right?)",
                source: error.into(),
            })?;
        Ok(Self { pid, clock })
    }

    fn sample(&self) -> Result<Sample, LoadError> {
        let cpu = self.clock.now().map_err(|error| unreadable(error.into()))?;
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid)).map_err(unreadable)?;
        let (user_ticks, system_ticks) =
            ticks(&stat).ok_or_else(|| unreadable(io::ErrorKind::InvalidData.into()))?;
        Ok(Sample {
            cpu: cpu.into(),
            user_ticks,
            system_ticks,
        })
    }

    fn glance(&self) -> Result<ServerGlance, LoadError> {
        let cpu = self.clock.now().map_err(|error| unreadable(error.into()))?;
        let statm = fs::read_to_string(format!("/proc/{}/statm", self.pid)).map_err(unreadable)?;
        let pages = statm.split_whitespace().nth(1);
        let pages: u64 = pages.and_then(|pages| pages.parse().ok()).unwrap_or(0);
        Ok(ServerGlance {
            cpu: cpu.into(),
            resident_bytes: pages * page_bytes(),
        })
    }

    fn private_bytes(&self) -> Result<u64, LoadError> {
        let rollup =
            fs::read_to_string(format!("/proc/{}/smaps_rollup", self.pid)).map_err(unreadable)?;
        Ok(private_bytes(&rollup))
    }
}

impl Sample {
    fn user_share_since(self, start: Self) -> Option<f64> {
        let user = self.user_ticks - start.user_ticks;
        let all = user + self.system_ticks - start.system_ticks;
        (all != 0).then(|| user as f64 / all as f64)
    }
}

/// CPU time that this thread has used.
fn thread_cpu() -> Duration {
    let used = ClockId::CLOCK_THREAD_CPUTIME_ID.now();
    used.map_or(Duration::ZERO, Duration::from)
}

/// How long this thread has waited for a core: the second field of schedstat, in nanoseconds.
fn waited() -> Option<Duration> {
    let fields = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanoseconds = fields.split_whitespace().nth(1)?.parse().ok()?;
    Some(Duration::from_nanos(nanoseconds))
}

/// `utime` and `stime` of proc_pid_stat(5), fields 14 and 15; the name before them may hold spaces and parentheses.
fn ticks(stat: &str) -> Option<(u64, u64)> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11).map(str::parse);
    Some((fields.next()?.ok()?, fields.next()?.ok()?))
}

/// The sum of the `Private_` lines of smaps_rollup, proc_pid_smaps(5).
fn private_bytes(rollup: &str) -> u64 {
    rollup
        .lines()
        .filter_map(|line| {
            line.strip_prefix("Private_")?
                .split_whitespace()
                .nth(1)?
                .parse::<u64>()
                .ok()
        })
        .map(|kilobytes| kilobytes * 1024)
        .sum()
}

/// The sum of the send queues in proc_net_tcp(5) of connections whose local end is at `port`: what SIOCOUTQ says of each.
fn queued_bytes(table: &str, port: u16) -> u64 {
    let queued = |line: &str| {
        let mut fields = line.split_whitespace().skip(1);
        let (_, local_port) = fields.next()?.rsplit_once(':')?;
        let is_listening = fields.nth(1)? == LISTENING;
        let (sent, _) = fields.next()?.split_once(':')?;
        let is_its = u16::from_str_radix(local_port, 16).ok()? == port && !is_listening;
        is_its.then(|| u64::from_str_radix(sent, 16).ok()).flatten()
    };
    table.lines().filter_map(queued).sum()
}

fn page_bytes() -> u64 {
    let bytes = sysconf(SysconfVar::PAGE_SIZE).ok().flatten();
    bytes.map_or(4_096, |bytes| bytes as u64)
}

fn unreadable(source: io::Error) -> LoadError {
    LoadError::Io {
        doing: "read what the server has used",
        source,
    }
}

/// Above this, what the server would do next often waits until the generator is done.
const MOST_BUSY: f64 = 0.9;
const MOST_WAITED: f64 = 0.05;
/// The state of a socket that listens, whose queue is of connections.
const LISTENING: &str = "0A";

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_doubts(generator_busy: f64, waited_s: Option<f64>, expected: &[&str]) {
        let cost = Cost {
            wall_s: 2.0,
            server_cpu_s: None,
            server_user_share: None,
            generator_busy,
            generator_cpu_s: 2.0,
            generator_waited_s: waited_s,
        };
        let doubts = cost.doubts();
        assert_eq!(doubts.len(), expected.len(), "{doubts:?}");
        for (doubt, expected) in doubts.iter().zip(expected) {
            assert!(doubt.contains(expected), "{doubt}");
        }
    }

    #[test]
    fn a_generator_that_is_the_limit_says_so_and_why() {
        check_doubts(0.5, Some(0.01), &[]);
        check_doubts(0.5, None, &[]);
        check_doubts(0.97, Some(0.01), &["97 %"]);
        check_doubts(0.97, Some(0.5), &["97 %", "no core 25 %"]);
    }

    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        let stat = "17 (a) 1 (b) S 1 2 3 4 5 6 7 8 9 10 140 25 0 0 20";
        assert_eq!(ticks(stat), Some((140, 25)));
    }

    #[test]
    fn private_memory_is_clean_and_dirty() {
        let rollup =
            "Rss: 9 kB\nPrivate_Clean:  4 kB\nPrivate_Dirty: 12 kB\nPrivate_Hugetlb: 0 kB\n";
        assert_eq!(private_bytes(rollup), 16 * 1024);
    }

    #[test]
    fn send_queues_are_those_of_the_servers_end() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when\n\
             0: 0100007F:0BB8 00000000:0000 0A 00000000:00000007 00:00000000\n\
             1: 0100007F:0BB8 0200007F:D431 01 00000100:00000000 01:00000014\n\
             2: 0200007F:D431 0100007F:0BB8 01 00000999:00000000 00:00000000\n\
             3: 0100007F:0BB8 0200007F:D432 04 0000000A:00000000 01:00000014\n";
        assert_eq!(queued_bytes(table, 3_000), 0x100 + 10);
    }
}
