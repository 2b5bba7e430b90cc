//! Messages, in PostgreSQL, which several nodes may store at once.
//!
//! Whoever stores takes a lock first, which ends with the transaction, once all can see what it did. So ids, which are
//! given under the lock, rise in the order in which messages become visible: no lower one comes late.

use std::io::ErrorKind;

use async_trait::async_trait;
use sqlx::{Connection as _, PgConnection, PgPool, Postgres as Pg, Transaction};

use super::{Postgres, in_time, news::CHANNEL, settle};
use crate::{
    person::PersonId,
    store::{
        Appended, Draft, Message, Messages,
        accounts::NOBODY,
        messages::{Row, message},
    },
};

#[derive(Clone, Debug)]
pub(crate) struct PgMessages {
    pool: PgPool,
    max_bytes: u64,
}

impl PgMessages {
    pub(in crate::store) fn new(postgres: &Postgres) -> Self {
        Self {
            pool: postgres.pool.clone(),
            max_bytes: postgres.max_bytes,
        }
    }
}

#[async_trait]
impl Messages for PgMessages {
    async fn append(&self, drafts: &[Draft]) -> sqlx::Result<Vec<Appended>> {
        let mut connection = self.pool.acquire().await?;
        let appended = in_time(append(&mut connection, drafts, self.max_bytes)).await;
        settle(&mut connection, appended)
    }

    async fn before(&self, id: i64, limit: u32) -> sqlx::Result<Vec<Message>> {
        let rows = sqlx::query_as(
            "SELECT id, author, name, text, at FROM messages \
             WHERE id < $1 AND deletion IS NULL ORDER BY id DESC LIMIT $2",
        )
        .bind(id)
        .bind(i64::from(limit))
        .fetch_all(&self.pool);
        let rows: Vec<Row> = in_time(rows).await?;
        Ok(rows.into_iter().rev().map(message).collect())
    }

    async fn after(&self, id: i64, limit: u32) -> sqlx::Result<Vec<Message>> {
        let rows = sqlx::query_as(
            "SELECT id, author, name, text, at FROM messages \
             WHERE id > $1 AND deletion IS NULL ORDER BY id LIMIT $2",
        )
        .bind(id)
        .bind(i64::from(limit))
        .fetch_all(&self.pool);
        let rows: Vec<Row> = in_time(rows).await?;
        Ok(rows.into_iter().map(message).collect())
    }

    async fn deleted_since(&self, id: i64, limit: u32) -> sqlx::Result<Vec<i64>> {
        let rows = sqlx::query_as(
            "SELECT id FROM messages WHERE id >= $1 AND deletion IS NOT NULL ORDER BY id DESC LIMIT $2",
        )
        .bind(id)
        .bind(i64::from(limit))
        .fetch_all(&self.pool);
        let rows: Vec<(i64,)> = in_time(rows).await?;
        Ok(rows.into_iter().map(|(id,)| id).collect())
    }

    async fn delete(&self, id: i64, author: PersonId) -> sqlx::Result<bool> {
        let mut connection = self.pool.acquire().await?;
        let deleted = in_time(delete(&mut connection, id, author)).await;
        settle(&mut connection, deleted)
    }
}

async fn append(
    connection: &mut PgConnection,
    drafts: &[Draft],
    max_bytes: u64,
) -> sqlx::Result<Vec<Appended>> {
    let mut transaction = begin(connection).await?;
    if max_bytes < take_turn(&mut transaction).await? {
        return Err(sqlx::Error::Io(ErrorKind::StorageFull.into()));
    }
    let signed = sign(&mut transaction, drafts).await?;
    let ids = next_ids(&mut transaction, drafts.len()).await?;
    let inserted = insert(&mut transaction, &ids, &signed, drafts).await?;
    let mut appended = Vec::with_capacity(drafts.len());
    for ((id, (author, name)), draft) in ids.into_iter().zip(signed).zip(drafts) {
        appended.push(match inserted.iter().find(|(new, _)| *new == id) {
            Some((_, at)) => {
                let row = (id, author, name.to_owned(), draft.text.clone(), *at);
                Appended::New(message(row))
            }
            None => Appended::Known(known(&mut transaction, author, draft).await?),
        });
    }
    transaction.commit().await?;
    Ok(appended)
}

async fn delete(connection: &mut PgConnection, id: i64, author: PersonId) -> sqlx::Result<bool> {
    let mut transaction = begin(connection).await?;
    take_turn(&mut transaction).await?;
    let done = sqlx::query(
        "UPDATE messages SET text = '', deletion = nextval('deletions') \
         WHERE id = $1 AND author = $2 AND deletion IS NULL",
    )
    .bind(id)
    .bind(author.to_string())
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(done.rows_affected() == 1)
}

