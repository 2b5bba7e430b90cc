//! PostgreSQL: the database of as many nodes as there are.

mod accounts;
mod messages;
mod news;
mod prepare;
mod sessions;
mod url;

use std::{io, time::Duration};

use anyhow::Result;
use sqlx::{
    PgPool, Postgres as Pg,
    pool::PoolConnection,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::time::timeout;

pub(super) use accounts::PgAccounts;
pub(super) use messages::PgMessages;
pub(crate) use news::{Bell, News};
pub(super) use sessions::PgSessions;
pub(super) use url::Url;

use crate::clock::now_ms;
use news::Mark;

/// The open database.
#[derive(Clone, Debug)]
pub(super) struct Postgres {
    pub(super) pool: PgPool,
    max_bytes: u64,
    /// What was there when it was opened.
    mark: Mark,
}

impl Postgres {
    /// Connects, and brings the tables to what this version needs. Messages may take `max_bytes`.
    ///
    /// # Errors
    ///
    /// A sentence that names the server, what is wrong, and what would be right. Nothing is changed then.
    pub(super) async fn open(url: &Url, max_bytes: u64) -> Result<Self> {
        prepare::prepare(url).await?;
        let pool = PgPoolOptions::new()
            .max_connections(MAX_CONNECTIONS)
            .acquire_timeout(PATIENCE)
            .connect_lazy_with(hurried(url.options()));
        let mark = Mark::now(&pool).await;
        Ok(Self {
            mark: mark.map_err(|error| prepare::explain(url, &error))?,
            pool,
            max_bytes,
        })
    }

    /// What is stored from now on.
    pub(super) fn news(&self) -> News {
        News::after(self.pool.clone(), self.mark)
    }

    pub(super) fn bell(&self) -> Bell {
        Bell::new(self.pool.clone())
    }

    /// The ids of sessions that have expired, as their cookies have them; forgets these.
    ///
    /// # Errors
    ///
    /// If the database can't be read or written now.
    pub(super) async fn take_expired_sessions(&self) -> sqlx::Result<Vec<String>> {
        let taken = sqlx::query_as("DELETE FROM sessions WHERE expires_at < $1 RETURNING id")
            .bind(now_ms())
            .fetch_all(&self.pool);
        let taken: Vec<(String,)> = in_time(taken).await?;
        Ok(taken.into_iter().map(|(id,)| id).collect())
    }
}

/// No statement may take long, and a node that stands still in the midst of a transaction holds up the others only so
/// long.
fn hurried(options: PgConnectOptions) -> PgConnectOptions {
    let patience = format!("{}s", PATIENCE.as_secs());
    options.options([
        ("statement_timeout", &*patience),
        ("idle_in_transaction_session_timeout", &*patience),
    ])
}

/// Waits for the answer of a server that may stand still.
async fn in_time<T>(answer: impl Future<Output = sqlx::Result<T>>) -> sqlx::Result<T> {
    timeout(PATIENCE, answer)
        .await
        .unwrap_or_else(|_| Err(sqlx::Error::Io(io::ErrorKind::TimedOut.into())))
}

/// Gives the connection back, unless something went wrong on it: nobody knows then what it is in the midst of.
fn settle<T>(connection: &mut PoolConnection<Pg>, done: sqlx::Result<T>) -> sqlx::Result<T> {
    if done.is_err() {
        connection.close_on_drop();
    }
    done
}

/// Whether a result code says that the disk is full.
pub(super) fn is_full(code: &str) -> bool {
    code == "53100"
}

/// One writes, one listens, some read.
const MAX_CONNECTIONS: u32 = 8;

/// How long any answer may take.
const PATIENCE: Duration = Duration::from_secs(3);

#[cfg(test)]
pub(super) mod tests;
