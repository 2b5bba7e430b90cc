//! Io: a server, seen from one of its namespaces.

mod handlers;

use std::{fmt, sync::Arc, time::Duration};

use fanfare_proto::socketio::Nsp;
use serde::Serialize;

use crate::{
    ack::BroadcastAckError,
    admission::Handshake,
    announce::{Encode, Listener},
    args::{FromArgs, IntoArgs},
    book::{Count, Present},
    broadcast::{Broadcast, MESSAGE, Select, Volatile},
    cluster::{ClusterError, Node, RemoteSocket, Worth},
    config::Config,
    emitted::Emitted,
    frame,
    handler::BoxFuture,
    metrics::Metrics,
    namespace::Namespace,
    namespaces::Choice,
    server::Server,
    shutdown,
    socket::Socket,
    socket_id::SocketId,
};

/// A server, seen from one of its namespaces: the main one, `/`, unless it came from
/// [`of`](Self::of). Cheap to clone; all clones are the same server.
#[derive(Clone)]
pub struct Io {
    server: Arc<Server>,
    namespace: Arc<Namespace>,
}

impl Io {
    /// A server with the default [`Config`]. Serves nobody before [`listen`](Self::listen),
    /// [`serve`](Self::serve) or [`layer`](Self::layer).
    pub fn new() -> Self {
        Self::with(Config::default())
    }

    /// A server with a configuration of its own.
    pub fn with(config: Config) -> Self {
        let server = Arc::new(Server::new(config));
        if let Some(adapter) = &server.cluster.adapter {
            adapter.start(Node::new(&server));
        }
        let namespace = server.namespace_or_new(&Nsp::main());
        Self { server, namespace }
    }

    pub(crate) fn new_in(server: Arc<Server>, namespace: Arc<Namespace>) -> Self {
        Self { server, namespace }
    }

    /// The same server, seen from another namespace, which clients may join from now on.
    ///
    /// # Panics
    ///
    /// If `nsp` contains a comma, which no namespace's name can. A leading `/` may be left out.
    pub fn of(&self, nsp: &str) -> Self {
        let name = if nsp.starts_with('/') {
            nsp.to_owned()
        } else {
            format!("/{nsp}")
        };
        let nsp = Nsp::parse(&name).unwrap_or_else(|wrong| panic!("'{name}': {wrong}"));
        Self {
            server: self.server.clone(),
            namespace: self.server.namespace_or_new(&nsp),
        }
    }

    /// A family of namespaces: a client that asks for one that is not there has it made, if `matches` agrees to
    /// its name. What comes back is the family: handlers, middlewares and announcements that are registered
    /// there are each such namespace's from when it is made, and what it emits goes to all of them.
    ///
    /// A namespace that is there already is taken first, then the families are asked in the order in which
    /// they were made. How many clients may have made is bounded by
    /// [`Limits::max_dynamic_namespaces`](crate::Limits::max_dynamic_namespaces); whether one ends when nobody
    /// is in it, [`Config::empty_namespaces`] says. A name given to [`of`](Self::of) that matches is of the
    /// family too.
    ///
    /// ```
    /// # use fanfare::{Io, Socket};
    /// # let io = Io::new();
    /// let games = io.of_matching(|name| name.strip_prefix("/game-").is_some_and(|id| id.parse::<u32>().is_ok()));
    /// games.announce_count("players", |count| count.sockets);
    /// games.on("move", |socket: Socket, to: u8| async move { socket.broadcast().emit("moved", to); });
    /// games.emit("news", "the server restarts at noon");
    /// ```
    pub fn of_matching(&self, matches: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        self.of_family(Choice::ByName(Box::new(matches)))
    }

