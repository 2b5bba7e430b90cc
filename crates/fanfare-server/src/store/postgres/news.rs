//! News: what any node has stored, read in its order; and the bell that rings when there is some.

use std::time::Duration;

use sqlx::{PgPool, postgres::PgListener};
use tokio::time::{sleep, timeout};

use super::in_time;
use crate::store::{
    Message,
    messages::{Row, message},
};

/// Up to where everything is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    message: i64,
    deletion: i64,
}

impl Mark {
    pub(super) async fn now(pool: &PgPool) -> sqlx::Result<Self> {
        let newest =
            sqlx::query_as("SELECT coalesce(max(id), 0), coalesce(max(deletion), 0) FROM messages");
        let (message, deletion) = in_time(newest.fetch_one(pool)).await?;
        Ok(Self { message, deletion })
    }
}

/// Reads what is new, whoever stored it.
#[derive(Debug)]
pub(crate) struct News {
    pool: PgPool,
    mark: Mark,
    is_failing: bool,
}

/// Some of what is new: messages by rising ids, then which are deleted, in the order in which they were.
#[derive(Debug, Default)]
pub(crate) struct Fresh {
    pub(crate) messages: Vec<Message>,
    pub(crate) deleted: Vec<i64>,
}

impl Fresh {
    pub(crate) fn is_empty(&self) -> bool {
        self.messages.is_empty() && self.deleted.is_empty()
    }
}

impl News {
    pub(super) fn after(pool: PgPool, mark: Mark) -> Self {
        Self {
            pool,
            mark,
            is_failing: false,
        }
    }

    /// Reads on from where the last call ended; gives nothing when all is known. A message that is deleted already is
    /// only told of as such.
    ///
    /// # Errors
    ///
    /// If the database can't be read now; nothing is passed over then.
    pub(crate) async fn take(&mut self) -> sqlx::Result<Fresh> {
        let taken = self.read_on().await;
        if let Err(error) = &taken
            && !self.is_failing
        {
            // The first of a row: it is tried again and again.
            tracing::warn!(%error, "what other nodes store can't be read");
        }
        self.is_failing = taken.is_err();
        taken
    }

    async fn read_on(&mut self) -> sqlx::Result<Fresh> {
        let messages = sqlx::query_as(
            "SELECT id, author, name, text, at FROM messages \
             WHERE id > $1 AND deletion IS NULL ORDER BY id LIMIT $2",
        )
        .bind(self.mark.message)
        .bind(MAX_TAKEN)
        .fetch_all(&self.pool);
        let messages: Vec<Row> = in_time(messages).await?;
        let deleted = sqlx::query_as(
            "SELECT deletion, id FROM messages WHERE deletion > $1 ORDER BY deletion LIMIT $2",
        )
        .bind(self.mark.deletion)
        .bind(MAX_TAKEN)
        .fetch_all(&self.pool);
        let deleted: Vec<(i64, i64)> = in_time(deleted).await?;
        if let Some((newest, ..)) = messages.last() {
            self.mark.message = *newest;
        }
        if let Some((newest, _)) = deleted.last() {
            self.mark.deletion = *newest;
        }
        Ok(Fresh {
            messages: messages.into_iter().map(message).collect(),
            deleted: deleted.into_iter().map(|(_, id)| id).collect(),
        })
    }
}

/// Rings when there may be news. It may ring for nothing, and is never silent for long.
#[derive(Debug)]
pub(crate) struct Bell {
    pool: PgPool,
    listener: Option<PgListener>,
}

impl Bell {
    pub(super) fn new(pool: PgPool) -> Self {
        Self {
            pool,
            listener: None,
        }
    }

    /// Waits until it rings.
    pub(crate) async fn rung(&mut self) {
        if let Err(error) = self.listen().await {
            tracing::debug!(%error, "nobody tells what other nodes store");
            self.listener = None;
            sleep(PAUSE).await;
        }
    }

    async fn listen(&mut self) -> sqlx::Result<()> {
        let Some(listener) = &mut self.listener else {
            let mut listener = in_time(PgListener::connect_with(&self.pool)).await?;
            in_time(listener.listen(CHANNEL)).await?;
            self.listener = Some(listener);
            // What came before nobody heard.
            return Ok(());
        };
        match timeout(LONGEST_SILENCE, listener.try_recv()).await {
            // Of a lost connection it is told, too, once there is another.
            Ok(heard) => drop(heard?),
            // The server may be gone without a word.
            Err(_) => self.listener = None,
        }
        Ok(())
    }
}

/// Where the database tells of what has been stored.
pub(super) const CHANNEL: &str = "fanfare_messages";

/// Messages read at once.
const MAX_TAKEN: i64 = 256;

/// After this, the connection is made anew.
const LONGEST_SILENCE: Duration = Duration::from_secs(15);

/// Between two attempts to reach a server that is away.
const PAUSE: Duration = Duration::from_secs(1);
