//! Questions to other nodes that are not answered yet.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::{
    sync::{Notify, mpsc},
    time::{Instant, timeout_at},
};

use super::{Adapter, AskId, Message, Question, Reply};
use crate::handler::BoxFuture;

/// A server's end of its cluster.
pub(crate) struct Asker {
    node: Arc<str>,
    pub(crate) adapter: Option<Arc<dyn Adapter>>,
    waiting: Waiting,
    numbers: AtomicU64,
    /// Told whenever the count of a namespace changes that is counted over the cluster.
    pub(crate) count_changed: Arc<Notify>,
}

type Waiting = Arc<Mutex<HashMap<Arc<str>, mpsc::UnboundedSender<Reply>>>>;

/// A question that waits. Dropping it closes it.
pub(crate) struct Asking {
    adapter: Arc<dyn Adapter>,
    nsp: String,
    request: Arc<str>,
    waiting: Waiting,
    answers: mpsc::UnboundedReceiver<Reply>,
}

impl Asker {
    pub(crate) fn new(node: Arc<str>, adapter: Option<Arc<dyn Adapter>>) -> Self {
        Self {
            node,
            adapter,
            waiting: Waiting::default(),
            numbers: AtomicU64::new(0),
            count_changed: Arc::default(),
        }
    }

    pub(crate) fn node(&self) -> &Arc<str> {
        &self.node
    }

    /// What has to be waited for before anybody joins a namespace.
    pub(crate) fn listening(&self, nsp: &str) -> Option<BoxFuture<()>> {
        self.adapter.as_ref()?.listening(nsp)
    }

    /// Asks all other nodes; `None` if the server is alone.
    pub(crate) fn ask(&self, nsp: &str, question: Question) -> Option<Asking> {
        let adapter = self.adapter.clone()?;
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let request: Arc<str> = number.to_string().into();
        let (to, answers) = mpsc::unbounded_channel();
        lock(&self.waiting).insert(request.clone(), to);
        let id = AskId {
            node: self.node.clone(),
            request: request.clone(),
        };
        let nsp = nsp.to_owned();
        adapter.publish(Message::Ask {
            nsp: nsp.clone(),
            id,
            question,
        });
        Some(Asking {
            adapter,
            nsp,
            request,
            waiting: self.waiting.clone(),
            answers,
        })
    }

    /// Another node has replied.
    pub(crate) fn hear(&self, reply: Reply) {
        if reply.to.node == self.node
            && let Some(waiting) = lock(&self.waiting).get(&reply.to.request)
        {
            // Whoever waits may be about to give up.
            let _ = waiting.send(reply);
        }
    }
}

impl Asking {
    /// How many other nodes there are.
    ///
    /// # Errors
    ///
    /// Why nobody knows.
    pub(crate) async fn others(&self, until: Instant) -> Result<usize, String> {
        timeout_at(until, self.adapter.others(&self.nsp))
            .await
            .unwrap_or_else(|_| Err("nobody said in time how many nodes there are".to_owned()))
    }

    /// Names of other nodes, as far as they can be known by then.
    pub(crate) fn names(&self, until: Instant) -> impl Future<Output = Vec<Arc<str>>> + use<> {
        let names = self.adapter.names();
        async move { timeout_at(until, names).await.unwrap_or_default() }
    }

    /// The next reply, until `until`.
    pub(crate) async fn next(&mut self, until: Instant) -> Option<Reply> {
        timeout_at(until, self.answers.recv()).await.ok().flatten()
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        lock(&self.waiting).remove(&self.request);
    }
}

fn lock(
    waiting: &Mutex<HashMap<Arc<str>, mpsc::UnboundedSender<Reply>>>,
) -> MutexGuard<'_, HashMap<Arc<str>, mpsc::UnboundedSender<Reply>>> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}
