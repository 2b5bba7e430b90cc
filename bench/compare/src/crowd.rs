//! A crowd: one count on many nodes of one machine, each with as many sockets as a process may have.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _, stderr};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, bail};
use fanfare_daemons::Redis;
use serde_json::Value;

use crate::run::{self, Stopped};
use crate::table::Table;

/// How large it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Crowd {
    pub(crate) nodes: usize,
    /// Clients of each node.
    pub(crate) clients: usize,
}

/// A node, and what it said.
struct Node {
    process: Stopped,
    address: SocketAddr,
    said: Arc<Mutex<Said>>,
}

#[derive(Clone, Copy, Default)]
struct Said {
    /// The last number.
    sockets: usize,
    /// When it first was that of all.
    known_ms: Option<u64>,
}

/// What all programs together have to themselves, in bytes, when everybody is there.
#[derive(Clone, Copy)]
struct Memory {
    nodes: u64,
    generators: u64,
}

/// Lets all come at once, and says how soon every node and every client knew how many they are.
///
/// # Errors
///
/// If a program does not start, a client saw something wrong, or it takes too long.
pub(crate) fn gather(crowd: Crowd, built: &Path) -> anyhow::Result<Table> {
    let total = crowd.nodes * crowd.clients;
    let redis = Redis::start().context("Redis did not start")?;
    let nodes = (0..crowd.nodes).map(|_| Node::start(built, &redis, total));
    let mut nodes = nodes.collect::<anyhow::Result<Vec<_>>>()?;
    for node in &mut nodes {
        node.process.wait_until_it_listens(node.address)?;
    }
    let began_ms = unix_ms();
    let generators = nodes
        .iter()
        .map(|node| generator(built, crowd, node.address));
    let mut generators = generators.collect::<anyhow::Result<Vec<_>>>()?;
    let memory = watch(&nodes, &mut generators, total)?;
    let reports = generators.iter_mut().map(report);
    let reports = reports.collect::<anyhow::Result<Vec<_>>>()?;
    let latest = |name| {
        let times = reports.iter().filter_map(|report| report[name].as_u64());
        times.max().context("a generator did not say when")
    };
    let joined_ms = latest("joined_at_ms")?;
    let known_ms = nodes.iter().filter_map(|node| node.said().known_ms).max();
    let memory = memory.context("the nodes never all had the number at once")?;
    let seconds = |from: u64, to: u64| format!("{:.1}", to.saturating_sub(from) as f64 / 1e3);
    let each = |bytes: u64| format!("{:.0}", bytes as f64 / total as f64);
    let header = [
        "nodes",
        "sockets",
        "s until all had joined",
        "s from then until every node knew",
        "s from then until every client did",
        "MB, all nodes",
        "bytes a client, node",
        "bytes a client, generator",
    ];
    Ok(Table {
        header: header.map(str::to_owned).into(),
        rows: vec![vec![
            crowd.nodes.to_string(),
            total.to_string(),
            seconds(began_ms, joined_ms),
            seconds(joined_ms, known_ms.unwrap_or_default()),
            seconds(joined_ms, latest("seen_at_ms")?),
            format!("{:.0}", memory.nodes as f64 / 1e6),
            each(memory.nodes),
            each(memory.generators),
        ]],
    })
}

impl Node {
    fn start(built: &Path, redis: &Redis, total: usize) -> anyhow::Result<Self> {
        let address = run::free_address().context("cannot find a free port")?;
        let mut child = Command::new(built.join("say"))
            .env("PORT", address.port().to_string())
            .env("REDIS_URL", redis.url())
            .env("COUNT", SECONDS_BETWEEN)
            .env("PING_INTERVAL", PING_INTERVAL_MS)
            // There are more nodes than cores.
            .env("TOKIO_WORKER_THREADS", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start a node; `cargo xtask bench` builds it")?;
        let lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let said = Arc::<Mutex<Said>>::default();
        let hears = said.clone();
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if let Ok(sockets) = line.parse() {
                    let mut said = lock(&hears);
                    said.sockets = sockets;
                    if sockets == total {
                        said.known_ms.get_or_insert_with(unix_ms);
                    }
                }
            }
        });
        Ok(Self {
            process: Stopped(child),
            address,
            said,
        })
    }

    fn said(&self) -> Said {
        *lock(&self.said)
    }
}

