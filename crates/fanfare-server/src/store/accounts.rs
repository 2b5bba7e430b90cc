//! Accounts: names with a password.

use std::fmt;

use async_trait::async_trait;

use super::Secret;
use crate::names::Name;

/// All accounts.
#[async_trait]
pub(crate) trait Accounts: fmt::Debug + Send + Sync {
    /// Makes an account.
    ///
    /// # Errors
    ///
    /// [`CreateError`]
    async fn create(&self, name: &Name, password: String) -> Result<Account, CreateError>;

    /// The account of this number.
    ///
    /// # Errors
    ///
    /// If the database can't be read now; the same for all that read.
    async fn by_id(&self, id: i64) -> sqlx::Result<Option<Account>>;

    /// The account that has this name, however it is spelled.
    async fn by_name(&self, name: &Name) -> sqlx::Result<Option<Account>>;

    /// Gives the account another name.
    ///
    /// # Errors
    ///
    /// [`CreateError`]
    async fn rename(&self, id: i64, name: &Name) -> Result<(), CreateError>;

    /// Gives the account another password; its sessions are worth nothing any more.
    ///
    /// # Errors
    ///
    /// If the database can't be written now.
    async fn set_password(&self, id: i64, password: &str) -> sqlx::Result<()>;

    /// Deletes the account. What it said stays, and is nobody's.
    ///
    /// # Errors
    ///
    /// If the database can't be written now.
    async fn delete(&self, id: i64) -> sqlx::Result<()>;
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

pub(super) type Row = (i64, String, String, Vec<u8>);

pub(super) fn account((id, name, password, stamp): Row) -> Option<Account> {
    // Only names are stored; one that a later version finds unfit has no account.
    let name = Name::parse(&name).ok()?;
    Some(Account {
        id,
        name,
        password: Secret(password),
        stamp: Secret(stamp),
    })
}

pub(super) fn taken_or(error: sqlx::Error, name: &Name) -> CreateError {
    match error.as_database_error() {
        Some(database) if database.is_unique_violation() => CreateError::Taken(name.clone()),
        _ => CreateError::Store(error),
    }
}

pub(super) fn new_stamp() -> Vec<u8> {
    let mut stamp = vec![0; 16];
    getrandom::fill(&mut stamp).expect("the system has random bytes");
    stamp
}

/// Who has said what a deleted account said.
pub(super) const NOBODY: &str = "somebody";
