//! Everybody is told what anybody says: what `rawcast --play say` does, and the bench's other events.

use std::{env, error::Error, time::Duration};

use fanfare::{Config, Recovery};
use mimalloc::MiMalloc;

// As `fanfare` has it.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut config = Config::default();
    if let Ok(milliseconds) = env::var("PING_INTERVAL") {
        config.ping_interval = Duration::from_millis(milliseconds.parse()?);
    }
    if env::var_os("RECOVERY").is_some() {
        config.recovery = Some(Recovery::default());
    }
    if let Ok(bytes) = env::var("MAX_BACKLOG_BYTES") {
        config.limits.max_backlog_bytes = bytes.parse()?;
    }
    let port = env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
    fanfare_bench_say::server(config)
        .listen(format!("127.0.0.1:{port}"))
        .await?;
    Ok(())
}