fn generator(built: &Path, crowd: Crowd, address: SocketAddr) -> anyhow::Result<Stopped> {
    let total = crowd.nodes * crowd.clients;
    let mut command = Command::new(built.join("fanfare-load"));
    command
        .args(["gather", "--total", &total.to_string()])
        .args(["--hold", HOLD_SECONDS, "--within", WITHIN_SECONDS])
        .args(["--clients", &crowd.clients.to_string()])
        .args(["--address", &address.to_string()]);
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot start fanfare-load; `cargo xtask bench` builds it")?;
    Ok(Stopped(child))
}

/// Until all generators have ended, tells how it goes; gives the memory of all when every node first had the whole number.
fn watch(
    nodes: &[Node],
    generators: &mut [Stopped],
    total: usize,
) -> anyhow::Result<Option<Memory>> {
    let began = Instant::now();
    let mut memory = None;
    loop {
        let numbers = || nodes.iter().map(|node| node.said().sockets);
        let n_right = numbers().filter(|sockets| *sockets == total).count();
        // A terminal that is gone can't be told.
        let _ = writeln!(
            stderr(),
            "{:>4} s  {n_right} of {} nodes know all {total}; the least says {}",
            began.elapsed().as_secs(),
            nodes.len(),
            numbers().min().unwrap_or_default(),
        );
        if n_right == nodes.len() && memory.is_none() {
            memory = Some(Memory {
                nodes: nodes
                    .iter()
                    .map(|node| private_bytes(&node.process.0))
                    .sum(),
                generators: generators.iter().map(|one| private_bytes(&one.0)).sum(),
            });
        }
        let mut n_ended = 0;
        for generator in &mut *generators {
            n_ended += usize::from(generator.0.try_wait()?.is_some());
        }
        if n_ended == generators.len() {
            return Ok(memory);
        }
        thread::sleep(LOOK);
    }
}

/// What a generator that has ended said.
fn report(generator: &mut Stopped) -> anyhow::Result<Value> {
    let child = &mut generator.0;
    let mut texts = [String::new(), String::new()];
    child
        .stdout
        .take()
        .expect("it is piped")
        .read_to_string(&mut texts[0])?;
    child
        .stderr
        .take()
        .expect("it is piped")
        .read_to_string(&mut texts[1])?;
    if !child.wait()?.success() {
        bail!("{}", texts[1].trim_end());
    }
    serde_json::from_str(&texts[0]).context("fanfare-load printed no report")
}

/// What a process has to itself, proc_pid_smaps(5); 0 once it has ended.
fn private_bytes(process: &Child) -> u64 {
    let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", process.id()));
    let rollup = rollup.unwrap_or_default();
    let private = rollup.lines().filter_map(|line| {
        let (_, size) = line.strip_prefix("Private_")?.split_once(':')?;
        let kilobytes: u64 = size.trim().strip_suffix(" kB")?.parse().ok()?;
        Some(kilobytes * 1024)
    });
    private.sum()
}

fn unix_ms() -> u64 {
    let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn lock(said: &Mutex<Said>) -> std::sync::MutexGuard<'_, Said> {
    said.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Between two looks.
const LOOK: Duration = Duration::from_secs(1);
/// Between two numbers that clients are told while it changes.
const SECONDS_BETWEEN: &str = "120";
/// Ten times the default, as the machine has all nodes and all clients: with a million, their heartbeats alone would take more than a core.
const PING_INTERVAL_MS: &str = "250000";
/// How long those who know the number stay, so that the others see it, too.
const HOLD_SECONDS: &str = "60";
/// How long it may take at most.
const WITHIN_SECONDS: &str = "1200";
