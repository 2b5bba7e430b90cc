//! Accounts, in SQLite.

use async_trait::async_trait;
use sqlx::SqlitePool;

use crate::{
    clock::now_ms,
    names::Name,
    person::PersonId,
    store::{
        Account, Accounts, CreateError, Secret,
        accounts::{NOBODY, account, new_stamp, taken_or},
    },
};

#[derive(Clone, Debug)]
pub(crate) struct SqliteAccounts {
    pool: SqlitePool,
}

impl SqliteAccounts {
    pub(crate) fn new(pool: SqlitePool) -> Self {
        Self { pool }
    }
}

#[async_trait]
impl Accounts for SqliteAccounts {
    async fn create(&self, name: &Name, password: String) -> Result<Account, CreateError> {
        let stamp = new_stamp();
        let inserted: sqlx::Result<(i64,)> = sqlx::query_as(
            "INSERT INTO accounts (name, name_key, password, stamp, created_at) VALUES (?, ?, ?, ?, ?) RETURNING id",
        )
        .bind(name.as_str())
        .bind(name.key())
        .bind(&password)
        .bind(&stamp)
        .bind(now_ms())
        .fetch_one(&self.pool)
        .await;
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
            sqlx::query_as("SELECT id, name, password, stamp FROM accounts WHERE id = ?").bind(id);
        Ok(row.fetch_optional(&self.pool).await?.and_then(account))
    }

    async fn by_name(&self, name: &Name) -> sqlx::Result<Option<Account>> {
        let row =
            sqlx::query_as("SELECT id, name, password, stamp FROM accounts WHERE name_key = ?")
                .bind(name.key());
        Ok(row.fetch_optional(&self.pool).await?.and_then(account))
    }

    async fn rename(&self, id: i64, name: &Name) -> Result<(), CreateError> {
        sqlx::query("UPDATE accounts SET name = ?, name_key = ? WHERE id = ?")
            .bind(name.as_str())
            .bind(name.key())
            .bind(id)
            .execute(&self.pool)
            .await
            .map_err(|error| taken_or(error, name))?;
        Ok(())
    }

    async fn set_password(&self, id: i64, password: &str) -> sqlx::Result<()> {
        sqlx::query("UPDATE accounts SET password = ?, stamp = ? WHERE id = ?")
            .bind(password)
            .bind(new_stamp())
            .bind(id)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    async fn delete(&self, id: i64) -> sqlx::Result<()> {
        let author = PersonId::Account(id).to_string();
        let mut transaction = self.pool.begin().await?;
        sqlx::query("UPDATE messages SET author = NULL, name = ? WHERE author = ?")
            .bind(NOBODY)
            .bind(author)
            .execute(&mut *transaction)
            .await?;
        sqlx::query("DELETE FROM accounts WHERE id = ?")
            .bind(id)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await
    }
}
