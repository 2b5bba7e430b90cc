//! Prepare: whether a database can be ours, and its tables; before anything is served.

use std::{io, time::Duration};

use anyhow::{Result, anyhow, bail};
use sqlx::{Connection as _, PgConnection, migrate::MigrateError, migrate::Migrator};
use tokio::time::timeout;

use super::Url;

/// Makes the tables, or brings them to what this version needs. Of several nodes that start at once, one does it.
///
/// # Errors
///
/// A sentence that says what is wrong, and what would be right.
pub(super) async fn prepare(url: &Url) -> Result<()> {
    let options = url.options();
    let connecting = PgConnection::connect_with(&options);
    let mut connection = timeout(PATIENCE, connecting)
        .await
        .unwrap_or_else(|_| Err(sqlx::Error::Io(io::ErrorKind::TimedOut.into())))
        .map_err(|error| explain(url, &error))?;
    check(&mut connection, url).await?;
    if let Err(error) = MIGRATIONS.run(&mut connection).await {
        return Err(match error {
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
                explain(url, &error)
            }
            error => anyhow!(error).context(format!("the tables of {url} can't be made")),
        });
    }
    // A failure to close what is no longer used is no failure.
    let _ = connection.close().await;
    Ok(())
}

async fn check(connection: &mut PgConnection, url: &Url) -> Result<()> {
    let look = sqlx::query_as(
        "SELECT to_regclass('_sqlx_migrations') IS NOT NULL, \
                to_regclass('accounts') IS NOT NULL OR to_regclass('messages') IS NOT NULL \
                OR to_regclass('sessions') IS NOT NULL, \
                pg_is_in_recovery() OR current_setting('transaction_read_only')::bool",
    );
    let looked: sqlx::Result<(bool, bool, bool)> = look.fetch_one(&mut *connection).await;
    let (has_versions, has_tables, is_read_only) = looked.map_err(|error| explain(url, &error))?;
    if is_read_only {
        bail!(
            "{url} can only be read: --database needs the primary server, and a user who may write"
        );
    }
    if !has_versions {
        if has_tables {
            bail!(others(url));
        }
        return Ok(());
    }
    let versions =
        sqlx::query_as("SELECT version, checksum FROM _sqlx_migrations ORDER BY version");
    let versions: sqlx::Result<Vec<(i64, Vec<u8>)>> = versions.fetch_all(connection).await;
    for (version, checksum) in versions.map_err(|error| explain(url, &error))? {
        match MIGRATIONS.iter().find(|ours| ours.version == version) {
            Some(ours) if *ours.checksum == *checksum => {}
            Some(_) => bail!(others(url)),
            None => bail!(
                "{url} was written by a newer fanfare (its tables have version {version}), and is left as it is: use \
                 that one, or name another database with --database"
            ),
        }
    }
    Ok(())
}

fn others(url: &Url) -> String {
    format!(
        "{url} has the tables of another program, and is left as it is: name a database of fanfare's own with \
         --database, made by `CREATE DATABASE fanfare`"
    )
}

/// What an error means for whoever started the program.
pub(super) fn explain(url: &Url, error: &sqlx::Error) -> anyhow::Error {
    let code = error
        .as_database_error()
        .and_then(|error| error.code().map(|code| code.into_owned()));
    let advice = match (code.as_deref(), error) {
        (Some("28P01"), _) => "the password is wrong, or the user unknown; the right one stands in --database as \
                               postgres://USER:PASSWORD@HOST/NAME"
            .to_owned(),
        (Some("28000"), _) => {
            "the server does not let this user in from here; its pg_hba.conf says who may".to_owned()
        }
        (Some("3D000"), _) => {
            let options = url.options();
            let name = options.get_database().unwrap_or_default();
            format!("there is no such database; `CREATE DATABASE \"{name}\"` makes it")
        }
        (Some("42501"), _) => "the user may not make tables there; let the database, or its schema, be the user's \
                               own"
            .to_owned(),
        (Some("53300"), _) => {
            "the server has no connection left; a node takes up to 10 of its max_connections".to_owned()
        }
        (Some("57P03"), _) => "the server is starting or stopping; try again in a moment".to_owned(),
        (Some("25006"), _) => "it can only be read; --database needs the primary server".to_owned(),
        (None, sqlx::Error::Io(io)) if io.kind() == io::ErrorKind::ConnectionRefused => {
            "nobody listens there; is PostgreSQL running, and is this its port?".to_owned()
        }
        (None, sqlx::Error::Io(io)) if io.kind() == io::ErrorKind::TimedOut => {
            format!("there was no answer within {} s", PATIENCE.as_secs())
        }
        (None, sqlx::Error::Tls(_)) => {
            "this program speaks no TLS to databases: take sslmode=disable or =prefer, and a network that is yours"
                .to_owned()
        }
        _ => "see whether this URL works with psql".to_owned(),
    };
    anyhow!("the database {url} can't be used ({error}): {advice}")
}

/// The tables, one step a version.
pub(super) static MIGRATIONS: Migrator = sqlx::migrate!("migrations/postgres");

/// How long a connection may take.
const PATIENCE: Duration = Duration::from_secs(10);