    /// The same as [`of_matching`](Self::of_matching), where `matches` may look at all that the client came
    /// with, and take its time. Panicking is disagreeing.
    ///
    /// ```
    /// # use fanfare::{Handshake, Io};
    /// # async fn is_course(_: &str) -> bool { true }
    /// # let io = Io::new();
    /// let courses = io.of_matching_async(|handshake: Handshake| async move {
    ///     handshake.cookie("student").is_some() && is_course(handshake.nsp()).await
    /// });
    /// courses.on_connect(|io, _| async move { println!("{} in {}", io.count().sockets, io.nsp()); });
    /// ```
    pub fn of_matching_async<F, R>(&self, matches: F) -> Self
    where
        F: Fn(Handshake) -> R + Send + Sync + 'static,
        R: Future<Output = bool> + Send + 'static,
    {
        let matches = move |handshake| -> BoxFuture<bool> { Box::pin(matches(handshake)) };
        self.of_family(Choice::ByClient(Box::new(matches)))
    }

    fn of_family(&self, choice: Choice) -> Self {
        Self {
            server: self.server.clone(),
            namespace: self.server.namespaces.add_family(choice),
        }
    }

    /// The namespaces that are there of the family; of any other namespace, itself. In no order.
    pub fn namespaces(&self) -> Vec<Self> {
        let seen = |namespace| Self::new_in(self.server.clone(), namespace);
        self.members().into_iter().map(seen).collect()
    }

    /// Calls `listener` with each namespace that is made from now on, by the application or for a client,
    /// before anybody is let in. It must not block.
    pub fn on_new_namespace(&self, listener: impl Fn(Self) + Send + Sync + 'static) {
        self.server.namespaces.add_listener(listener);
    }

    /// The namespace's name.
    pub fn nsp(&self) -> &str {
        self.namespace.nsp.as_str()
    }

    /// What this server is called in a cluster, by itself and by [`ClusterError::Missing`] elsewhere: 20
    /// random characters, of each server its own.
    pub fn node(&self) -> &str {
        self.server.cluster.node()
    }

    /// The configuration that the server was made with.
    pub fn config(&self) -> &Config {
        &self.server.config
    }

    /// Sends an event to everyone in the namespace.
    ///
    /// It takes its place in the namespace's one order before this returns: whoever emits
    /// afterwards, on whichever thread, comes after it at every receiver. Never blocks on the
    /// network, and may be called with locks held.
    pub fn emit(&self, event: &str, args: impl IntoArgs) -> Emitted {
        self.broadcast(event, args, &Select::default(), Worth::Event.into())
    }

    /// Sends a `message`, the event of clients' `send`, to everyone in the namespace.
    ///
    /// ```
    /// # let io = fanfare::Io::new();
    /// io.send("hello");
    /// ```
    pub fn send(&self, args: impl IntoArgs) -> Emitted {
        self.emit(MESSAGE, args)
    }

    /// Sends an event of which receivers need the latest value only.
    ///
    /// While a value waits unsent for a receiver, a newer value of the same event takes its
    /// place, so a slow reader is never owed more than one. It may thus overtake ordered events
    /// that were emitted between the two, and never comes after a newer value.
    pub fn emit_latest(&self, event: &str, args: impl IntoArgs) -> Emitted {
        Broadcast::new(self.clone(), None).emit_latest(event, args)
    }

    /// Sends an event to everyone in the namespace, and waits for everyone's answer; see
    /// [`Broadcast::emit_with_ack`].
    ///
    /// # Errors
    ///
    /// [`BroadcastAckError`] unless everyone has answered within `patience`.
    ///
    /// # Cancel safety
    ///
    /// The event is sent in any case; answers that come after the drop are ignored.
    pub fn emit_with_ack<T: FromArgs, A: IntoArgs>(
        &self,
        event: &str,
        args: A,
        patience: Duration,
    ) -> impl Future<Output = Result<Vec<(Option<SocketId>, T)>, BroadcastAckError<T>>> + use<T, A>
    {
        Broadcast::new(self.clone(), None).emit_with_ack(event, args, patience)
    }

