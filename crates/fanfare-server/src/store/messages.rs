//! Messages: what was said, in the order in which it was stored.

use std::{fmt, io::ErrorKind};

use async_trait::async_trait;
use serde::Serialize;

use super::{postgres, sqlite};
use crate::{names::Name, person::PersonId};

/// All messages.
///
/// Ids rise in the order in which messages can be read, whoever stores them: when one is there, no lower one comes
/// any more.
#[async_trait]
pub(crate) trait Messages: fmt::Debug + Send + Sync {
    /// Stores all of the `drafts`, or none: in their order, and for good.
    ///
    /// # Errors
    ///
    /// If the database can't be written now. Where it has not answered in time they may be stored all the same.
    async fn append(&self, drafts: &[Draft]) -> sqlx::Result<Vec<Appended>>;

    /// The newest ones, the oldest of them first.
    ///
    /// # Errors
    ///
    /// If the database can't be read now; the same for all that read.
    async fn newest(&self, limit: u32) -> sqlx::Result<Vec<Message>> {
        self.before(i64::MAX, limit).await
    }

    /// Those right before the one of this id, the oldest of them first.
    async fn before(&self, id: i64, limit: u32) -> sqlx::Result<Vec<Message>>;

    /// Those right after the one of this id, the oldest of them first.
    async fn after(&self, id: i64, limit: u32) -> sqlx::Result<Vec<Message>>;

    /// The ids from `id` on whose messages have been deleted, the newest first.
    async fn deleted_since(&self, id: i64, limit: u32) -> sqlx::Result<Vec<i64>>;

    /// Deletes a message of `author`; nothing is left of its text. Whether there was one.
    ///
    /// # Errors
    ///
    /// If the database can't be written now.
    async fn delete(&self, id: i64, author: PersonId) -> sqlx::Result<bool>;
}

/// One that is to be stored.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) author: PersonId,
    pub(crate) name: Name,
    pub(crate) text: String,
    /// The author's own mark on it.
    pub(crate) key: Option<String>,
}

/// `chat message`, as everyone gets it. The name stands under both names that the lesson's editions have for it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct Message {
    pub(crate) username: String,
    pub(crate) name: String,
    pub(crate) message: String,
    pub(crate) id: i64,
    /// Milliseconds since 1970.
    pub(crate) at: i64,
    /// Whose it is; nobody's if the account is deleted.
    pub(crate) by: Option<String>,
}

/// What became of a draft.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Appended {
    /// It is stored now.
    New(Message),
    /// The same draft was stored before, under this id.
    Known(i64),
}

impl Appended {
    pub(crate) fn id(&self) -> i64 {
        match self {
            Self::New(message) => message.id,
            Self::Known(id) => *id,
        }
    }
}

/// Whether nothing could be written because the database or the disk is full.
pub(crate) fn is_full(error: &sqlx::Error) -> bool {
    if let sqlx::Error::Io(error) = error {
        return error.kind() == ErrorKind::StorageFull;
    }
    let code = error.as_database_error().and_then(|error| error.code());
    code.is_some_and(|code| sqlite::is_full(&code) || postgres::is_full(&code))
}

pub(super) type Row = (i64, Option<String>, String, String, i64);

pub(super) fn message((id, by, name, text, at): Row) -> Message {
    Message {
        username: name.clone(),
        name,
        message: text,
        id,
        at,
        by,
    }
}
