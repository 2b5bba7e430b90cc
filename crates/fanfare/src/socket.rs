//! Socket: one client in one namespace, as handlers hold it.

use std::{
    any::Any,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use fanfare_proto::{engineio::Transport, socketio::AckId};
use tokio::time::timeout_at;

use crate::{
    ack::{AckError, PendingAcks},
    admission::{Admission, Handshake},
    args::{FromArgs, IntoArgs},
    broadcast::{Broadcast, MESSAGE, Volatile},
    clock,
    cluster::SocketState,
    dialect::WireForm,
    draft::Draft,
    emitted::EmitError,
    frame::{self, Encoded},
    handler::Handlers,
    inbox::{Inbox, Sent},
    io::Io,
    namespace::Namespace,
    operations::written,
    ranges::Keep,
    reason::DisconnectReason,
    recovery::{Away, Pid, Trailer},
    session::Session,
    socket_id::SocketId,
};

/// One client in one namespace. Cheap to clone; a clone that is kept does not keep the client
/// connected, and what is sent to a disconnected socket goes nowhere.
#[derive(Clone)]
pub struct Socket(Arc<Inner>);

struct Inner {
    session: Arc<Session>,
    namespace: Arc<Namespace>,
    user: Option<Box<str>>,
    data: Option<Arc<dyn Any + Send + Sync>>,
    /// What other nodes may see of it, as JSON text.
    shared: Option<Box<str>>,
    auth: Option<Arc<str>>,
    identity: Identity,
    acks: PendingAcks,
    inbox: Mutex<Inbox>,
}

/// Who a socket is to its own client.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Identity {
    pub(crate) id: SocketId,
    /// By what it can be recovered, where that is possible.
    pub(crate) pid: Option<Pid>,
    pub(crate) is_recovered: bool,
}

impl Socket {
    pub(crate) fn new(
        identity: Identity,
        session: Arc<Session>,
        namespace: Arc<Namespace>,
        admission: Admission,
        auth: Option<Arc<str>>,
    ) -> Self {
        let Admission { user, data, shared } = admission;
        Self(Arc::new(Inner {
            identity,
            session,
            namespace,
            user,
            data,
            shared,
            auth,
            acks: PendingAcks::default(),
            inbox: Mutex::default(),
        }))
    }

    /// The socket's public id. It names a room that holds just this socket.
    pub fn id(&self) -> SocketId {
        self.0.identity.id
    }

    /// Whether its client lost its connection and came back in time: id, rooms, user and data are what they
    /// were, and what it missed has been sent. See [`Recovery`](crate::Recovery).
    pub fn is_recovered(&self) -> bool {
        self.0.identity.is_recovered
    }

    pub(crate) fn pid(&self) -> Option<Pid> {
        self.0.identity.pid
    }

    /// What is kept of it while its client is away.
    pub(crate) fn as_away(&self, rooms: Vec<Arc<str>>) -> Away {
        Away {
            id: self.id(),
            rooms,
            user: self.0.user.clone(),
            data: self.0.data.clone(),
            shared: self.0.shared.clone(),
        }
    }

    /// What other nodes see of it.
    pub(crate) fn state(&self) -> SocketState {
        let handshake = self.handshake();
        let read = |json: &str| serde_json::from_str(json).unwrap_or_default();
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        SocketState {
            id: self.id(),
            rooms: self.rooms(),
            user: self.user().map(str::to_owned),
            shared: self.0.shared.as_deref().map(read).unwrap_or_default(),
            address: handshake.remote_addr().map(|address| address.to_string()),
            issued: handshake.issued(),
            is_secure: handshake.is_secure(),
            url: handshake.url().to_owned(),
            headers: handshake.headers().map(owned).collect(),
            auth: read(handshake.auth_json()),
        }
    }

    /// The namespace's name, `/` for the main one.
    pub fn nsp(&self) -> &str {
        self.0.namespace.nsp.as_str()
    }

    /// The server, seen from the socket's namespace.
    pub fn io(&self) -> Io {
        Io::new_in(self.0.session.server.clone(), self.0.namespace.clone())
    }

    /// The user key that admission gave.
    pub fn user(&self) -> Option<&str> {
        self.0.user.as_deref()
    }

    /// The data that admission gave, if it is a `T`.
    pub fn data<T: Any + Send + Sync>(&self) -> Option<&T> {
        self.0.data.as_deref()?.downcast_ref()
    }

