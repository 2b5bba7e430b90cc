//! Broker: a redis-server of our own that keeps nothing, with or without a standby, or one that is there already.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use redis::{Cmd, FromRedisValue};

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
    main: Server,
    /// What takes its place when it fails, if that is asked for.
    standby: Option<Server>,
}

/// A redis-server.
#[derive(Debug)]
struct Server {
    port: u16,
    folder: PathBuf,
    process: Option<Process>,
}

/// Whether there is a server that takes the broker's place.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Standby {
    Some,
    None,
}

impl Broker {
    /// Starts one whose files, if it has any, are in `folder`.
    ///
    /// # Errors
    ///
    /// A sentence, if it is not installed or does not answer.
    pub(super) async fn start(folder: &Path, standby: Standby) -> anyhow::Result<Self> {
        let server = || Server::start(folder);
        let main = server()?;
        let mut broker = Self {
            url: main.url(),
            own: Some(Own {
                main,
                standby: match standby {
                    Standby::Some => Some(server()?),
                    Standby::None => None,
                },
            }),
        };
        let own = broker.own()?;
        own.main.reached().await?;
        own.attach().await?;
        Ok(broker)
    }

    /// The one at `url`, that runs already, or one that is not known.
    ///
    /// # Errors
    ///
    /// If it does not answer.
    pub(super) async fn given(url: Option<&str>) -> anyhow::Result<Self> {
        if let Some(url) = url {
            let asked = ask::<()>(url, &redis::cmd("PING")).await;
            asked.with_context(|| format!("the broker at {url} does not answer"))?;
        }
        Ok(Self {
            url: url.unwrap_or_default().to_owned(),
            own: None,
        })
    }

    /// Where it is; empty if that is not known.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// The port of one that was started here.
    pub(super) fn port(&self) -> Option<u16> {
        self.own.as_ref().map(|own| own.main.port)
    }

    /// Kills it.
    ///
    /// # Errors
    ///
    /// If it was not started here.
    pub(super) fn kill(&mut self) -> anyhow::Result<()> {
        self.own()?.main.process = None;
        Ok(())
    }

    /// Starts it again with nothing; returns when it answers.
    ///
    /// # Errors
    ///
    /// If it was not started here, or does not come back.
    pub(super) async fn start_again(&mut self) -> anyhow::Result<()> {
        let main = &mut self.own()?.main;
        main.launch()?;
        main.reached().await
    }

    /// It forgets everything.
    ///
    /// # Errors
    ///
    /// If it does not answer.
    pub(super) async fn wipe(&self) -> anyhow::Result<()> {
        let asked = ask::<()>(&self.url, &redis::cmd("FLUSHALL")).await;
        asked.context("the broker does not forget")
    }

    /// The standby, if there is one, follows the broker, from the beginning if it has ended.
    ///
    /// # Errors
    ///
    /// If it can't be started, or does not follow.
    pub(super) async fn attach(&mut self) -> anyhow::Result<()> {
        self.own()?.attach().await
    }

    /// The standby stays as it is now, whatever the broker is told.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub(super) async fn detach(&mut self) -> anyhow::Result<()> {
        let standby = self.own()?.standby.as_ref().context(NO_STANDBY)?;
        let mut alone = redis::cmd("REPLICAOF");
        ask(&standby.url(), alone.arg("NO").arg("ONE")).await
    }

    /// The standby is the broker from now on.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub(super) fn fail_over(&mut self) -> anyhow::Result<()> {
        let own = self.own()?;
        let standby = own.standby.as_mut().context(NO_STANDBY)?;
        std::mem::swap(standby, &mut own.main);
        self.url = self.own()?.main.url();
        Ok(())
    }

    fn own(&mut self) -> anyhow::Result<&mut Own> {
        self.own.as_mut().context("the broker was not started here")
    }
}

impl Own {
    async fn attach(&mut self) -> anyhow::Result<()> {
        let Some(standby) = &mut self.standby else {
            return Ok(());
        };
        if standby.process.is_none() {
            standby.launch()?;
        }
        standby.reached().await?;
        let mut follow = redis::cmd("REPLICAOF");
        follow.arg("127.0.0.1").arg(self.main.port);
        ask::<()>(&standby.url(), &follow).await?;
        let deadline = Instant::now() + START_PATIENCE;
        while !standby.follows().await {
            if deadline < Instant::now() {
                bail!(
                    "the standby does not follow the broker; it said:\n{}",
                    standby.last_words()
                );
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }
}

impl Server {
    fn start(folder: &Path) -> anyhow::Result<Self> {
        let mut server = Self {
            port: free_port()?,
            folder: folder.to_owned(),
            process: None,
        };
        server.launch()?;
        Ok(server)
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    fn launch(&mut self) -> anyhow::Result<()> {
        let mut command = Command::new("redis-server");
        command
            .args(["--port", &self.port.to_string(), "--bind", "127.0.0.1"])
            // A copy for a standby is made at once, rather than when more have asked for one, and is not written to a
            // file, which would be read at the next start.
            .args(["--repl-diskless-sync-delay", "0"])
            .args(["--repl-diskless-load", "swapdb"])
            .args(["--save", "", "--appendonly", "no", "--dir"])
            .arg(&self.folder);
        let log = self.folder.join(format!("redis-{}.log", self.port));
        let process = Process::start(&command, &log).context("redis-server can't be started")?;
        self.process = Some(process);
        Ok(())
    }

    /// Waits until it answers.
    async fn reached(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + START_PATIENCE;
        while let Err(error) = ask::<()>(&self.url(), &redis::cmd("PING")).await {
            let ended = self.process.as_mut().and_then(Process::ended);
            if ended.is_some_and(is_missing) {
                bail!(
                    "redis-server is not installed: install it (on Debian `apt install redis-server`), or name a cluster that runs, with --attach and --redis"
                );
            }
            if ended.is_some() || deadline < Instant::now() {
                bail!(
                    "the broker at {} does not answer: {error}; it said:\n{}",
                    self.url(),
                    self.last_words()
                );
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// Whether it knows all that the one knows which it follows.
    async fn follows(&self) -> bool {
        let role = ask(&self.url(), &redis::cmd("ROLE")).await;
        let role: Result<(String, String, u16, String, i64), _> = role;
        role.is_ok_and(|(_, _, _, state, _)| state == "connected")
    }

    fn last_words(&self) -> String {
        let process = self.process.as_ref();
        process.map_or_else(|| "nothing".to_owned(), Process::last_words)
    }
}

async fn ask<T: FromRedisValue>(url: &str, command: &Cmd) -> anyhow::Result<T> {
    let client = redis::Client::open(url)?;
    let asked = async {
        let mut connection = client.get_multiplexed_async_connection().await?;
        command.query_async(&mut connection).await
    };
    let answer = tokio::time::timeout(ASK_PATIENCE, asked).await;
    Ok(answer.context("no answer in time")??)
}

const NO_STANDBY: &str = "no standby was asked for";
const START_PATIENCE: Duration = Duration::from_secs(20);
const ASK_PATIENCE: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(5);
