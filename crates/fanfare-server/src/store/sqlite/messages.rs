//! Messages, in SQLite.

use async_trait::async_trait;
use sqlx::{Connection as _, Sqlite, SqlitePool, Transaction};

use crate::{
    clock::now_ms,
    person::PersonId,
    store::{
        Appended, Draft, Message, Messages,
        accounts::NOBODY,
        messages::{Row, message},
    },
};

#[derive(Clone, Debug)]
pub(crate) struct SqliteMessages {
    pool: SqlitePool,
    /// Whether another connection finds the same database.
    is_shared: bool,
}

impl SqliteMessages {
    pub(crate) fn new(pool: SqlitePool) -> Self {
        let is_shared = 1 < pool.options().get_max_connections();
        Self { pool, is_shared }
    }
}

#[async_trait]
impl Messages for SqliteMessages {
    async fn append(&self, drafts: &[Draft]) -> sqlx::Result<Vec<Appended>> {
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

    async fn before(&self, id: i64, limit: u32) -> sqlx::Result<Vec<Message>> {
        let rows = sqlx::query_as(
            "SELECT id, author, name, text, at FROM messages WHERE id < ? AND NOT is_deleted ORDER BY id DESC LIMIT ?",
        );
        let rows: Vec<Row> = rows.bind(id).bind(limit).fetch_all(&self.pool).await?;
        Ok(rows.into_iter().rev().map(message).collect())
    }

    async fn after(&self, id: i64, limit: u32) -> sqlx::Result<Vec<Message>> {
        let rows = sqlx::query_as(
            "SELECT id, author, name, text, at FROM messages WHERE id > ? AND NOT is_deleted ORDER BY id LIMIT ?",
        );
        let rows: Vec<Row> = rows.bind(id).bind(limit).fetch_all(&self.pool).await?;
        Ok(rows.into_iter().map(message).collect())
    }

    async fn deleted_since(&self, id: i64, limit: u32) -> sqlx::Result<Vec<i64>> {
        let rows = sqlx::query_as(
            "SELECT id FROM messages WHERE id >= ? AND is_deleted ORDER BY id DESC LIMIT ?",
        );
        let rows: Vec<(i64,)> = rows.bind(id).bind(limit).fetch_all(&self.pool).await?;
        Ok(rows.into_iter().map(|(id,)| id).collect())
    }

    async fn delete(&self, id: i64, author: PersonId) -> sqlx::Result<bool> {
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
