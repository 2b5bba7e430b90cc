//! Accounts, in PostgreSQL.

use async_trait::async_trait;
use sqlx::{Connection as _, PgConnection, PgPool};

use super::{in_time, settle};
use crate::{
    clock::now_ms,
    names::Name,
    person::PersonId,
    store::{
        Account, Accounts, CreateError, Secret,
        accounts::{NOBODY, Row, account, new_stamp, taken_or},
    },
};

#[derive(Clone, Debug)]
pub(crate) struct PgAccounts {
    pool: PgPool,
}

impl PgAccounts {
    pub(crate) fn new(pool: PgPool) -> Self {
        Self { pool }
    }
}

#[async_trait]
impl Accounts for PgAccounts {
    async fn create(&self, name: &Name, password: String) -> Result<Account, CreateError> {
        let stamp = new_stamp();
        let inserted = sqlx::query_as(
            "INSERT INTO accounts (name, name_key, password, stamp, created_at) VALUES ($1, $2, $3, $4, $5) \
             RETURNING id",
        )
        .bind(name.as_str())
        .bind(name.key())
        .bind(&password)
        .bind(&stamp)
        .bind(now_ms())
        .fetch_one(&self.pool);
        let inserted: sqlx::Result<(i64,)> = in_time(inserted).await;
        let (id,) = inserted.map_err(|error| taken_or(error, name))?;
        Ok(Account {
            id,
            name: name.clone(),
            password: Secret(password),
            stamp: Secret(stamp),
        })
    }

    async fn by_id(&self, id: i64) -> sqlx::Result<Option<Account>> {
        let row =
            sqlx::query_as("SELECT id, name, password, stamp FROM accounts WHERE id = $1").bind(id);
        let row: Option<Row> = in_time(row.fetch_optional(&self.pool)).await?;
        Ok(row.and_then(account))
    }

    async fn by_name(&self, name: &Name) -> sqlx::Result<Option<Account>> {
        let row =
            sqlx::query_as("SELECT id, name, password, stamp FROM accounts WHERE name_key = $1")
                .bind(name.key());
        let row: Option<Row> = in_time(row.fetch_optional(&self.pool)).await?;
        Ok(row.and_then(account))
    }

    async fn rename(&self, id: i64, name: &Name) -> Result<(), CreateError> {
        let renamed = sqlx::query("UPDATE accounts SET name = $1, name_key = $2 WHERE id = $3")
            .bind(name.as_str())
            .bind(name.key())
            .bind(id)
            .execute(&self.pool);
        in_time(renamed)
            .await
            .map_err(|error| taken_or(error, name))?;
        Ok(())
    }

    async fn set_password(&self, id: i64, password: &str) -> sqlx::Result<()> {
        let set = sqlx::query("UPDATE accounts SET password = $1, stamp = $2 WHERE id = $3")
            .bind(password)
            .bind(new_stamp())
            .bind(id)
            .execute(&self.pool);
        in_time(set).await?;
        Ok(())
    }

    async fn delete(&self, id: i64) -> sqlx::Result<()> {
        let mut connection = self.pool.acquire().await?;
        let deleted = in_time(delete(&mut connection, id)).await;
        settle(&mut connection, deleted)
    }
}

/// The account goes first: that waits for messages which are just being stored as its own, and whoever stores later
/// finds it gone.
async fn delete(connection: &mut PgConnection, id: i64) -> sqlx::Result<()> {
    let mut transaction = connection
        .begin_with("BEGIN ISOLATION LEVEL READ COMMITTED")
        .await?;
    sqlx::query("DELETE FROM accounts WHERE id = $1")
        .bind(id)
        .execute(&mut *transaction)
        .await?;
    sqlx::query("UPDATE messages SET author = NULL, name = $1 WHERE author = $2")
        .bind(NOBODY)
        .bind(PersonId::Account(id).to_string())
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await
}