    /// Everyone in the namespace, for events that are worth nothing later: they reach whom they
    /// can reach now.
    ///
    /// An event is dropped for a receiver whose transport is not writable: something waits in its
    /// backlog, or it is between two polls. What is dropped is counted in the
    /// [`Report`](crate::Report) and in [`Metrics`], and never waits. Binary attachments go with
    /// their event.
    ///
    /// ```
    /// # use fanfare::{Io, Socket};
    /// # let io = Io::new();
    /// io.on("drag", |socket: Socket, at: (f32, f32)| async move {
    ///     socket.to("board").volatile().emit("cursor", at);
    /// });
    /// ```
    pub fn volatile(&self) -> Volatile<Broadcast> {
        Broadcast::new(self.clone(), None).volatile()
    }

    /// Everyone in the namespace, for events that are compressed or not; see [`Broadcast::compress`].
    pub fn compress(&self, compresses: bool) -> Broadcast {
        Broadcast::new(self.clone(), None).compress(compresses)
    }

    /// The sockets of `room`.
    pub fn to(&self, room: impl AsRef<str>) -> Broadcast {
        Broadcast::new(self.clone(), None).to(room)
    }

    /// Everyone in the namespace but the sockets of `room`.
    pub fn except(&self, room: impl AsRef<str>) -> Broadcast {
        Broadcast::new(self.clone(), None).except(room)
    }

    /// The sockets of this node, without those of other nodes of the cluster.
    pub fn local(&self) -> Broadcast {
        Broadcast::new(self.clone(), None).local()
    }

    /// The sockets of all nodes; see [`Broadcast::fetch_sockets`].
    ///
    /// # Errors
    ///
    /// [`ClusterError`] unless all nodes have answered within `patience`; it has what came.
    pub fn fetch_sockets(
        &self,
        patience: Duration,
    ) -> impl Future<Output = Result<Vec<RemoteSocket>, ClusterError<RemoteSocket>>> + use<> {
        Broadcast::new(self.clone(), None).fetch_sockets(patience)
    }

    /// Sends an event to the other nodes themselves, where [`on_server_side`](Self::on_server_side) handles it.
    /// This node does not get it. Goes nowhere if the server is alone.
    pub fn server_side_emit(&self, event: &str, args: impl IntoArgs) {
        self.tell_nodes(event, args);
    }

    /// The same, and waits for the other nodes' answers, which come in no order.
    ///
    /// # Errors
    ///
    /// [`ClusterError`] unless every other node has answered within `patience` with a `T`; it has what came.
    ///
    /// # Cancel safety
    ///
    /// The event is sent in any case; answers that come after the drop are ignored.
    pub fn server_side_emit_with_ack<T: FromArgs, A: IntoArgs>(
        &self,
        event: &str,
        args: A,
        patience: Duration,
    ) -> impl Future<Output = Result<Vec<T>, ClusterError<T>>> + use<T, A> {
        self.ask_nodes(event, args, patience)
    }

    /// How many sockets and distinct users are in the namespace, on all nodes; of a [family](Self::of_matching), the
    /// sum over its namespaces on this node. It waits for nothing: what other nodes have is known.
    ///
    /// Nodes tell each other only of what somebody counts. So the first call in a cluster, unless the count is
    /// [announced](Self::announce_count), begins that, and knows of this node alone: the count says that it is not
    /// [complete](Count::complete).
    pub fn count(&self) -> Count {
        let count = |namespace: &Arc<Namespace>| {
            namespace.count_everywhere(&self.server);
            namespace.count()
        };
        let Some(children) = self.namespace.children() else {
            return count(&self.namespace);
        };
        let counted = children.iter().map(count).reduce(Count::plus);
        counted.unwrap_or_else(|| Count::alone(0, 0))
    }

    /// How many sockets and distinct users are in the namespace on this node.
    pub fn count_here(&self) -> Present {
        let members = self.members();
        let counts = members.iter().map(|namespace| namespace.book().count());
        counts.fold(Present::default(), |sum, count| Present {
            sockets: sum.sockets + count.sockets,
            users: sum.users + count.users,
        })
    }

