//! Messages: what was said, in the order in which it was stored.

use serde::Serialize;
use sqlx::{Connection as _, Sqlite, SqlitePool, Transaction};

use super::{accounts::NOBODY, inspect::FULL};
use crate::{clock::now_ms, names::Name, person::PersonId};

/// All messages.
#[derive(Clone, Debug)]
pub(crate) struct Messages {
    pool: SqlitePool,
    /// Whether another connection finds the same database.
    is_shared: bool,
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

impl Messages {
    pub(super) fn new(pool: SqlitePool) -> Self {
        let is_shared = 1 < pool.options().get_max_connections();
        Self { pool, is_shared }
    }

    /// Stores all of the `drafts`, or none: in their order, and for good.
    ///
    /// # Errors
    ///
    /// If the database can't be written now.
    pub(crate) async fn append(&self, drafts: &[Draft]) -> sqlx::Result<Vec<Appended>> {
        let mut connection = self.pool.acquire().await?;
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        let mut appended = Vec::with_capacity(drafts.len());
        for draft in drafts {
            appended.push(insert(&mut transaction, draft).await?);
        }
        let committed = transaction.commit().await;
        // SQLite rolls a failed commit back by itself, of which the connection's own books know nothing.
        if committed.is_err() && self.is_shared {
            connection.close_on_drop();
        }
        committed.map(|()| appended)
    }

    /// The newest ones, the oldest of them first.
    ///
    /// # Errors
    ///
    /// If the database can't be read now; the same for all that read.
    pub(crate) async fn newest(&self, limit: u32) -> sqlx::Result<Vec<Message>> {
        self.before(i64::MAX, limit).await
    }

    /// Those right before the one of this id, the oldest of them first.
    pub(crate) async fn before(&self, id: i64, limit: u32) -> sqlx::Result<Vec<Message>> {
        let rows = sqlx::query_as(
            "SELECT id, author, name, text, at FROM messages WHERE id < ? AND NOT is_deleted ORDER BY id DESC LIMIT ?",
        );
        let rows: Vec<Row> = rows.bind(id).bind(limit).fetch_all(&self.pool).await?;
        Ok(rows.into_iter().rev().map(message).collect())
    }

    /// Those right after the one of this id, the oldest of them first.
    pub(crate) async fn after(&self, id: i64, limit: u32) -> sqlx::Result<Vec<Message>> {
        let rows = sqlx::query_as(
            "SELECT id, author, name, text, at FROM messages WHERE id > ? AND NOT is_deleted ORDER BY id LIMIT ?",
        );
        let rows: Vec<Row> = rows.bind(id).bind(limit).fetch_all(&self.pool).await?;
        Ok(rows.into_iter().map(message).collect())
    }

    /// The ids from `id` on whose messages have been deleted, the newest first.
    pub(crate) async fn deleted_since(&self, id: i64, limit: u32) -> sqlx::Result<Vec<i64>> {
        let rows = sqlx::query_as(
            "SELECT id FROM messages WHERE id >= ? AND is_deleted ORDER BY id DESC LIMIT ?",
        );
        let rows: Vec<(i64,)> = rows.bind(id).bind(limit).fetch_all(&self.pool).await?;
        Ok(rows.into_iter().map(|(id,)| id).collect())
    }

    /// Deletes a message of `author`; nothing is left of its text. Whether there was one.
    ///
    /// # Errors
    ///
    /// If the database can't be written now.
    pub(crate) async fn delete(&self, id: i64, author: PersonId) -> sqlx::Result<bool> {
        let done = sqlx::query(
            "UPDATE messages SET text = '', is_deleted = 1 WHERE id = ? AND author = ? AND NOT is_deleted",
        );
        let done = done
            .bind(id)
            .bind(author.to_string())
            .execute(&self.pool)
            .await?;
        Ok(done.rows_affected() == 1)
    }
}

/// Whether nothing could be written because the database or the disk is full.
pub(crate) fn is_full(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.and_then(|code| code.parse::<u32>().ok()) == Some(FULL)
}

async fn insert(
    transaction: &mut Transaction<'_, Sqlite>,
    draft: &Draft,
) -> sqlx::Result<Appended> {
    let is_somebodys = match draft.author {
        PersonId::Account(id) => exists(transaction, id).await?,
        PersonId::Guest(_) => true,
    };
    // Said before the account was deleted, and stored after it.
    let (author, name) = match is_somebodys {
        true => (Some(draft.author.to_string()), draft.name.as_str()),
        false => (None, NOBODY),
    };
    let at = now_ms();
    let inserted: Option<(i64,)> = sqlx::query_as(
        "INSERT INTO messages (author, draft, name, text, at) VALUES (?, ?, ?, ?, ?) \
         ON CONFLICT (author, draft) DO NOTHING RETURNING id",
    )
    .bind(&author)
    .bind(&draft.key)
    .bind(name)
    .bind(&draft.text)
    .bind(at)
    .fetch_optional(&mut **transaction)
    .await?;
    if let Some((id,)) = inserted {
        return Ok(Appended::New(message((
            id,
            author,
            name.to_owned(),
            draft.text.clone(),
            at,
        ))));
    }
    let (id,): (i64,) = sqlx::query_as("SELECT id FROM messages WHERE author = ? AND draft = ?")
        .bind(&author)
        .bind(&draft.key)
        .fetch_one(&mut **transaction)
        .await?;
    Ok(Appended::Known(id))
}

async fn exists(transaction: &mut Transaction<'_, Sqlite>, account: i64) -> sqlx::Result<bool> {
    let row: Option<(i64,)> = sqlx::query_as("SELECT id FROM accounts WHERE id = ?")
        .bind(account)
        .fetch_optional(&mut **transaction)
        .await?;
    Ok(row.is_some())
}

type Row = (i64, Option<String>, String, String, i64);

fn message((id, by, name, text, at): Row) -> Message {
    Message {
        username: name.clone(),
        name,
        message: text,
        id,
        at,
        by,
    }
}
