//! `fanfare chaos-node`: a server that counts, and nothing else, as a node of a cluster under `fanfare chaos`.

use std::{process::ExitCode, sync::Arc};

use fanfare::{Config, Io};
use fanfare_redis::RedisAdapter;

use super::args::NodeArgs;
use crate::signals::Signals;

/// Serves until it is asked to stop.
///
/// # Errors
///
/// If it can't listen, or knows no way to the broker.
pub(crate) async fn serve(args: NodeArgs) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::new()?;
    let io = Io::with(Config {
        adapter: Some(Arc::new(RedisAdapter::new(&args.redis)?)),
        ..Config::default()
    });
    io.announce_count("user count", |count| count.sockets);
    tokio::select! {
        served = io.listen(args.listen) => served?,
        () = signals.next() => io.shutdown().await,
    }
    Ok(ExitCode::SUCCESS)
}