    /// What the socket came with.
    pub fn handshake(&self) -> Handshake {
        Handshake::new(
            self.0.session.clone(),
            self.0.namespace.nsp.clone(),
            self.0.auth.clone(),
        )
    }

    /// The transport that the socket's session uses just now.
    pub fn transport(&self) -> Transport {
        self.0.session.transport()
    }

    /// What exactly was wrong, if a client's breach of a protocol has ended the socket: more than its
    /// [`DisconnectReason`], and meant for logs.
    ///
    /// ```
    /// # let io = fanfare::Io::new();
    /// io.on_disconnect(|_, socket, reason| async move {
    ///     let detail = socket.disconnect_detail().unwrap_or_default();
    ///     println!("{} has gone: {reason} {detail}", socket.id());
    /// });
    /// ```
    pub fn disconnect_detail(&self) -> Option<String> {
        self.0.session.detail()
    }

    /// Whether the socket is connected: counted, and a receiver of broadcasts.
    pub fn is_connected(&self) -> bool {
        self.0
            .session
            .shard
            .lock()
            .is_member(self.0.namespace.number, self.id())
    }

    /// Sends an event to this socket. Takes its place in the order of all that the socket is sent
    /// at once, never blocks on the network, and may be called with locks held.
    pub fn emit(&self, event: &str, args: impl IntoArgs) {
        self.emit_kept(event, args, Keep::Event);
    }

    /// Sends a `message`, the event of clients' `send`, to this socket.
    pub fn send(&self, args: impl IntoArgs) {
        self.emit(MESSAGE, args);
    }

    /// This socket, for events that are worth nothing later; see [`Io::volatile`].
    ///
    /// ```
    /// # let io = fanfare::Io::new();
    /// io.on_connect(|_, socket| async move { socket.volatile().emit("tick", 1); });
    /// ```
    pub fn volatile(&self) -> Volatile<Self> {
        Volatile(self.clone())
    }

    /// This socket, for events that are compressed or not, as [`Broadcast::compress`] says.
    ///
    /// ```
    /// # let io = fanfare::Io::new();
    /// io.on_connect(|_, socket| async move { socket.compress(false).emit("key", "secret"); });
    /// ```
    pub fn compress(&self, compresses: bool) -> Broadcast {
        let own = Broadcast::new(self.io(), None).to(self.id()).local();
        own.compress(compresses)
    }

    /// Sends an event, and waits for the client's answer. The event is sent at once, not when
    /// the result is first awaited.
    ///
    /// # Errors
    ///
    /// [`AckError`] if no answer of type `T` comes within `patience`, which begins at once.
    ///
    /// # Cancel safety
    ///
    /// The event is sent in any case; an answer that comes after the drop is ignored.
    pub fn emit_with_ack<T: FromArgs, A: IntoArgs>(
        &self,
        event: &str,
        args: A,
        patience: Duration,
    ) -> impl Future<Output = Result<T, AckError>> + use<T, A> {
        let until = clock::after(patience);
        let id = self.0.namespace.next_ack_id();
        let max = self.0.session.server.config.limits.max_pending_acks;
        let answer = self.0.acks.wait_for(id, max);
        let answer = answer.map_err(AckError::TooManyPending).and_then(|answer| {
            // Asked after that: who leaves from here on takes the answer along.
            if !self.is_connected() {
                self.0.acks.clear();
                return Err(AckError::Disconnected);
            }
            self.send_event(event, Some(id), args, Keep::Event)?;
            Ok(answer)
        });
        let socket = self.clone();
        async move {
            let answered = timeout_at(until, answer?).await;
            socket.0.acks.take(id);
            match answered {
                Ok(Ok(args)) => Ok(args.read()?),
                Ok(Err(_)) => Err(AckError::Disconnected),
                Err(_) => Err(AckError::Timeout),
            }
        }
    }

    /// Everyone in the namespace but this socket.
    pub fn broadcast(&self) -> Broadcast {
        Broadcast::new(self.io(), Some(self.id()))
    }

    /// The sockets of `room` but this one.
    pub fn to(&self, room: impl AsRef<str>) -> Broadcast {
        self.broadcast().to(room)
    }

    /// Everyone in the namespace but this socket and those of `room`.
    pub fn except(&self, room: impl AsRef<str>) -> Broadcast {
        self.broadcast().except(room)
    }

    /// Adds the socket to a room. Does nothing once it is disconnected.
    pub fn join(&self, room: impl AsRef<str>) {
        let (session, namespace) = (&self.0.session, &self.0.namespace);
        let mut turn = session.shard.lock();
        let members = turn.members_mut(namespace.number);
        members.join_room(session.slot, self.id(), room.as_ref(), namespace.watching());
    }

