//! Sessions, in Redis. The store that tower-sessions names for it uses another client of Redis, whose releases have
//! ended; this is all of it.

use async_trait::async_trait;
use redis::{RedisError, cmd};
use tower_sessions::{
    SessionStore,
    session::{Id, Record},
    session_store::{Error, Result},
};

use super::Broker;

/// A key each, which Redis forgets by itself when the session has expired.
#[derive(Clone, Debug)]
pub(crate) struct RedisSessions {
    broker: Broker,
}

impl RedisSessions {
    pub(crate) fn new(broker: Broker) -> Self {
        Self { broker }
    }

    /// Writes a session, if there is one or none of this id, as `condition` says it. Whether it did.
    async fn set(&self, record: &Record, condition: &'static str) -> Result<bool> {
        let data = rmp_serde::to_vec(record).map_err(|error| Error::Encode(error.to_string()))?;
        let expiry = record.expiry_date.unix_timestamp_nanos() / 1_000_000;
        let mut set = cmd("SET");
        set.arg(key(&record.id)).arg(data).arg(condition);
        // Redis takes no time before the first moment; a session that expired then has expired now.
        set.arg("PXAT")
            .arg(i64::try_from(expiry.max(1)).unwrap_or(i64::MAX));
        let asked = self.broker.ask(async |redis| set.query_async(redis).await);
        let answer: Option<()> = asked.await.map_err(|error| backend(&error))?;
        Ok(answer.is_some())
    }
}

#[async_trait]
impl SessionStore for RedisSessions {
    async fn create(&self, record: &mut Record) -> Result<()> {
        while !self.set(record, "NX").await? {
            record.id = Id::default();
        }
        Ok(())
    }

    /// A request that began before a session ended must not bring it back.
    async fn save(&self, record: &Record) -> Result<()> {
        self.set(record, "XX").await.map(drop)
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        let get = cmd("GET").arg(key(id)).take();
        let asked = self.broker.ask(async |redis| get.query_async(redis).await);
        let data: Option<Vec<u8>> = asked.await.map_err(|error| backend(&error))?;
        data.map(|data| rmp_serde::from_slice(&data))
            .transpose()
            .map_err(|error| Error::Decode(error.to_string()))
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        let delete = cmd("DEL").arg(key(id)).take();
        let asked = self
            .broker
            .ask(async |redis| delete.query_async(redis).await);
        let _: u64 = asked.await.map_err(|error| backend(&error))?;
        Ok(())
    }
}

fn key(id: &Id) -> String {
    format!("fanfare:session:{id}")
}

fn backend(error: &RedisError) -> Error {
    Error::Backend(error.to_string())
}
