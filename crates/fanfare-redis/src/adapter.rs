//! RedisAdapter: a server's end of a cluster over Redis.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, atomic::Ordering},
    time::Duration,
};

use fanfare::{Adapter, BoxFuture, Counted, Message, Node, Reply, Targets, WhenUnreachable};
use redis::{Client, TlsCertificates, from_redis_value};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use tokio::{task::JoinHandle, time::timeout};
use tracing::{debug, warn};

use crate::{
    count::{ADMIN, Census, Names, Settings},
    lane::{Lane, Parcel},
    link::{Ear, Group, GroupId, Link, Name, State},
    metrics::Metrics,
    publisher::{self, Sent},
    wire::{Channels, Inbound, Responses, Source, Wire},
};

/// Makes a server one of the nodes of a cluster, beside other servers of fanfare and of
/// `@socket.io/redis-adapter`, over Redis or Valkey. See the crate's own page.
///
/// One is for one server.
pub struct RedisAdapter {
    client: Client,
    prefix: String,
    requests_timeout: Duration,
    max_backlog_bytes: usize,
    responses: Responses,
    counting: Settings,
    running: OnceLock<Running>,
}

/// What there is once the server is.
struct Running {
    node: Node,
    wire: Wire,
    link: Link,
    lane: Arc<Lane>,
    sent: Arc<Sent>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    /// The count, and its task.
    census: Mutex<Option<(Census, JoinHandle<()>)>>,
    namespaces: Mutex<HashMap<String, Joined>>,
}

/// A namespace that the server has.
struct Joined {
    /// How many of the name there are: an old one may end after a new one has been made.
    n: usize,
    group: GroupId,
}

impl RedisAdapter {
    /// An adapter for the Redis at `url`: `redis://[user:password@]host[:port][/database]`, or `rediss://` for TLS
    /// with whom the system trusts, or the file that the environment names as `SSL_CERT_FILE`. It connects once a server has it.
    ///
    /// # Errors
    ///
    /// [`BadUrl`] if `url` is none.
    pub fn new(url: &str) -> Result<Self, BadUrl> {
        let client = Client::open(url).map_err(|error| BadUrl {
            why: error.to_string(),
        })?;
        Ok(Self {
            client,
            prefix: "socket.io".to_owned(),
            requests_timeout: Duration::from_secs(5),
            max_backlog_bytes: 16 << 20,
            responses: Responses::Shared,
            counting: Settings::default(),
            running: OnceLock::new(),
        })
    }

    /// Trusts the certificates in `roots`, a PEM text, and nobody else, to be a Redis over TLS.
    ///
    /// # Errors
    ///
    /// [`BadRoots`] if the URL is not one of `rediss://`, or `roots` holds no certificate.
    pub fn trusting(self, roots: impl Into<Vec<u8>>) -> Result<Self, BadRoots> {
        let roots = roots.into();
        let first = CertificateDer::pem_slice_iter(&roots).next();
        if !matches!(first, Some(Ok(_))) {
            return Err(BadRoots {
                why: "the text holds no certificate in PEM".to_owned(),
            });
        }
        let certificates = TlsCertificates {
            client_tls: None,
            root_cert: Some(roots),
        };
        let info = self.client.get_connection_info().clone();
        match Client::build_with_tls(info, certificates) {
            Ok(client) => Ok(Self { client, ..self }),
            Err(error) => Err(BadRoots {
                why: error.to_string(),
            }),
        }
    }

    /// What all channels of the cluster begin with, its `key` in Node: nodes with another are in another cluster.
    #[must_use]
    pub fn with_prefix(self, prefix: impl Into<String>) -> Self {
        let prefix = prefix.into();
        Self { prefix, ..self }
    }

    /// How long Redis may take to answer messages before its connection counts as lost. Once a second a node also sends itself something:
    /// that has 2 s in any case.
    #[must_use]
    pub fn with_requests_timeout(self, requests_timeout: Duration) -> Self {
        Self {
            requests_timeout,
            ..self
        }
    }

    /// How many bytes may wait for Redis, about. When there are more, the oldest messages are dropped, and
    /// [counted](Metrics::dropped_messages).
    #[must_use]
    pub fn with_max_backlog_bytes(self, max_backlog_bytes: usize) -> Self {
        Self {
            max_backlog_bytes,
            ..self
        }
    }

    /// Answers nodes of other makers where they alone listen, instead of where all do. All nodes of
    /// `@socket.io/redis-adapter` have to be of version 8.2 or later.
    #[must_use]
    pub fn publish_on_specific_response_channel(self) -> Self {
        Self {
            responses: Responses::Specific,
            ..self
        }
    }

    /// For how long a node may be silent until the others take it out of the count; 3 s, which is right where Redis is
    /// near. The same for all nodes. A node whose lease ends although it is there is missing for a tick.
    #[must_use]
    pub fn with_count_lease(self, lease: Duration) -> Self {
        let counting = Settings {
            lease,
            ..self.counting
        };
        Self { counting, ..self }
    }

