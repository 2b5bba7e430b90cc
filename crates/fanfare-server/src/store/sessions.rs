//! Sessions: wherever they are kept, what has ended is not saved again.

use std::sync::Arc;

use async_trait::async_trait;
use tower_sessions::{
    SessionStore,
    session::{Id, Record},
    session_store::Result,
};

/// All sessions. Unlike a plain [`SessionStore`], it never brings back what has ended: a request that began before a
/// session ended may save it afterwards.
#[derive(Clone, Debug)]
pub(crate) struct Sessions(Arc<dyn SessionStore>);

impl Sessions {
    pub(super) fn new(store: impl SessionStore) -> Self {
        Self(Arc::new(store))
    }
}

#[async_trait]
impl SessionStore for Sessions {
    async fn create(&self, record: &mut Record) -> Result<()> {
        self.0.create(record).await
    }

    async fn save(&self, record: &Record) -> Result<()> {
        self.0.save(record).await
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        self.0.load(id).await
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        self.0.delete(id).await
    }
}