/// Each statement sees what was there when it began, so what follows the lock sees all that was done under it before.
async fn begin(connection: &mut PgConnection) -> sqlx::Result<Transaction<'_, Pg>> {
    connection
        .begin_with("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE")
        .await
}

/// Waits until nobody else stores, and lets all nodes know once this is stored. Gives the size of all messages.
///
/// What is acknowledged outlives a power cut, also on a server that is set to be less careful.
async fn take_turn(transaction: &mut Transaction<'_, Pg>) -> sqlx::Result<u64> {
    sqlx::query("SELECT pg_advisory_xact_lock($1)")
        .bind(LOCK)
        .execute(&mut **transaction)
        .await?;
    let (bytes,): (i64,) = sqlx::query_as(
        "SELECT pg_total_relation_size('messages') FROM pg_notify($1, ''), \
         set_config('synchronous_commit', CASE current_setting('synchronous_commit') \
                    WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, true)",
    )
    .bind(CHANNEL)
    .fetch_one(&mut **transaction)
    .await?;
    Ok(u64::try_from(bytes).unwrap_or_default())
}

/// Whose the drafts are, and under which name: nobody's if the account was deleted since they were said. Those that
/// are there can't be deleted before the end of the transaction.
async fn sign<'a>(
    transaction: &mut Transaction<'_, Pg>,
    drafts: &'a [Draft],
) -> sqlx::Result<Vec<(Option<String>, &'a str)>> {
    let accounts = drafts.iter().filter_map(|draft| match draft.author {
        PersonId::Account(id) => Some(id),
        PersonId::Guest(_) => None,
    });
    let there: Vec<(i64,)> =
        sqlx::query_as("SELECT id FROM accounts WHERE id = ANY($1) ORDER BY id FOR KEY SHARE")
            .bind(accounts.collect::<Vec<_>>())
            .fetch_all(&mut **transaction)
            .await?;
    let is_somebodys = |author| match author {
        PersonId::Account(id) => there.contains(&(id,)),
        PersonId::Guest(_) => true,
    };
    let signed = drafts.iter().map(|draft| match is_somebodys(draft.author) {
        true => (Some(draft.author.to_string()), draft.name.as_str()),
        false => (None, NOBODY),
    });
    Ok(signed.collect())
}

/// So many ids, rising. Those that are not used after all are left out.
async fn next_ids(transaction: &mut Transaction<'_, Pg>, n: usize) -> sqlx::Result<Vec<i64>> {
    let ids = sqlx::query_as(
        "SELECT nextval(pg_get_serial_sequence('messages', 'id')) FROM generate_series(1, $1)",
    );
    let ids: Vec<(i64,)> = ids
        .bind(i64::try_from(n).unwrap_or(i64::MAX))
        .fetch_all(&mut **transaction)
        .await?;
    let mut ids: Vec<_> = ids.into_iter().map(|(id,)| id).collect();
    ids.sort_unstable();
    Ok(ids)
}

/// Stores what is not there yet; gives the ids of that, and when it was.
async fn insert(
    transaction: &mut Transaction<'_, Pg>,
    ids: &[i64],
    signed: &[(Option<String>, &str)],
    drafts: &[Draft],
) -> sqlx::Result<Vec<(i64, i64)>> {
    let (authors, names): (Vec<_>, Vec<_>) = signed
        .iter()
        .map(|(author, name)| (author.as_deref(), *name))
        .unzip();
    let keys: Vec<_> = drafts
        .iter()
        .map(|draft| draft.key.as_ref().map(String::as_bytes))
        .collect();
    let texts: Vec<_> = drafts.iter().map(|draft| &*draft.text).collect();
    sqlx::query_as(
        "INSERT INTO messages (id, author, draft, name, text, at) \
         SELECT id, author, draft, name, text, (extract(epoch FROM clock_timestamp()) * 1000)::bigint \
         FROM unnest($1::bigint[], $2::text[], $3::bytea[], $4::text[], $5::text[]) \
              AS said (id, author, draft, name, text) \
         ON CONFLICT (author, draft) DO NOTHING RETURNING id, at",
    )
    .bind(ids)
    .bind(authors)
    .bind(keys)
    .bind(names)
    .bind(texts)
    .fetch_all(&mut **transaction)
    .await
}

/// The id under which the same draft is stored.
async fn known(
    transaction: &mut Transaction<'_, Pg>,
    author: Option<String>,
    draft: &Draft,
) -> sqlx::Result<i64> {
    let (id,) = sqlx::query_as("SELECT id FROM messages WHERE author = $1 AND draft = $2")
        .bind(author)
        .bind(draft.key.as_ref().map(String::as_bytes))
        .fetch_one(&mut **transaction)
        .await?;
    Ok(id)
}

/// Names the lock among those of the database: "fanf", and a number.
const LOCK: i64 = 0x6661_6e66_0000_0001;