    /// What is shown as the count while Redis is out of reach.
    #[must_use]
    pub fn count_when_unreachable(self, shown: WhenUnreachable) -> Self {
        let counting = Settings {
            when_unreachable: shown,
            ..self.counting
        };
        Self { counting, ..self }
    }

    /// Whether what other nodes say does not arrive just now: Redis is out of reach, or what it sends does not
    /// come. Noticed in less than 5 s. Also before the first connection, and before a server has the adapter.
    pub fn is_deaf(&self) -> bool {
        let link = self.running.get().map(|running| &running.link);
        link.is_none_or(|link| !link.watched().is_up())
    }

    /// The adapter's counters.
    pub fn metrics(&self) -> Metrics {
        let Some(running) = self.running.get() else {
            return Metrics::default();
        };
        let (dropped, link) = (running.lane.dropped(), running.link.watched());
        Metrics {
            published: running.sent.published.load(Ordering::Relaxed),
            lost_messages: running.sent.lost.load(Ordering::Relaxed),
            dropped_messages: dropped.messages,
            dropped_bytes: dropped.bytes,
            backlog_bytes: running.lane.bytes(),
            reconnects: link.n_reconnects(),
            deaf: link.down_for(),
        }
    }
}

impl Adapter for RedisAdapter {
    fn start(&self, node: Node) {
        let uid: Arc<str> = node.id().into();
        let wire = Wire {
            uid: uid.clone(),
            channels: Channels::new(&self.prefix),
            responses: self.responses,
        };
        let canary = wire.channels.canary(&uid);
        let (link, mut tasks) = Link::start(self.client.clone(), canary, self.requests_timeout);
        let lane = Arc::new(Lane::new(self.max_backlog_bytes));
        let sent = Arc::<Sent>::default();
        let publishing = publisher::run(lane.clone(), wire.clone(), link.clone(), sent.clone());
        tasks.push(tokio::spawn(publishing));
        let names = Names {
            keys: wire.channels.count_keys(),
            channel: wire.channels.count(),
            requests: wire.channels.all_requests(),
            admin: wire.channels.broadcast(ADMIN, &Targets::default()),
        };
        let (census, counting) = Census::new(
            node.clone(),
            link.clone(),
            wire.clone(),
            names,
            self.counting,
        );
        let running = Running {
            node,
            wire,
            link,
            lane,
            sent,
            tasks: Mutex::new(tasks),
            census: Mutex::new(Some((census, tokio::spawn(counting)))),
            namespaces: Mutex::default(),
        };
        if self.running.set(running).is_err() {
            panic!("an adapter is for one server");
        }
    }

    fn add_namespace(&self, nsp: &str) {
        if let Some(running) = self.running.get() {
            let mut namespaces = running.namespaces();
            match namespaces.get_mut(nsp) {
                Some(joined) => joined.n += 1,
                None => {
                    let group = running.link.subscribe(running.group(nsp));
                    namespaces.insert(nsp.to_owned(), Joined { n: 1, group });
                }
            }
        }
    }

    fn remove_namespace(&self, nsp: &str) {
        if let Some(running) = self.running.get() {
            let mut namespaces = running.namespaces();
            let Some(joined) = namespaces.get_mut(nsp) else {
                return;
            };
            joined.n -= 1;
            if joined.n == 0 {
                running.link.unsubscribe(joined.group);
                namespaces.remove(nsp);
            }
        }
    }

    fn listening(&self, nsp: &str) -> Option<BoxFuture<()>> {
        let running = self.running.get()?;
        let group = running.namespaces().get(nsp)?.group;
        let link = running.link.clone();
        let is_known = link.hears(group) || *link.state().borrow() == State::Down;
        (!is_known).then(|| -> BoxFuture<()> {
            Box::pin(async move {
                // Who is here is not kept waiting for the cluster any longer.
                let _ = timeout(JOIN_PATIENCE, link.heard(group)).await;
            })
        })
    }

    fn publish(&self, message: Message) {
        if let Some(running) = self.running.get() {
            running.lane.push(Parcel::Message(message));
        }
    }

    fn reply(&self, reply: Reply) {
        if let Some(running) = self.running.get() {
            running.lane.push(Parcel::Reply(reply));
        }
    }

    fn names(&self) -> BoxFuture<Vec<Arc<str>>> {
        let Some(running) = self.running.get() else {
            return Box::pin(async { Vec::new() });
        };
        let (link, channels) = (running.link.clone(), running.wire.channels.clone());
        let own = running.node.id().to_owned();
        let mut command = redis::cmd("PUBSUB");
        command.arg("CHANNELS").arg(channels.canaries());
        Box::pin(async move {
            let answer = link.query(&command).await.ok();
            let canaries = answer.and_then(|answer| from_redis_value::<Vec<String>>(answer).ok());
            let canaries = canaries.unwrap_or_default();
            let names = canaries
                .iter()
                .filter_map(|canary| channels.node_of_canary(canary));
            names.filter(|name| *name != own).map(Arc::from).collect()
        })
    }

