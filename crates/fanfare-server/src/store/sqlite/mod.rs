//! A file of SQLite's, or memory: the database of one node.

mod accounts;
mod inspect;
mod messages;
mod sessions;

use std::{io, path::Path, str::FromStr as _, time::Duration};

use anyhow::{Context as _, Result};
use sqlx::{
    SqlitePool,
    migrate::Migrator,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

pub(super) use accounts::SqliteAccounts;
pub(super) use messages::SqliteMessages;
pub(super) use sessions::SqliteSessions;

/// The open database.
#[derive(Clone, Debug)]
pub(super) struct Sqlite {
    pub(super) pool: SqlitePool,
}

impl Sqlite {
    /// Opens the file at `path`, and brings its tables to what this version needs. It may grow to `max_bytes`.
    ///
    /// # Errors
    ///
    /// A sentence that names the file, what is wrong with it, and the way out. The file is untouched then.
    pub(super) async fn open(path: &Path, max_bytes: u64) -> Result<Self> {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        inspect::check(&path, latest_version()).await?;
        create_private(&path)
            .with_context(|| format!("the database {} can't be made", path.display()))?;
        let store = Self::connect(file_options(&path), max_bytes, MAX_CONNECTIONS).await;
        store.map_err(|error| inspect::explain(&path, error))
    }

    /// Opens a database that is gone when the program ends.
    ///
    /// # Errors
    ///
    /// If there is no memory for it.
    pub(super) async fn open_memory(max_bytes: u64) -> Result<Self> {
        let options = SqliteConnectOptions::from_str("sqlite::memory:")?;
        // A second connection would have a database of its own, and a new one none of the old.
        Self::connect(options, max_bytes, 1)
            .await
            .context("the database in memory can't be made")
    }

    async fn connect(
        options: SqliteConnectOptions,
        max_bytes: u64,
        connections: u32,
    ) -> sqlx::Result<Self> {
        let options = options.busy_timeout(PATIENCE).pragma(
            "max_page_count",
            (max_bytes / PAGE_BYTES).max(1).to_string(),
        );
        let pool = SqlitePoolOptions::new()
            .max_connections(connections)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options)
            .await?;
        MIGRATIONS.run(&pool).await?;
        let store = Self { pool };
        SqliteSessions::new(store.pool.clone()).migrate().await?;
        // What can't be written is better said now than at the first message.
        store
            .pool
            .begin_with("BEGIN IMMEDIATE")
            .await?
            .rollback()
            .await?;
        Ok(store)
    }

    /// The ids of sessions that have expired, as their cookies have them; forgets these.
    ///
    /// # Errors
    ///
    /// If the database can't be read or written now.
    pub(super) async fn take_expired_sessions(&self) -> sqlx::Result<Vec<String>> {
        let taken: Vec<(String,)> = sqlx::query_as(
            "DELETE FROM tower_sessions WHERE datetime(expiry_date) < datetime('now') RETURNING id",
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(taken.into_iter().map(|(id,)| id).collect())
    }
}

fn file_options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // What has been acknowledged outlives a power cut, too.
        .synchronous(SqliteSynchronous::Full)
}

/// Makes an empty file that nobody else on the machine can read, if there is none: whoever reads it has
/// everyone's sessions. SQLite gives what it puts beside it the same mode.
fn create_private(path: &Path) -> io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    match options.open(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        Ok(_) | Err(_) => Ok(()),
    }
}

pub(super) fn latest_version() -> i64 {
    MIGRATIONS
        .iter()
        .map(|migration| migration.version)
        .max()
        .unwrap_or_default()
}

/// The tables, one step a version.
pub(super) static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");

/// SQLite's own default.
const PAGE_BYTES: u64 = 4096;

/// Writers take turns in any case; with some more, those who read seldom wait for them.
const MAX_CONNECTIONS: u32 = 4;

/// How long to wait for whoever else uses the file.
const PATIENCE: Duration = Duration::from_secs(3);

/// Whether a result code says that the file may not grow, or the disk is full.
pub(super) fn is_full(code: &str) -> bool {
    code.parse() == Ok(inspect::FULL)
}

#[cfg(test)]
mod tests;
