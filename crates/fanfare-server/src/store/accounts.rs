//! Accounts: names with a password.

use sqlx::SqlitePool;

use super::Secret;
use crate::{clock::now_ms, names::Name, person::PersonId};

/// All accounts.
#[derive(Clone, Debug)]
pub(crate) struct Accounts {
    pool: SqlitePool,
}

/// One of them.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) id: i64,
    pub(crate) name: Name,
    /// argon2id, in the PHC string format.
    pub(crate) password: Secret<String>,
    /// A session is the account's as long as it has the same.
    pub(crate) stamp: Secret<Vec<u8>>,
}

/// Why a name was not given to an account.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CreateError {
    /// Another account has it.
    #[error("the name {0} is taken: an account has it")]
    Taken(Name),
    /// The database can't be written now.
    #[error(transparent)]
    Store(#[from] sqlx::Error),
}

impl Accounts {
    pub(super) fn new(pool: SqlitePool) -> Self {
        Self { pool }
    }

    /// Makes an account.
    ///
    /// # Errors
    ///
    /// [`CreateError`]
    pub(crate) async fn create(
        &self,
        name: &Name,
        password: String,
    ) -> Result<Account, CreateError> {
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

    /// The account of this number.
    ///
    /// # Errors
    ///
    /// If the database can't be read now; the same for all that read.
    pub(crate) async fn by_id(&self, id: i64) -> sqlx::Result<Option<Account>> {
        let row =
            sqlx::query_as("SELECT id, name, password, stamp FROM accounts WHERE id = ?").bind(id);
        Ok(row.fetch_optional(&self.pool).await?.and_then(account))
    }

    /// The account that has this name, however it is spelled.
    pub(crate) async fn by_name(&self, name: &Name) -> sqlx::Result<Option<Account>> {
        let row =
            sqlx::query_as("SELECT id, name, password, stamp FROM accounts WHERE name_key = ?")
                .bind(name.key());
        Ok(row.fetch_optional(&self.pool).await?.and_then(account))
    }

    /// Gives the account another name.
    ///
    /// # Errors
    ///
    /// [`CreateError`]
    pub(crate) async fn rename(&self, id: i64, name: &Name) -> Result<(), CreateError> {
        sqlx::query("UPDATE accounts SET name = ?, name_key = ? WHERE id = ?")
            .bind(name.as_str())
            .bind(name.key())
            .bind(id)
            .execute(&self.pool)
            .await
            .map_err(|error| taken_or(error, name))?;
        Ok(())
    }

    /// Gives the account another password; its sessions are worth nothing any more.
    ///
    /// # Errors
    ///
    /// If the database can't be written now.
    pub(crate) async fn set_password(&self, id: i64, password: &str) -> sqlx::Result<()> {
        sqlx::query("UPDATE accounts SET password = ?, stamp = ? WHERE id = ?")
            .bind(password)
            .bind(new_stamp())
            .bind(id)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Deletes the account. What it said stays, and is nobody's.
    ///
    /// # Errors
    ///
    /// If the database can't be written now.
    pub(crate) async fn delete(&self, id: i64) -> sqlx::Result<()> {
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

type Row = (i64, String, String, Vec<u8>);

fn account((id, name, password, stamp): Row) -> Option<Account> {
    // Only names are stored; one that a later version finds unfit has no account.
    let name = Name::parse(&name).ok()?;
    Some(Account {
        id,
        name,
        password: Secret(password),
        stamp: Secret(stamp),
    })
}

fn taken_or(error: sqlx::Error, name: &Name) -> CreateError {
    match error.as_database_error() {
        Some(database) if database.is_unique_violation() => CreateError::Taken(name.clone()),
        _ => CreateError::Store(error),
    }
}

fn new_stamp() -> Vec<u8> {
    let mut stamp = vec![0; 16];
    getrandom::fill(&mut stamp).expect("the system has random bytes");
    stamp
}

/// Who has said what a deleted account said.
pub(super) const NOBODY: &str = "somebody";