    fn others(&self, nsp: &str) -> BoxFuture<Result<usize, String>> {
        let Some(running) = self.running.get() else {
            return Box::pin(async { Err("the server has not begun".to_owned()) });
        };
        let link = running.link.clone();
        let mut command = redis::cmd("PUBSUB");
        command
            .arg("NUMSUB")
            .arg(running.wire.channels.requests(nsp));
        Box::pin(async move {
            if !link.watched().is_up() {
                return Err("Redis is out of reach".to_owned());
            }
            let answer = link
                .query(&command)
                .await
                .map_err(|wrong| wrong.to_string())?;
            let wrong = |error: redis::ParsingError| error.to_string();
            let [(_, n)]: [(String, usize); 1] = from_redis_value::<Vec<(String, usize)>>(answer)
                .map_err(wrong)?
                .try_into()
                .map_err(|_| "Redis did not say how many nodes there are".to_owned())?;
            n.checked_sub(1)
                .ok_or_else(|| "this node is not in the cluster itself".to_owned())
        })
    }

    fn count(&self, counted: Counted) {
        if let Some(running) = self.running.get()
            && let Some((census, _)) = &*running.census()
        {
            census.add(counted);
        }
    }

    fn close(&self) -> BoxFuture<()> {
        let Some(running) = self.running.get() else {
            return Box::pin(async {});
        };
        let (lane, link) = (running.lane.clone(), running.link.clone());
        let tasks = std::mem::take(&mut *running.tasks());
        let census = running.census().take();
        Box::pin(async move {
            if let Some((census, task)) = census {
                census.end();
                if timeout(FLUSH_PATIENCE, task).await.is_err() {
                    debug!("the count was not left in time");
                }
            }
            lane.close();
            if timeout(FLUSH_PATIENCE, link.stop_hearing()).await.is_err() {
                debug!("the cluster was not left in time");
            }
            if timeout(FLUSH_PATIENCE, lane.flushed()).await.is_err() {
                warn!(
                    bytes = lane.bytes(),
                    "what waited for the cluster was not sent"
                );
            }
            link.close();
            for task in tasks {
                // It ends at once, unless it panicked.
                let _ = task.await;
            }
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.lane.close();
        self.link.close();
        for task in self.tasks().drain(..) {
            task.abort();
        }
        if let Some((_, task)) = self.census().take() {
            task.abort();
        }
    }
}

impl Running {
    fn namespaces(&self) -> MutexGuard<'_, HashMap<String, Joined>> {
        self.namespaces
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn tasks(&self) -> MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn census(&self) -> MutexGuard<'_, Option<(Census, JoinHandle<()>)>> {
        self.census.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All that a namespace listens to.
    fn group(&self, nsp: &str) -> Group {
        let channels = &self.wire.channels;
        let (requests, responses) = (channels.requests(nsp), channels.responses(nsp));
        let own = channels.responses_to(nsp, &self.wire.uid);
        Group::of([
            (
                Name::pattern(&channels.broadcasts(nsp)),
                self.ear(nsp, Source::Broadcasts),
            ),
            (Name::channel(&requests), self.ear(nsp, Source::Requests)),
            (Name::channel(&responses), self.ear(nsp, Source::Responses)),
            (Name::channel(&own), self.ear(nsp, Source::Responses)),
        ])
    }

    fn ear(&self, nsp: &str, source: Source) -> Ear {
        let (node, wire, nsp) = (self.node.clone(), self.wire.clone(), nsp.to_owned());
        Ear::new(
            move |channel, payload| match wire.decode(source, &nsp, &payload) {
                Ok(all) => {
                    for inbound in all {
                        match inbound {
                            Inbound::Message(message) => node.receive(message),
                            Inbound::Reply(reply) => node.receive_reply(reply),
                        }
                    }
                }
                Err(wrong) => debug!(channel, %wrong, "what another node sent was ignored"),
            },
        )
    }
}

impl fmt::Debug for RedisAdapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisAdapter")
            .field("prefix", &self.prefix)
            .field("is_deaf", &self.is_deaf())
            .finish_non_exhaustive()
    }
}

/// A text is no URL of a Redis.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("no URL of a Redis, which would be redis://host:6379: {why}")]
pub struct BadUrl {
    why: String,
}

/// Nobody can be trusted to be Redis over TLS.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("nobody to trust as a Redis over TLS: {why}")]
pub struct BadRoots {
    why: String,
}

/// How long a client waits at most for its namespace to be in the cluster.
const JOIN_PATIENCE: Duration = Duration::from_secs(2);

/// How long a server that ends waits for Redis to take what waits, and for connections to end.
const FLUSH_PATIENCE: Duration = Duration::from_secs(3);
