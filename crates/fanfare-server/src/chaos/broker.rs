//! Broker: a redis-server of our own that keeps nothing, or one that is there already.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};

use super::{
    ports::free_port,
    process::{Process, is_missing},
};

/// What the nodes of a cluster speak over.
#[derive(Debug)]
pub(super) struct Broker {
    /// Empty if it is not known.
    url: String,
    /// None if it was not started here.
    own: Option<Own>,
}

#[derive(Debug)]
struct Own {
    port: u16,
    folder: PathBuf,
    process: Process,
}

impl Broker {
    /// Starts one whose files, if it has any, are in `folder`.
    ///
    /// # Errors
    ///
    /// A sentence, if it is not installed or does not answer.
    pub(super) async fn start(folder: &Path) -> anyhow::Result<Self> {
        let port = free_port()?;
        let mut broker = Self {
            url: format!("redis://127.0.0.1:{port}"),
            own: Some(Own {
                port,
                folder: folder.to_owned(),
                process: launch(port, folder)?,
            }),
        };
        broker.reached().await?;
        Ok(broker)
    }

    /// The one at `url`, that runs already, or one that is not known.
    ///
    /// # Errors
    ///
    /// If it does not answer.
    pub(super) async fn given(url: Option<&str>) -> anyhow::Result<Self> {
        let mut broker = Self {
            url: url.unwrap_or_default().to_owned(),
            own: None,
        };
        if url.is_some() {
            broker.reached().await?;
        }
        Ok(broker)
    }

    /// Where it is; empty if that is not known.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// The port of one that was started here.
    pub(super) fn port(&self) -> Option<u16> {
        self.own.as_ref().map(|own| own.port)
    }

    /// It is killed, and started again with nothing after `away`; returns when it answers.
    ///
    /// # Errors
    ///
    /// If it does not come back.
    pub(super) async fn restart(&mut self, away: Duration) -> anyhow::Result<()> {
        let own = self
            .own
            .as_mut()
            .context("the broker was not started here")?;
        own.process.kill();
        tokio::time::sleep(away).await;
        own.process = launch(own.port, &own.folder)?;
        self.reached().await
    }

    /// It forgets everything.
    ///
    /// # Errors
    ///
    /// If it does not answer.
    pub(super) async fn wipe(&self) -> anyhow::Result<()> {
        self.ask("FLUSHALL")
            .await
            .context("the broker does not forget")
    }

    /// Waits until it answers.
    async fn reached(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + START_PATIENCE;
        while let Err(error) = self.ask("PING").await {
            let own = self.own.as_mut();
            if own.is_some_and(|own| own.process.ended().is_some_and(is_missing)) {
                bail!(
                    "redis-server is not installed: install it (on Debian `apt install redis-server`), or name a cluster that runs, with --attach and --redis"
                );
            }
            if deadline < Instant::now() {
                let said = self.own.as_ref().map(|own| own.process.last_words());
                let said = said.map_or_else(String::new, |said| format!("; it said:\n{said}"));
                bail!("the broker at {} does not answer: {error}{said}", self.url);
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    async fn ask(&self, command: &str) -> anyhow::Result<()> {
        let client = redis::Client::open(self.url.as_str())?;
        let asked = async {
            let mut connection = client.get_multiplexed_async_connection().await?;
            redis::cmd(command).exec_async(&mut connection).await
        };
        tokio::time::timeout(ASK_PATIENCE, asked)
            .await
            .context("no answer in time")??;
        Ok(())
    }
}

fn launch(port: u16, folder: &Path) -> anyhow::Result<Process> {
    let mut command = Command::new("redis-server");
    command
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
        .args(["--save", "", "--appendonly", "no", "--dir"])
        .arg(folder);
    Process::start(&command, &folder.join("redis.log")).context("redis-server can't be started")
}

const START_PATIENCE: Duration = Duration::from_secs(20);
const ASK_PATIENCE: Duration = Duration::from_secs(5);
