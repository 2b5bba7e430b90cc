//! Sessions, in PostgreSQL. tower-sessions' own store wants a schema of its own, which it makes itself; that takes
//! rights which the room's user does not need otherwise.

use async_trait::async_trait;
use sqlx::PgPool;
use tower_sessions::{
    SessionStore,
    session::{Id, Record},
    session_store::{Error, Result},
};

use super::in_time;
use crate::clock::now_ms;

#[derive(Clone, Debug)]
pub(crate) struct PgSessions {
    pool: PgPool,
}

impl PgSessions {
    pub(crate) fn new(pool: PgPool) -> Self {
        Self { pool }
    }
}

#[async_trait]
impl SessionStore for PgSessions {
    async fn create(&self, record: &mut Record) -> Result<()> {
        loop {
            let inserted = sqlx::query(
                "INSERT INTO sessions (id, data, expires_at) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING",
            )
            .bind(record.id.to_string())
            .bind(encoded(record)?)
            .bind(expiry(record))
            .execute(&self.pool);
            if in_time(inserted)
                .await
                .map_err(|error| backend(&error))?
                .rows_affected()
                == 1
            {
                return Ok(());
            }
            record.id = Id::default();
        }
    }

    async fn save(&self, record: &Record) -> Result<()> {
        let saved = sqlx::query("UPDATE sessions SET data = $1, expires_at = $2 WHERE id = $3")
            .bind(encoded(record)?)
            .bind(expiry(record))
            .bind(record.id.to_string())
            .execute(&self.pool);
        in_time(saved).await.map_err(|error| backend(&error))?;
        Ok(())
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        let row = sqlx::query_as("SELECT data FROM sessions WHERE id = $1 AND expires_at > $2")
            .bind(id.to_string())
            .bind(now_ms())
            .fetch_optional(&self.pool);
        let row: Option<(Vec<u8>,)> = in_time(row).await.map_err(|error| backend(&error))?;
        row.map(|(data,)| rmp_serde::from_slice(&data))
            .transpose()
            .map_err(|error| Error::Decode(error.to_string()))
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        let deleted = sqlx::query("DELETE FROM sessions WHERE id = $1")
            .bind(id.to_string())
            .execute(&self.pool);
        in_time(deleted).await.map_err(|error| backend(&error))?;
        Ok(())
    }
}

fn encoded(record: &Record) -> Result<Vec<u8>> {
    rmp_serde::to_vec(record).map_err(|error| Error::Encode(error.to_string()))
}

/// Milliseconds since 1970.
fn expiry(record: &Record) -> i64 {
    let at = record.expiry_date.unix_timestamp_nanos() / 1_000_000;
    i64::try_from(at).unwrap_or(i64::MAX)
}

fn backend(error: &sqlx::Error) -> Error {
    Error::Backend(error.to_string())
}
