//! Store: the database, and what is kept in it. Accounts, sessions and messages; not who is here.
//!
//! One interface, two bodies: a file of SQLite's for one node, PostgreSQL for as many as there are.

mod accounts;
mod database;
mod messages;
mod postgres;
mod sessions;
mod sqlite;

use std::{fmt, sync::Arc};

use anyhow::Result;

pub(crate) use accounts::{Account, Accounts, CreateError};
pub(crate) use database::Database;
pub(crate) use messages::{Appended, Draft, Message, Messages, is_full};
pub(crate) use postgres::{Bell, News};
pub(crate) use sessions::Sessions;

use crate::broker::{Broker, RedisSessions};
use postgres::{PgAccounts, PgMessages, PgSessions, Postgres};
use sqlite::{Sqlite, SqliteAccounts, SqliteMessages, SqliteSessions};

/// Something that nobody may see, not even in a log.
#[derive(Clone, Eq, PartialEq)]
pub(crate) struct Secret<T>(pub(crate) T);

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// The open database. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    body: Body,
    sessions: Sessions,
}

#[derive(Clone, Debug)]
enum Body {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

impl Store {
    /// Opens the database, and brings its tables to what this version needs. It may grow to `max_bytes`.
    ///
    /// # Errors
    ///
    /// A sentence that names the database, what is wrong with it, and the way out. It is untouched then.
    pub(crate) async fn open(database: &Database, max_bytes: u64) -> Result<Self> {
        let body = match database {
            Database::File(path) => Body::Sqlite(Sqlite::open(path, max_bytes).await?),
            Database::Memory => Body::Sqlite(Sqlite::open_memory(max_bytes).await?),
            Database::Postgres(url) => Body::Postgres(Postgres::open(url, max_bytes).await?),
        };
        let sessions = match &body {
            Body::Sqlite(sqlite) => Sessions::new(SqliteSessions::new(sqlite.pool.clone())),
            Body::Postgres(postgres) => Sessions::new(PgSessions::new(postgres.pool.clone())),
        };
        Ok(Self { body, sessions })
    }

    /// The same, but for sessions: they are kept in Redis.
    pub(crate) fn with_sessions_in(self, broker: Broker) -> Self {
        Self {
            sessions: Sessions::new(RedisSessions::new(broker)),
            ..self
        }
    }

    pub(crate) fn accounts(&self) -> Arc<dyn Accounts> {
        match &self.body {
            Body::Sqlite(sqlite) => Arc::new(SqliteAccounts::new(sqlite.pool.clone())),
            Body::Postgres(postgres) => Arc::new(PgAccounts::new(postgres.pool.clone())),
        }
    }

    pub(crate) fn messages(&self) -> Arc<dyn Messages> {
        match &self.body {
            Body::Sqlite(sqlite) => Arc::new(SqliteMessages::new(sqlite.pool.clone())),
            Body::Postgres(postgres) => Arc::new(PgMessages::new(postgres)),
        }
    }

    /// Whether there may be nodes besides this one.
    pub(crate) fn has_other_nodes(&self) -> bool {
        matches!(self.body, Body::Postgres(_))
    }

    /// What other nodes store, and how to hear of it; nothing where there are no others.
    pub(crate) fn news(&self) -> Option<(News, Bell)> {
        match &self.body {
            Body::Sqlite(_) => None,
            Body::Postgres(postgres) => Some((postgres.news(), postgres.bell())),
        }
    }

    /// Where sessions are kept.
    pub(crate) fn sessions(&self) -> Sessions {
        self.sessions.clone()
    }

    /// The ids of sessions that have expired, as their cookies have them; forgets these.
    ///
    /// # Errors
    ///
    /// If the database can't be read or written now.
    pub(crate) async fn take_expired_sessions(&self) -> sqlx::Result<Vec<String>> {
        match &self.body {
            Body::Sqlite(sqlite) => sqlite.take_expired_sessions().await,
            Body::Postgres(postgres) => postgres.take_expired_sessions().await,
        }
    }

    /// Waits until all is written and closed.
    pub(crate) async fn close(&self) {
        match &self.body {
            Body::Sqlite(sqlite) => sqlite.pool.close().await,
            Body::Postgres(postgres) => postgres.pool.close().await,
        }
    }
}

#[cfg(test)]
mod tests;