    /// Keeps everyone in the namespace told how many there are: sends `event` with what `shown`
    /// makes of the count.
    ///
    /// A newcomer is told at once. Everyone else is told of the first change at once, then at
    /// most four times a second (less often where writing to everyone takes longer), and of the
    /// last change always, sooner if the number stands still: in t seconds at most 2 + 4 t times.
    /// N joins cost O(N × rate) messages instead of O(N²). Values go out as
    /// [`emit_latest`](Self::emit_latest) does it, and no receiver ever sees an older one after
    /// a newer one.
    pub fn announce_count<T, F>(&self, event: &str, shown: F)
    where
        T: Serialize,
        F: Fn(Count) -> T + Send + Sync + 'static,
    {
        let (config, name) = (self.server.config.clone(), event.to_owned());
        let encode: Encode = Arc::new(move |nsp, trailer, count| {
            frame::event(&config, nsp, None, trailer, &name, shown(count))
        });
        for namespace in self.and_children() {
            let latest = self.server.latest_key(namespace.number, event);
            namespace
                .announcements
                .add_event(event, latest, encode.clone());
            self.count_if_there(&namespace);
        }
    }

    /// Calls `listener` when the count has changed, at the rate of
    /// [`announce_count`](Self::announce_count). It must not block.
    pub fn on_count(&self, listener: impl Fn(Self, Count) + Send + Sync + 'static) {
        let listener: Listener = Arc::new(listener);
        for namespace in self.and_children() {
            namespace.announcements.add_listener(listener.clone());
            self.count_if_there(&namespace);
        }
    }

    /// Nobody is in a family itself, so nobody counts it.
    fn count_if_there(&self, namespace: &Arc<Namespace>) {
        if namespace.children().is_none() {
            namespace.count_everywhere(&self.server);
        }
    }

    /// The sockets of this node in the namespace, in no order.
    pub fn sockets(&self) -> Vec<Socket> {
        self.sockets_of(&Select::default())
    }

    /// Adds everyone in the namespace to a room; see [`Broadcast::join`].
    pub fn join(&self, room: impl AsRef<str>) {
        self.join_of(&Select::default(), room.as_ref());
    }

    /// Takes everyone in the namespace out of a room; see [`Broadcast::leave`].
    pub fn leave(&self, room: impl AsRef<str>) {
        self.leave_of(&Select::default(), room.as_ref());
    }

    /// Disconnects everyone from the namespace.
    pub fn disconnect(&self) {
        self.disconnect_of(&Select::default(), false);
    }

    /// The socket of this id, if it is connected to this node.
    pub fn socket(&self, id: SocketId) -> Option<Socket> {
        let room: Arc<str> = id.as_str().into();
        // A room may be called like it, too.
        self.sockets_of(&Select {
            rooms: [room].into_iter().collect(),
            ..Select::default()
        })
        .into_iter()
        .find(|socket| socket.id() == id)
    }

    /// The server's counters.
    pub fn metrics(&self) -> Metrics {
        self.server.metrics.read(self.server.sessions.len())
    }

    /// Stops listening, and tells every socket `server shutting down`, spread over [`Config::drain_time`]; until its turn comes each is
    /// served as before, polls on the connections that there are, and the server stays in its cluster. For what has to go on until
    /// the last has gone; [`shutdown`](Self::shutdown) does the same, and is to follow.
    ///
    /// # Cancel safety
    ///
    /// Nobody new is let in any more; whose turn has not come stays.
    pub async fn drain(&self) {
        shutdown::drain(&self.server).await;
    }

    /// Stops listening, tells every socket `server shutting down`, spread over [`Config::drain_time`], and waits for
    /// handlers and for bytes under way, at most [`Config::shutdown_timeout`].
    ///
    /// # Cancel safety
    ///
    /// Nobody new is let in any more, and only the waiting ends; while it is spread over [`Config::drain_time`], whose turn has not come stays.
    pub async fn shutdown(&self) {
        shutdown::run(&self.server).await;
    }

    pub(crate) fn server(&self) -> &Arc<Server> {
        &self.server
    }

    pub(crate) fn namespace(&self) -> &Arc<Namespace> {
        &self.namespace
    }
}

impl Default for Io {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Io {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Io")
            .field("nsp", &self.nsp())
            .field("count", &self.count_here())
            .finish_non_exhaustive()
    }
}
