//! Everybody is told what anybody says: what `rawcast --play say` does, and the bench's other events.

use std::{
    env,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use fanfare::{Config, Io, Recovery};
use fanfare_redis::RedisAdapter;
use tikv_jemallocator::Jemalloc;
use tokio::time::{Instant, sleep};

// As `fanfare` has it.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut config = Config::default();
    if let Ok(milliseconds) = env::var("PING_INTERVAL") {
        config.ping_interval = Duration::from_millis(milliseconds.parse()?);
    }
    if env::var_os("RECOVERY").is_some() {
        config.recovery = Some(Recovery::default());
    }
    if let Ok(bytes) = env::var("COMPRESSION") {
        config.websocket_compression = Some(bytes.parse()?);
    }
    if let Ok(bytes) = env::var("MAX_BACKLOG_BYTES") {
        config.limits.max_backlog_bytes = bytes.parse()?;
    }
    if let Ok(url) = env::var("REDIS_URL") {
        config.adapter = Some(Arc::new(RedisAdapter::new(&url)?));
    }
    let port = match env::var("PORT") {
        Ok(port) => port.parse().context("PORT is no port")?,
        Err(_) => 3000,
    };
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let io = fanfare_bench_say::server(config);
    if let Ok(seconds) = env::var("COUNT") {
        io.on_count(|_, count| tell(count.sockets));
        tokio::spawn(announce(io.clone(), seconds.parse()?));
    }
    match env::var_os("TLS_CERTIFICATE") {
        Some(file) => {
            // First the certificate: who finds the port open reads it.
            let tls = fanfare_bench_say::certificate(address.ip(), file.as_ref()).await?;
            fanfare_bench_say::serve_over_tls(&io, TcpListener::bind(address)?, tls).await?;
        }
        None => io.listen(address).await?,
    }
    Ok(())
}

/// Tells everybody how many they are once that has stayed the same for a while, and while it changes each so many seconds: less often
/// than `announce_count`, since telling a million four times a second is more than a machine can do.
async fn announce(io: Io, seconds: u64) {
    let (mut told, mut seen) = (0, 0);
    let (mut told_at, mut changed_at) = (Instant::now(), Instant::now());
    loop {
        sleep(Duration::from_secs(1)).await;
        let count = io.count().sockets;
        if count != seen {
            seen = count;
            changed_at = Instant::now();
        }
        let is_still = changed_at.elapsed() >= STILL;
        if count != told && (is_still || told_at.elapsed() >= Duration::from_secs(seconds)) {
            io.emit_latest("user count", count);
            told = count;
            told_at = Instant::now();
        }
    }
}

/// A number of people, for the program that started this one.
#[expect(clippy::print_stdout, reason = "it reads there")]
fn tell(sockets: u64) {
    println!("{sockets}");
}

/// Longer than a node that shares its core with fifty others takes to report.
const STILL: Duration = Duration::from_secs(5);
