//! Broker: the Redis that nodes share, with sessions and failed attempts to sign in.

pub(crate) mod names;
mod sessions;
mod url;

use std::time::Duration;

use anyhow::{Result, anyhow};
use redis::{
    AsyncConnectionConfig, Client, ErrorKind, RedisError, RedisResult, ServerErrorKind,
    aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig},
};
use tokio::time::timeout;

pub(crate) use sessions::RedisSessions;
pub(crate) use url::Url;

/// A connection that is made anew when it is lost. Cheap to clone; all share it.
#[derive(Clone, Debug)]
pub(crate) struct Broker {
    connection: ConnectionManager,
}

impl Broker {
    /// Connects, and sees whether it can be used.
    ///
    /// # Errors
    ///
    /// A sentence that names the server, what is wrong, and what would be right.
    pub(crate) async fn connect(url: &Url) -> Result<Self> {
        let client = url.client();
        check(&client)
            .await
            .map_err(|error| explain(url, &error))??;
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE))
            // Whoever asks is told at once that it is away; whoever asks next tries again.
            .set_number_of_retries(0);
        let connection = ConnectionManager::new_lazy_with_config(client, config);
        Ok(Self {
            connection: connection.map_err(|error| explain(url, &error))?,
        })
    }

    /// Asks it something, and does not wait for long.
    pub(crate) async fn ask<T>(
        &self,
        question: impl AsyncFnOnce(&mut ConnectionManager) -> RedisResult<T>,
    ) -> RedisResult<T> {
        let mut connection = self.connection.clone();
        timeout(PATIENCE, question(&mut connection))
            .await
            .unwrap_or_else(|_| Err((ErrorKind::Io, "no answer in time").into()))
    }
}

impl Broker {
    /// Whether it answers.
    ///
    /// # Errors
    ///
    /// If it does not.
    pub(crate) async fn is_there(&self) -> RedisResult<()> {
        let ping = redis::cmd("PING");
        self.ask(async |redis| ping.query_async(redis).await).await
    }
}

/// Whether it is there, is new enough, and can be written.
async fn check(client: &Client) -> RedisResult<Result<()>> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(PATIENCE))
        .set_response_timeout(Some(PATIENCE));
    let mut connection = client
        .get_multiplexed_async_connection_with_config(&config)
        .await?;
    let about: String = redis::cmd("INFO")
        .arg("server")
        .query_async(&mut connection)
        .await?;
    let version = about
        .lines()
        .find_map(|line| line.strip_prefix("redis_version:"))
        .unwrap_or_default();
    if !is_new_enough(version) {
        return Ok(Err(anyhow!(
            "--redis: Redis 6.2 or later is needed, or Valkey; this one is {version}"
        )));
    }
    let mut write = redis::cmd("SET");
    write.arg("fanfare:start").arg("").arg("PX").arg(1);
    connection
        .req_packed_command(&write)
        .await?
        .extract_error()?;
    Ok(Ok(()))
}

fn is_new_enough(version: &str) -> bool {
    let mut numbers = version.split('.').map(|number| number.parse().unwrap_or(0));
    let version: (u32, u32) = (
        numbers.next().unwrap_or_default(),
        numbers.next().unwrap_or_default(),
    );
    (6, 2) <= version
}

/// What an error means for whoever started the program.
fn explain(url: &Url, error: &RedisError) -> anyhow::Error {
    let advice = match (error.kind(), error.code()) {
        (ErrorKind::AuthenticationFailed, _) | (_, Some("NOAUTH" | "WRONGPASS")) => {
            "its password stands in --redis as redis://:PASSWORD@HOST:PORT, with a user's name before the colon if it has \
             users"
        }
        (ErrorKind::Server(ServerErrorKind::NoPerm), _) => {
            "the user may not do this; all keys that begin with fanfare: are needed, and scripts"
        }
        (ErrorKind::Server(ServerErrorKind::ReadOnly), _) => {
            "it is a replica, which can only be read; --redis needs the primary server"
        }
        (ErrorKind::Server(ServerErrorKind::BusyLoading), _) => "try again in a moment",
        (ErrorKind::Io, _) => "is Redis running there, and is this its port?",
        _ => "see whether redis-cli -u can use it",
    };
    anyhow!("the Redis at {url} can't be used ({error}): {advice}")
}

/// How long any answer may take.
const PATIENCE: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests;
