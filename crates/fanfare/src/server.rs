//! Server: what all handles, sessions and tasks of one server share.

use std::{
    cell::RefCell,
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU32, AtomicUsize, Ordering},
    },
};

use fanfare_proto::engineio::Sid;
use tokio::{runtime::Handle, sync::watch};
use tokio_util::task::TaskTracker;

use crate::{
    cluster::Asker,
    config::Config,
    dialect::Dialect,
    flusher,
    head::{Alike, Head},
    metrics::Counters,
    namespaces::Namespaces,
    ranges::LatestKey,
    reason::DisconnectReason,
    recovery::Pid,
    session::{Opening, Session},
    sessions::Sessions,
    shard::Shard,
    shutdown::Phase,
    socket_id::SocketId,
};

/// One server.
pub(crate) struct Server {
    pub(crate) config: Arc<Config>,
    pub(crate) sessions: Sessions,
    pub(crate) metrics: Counters,
    shards: OnceLock<Box<[Arc<Shard>]>>,
    next_shard: AtomicUsize,
    pub(crate) namespaces: Arc<Namespaces>,
    pub(crate) cluster: Asker,
    latest_keys: Mutex<HashMap<(usize, String), LatestKey>>,
    /// Those that are not an event's for ever; see [`take_latest_key`](Self::take_latest_key).
    free_keys: Mutex<Vec<LatestKey>>,
    n_keys: AtomicU32,
    /// Rooms that the application has counted.
    pub(crate) n_counted_rooms: AtomicUsize,
    pub(crate) alike: Alike,
    /// Sessions of an address that have joined no namespace yet.
    joining: Mutex<HashMap<IpAddr, usize>>,
    pub(crate) phase: watch::Sender<Phase>,
    /// Everything that a shutdown waits for: connections and handlers.
    pub(crate) tasks: TaskTracker,
}

