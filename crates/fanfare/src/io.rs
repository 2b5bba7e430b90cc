//! Io: a server, seen from one of its namespaces.

use std::{fmt, sync::Arc, time::Duration};

use fanfare_proto::socketio::Nsp;
use serde::Serialize;

use crate::{
    ack::BroadcastAckError,
    admission::{Admission, Handshake, Refusal},
    args::{FromArgs, IntoArgs, RawArgs},
    book::Count,
    broadcast::{Broadcast, Select, Volatile},
    config::Config,
    emitted::Emitted,
    frame,
    handler::{BoxFuture, EventHandler},
    metrics::Metrics,
    namespace::Namespace,
    ranges::{Keep, LatestKey},
    reason::DisconnectReason,
    recovery::Trailer,
    round::Asking,
    server::Server,
    session::Session,
    shard::Shard,
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

    /// The namespace's name.
    pub fn nsp(&self) -> &str {
        self.namespace.nsp.as_str()
    }

    /// The configuration that the server was made with.
    pub fn config(&self) -> &Config {
        &self.server.config
    }

    /// Decides who may join the namespace. Without it everybody may, anonymously.
    ///
    /// The function is called once for each client that asks; a client that is refused sees
    /// `connect_error` with the [`Refusal`]. A later call replaces the function.
    pub fn admit<F, R>(&self, hook: F)
    where
        F: Fn(Handshake) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Admission, Refusal>> + Send + 'static,
    {
        let hook = move |handshake| -> BoxFuture<_> { Box::pin(hook(handshake)) };
        self.namespace
            .change_handlers(|handlers| handlers.admit = Some(Arc::new(hook)));
    }

    /// Asks `middleware` about every client that wants to join the namespace, before
    /// [`admit`](Self::admit) decides. Who is refused sees `connect_error` with the [`Refusal`].
    ///
    /// Middlewares are asked in the order in which they were added, until one refuses. One that
    /// panics refuses. Nobody is counted before all have agreed.
    ///
    /// ```
    /// # use fanfare::{Admission, Io, Refusal};
    /// # let io = Io::new();
    /// io.use_connect(|handshake| async move {
    ///     match handshake.query("version").as_deref() {
    ///         Some("2") => Ok(()),
    ///         _ => Err(Refusal::new("reload the page: it is of an older version")),
    ///     }
    /// });
    /// io.admit(|_| async { Ok(Admission::anonymous()) });
    /// ```
    pub fn use_connect<F, R>(&self, middleware: F)
    where
        F: Fn(Handshake) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), Refusal>> + Send + 'static,
    {
        let middleware = move |handshake| -> BoxFuture<_> { Box::pin(middleware(handshake)) };
        self.namespace
            .change_handlers(|handlers| handlers.use_connect.push(Arc::new(middleware)));
    }

    /// Calls `handler` when a socket has joined the namespace: it is counted, and a receiver.
    ///
    /// Of each socket this comes first, then its events in order, then
    /// [`on_disconnect`](Self::on_disconnect); each exactly once, one at a time, whatever
    /// happens. If `handler` panics, the socket is disconnected.
    pub fn on_connect<F, R>(&self, handler: F)
    where
        F: Fn(Self, Socket) -> R + Send + Sync + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        let handler = move |io, socket| -> BoxFuture<()> { Box::pin(handler(io, socket)) };
        self.namespace
            .change_handlers(|handlers| handlers.connect.push(Arc::new(handler)));
    }

    /// Calls `handler` when a socket leaves the namespace, with the rooms that it was in, and before
    /// the handlers of [`on_disconnect`](Self::on_disconnect). The room of its own id is not among
    /// them.
    ///
    /// **Deviation.** In the reference the socket is still counted and still in its rooms meanwhile.
    /// Here it is not, so that no handler can delay the count.
    ///
    /// ```
    /// # let io = fanfare::Io::new();
    /// io.on_disconnecting(|io, socket, _reason, rooms| async move {
    ///     for room in rooms {
    ///         io.to(room).emit("left", socket.id().as_str());
    ///     }
    /// });
    /// ```
    pub fn on_disconnecting<F, R>(&self, handler: F)
    where
        F: Fn(Self, Socket, DisconnectReason, Vec<String>) -> R + Send + Sync + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        let handler = move |io, socket, reason, rooms| -> BoxFuture<()> {
            Box::pin(handler(io, socket, reason, rooms))
        };
        self.namespace
            .change_handlers(|handlers| handlers.disconnecting.push(Arc::new(handler)));
    }

    /// Calls `handler` when a socket has left the namespace: it is no longer counted, nor a
    /// receiver, nor in any room.
    pub fn on_disconnect<F, R>(&self, handler: F)
    where
        F: Fn(Self, Socket, DisconnectReason) -> R + Send + Sync + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        let handler =
            move |io, socket, reason| -> BoxFuture<()> { Box::pin(handler(io, socket, reason)) };
        self.namespace
            .change_handlers(|handlers| handlers.disconnect.push(Arc::new(handler)));
    }

    /// Calls `handler` for each `event` of a socket of the namespace; see [`EventHandler`].
    ///
    /// If the arguments are of another type than the handler's, it is not called; a client that
    /// asked for an answer gets `{"error": …}` with what was expected.
    pub fn on<P>(&self, event: &str, handler: impl EventHandler<P>) {
        let handler = move |socket, args: &_, ack| handler.call(socket, args, ack);
        self.namespace.change_handlers(|handlers| {
            handlers
                .events
                .entry(event.to_owned())
                .or_default()
                .push(Arc::new(handler));
        });
    }

    /// Calls `handler` for every event of a socket of the namespace, with its name and arguments,
    /// whether or not somebody handles it. The event's own handlers wait for it.
    ///
    /// A client's answers are no events. A handler that panics costs nobody anything.
    ///
    /// ```
    /// # let io = fanfare::Io::new();
    /// io.on_any(|socket, event, args| async move {
    ///     println!("{} says {event}: {}", socket.id(), args.json);
    /// });
    /// ```
    pub fn on_any<F, R>(&self, handler: F)
    where
        F: Fn(Socket, String, RawArgs) -> R + Send + Sync + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        let handler = move |socket, event: &str, args: &RawArgs| -> BoxFuture<()> {
            Box::pin(handler(socket, event.to_owned(), args.clone()))
        };
        self.namespace
            .change_handlers(|handlers| handlers.any.push(Arc::new(handler)));
    }

    /// Asks `middleware` about every event of a socket of the namespace before its handlers are
    /// called. An event that it refuses is dropped; a client that asked for an answer gets the
    /// [`Refusal`] as `{"error": …}`.
    ///
    /// Middlewares are asked in the order in which they were added, until one refuses. One that
    /// panics refuses. Handlers of [`on_any`](Self::on_any) see refused events too.
    ///
    /// **Deviation.** The reference does not tell the client.
    ///
    /// ```
    /// # use fanfare::{Io, Refusal};
    /// # let io = Io::new();
    /// io.use_event(|socket, event, _args| async move {
    ///     match (&*event, socket.user()) {
    ///         ("delete", None) => Err(Refusal::new("sign in to delete")),
    ///         _ => Ok(()),
    ///     }
    /// });
    /// ```
    pub fn use_event<F, R>(&self, middleware: F)
    where
        F: Fn(Socket, String, RawArgs) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), Refusal>> + Send + 'static,
    {
        let middleware = move |socket, event: &str, args: &RawArgs| -> BoxFuture<_> {
            Box::pin(middleware(socket, event.to_owned(), args.clone()))
        };
        self.namespace
            .change_handlers(|handlers| handlers.use_event.push(Arc::new(middleware)));
    }

    /// Sends an event to everyone in the namespace.
    ///
    /// It takes its place in the namespace's one order before this returns: whoever emits
    /// afterwards, on whichever thread, comes after it at every receiver. Never blocks on the
    /// network, and may be called with locks held.
    pub fn emit(&self, event: &str, args: impl IntoArgs) -> Emitted {
        self.broadcast(event, args, &Select::default(), Keep::Event)
    }

    /// Sends an event of which receivers need the latest value only.
    ///
    /// While a value waits unsent for a receiver, a newer value of the same event takes its
    /// place, so a slow reader is never owed more than one. It may thus overtake ordered events
    /// that were emitted between the two, and never comes after a newer value.
    pub fn emit_latest(&self, event: &str, args: impl IntoArgs) -> Emitted {
        self.broadcast(
            event,
            args,
            &Select::default(),
            Keep::Latest(self.latest_key(event)),
        )
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
    ) -> impl Future<Output = Result<Vec<(SocketId, T)>, BroadcastAckError<T>>> + use<T, A> {
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

    /// The sockets of `room`.
    pub fn to(&self, room: impl AsRef<str>) -> Broadcast {
        Broadcast::new(self.clone(), None).to(room)
    }

    /// Everyone in the namespace but the sockets of `room`.
    pub fn except(&self, room: impl AsRef<str>) -> Broadcast {
        Broadcast::new(self.clone(), None).except(room)
    }

    /// How many sockets and distinct users are in the namespace. One atomic load.
    pub fn count(&self) -> Count {
        self.namespace.count()
    }

    /// Keeps everyone in the namespace told how many there are: sends `event` with what `shown`
    /// makes of the count.
    ///
    /// A newcomer is told at once. Everyone else is told of the first change at once, then at
    /// most four times a second (less often where writing to everyone takes longer), and of the
    /// last change always. N joins cost O(N × rate) messages instead of O(N²). Values go out as
    /// [`emit_latest`](Self::emit_latest) does it, and no receiver ever sees an older one after
    /// a newer one.
    pub fn announce_count<T, F>(&self, event: &str, shown: F)
    where
        T: Serialize,
        F: Fn(Count) -> T + Send + Sync + 'static,
    {
        let (nsp, event) = (self.namespace.nsp.clone(), event.to_owned());
        let max_bytes = self.server.config.limits.proto.max_payload_bytes;
        let latest = self.latest_key(&event);
        let trailer = self.namespace.trailer(Keep::Latest(latest));
        self.namespace
            .announcements
            .add_event(latest, move |count| {
                frame::event(&nsp, None, trailer, &event, shown(count), max_bytes)
            });
    }

    /// Calls `listener` when the count has changed, at the rate of
    /// [`announce_count`](Self::announce_count). It must not block.
    pub fn on_count(&self, listener: impl Fn(Self, Count) + Send + Sync + 'static) {
        self.namespace.announcements.add_listener(listener);
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
        self.disconnect_of(&Select::default());
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

    /// Stops listening, tells every socket `server shutting down`, and waits for handlers and
    /// for bytes under way, at most [`Config::shutdown_timeout`].
    ///
    /// # Cancel safety
    ///
    /// The server shuts down in any case; only the waiting ends.
    pub async fn shutdown(&self) {
        shutdown::run(&self.server).await;
    }

    pub(crate) fn server(&self) -> &Arc<Server> {
        &self.server
    }

    pub(crate) fn latest_key(&self, event: &str) -> LatestKey {
        self.server.latest_key(&self.namespace, event)
    }

    pub(crate) fn broadcast(
        &self,
        event: &str,
        args: impl IntoArgs,
        select: &Select,
        keep: Keep,
    ) -> Emitted {
        let max_bytes = self.server.config.limits.proto.max_payload_bytes;
        let (nsp, shards) = (&self.namespace.nsp, self.server.shards());
        let trailer = self.namespace.trailer(keep);
        match frame::event(nsp, None, trailer, event, args, max_bytes) {
            Ok(mut frames) => self
                .namespace
                .broadcast(shards, &mut frames, trailer, select, keep),
            Err(error) => {
                tracing::error!(%error, "an event was not sent");
                Emitted::failed(error)
            }
        }
    }

    pub(crate) fn ask<T>(
        &self,
        event: &str,
        args: impl IntoArgs,
        select: &Select,
    ) -> Result<Asking, BroadcastAckError<T>> {
        let limits = &self.server.config.limits;
        let id = self.namespace.next_ack_id();
        let max_bytes = limits.proto.max_payload_bytes;
        let nsp = &self.namespace.nsp;
        let frames = frame::event(nsp, Some(id), Trailer::None, event, args, max_bytes)?;
        let (shards, max) = (self.server.shards(), limits.max_pending_acks);
        self.namespace
            .ask(shards, &frames, select, id, max)
            .map_err(BroadcastAckError::TooManyPending)
    }

    pub(crate) fn count_of(&self, select: &Select) -> usize {
        let count = |shard: &Arc<Shard>| {
            let turn = shard.lock();
            turn.members(self.namespace.number)
                .map_or(0, |members| members.count(select))
        };
        self.server.shards().iter().map(count).sum()
    }

    pub(crate) fn disconnect_of(&self, select: &Select) {
        for socket in self.sockets_of(select) {
            socket.disconnect();
        }
    }

    pub(crate) fn join_of(&self, select: &Select, room: &str) {
        self.namespace.join_room(self.server.shards(), select, room);
    }

    pub(crate) fn leave_of(&self, select: &Select, room: &str) {
        self.namespace
            .leave_room(self.server.shards(), select, room);
    }

    pub(crate) fn sockets_of(&self, select: &Select) -> Vec<Socket> {
        let sessions = |shard: &Arc<Shard>| shard.lock().select(self.namespace.number, select);
        let sessions = self.server.shards().iter().flat_map(sessions);
        sessions
            .filter_map(|session: Arc<Session>| session.socket_in(&self.namespace))
            .collect()
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
            .field("count", &self.count())
            .finish_non_exhaustive()
    }
}
