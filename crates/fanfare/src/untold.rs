//! What has happened and listeners have yet to be told: in its order, by one task, and never under a lock.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::{runtime::Handle, sync::Notify};

use crate::{io::Io, namespace::Namespace, server::Server};

/// A queue of what listeners have yet to be told.
pub(crate) struct Untold<T> {
    queue: Mutex<VecDeque<T>>,
    changed: Arc<Notify>,
    is_running: AtomicBool,
}

/// Is told of one thing.
pub(crate) type Listener<T> = Box<dyn Fn(Io, &T) + Send>;

/// What is told, where it is kept, and who is told it.
pub(crate) trait Tell: Sized + Send + 'static {
    /// The namespace's queue; `None` if it keeps none.
    fn untold(namespace: &Namespace) -> Option<&Untold<Self>>;

    /// Who listens.
    fn listeners(io: &Io) -> Vec<Listener<Self>>;
}

impl<T> Default for Untold<T> {
    fn default() -> Self {
        Self {
            queue: Mutex::default(),
            changed: Arc::default(),
            is_running: AtomicBool::default(),
        }
    }
}

impl<T: Tell> Untold<T> {
    pub(crate) fn push(&self, what: T) {
        self.lock().push_back(what);
        self.changed.notify_one();
    }

    /// Has listeners told from here on, if a runtime is there; else whoever comes next does.
    pub(crate) fn start(&self, server: &Arc<Server>, namespace: &Arc<Namespace>) {
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        if !self.is_running.swap(true, Ordering::AcqRel) {
            let (server, namespace) = (Arc::downgrade(server), Arc::downgrade(namespace));
            runtime.spawn(tell::<T>(server, namespace, self.changed.clone()));
        }
    }

    /// Nobody is there to be told any more.
    pub(crate) fn end(&self) {
        self.changed.notify_one();
    }

    fn next(&self) -> Option<T> {
        let mut queue = self.lock();
        let next = queue.pop_front();
        if next.is_none() {
            *queue = VecDeque::new();
        }
        next
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<T>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells listeners what has happened, in its order, until the namespace or the server is gone.
async fn tell<T: Tell>(server: Weak<Server>, namespace: Weak<Namespace>, changed: Arc<Notify>) {
    loop {
        let (Some(server), Some(namespace)) = (server.upgrade(), namespace.upgrade()) else {
            return;
        };
        let io = Io::new_in(server, namespace);
        while let Some(what) = T::untold(io.namespace()).and_then(Untold::next) {
            for listener in T::listeners(&io) {
                let told = || listener(io.clone(), &what);
                if catch_unwind(AssertUnwindSafe(told)).is_err() {
                    tracing::error!(nsp = io.nsp(), "a listener panicked");
                }
            }
            tokio::task::consume_budget().await;
        }
        drop(io);
        changed.notified().await;
    }
}