    /// Takes the socket out of a room.
    pub fn leave(&self, room: impl AsRef<str>) {
        let (session, namespace) = (&self.0.session, &self.0.namespace);
        let mut turn = session.shard.lock();
        let members = turn.members_mut(namespace.number);
        members.leave_room(session.slot, self.id(), room.as_ref(), namespace.watching());
    }

    /// The rooms that the socket is in, without the one of its own id. None once disconnected.
    pub fn rooms(&self) -> Vec<String> {
        let session = &self.0.session;
        let rooms = session
            .shard
            .lock()
            .members_mut(self.0.namespace.number)
            .rooms_of(session.slot, self.id());
        rooms.iter().map(|room| String::from(&**room)).collect()
    }

    /// Disconnects the socket from its namespace; the connection and its other sockets stay.
    pub fn disconnect(&self) {
        self.0
            .session
            .disconnect(self, DisconnectReason::ServerNamespaceDisconnect);
    }

    /// Disconnects all sockets of this socket's connection, and closes it.
    pub fn close(&self) {
        self.0.session.close();
    }

    pub(crate) fn session(&self) -> &Arc<Session> {
        &self.0.session
    }

    pub(crate) fn namespace(&self) -> &Arc<Namespace> {
        &self.0.namespace
    }

    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    pub(crate) fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.0.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn max_inbox_bytes(&self) -> usize {
        self.0.session.server.config.limits.max_inbox_bytes
    }

    pub(crate) fn acks(&self) -> &PendingAcks {
        &self.0.acks
    }

    pub(crate) fn handlers<T>(&self, choose: impl FnOnce(&Handlers) -> T) -> T {
        self.0.namespace.with_handlers(choose)
    }

    pub(crate) fn send_ack(&self, id: AckId, args: impl IntoArgs) {
        let parser = self.0.session.server.config.parser;
        match frame::ack(parser, &self.0.namespace.nsp, id, args) {
            Ok(frames) => self.send_behind(frames, Trailer::None, Keep::Event),
            Err(error) => tracing::error!(%error, "an answer was not sent"),
        }
    }

    pub(crate) fn emit_kept(&self, event: &str, args: impl IntoArgs, keep: Keep) {
        if let Err(error) = self.send_event(event, None, args, keep) {
            tracing::error!(%error, "an event was not sent");
        }
    }

    fn send_event(
        &self,
        event: &str,
        id: Option<AckId>,
        args: impl IntoArgs,
        keep: Keep,
    ) -> Result<(), EmitError> {
        let (config, namespace) = (&self.0.session.server.config, &self.0.namespace);
        let trailer = match id {
            // Its answer is the last argument to its client.
            Some(_) => Trailer::None,
            None => namespace.trailer(keep),
        };
        if !namespace.tells_of_sent() {
            let frames = frame::event(config, &namespace.nsp, id, trailer, event, args)?;
            self.send_behind(frames, trailer, keep);
            return Ok(());
        }
        let args = written(event, args)?;
        let frames = frame::event(config, &namespace.nsp, id, trailer, event, &args)?;
        self.send_behind(frames, trailer, keep);
        let sent = Sent {
            event: event.into(),
            args: Arc::new(args),
        };
        self.0.session.push_sent(self, sent);
        Ok(())
    }

    fn send_behind(&self, frames: Vec<u8>, trailer: Trailer, keep: Keep) {
        let config = &self.0.session.server.config;
        let mut draft = match config.websocket_compression {
            Some(min_bytes) if self.0.session.form() == WireForm::Deflated => {
                Draft::deflated(frames, trailer, min_bytes)
            }
            Some(_) | None => Draft::plain(frames),
        };
        match trailer {
            Trailer::Place => self.0.namespace.send_logged(self, &mut draft),
            Trailer::None | Trailer::Shield => self.send_frames(draft.encoded(), keep),
        }
    }

    fn send_frames(&self, frames: Encoded<'_>, keep: Keep) {
        let (session, namespace) = (&self.0.session, &self.0.namespace);
        let wake = session.shard.lock().push_to_member(
            session.slot,
            namespace.number,
            self.id(),
            frames,
            keep,
        );
        session.shard.tell(wake);
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket")
            .field("nsp", &self.nsp())
            .field("id", &self.id())
            .finish_non_exhaustive()
    }
}
