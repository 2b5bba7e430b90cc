//! Sessions, in SQLite: tower-sessions' own store, but for one thing: what has ended is not saved again.

use async_trait::async_trait;
use sqlx::SqlitePool;
use tower_sessions::{
    SessionStore,
    session::{Id, Record},
    session_store::{Error, Result},
};
use tower_sessions_sqlx_store::SqliteStore;

#[derive(Clone, Debug)]
pub(crate) struct SqliteSessions {
    pool: SqlitePool,
    inner: SqliteStore,
}

impl SqliteSessions {
    pub(crate) fn new(pool: SqlitePool) -> Self {
        let inner = SqliteStore::new(pool.clone());
        Self { pool, inner }
    }

    /// Makes the table, if there is none.
    pub(super) async fn migrate(&self) -> sqlx::Result<()> {
        self.inner.migrate().await
    }
}

#[async_trait]
impl SessionStore for SqliteSessions {
    async fn create(&self, record: &mut Record) -> Result<()> {
        self.inner.create(record).await
    }

    /// A request that began before a session ended must not bring it back.
    async fn save(&self, record: &Record) -> Result<()> {
        let data = rmp_serde::to_vec(record).map_err(|error| Error::Encode(error.to_string()))?;
        sqlx::query("UPDATE tower_sessions SET data = ?, expiry_date = ? WHERE id = ?")
            .bind(data)
            .bind(record.expiry_date)
            .bind(record.id.to_string())
            .execute(&self.pool)
            .await
            .map_err(|error| Error::Backend(error.to_string()))?;
        Ok(())
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        self.inner.load(id).await
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        self.inner.delete(id).await
    }
}
