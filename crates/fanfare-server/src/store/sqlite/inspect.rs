//! Inspect: what a database file is, before anything is written to it.

use std::{
    fs::File,
    io::{ErrorKind, Read as _},
    path::Path,
};

use anyhow::{Result, anyhow, bail};
use sqlx::{Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};

/// Whether the file at `path` can be this program's database: it is one of a version up to `latest`, or
/// there is nothing yet.
///
/// # Errors
///
/// A sentence that says what it is instead.
pub(super) async fn check(path: &Path, latest: i64) -> Result<()> {
    let shown = path.display();
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder
        && !folder.is_dir()
    {
        bail!(
            "the database {shown} can't be made, there is no folder {}: make it, or name another with --database",
            folder.display()
        );
    }
    if path.is_dir() {
        bail!(
            "{shown} is a folder: --database takes a file in it, such as sqlite://{shown}/fanfare.db"
        );
    }
    let mut header = Vec::new();
    match File::open(path) {
        Ok(file) => file
            .take(MAGIC.len() as u64)
            .read_to_end(&mut header)
            .map_err(|error| unreadable(path, &error))?,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(unreadable(path, &error)),
    };
    if header.is_empty() {
        return Ok(());
    }
    if header != MAGIC {
        bail!(
            "{shown} is no SQLite database, and is left as it is: name another file with --database"
        );
    }
    check_contents(path, latest).await
}

async fn check_contents(path: &Path, latest: i64) -> Result<()> {
    let shown = path.display();
    let options = SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .busy_timeout(super::PATIENCE);
    let mut connection = SqliteConnection::connect_with(&options)
        .await
        .map_err(|error| explain(path, error))?;
    let look = async {
        let (application,): (i64,) = sqlx::query_as("PRAGMA application_id")
            .fetch_one(&mut connection)
            .await?;
        let (tables,): (i64,) = sqlx::query_as(
            "SELECT count(*) FROM sqlite_schema WHERE tbl_name <> '_sqlx_migrations'",
        )
        .fetch_one(&mut connection)
        .await?;
        let version = match application {
            APPLICATION_ID => {
                sqlx::query_as("SELECT coalesce(max(version), 0) FROM _sqlx_migrations")
                    .fetch_one(&mut connection)
                    .await?
            }
            _ => (0_i64,),
        };
        sqlx::Result::Ok((application, tables, version.0))
    };
    let (application, tables, version) = look.await.map_err(|error| explain(path, error))?;
    // A failure to close what was only read is no failure.
    let _ = connection.close().await;
    if application != APPLICATION_ID && tables != 0 {
        bail!(
            "{shown} is the database of another program, and is left as it is: name another file with --database"
        );
    }
    if latest < version {
        bail!(
            "{shown} was written by a newer fanfare (its tables have version {version}, this program knows {latest}), and is left as it is: run the newer program, or name another file with --database"
        );
    }
    Ok(())
}

/// What a failure means for whoever started the program.
pub(super) fn explain(path: &Path, error: sqlx::Error) -> anyhow::Error {
    let shown = path.display();
    let code = error
        .as_database_error()
        .and_then(|error| error.code())
        .and_then(|code| code.parse::<u32>().ok());
    match code.map(|code| code & PRIMARY) {
        Some(BUSY | LOCKED) => anyhow!(
            "the database {shown} is locked, another program writes to it: end that one, or name another file with --database"
        ),
        Some(READONLY) => anyhow!(
            "the database {shown} can't be written: give this user write access to it and to its folder, or name another file with --database"
        ),
        Some(FULL) => anyhow!(
            "the database {shown} has reached its size limit or the disk is full: make room, or raise --max-database-mib"
        ),
        Some(CORRUPT | NOT_A_DATABASE) => anyhow!(
            "the database {shown} is damaged, and is left as it is: restore a backup, or name another file with --database"
        ),
        Some(CANNOT_OPEN) => anyhow!(
            "the database {shown} can't be opened: give this user read and write access to it and to its folder, or name another file with --database"
        ),
        _ => anyhow::Error::new(error).context(format!("the database {shown} can't be used")),
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> anyhow::Error {
    anyhow!(
        "the database {} can't be read ({error}): give this user read and write access, or name another file with --database",
        path.display()
    )
}

/// How every SQLite file begins.
const MAGIC: &[u8] = b"SQLite format 3\0";

/// "fanf", as the first migration writes it.
const APPLICATION_ID: i64 = 0x6661_6e66;

/// The part of a result code that SQLite calls primary, <https://sqlite.org/rescode.html>.
const PRIMARY: u32 = 0xff;
const BUSY: u32 = 5;
const LOCKED: u32 = 6;
const READONLY: u32 = 8;
const CORRUPT: u32 = 11;
pub(super) const FULL: u32 = 13;
const CANNOT_OPEN: u32 = 14;
const NOT_A_DATABASE: u32 = 26;
