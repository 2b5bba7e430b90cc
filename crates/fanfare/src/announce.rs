//! Announcements: the count, kept by the server and pushed to everyone, at a rate with a bound.

use std::{
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use fanfare_proto::socketio::Nsp;
use futures_util::FutureExt as _;
use smallvec::SmallVec;
use tokio::{
    sync::Notify,
    time::{Instant, sleep},
};

use crate::{
    book::Count,
    cluster::Census,
    emitted::EmitError,
    frame::Encoded,
    io::Io,
    namespace::Namespace,
    pace::{Pace, Turn},
    ranges::{Keep, LatestKey},
    recovery::Trailer,
    server::Server,
    socket::Socket,
    socket_id::SocketId,
};

/// What a namespace tells about its count.
#[derive(Default)]
pub(crate) struct Announcements {
    /// Somebody joined or left.
    pub(crate) changed: Arc<Notify>,
    is_running: AtomicBool,
    events: Mutex<Vec<Arc<Announcement>>>,
    listeners: Mutex<Vec<Listener>>,
}

/// Makes the frames that tell the namespace of this name of the count.
pub(crate) type Encode =
    Arc<dyn Fn(&Nsp, Trailer, Count) -> Result<Vec<u8>, EmitError> + Send + Sync>;
pub(crate) type Listener = Arc<dyn Fn(Io, Count) + Send + Sync>;

/// One event that carries the count.
struct Announcement {
    event: Box<str>,
    latest: LatestKey,
    encode: Encode,
    /// Locked under the namespace's order.
    sent: Mutex<Sent>,
}

/// Which versions of the count have been sent. A receiver is never sent an older one than it has.
#[derive(Default)]
struct Sent {
    /// To everyone.
    pushed: u64,
    /// To the newcomers named, as their first.
    greeted: u64,
    newcomers: SmallVec<[SocketId; 1]>,
}

impl Announcements {
    pub(crate) fn add_event(&self, event: &str, latest: LatestKey, encode: Encode) {
        let announcement = Announcement {
            event: event.into(),
            latest,
            encode,
            sent: Mutex::default(),
        };
        self.events
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Arc::new(announcement));
        self.changed.notify_one();
    }

    pub(crate) fn add_listener(&self, listener: Listener) {
        self.listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(listener);
        self.changed.notify_one();
    }

    /// The same announcements for another namespace, which nobody has been told of yet.
    pub(crate) fn copied(&self, latest_key: impl Fn(&str) -> LatestKey) -> Self {
        let copy = Self {
            listeners: Mutex::new(self.listeners()),
            ..Self::default()
        };
        for announcement in self.events() {
            let Announcement { event, encode, .. } = &*announcement;
            copy.add_event(event, latest_key(event), encode.clone());
        }
        copy
    }

    fn events(&self) -> Vec<Arc<Announcement>> {
        self.events
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn has_listeners(&self) -> bool {
        let listeners = self.listeners.lock();
        !listeners.unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    fn listeners(&self) -> Vec<Listener> {
        self.listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Namespace {
    /// Tells a newcomer the count at once, and everyone else as soon as the rate allows.
    pub(crate) fn greet(self: &Arc<Self>, socket: &Socket) {
        let events = self.announcements.events();
        let server = &socket.session().server;
        if server.cluster.adapter.is_some()
            && (!events.is_empty() || self.announcements.has_listeners())
        {
            self.count_everywhere(server);
        }
        for announcement in events {
            announcement.greet(self, socket);
        }
        if !self.announcements.is_running.swap(true, Ordering::AcqRel) {
            let server = Arc::downgrade(&socket.session().server);
            let changed = self.announcements.changed.clone();
            tokio::spawn(run(server, Arc::downgrade(self), changed));
        }
        self.announcements.changed.notify_one();
        if let Some(watch) = self.user_watch() {
            self.count_everywhere(&socket.session().server);
            watch.start(&socket.session().server, self);
        }
        if let Some(watch) = self.room_watch() {
            watch.untold.start(&socket.session().server, self);
        }
    }

    /// Pushes the count to all who do not know it, and tells the listeners.
    fn tell_count(self: &Arc<Self>, server: &Arc<Server>) {
        for announcement in self.announcements.events() {
            announcement.push(self, server);
        }
        let io = Io::new_in(server.clone(), self.clone());
        for listener in self.announcements.listeners() {
            let told = || listener(io.clone(), self.count());
            if catch_unwind(AssertUnwindSafe(told)).is_err() {
                tracing::error!("a listener to the count panicked");
            }
        }
    }

    /// Whether nobody is to be told the count now.
    fn hides_count(&self) -> bool {
        self.census().is_some_and(Census::is_hidden)
    }

    /// The count, and how often it had changed by then.
    fn versioned_count(&self) -> (u64, Count) {
        let order = self.order();
        (order.version, self.count())
    }
}

/// Tells of the count whenever it has changed, until the namespace or the server is gone.
async fn run(server: Weak<Server>, namespace: Weak<Namespace>, changed: Arc<Notify>) {
    let (mut pace, mut seen) = (Pace::default(), None);
    loop {
        changed.notified().await;
        loop {
            let (Some(server), Some(namespace)) = (server.upgrade(), namespace.upgrade()) else {
                return;
            };
            // What is told from here on.
            let _ = changed.notified().now_or_never();
            let version = Some(namespace.order().version);
            let has_moved = mem::replace(&mut seen, version) != version;
            match pace.turn(Instant::now(), pause(&server), has_moved) {
                Turn::Now => {
                    namespace.tell_count(&server);
                    break;
                }
                Turn::Wait(wait) => {
                    drop((namespace, server));
                    sleep(wait).await;
                }
            }
        }
    }
}

/// Between two pushes: longer where writing to everyone takes long.
pub(crate) fn pause(server: &Server) -> Duration {
    let passes = server.shards().iter().map(|shard| shard.last_pass());
    PUSH_INTERVAL.max(2 * passes.max().unwrap_or_default())
}

impl Announcement {
    fn greet(&self, namespace: &Namespace, socket: &Socket) {
        if namespace.hides_count() {
            return;
        }
        let (version, count) = namespace.versioned_count();
        let Some(frames) = self.encode(namespace, count) else {
            return;
        };
        let order = namespace.order();
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        // Since it joined, everyone has been told something newer: so has the newcomer.
        if version < sent.pushed {
            return;
        }
        if sent.greeted < version {
            sent.greeted = version;
            sent.newcomers.clear();
        }
        if sent.greeted == version {
            sent.newcomers.push(socket.id());
        }
        drop(sent);
        namespace.send_in(order, socket, &frames, self.latest);
    }

    /// Tells everyone who does not know it already. A value that has become older than a newcomer, or
    /// than what one was told, is thrown away for one that is not.
    fn push(&self, namespace: &Namespace, server: &Server) {
        loop {
            let (version, count) = namespace.versioned_count();
            // Everyone leaves now: pages keep the last number that was true.
            if server.is_closing() || namespace.hides_count() {
                return;
            }
            let Some(frames) = self.encode(namespace, count) else {
                return;
            };
            let order = namespace.order();
            let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
            if version <= sent.pushed {
                return;
            }
            if version < sent.greeted.max(order.newcomer) {
                continue;
            }
            let knowing = if sent.greeted == version {
                &sent.newcomers[..]
            } else {
                &[]
            };
            let select = Namespace::all_but(knowing);
            sent.pushed = version;
            drop(sent);
            drop(namespace.broadcast_in(
                order,
                server.shards(),
                Encoded::plain(&frames),
                &select,
                Keep::Latest(self.latest),
            ));
            return;
        }
    }

    fn encode(&self, namespace: &Namespace, count: Count) -> Option<Vec<u8>> {
        let trailer = namespace.trailer(Keep::Latest(self.latest));
        let encode = || (self.encode)(&namespace.nsp, trailer, count);
        match catch_unwind(AssertUnwindSafe(encode)) {
            Ok(Ok(frames)) => Some(frames),
            Ok(Err(error)) => {
                tracing::error!(%error, "the count was not announced");
                None
            }
            Err(_) => {
                tracing::error!("what shows the count panicked");
                None
            }
        }
    }
}

/// Between two pushes: four a second, which the eye takes for at once.
const PUSH_INTERVAL: Duration = Duration::from_millis(250);
