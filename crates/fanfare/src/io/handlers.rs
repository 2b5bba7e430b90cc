//! What an application registers in a namespace: middleware and handlers.

use std::sync::Arc;

use super::Io;
use crate::{
    admission::{Admission, Handshake, Refusal},
    args::{FromArgs, IntoArgs, RawArgs},
    handler::{BoxFuture, EventHandler, Handlers, OnAny},
    reason::DisconnectReason,
    rooms::RoomEvent,
    socket::Socket,
    users::UserEvent,
};

impl Io {
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

    /// Calls `handler` when a socket's connection has moved from polling to WebSocket. One that was there before the
    /// socket joined is not told of; see [`Socket::transport`].
    ///
    /// ```
    /// # let io = fanfare::Io::new();
    /// io.on_upgrade(|_, socket| async move { println!("{} is on {:?}", socket.id(), socket.transport()); });
    /// ```
    pub fn on_upgrade<F, R>(&self, handler: F)
    where
        F: Fn(Self, Socket) -> R + Send + Sync + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        let handler = move |io, socket| -> BoxFuture<()> { Box::pin(handler(io, socket)) };
        self.namespace
            .change_handlers(|handlers| handlers.upgrade.push(Arc::new(handler)));
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
        self.namespace
            .change_handlers(|handlers| handlers.add(event, Arc::new(handler), false));
    }

    /// The same, for the first such event of each socket only.
    ///
    /// ```
    /// # let io = fanfare::Io::new();
    /// io.once("ready", |socket: fanfare::Socket| async move { socket.join("players"); });
    /// ```
    pub fn once<P>(&self, event: &str, handler: impl EventHandler<P>) {
        let handler = move |socket, args: &_, ack| handler.call(socket, args, ack);
        self.namespace
            .change_handlers(|handlers| handlers.add(event, Arc::new(handler), true));
    }

    /// Takes all handlers of `event` away. Those under way go on.
    pub fn off(&self, event: &str) {
        self.namespace
            .change_handlers(|handlers| drop(handlers.events.remove(event)));
    }

    /// The names of the events that have handlers, in alphabetical order.
    ///
    /// ```
    /// # let io = fanfare::Io::new();
    /// io.on("say", |_: fanfare::Socket| async {});
    /// assert_eq!(io.event_names(), ["say"]);
    /// ```
    pub fn event_names(&self) -> Vec<String> {
        let names = |handlers: &Handlers| handlers.events.keys().cloned().collect();
        let mut names: Vec<_> = self.namespace.with_handlers(names);
        names.sort_unstable();
        names
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
        self.namespace
            .change_handlers(|handlers| handlers.any.push(on_any(handler)));
    }

    /// The same as [`on_any`](Self::on_any), before the handlers that are there already.
    ///
    /// ```
    /// # let io = fanfare::Io::new();
    /// io.prepend_any(|_, event, _| async move { println!("first of all: {event}"); });
    /// ```
    pub fn prepend_any<F, R>(&self, handler: F)
    where
        F: Fn(Socket, String, RawArgs) -> R + Send + Sync + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        self.namespace
            .change_handlers(|handlers| handlers.any.insert(0, on_any(handler)));
    }

    /// Takes all handlers of [`on_any`](Self::on_any) away. Those under way go on.
    pub fn off_any(&self) {
        self.namespace
            .change_handlers(|handlers| handlers.any.clear());
    }

    /// Calls `handler` for every event that a socket of the namespace is sent, with its name and arguments; of a
    /// broadcast, once for each receiver on this node. Answers and announcements of the count are not among them.
    ///
    /// It is called after the event has taken its place, in the order of all that happens to the socket, and
    /// may take its time; but while [`Limits::max_inbox_bytes`](crate::Limits::max_inbox_bytes) wait for the socket's
    /// handlers, it is not told of more, and the log is. Where there is such a handler an emit has to look its receivers up, one by one.
    ///
    /// ```
    /// # let io = fanfare::Io::new();
    /// io.on_any_outgoing(|socket, event, args| async move {
    ///     println!("{} is told {event}: {}", socket.id(), args.json);
    /// });
    /// ```
    pub fn on_any_outgoing<F, R>(&self, handler: F)
    where
        F: Fn(Socket, String, RawArgs) -> R + Send + Sync + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        self.namespace
            .change_handlers(|handlers| handlers.any_outgoing.push(on_any(handler)));
    }

    /// The same as [`on_any_outgoing`](Self::on_any_outgoing), before the handlers that are there already.
    pub fn prepend_any_outgoing<F, R>(&self, handler: F)
    where
        F: Fn(Socket, String, RawArgs) -> R + Send + Sync + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        self.namespace
            .change_handlers(|handlers| handlers.any_outgoing.insert(0, on_any(handler)));
    }

    /// Takes all handlers of [`on_any_outgoing`](Self::on_any_outgoing) away. Those under way go on.
    pub fn off_any_outgoing(&self) {
        self.namespace
            .change_handlers(|handlers| handlers.any_outgoing.clear());
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

    /// Calls `listener` with each room of the namespace that begins or ends on this node from here on, and with who
    /// joins and leaves it: for what a room's first member needs, and nobody after its last. The room of a socket's
    /// own id is not among them.
    ///
    /// It is told of all this soon after it has happened, in the order in which it did. It must not block: what it has
    /// not been told of waits.
    ///
    /// ```
    /// # use fanfare::{Io, RoomEvent};
    /// # fn subscribe(_: &str) {}
    /// # fn unsubscribe(_: &str) {}
    /// # let io = Io::new();
    /// io.on_room(|_, room, event| match event {
    ///     RoomEvent::Created => subscribe(room),
    ///     RoomEvent::Deleted => unsubscribe(room),
    ///     RoomEvent::Joined(_) | RoomEvent::Left(_) => {}
    /// });
    /// ```
    pub fn on_room(&self, listener: impl Fn(Self, &str, RoomEvent) + Send + Sync + 'static) {
        self.namespace
            .change_handlers(|handlers| handlers.rooms.push(Arc::new(listener)));
        self.namespace.watch_rooms(&self.server);
    }

    /// Calls `listener` when a user comes with a first socket, and when the last one has gone: two tabs are one user. A
    /// user is known by the user key that admission gives; sockets without one are nobody here.
    ///
    /// In a cluster it is the first and the last socket on all nodes, and each node's listener is told, soon after it has
    /// happened. It must not block. What happens while this node does not hear the others is not told.
    pub fn on_user(&self, listener: impl Fn(Self, &str, UserEvent) + Send + Sync + 'static) {
        self.namespace
            .change_handlers(|handlers| handlers.users.push(Arc::new(listener)));
        if self.namespace.children().is_none() {
            self.namespace.count_everywhere(&self.server);
        }
        self.namespace.watch_users(&self.server);
    }

    /// Handles an event that another node emits by [`server_side_emit`](Self::server_side_emit). What `handler`
    /// returns is the answer, if that node wants one. A later call replaces the handler.
    ///
    /// ```
    /// # use fanfare::Io;
    /// # use std::time::Duration;
    /// # async fn total(io: Io) -> Result<u64, Box<dyn std::error::Error>> {
    /// io.on_server_side("how many", |io: Io, _: ()| async move { io.count().sockets });
    /// let others: Vec<u64> = io.server_side_emit_with_ack("how many", (), Duration::from_secs(5)).await?;
    /// # Ok(
    /// io.count().sockets + others.iter().sum::<u64>()
    /// # )
    /// # }
    /// ```
    pub fn on_server_side<A, F, R>(&self, event: &str, handler: F)
    where
        A: FromArgs + Send + 'static,
        F: Fn(Self, A) -> R + Send + Sync + 'static,
        R: Future<Output: IntoArgs> + Send + 'static,
    {
        let handler = move |io, args: RawArgs| -> BoxFuture<_> {
            let handled = args.read().map(|args| handler(io, args));
            Box::pin(async move { RawArgs::written(handled?.await) })
        };
        self.namespace.change_handlers(|handlers| {
            handlers
                .server_side
                .insert(event.to_owned(), Arc::new(handler));
        });
    }
}

fn on_any<F, R>(handler: F) -> OnAny
where
    F: Fn(Socket, String, RawArgs) -> R + Send + Sync + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    Arc::new(move |socket, event, args| Box::pin(handler(socket, event.to_owned(), args.clone())))
}