impl Server {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            sessions: Sessions::new(),
            metrics: Counters::default(),
            shards: OnceLock::new(),
            next_shard: AtomicUsize::new(0),
            cluster: Asker::new(
                SocketId::new(random()).as_str().into(),
                config.adapter.clone(),
            ),
            namespaces: Arc::new(Namespaces::new(
                config.recovery.clone(),
                config.adapter.clone(),
            )),
            config: Arc::new(config),
            latest_keys: Mutex::default(),
            alike: Alike::default(),
            free_keys: Mutex::default(),
            n_keys: AtomicU32::new(0),
            n_counted_rooms: AtomicUsize::new(0),
            joining: Mutex::default(),
            phase: watch::Sender::new(Phase::Serving),
            tasks: TaskTracker::new(),
        }
    }

    /// The shards; none before the first session.
    pub(crate) fn shards(&self) -> &[Arc<Shard>] {
        self.shards.get().map_or(&[], |shards| shards)
    }

    /// The server's end is so far, unless it is further.
    pub(crate) fn begin(&self, phase: Phase) {
        self.phase.send_if_modified(|reached| {
            let is_further = *reached < phase;
            *reached = phase.max(*reached);
            is_further
        });
    }

    /// Whether nobody new is let in.
    pub(crate) fn is_closing(&self) -> bool {
        *self.phase.borrow() != Phase::Serving
    }

    /// Opens a session, which is under its deadlines from here on.
    ///
    /// # Errors
    ///
    /// Why there is none.
    pub(crate) fn open_session(
        self: &Arc<Self>,
        sid: Sid,
        head: Head,
        dialect: Dialect,
        opening: Opening,
    ) -> Result<Arc<Session>, NotOpened> {
        self.begin_joining(head.remote_addr())?;
        let shards = self.shards.get_or_init(|| self.start_shards());
        let shard = &shards[self.next_shard.fetch_add(1, Ordering::Relaxed) % shards.len()];
        // Under its sid first: a shutdown that found it in its slot only would end it, and the sid
        // would stay.
        let mut is_taken = false;
        let session = shard.lock().open_slot(|slot| {
            let session = Arc::new(Session::new(
                sid,
                self.clone(),
                shard.clone(),
                slot,
                head,
                dialect,
                opening,
            ));
            is_taken = !self.sessions.insert(&session);
            session
        });
        if is_taken {
            shard.lock().free_slot(session.slot);
            self.end_joining(session.head.remote_addr());
            return Err(NotOpened::SidTaken);
        }
        if let Opening::WebSocket(form) = opening {
            session.set_form(form);
        }
        self.metrics.count_session();
        session.start();
        // A shutdown that has begun meanwhile may not have found it.
        if self.is_closing() {
            session.end(DisconnectReason::ServerShuttingDown);
        }
        Ok(session)
    }

    /// The session is over: its id means nothing from here on.
    pub(crate) fn forget(&self, session: &Session) {
        self.sessions.remove(&session.sid);
    }

    /// The session has joined a namespace, or is over.
    pub(crate) fn end_joining(&self, address: Option<SocketAddr>) {
        let Some(address) = address else { return };
        let mut joining = self.joining.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(n) = joining.get_mut(&address.ip()) {
            *n -= 1;
            if *n == 0 {
                joining.remove(&address.ip());
            }
        }
    }

    fn begin_joining(&self, address: Option<SocketAddr>) -> Result<(), NotOpened> {
        let Some(address) = address else {
            return Ok(());
        };
        let mut joining = self.joining.lock().unwrap_or_else(PoisonError::into_inner);
        let n = joining.entry(address.ip()).or_insert(0);
        if self.config.limits.max_joining_per_address <= *n {
            return Err(NotOpened::TooManyJoining);
        }
        *n += 1;
        Ok(())
    }

    fn start_shards(&self) -> Box<[Arc<Shard>]> {
        let n = Handle::current().metrics().num_workers().max(1);
        let shards: Box<[_]> = (0..n)
            .map(|_| Arc::new(Shard::new(self.metrics.holds.clone())))
            .collect();
        for shard in &shards {
            tokio::spawn(flusher::run(shard.clone()));
        }
        shards
    }

    /// The key under which receivers keep one unsent value of `event`.
    pub(crate) fn latest_key(&self, namespace: usize, event: &str) -> LatestKey {
        let mut keys = self
            .latest_keys
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let key = keys.entry((namespace, event.to_owned()));
        *key.or_insert_with(|| self.new_latest_key())
    }

    /// A key of nobody else's, until it is [given back](Self::give_latest_key_back).
    pub(crate) fn take_latest_key(&self) -> LatestKey {
        let free = self.free_keys().pop();
        free.unwrap_or_else(|| self.new_latest_key())
    }

    /// What still waits under the key may give way to what its next owner sends.
    pub(crate) fn give_latest_key_back(&self, key: LatestKey) {
        self.free_keys().push(key);
    }

    fn free_keys(&self) -> MutexGuard<'_, Vec<LatestKey>> {
        self.free_keys
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn new_latest_key(&self) -> LatestKey {
        LatestKey(self.n_keys.fetch_add(1, Ordering::Relaxed))
    }

    pub(crate) fn new_sid() -> Sid {
        Sid::new(random())
    }

    pub(crate) fn new_pid(&self) -> Pid {
        Pid::new(random())
    }

    pub(crate) fn new_socket_id(&self) -> SocketId {
        SocketId::new(random())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        for shard in self.shards() {
            shard.close();
        }
        for namespace in self.namespaces.all() {
            namespace.announcements.changed.notify_one();
            if let Some(watch) = namespace.room_watch() {
                watch.untold.end();
            }
            if let Some(watch) = namespace.user_watch() {
                watch.end();
            }
        }
    }
}

/// Why a session was not opened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum NotOpened {
    /// Its address has opened more than `max_joining_per_address` without joining.
    TooManyJoining,
    /// Another session has its id.
    SidTaken,
}

/// Bytes of the operating system, which is asked for many at once.
fn random() -> [u8; 15] {
    RANDOM.with_borrow_mut(|pool| {
        if pool.is_empty() {
            let mut bytes = [[0; 15]; IDS_AT_ONCE];
            getrandom::fill(bytes.as_flattened_mut())
                .expect("the operating system has random bytes");
            pool.extend(bytes);
        }
        pool.pop().expect("it has just been filled")
    })
}

thread_local! {
    static RANDOM: RefCell<Vec<[u8; 15]>> = const { RefCell::new(Vec::new()) };
}

/// 255 bytes: as many as Linux gives without a pause.
const IDS_AT_ONCE: usize = 17;
