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

use super::{Adapter, Answer, AskId, Message, Question, Reply};

/// A server's end of its cluster.
pub(crate) struct Asker {
    node: Arc<str>,
    pub(crate) adapter: Option<Arc<dyn Adapter>>,
    waiting: Waiting,
    numbers: AtomicU64,
    /// Told whenever the count of a namespace changes that is counted over the cluster.
    pub(crate) count_changed: Arc<Notify>,
}

type Waiting = Arc<Mutex<HashMap<u64, mpsc::UnboundedSender<Answer>>>>;

/// A question that waits. Dropping it closes it.
pub(crate) struct Asking {
    adapter: Arc<dyn Adapter>,
    number: u64,
    waiting: Waiting,
    answers: mpsc::UnboundedReceiver<Answer>,
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

    /// Asks all other nodes; `None` if the server is alone.
    pub(crate) fn ask(&self, nsp: &str, question: Question) -> Option<Asking> {
        let adapter = self.adapter.clone()?;
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let (to, answers) = mpsc::unbounded_channel();
        lock(&self.waiting).insert(number, to);
        let id = AskId {
            node: self.node.clone(),
            number,
        };
        let nsp = nsp.to_owned();
        adapter.publish(Message::Ask { nsp, id, question });
        Some(Asking {
            adapter,
            number,
            waiting: self.waiting.clone(),
            answers,
        })
    }

    /// Another node has replied.
    pub(crate) fn hear(&self, Reply { to, answer }: Reply) {
        if to.node == self.node
            && let Some(waiting) = lock(&self.waiting).get(&to.number)
        {
            // Whoever waits may be about to give up.
            let _ = waiting.send(answer);
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
        timeout_at(until, self.adapter.others())
            .await
            .unwrap_or_else(|_| Err("nobody said in time how many nodes there are".to_owned()))
    }

    /// The next answer, until `until`.
    pub(crate) async fn next(&mut self, until: Instant) -> Option<Answer> {
        timeout_at(until, self.answers.recv()).await.ok().flatten()
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        lock(&self.waiting).remove(&self.number);
    }
}

fn lock(
    waiting: &Mutex<HashMap<u64, mpsc::UnboundedSender<Answer>>>,
) -> MutexGuard<'_, HashMap<u64, mpsc::UnboundedSender<Answer>>> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}
