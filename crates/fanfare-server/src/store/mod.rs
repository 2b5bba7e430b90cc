//! Store: the database, and what is kept in it. Accounts, sessions and messages; not who is here.

mod accounts;
mod inspect;
mod messages;
mod sessions;

use std::{
    fmt, io,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use anyhow::{Context as _, Result};
use sqlx::{
    SqlitePool,
    migrate::Migrator,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

pub(crate) use accounts::{Account, Accounts, CreateError};
pub(crate) use messages::{Appended, Draft, Message, Messages, is_full};
pub(crate) use sessions::Sessions;

/// Where the database is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Database {
    /// A file; made if there is none.
    File(PathBuf),
    /// Nowhere but here: it is gone when the program ends.
    Memory,
}

impl FromStr for Database {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rest = text.strip_prefix("sqlite:").ok_or(NO_DATABASE)?;
        match rest.strip_prefix("//").unwrap_or(rest) {
            ":memory:" => Ok(Self::Memory),
            "" => Err(NO_DATABASE),
            path => Ok(Self::File(path.into())),
        }
    }
}

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
    pool: SqlitePool,
}

impl Store {
    /// Opens the database, and brings its tables to what this version needs. It may grow to `max_bytes`.
    ///
    /// # Errors
    ///
    /// A sentence that names the file, what is wrong with it, and the way out. The file is untouched then.
    pub(crate) async fn open(database: &Database, max_bytes: u64) -> Result<Self> {
        let options = match database {
            Database::File(path) => {
                let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
                inspect::check(&path, latest_version()).await?;
                create_private(&path)
                    .with_context(|| format!("the database {} can't be made", path.display()))?;
                let store = Self::connect(file_options(&path), max_bytes, MAX_CONNECTIONS).await;
                return store.map_err(|error| inspect::explain(&path, error));
            }
            Database::Memory => SqliteConnectOptions::from_str("sqlite::memory:")?,
        };
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
        store.sessions().migrate().await?;
        // What can't be written is better said now than at the first message.
        store
            .pool
            .begin_with("BEGIN IMMEDIATE")
            .await?
            .rollback()
            .await?;
        Ok(store)
    }

    /// Where sessions are kept.
    pub(crate) fn sessions(&self) -> Sessions {
        Sessions::new(self.pool.clone())
    }

    pub(crate) fn accounts(&self) -> Accounts {
        Accounts::new(self.pool.clone())
    }

    pub(crate) fn messages(&self) -> Messages {
        Messages::new(self.pool.clone())
    }

    /// The ids of sessions that have expired, as their cookies have them; forgets these.
    ///
    /// # Errors
    ///
    /// If the database can't be read or written now.
    pub(crate) async fn take_expired_sessions(&self) -> sqlx::Result<Vec<String>> {
        let taken: Vec<(String,)> = sqlx::query_as(
            "DELETE FROM tower_sessions WHERE datetime(expiry_date) < datetime('now') RETURNING id",
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(taken.into_iter().map(|(id,)| id).collect())
    }

    /// Waits until all is written and closed.
    pub(crate) async fn close(&self) {
        self.pool.close().await;
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

fn latest_version() -> i64 {
    MIGRATIONS
        .iter()
        .map(|migration| migration.version)
        .max()
        .unwrap_or_default()
}

/// The tables, one step a version.
static MIGRATIONS: Migrator = sqlx::migrate!();

/// SQLite's own default.
const PAGE_BYTES: u64 = 4096;

/// Writers take turns in any case; with some more, those who read seldom wait for them.
const MAX_CONNECTIONS: u32 = 4;

/// How long to wait for whoever else uses the file.
const PATIENCE: Duration = Duration::from_secs(3);

const NO_DATABASE: &str =
    "a database is needed as sqlite://PATH, such as sqlite://./fanfare.db, or sqlite::memory:";

#[cfg(test)]
mod tests;
