//! Handlers: the application's functions, and how each is called.

use std::{future::Future, pin::Pin, sync::Arc};

use crate::{
    ack::Ack,
    admission::{Admission, Handshake, Refusal},
    args::{ArgsError, FromArgs, RawArgs},
    io::Io,
    reason::DisconnectReason,
    rooms::OnRoom,
    socket::Socket,
    users::OnUser,
};

/// What can be registered for an event: a function of the socket; then, if it takes any, the
/// event's arguments (one by serde, several as [`Args`](crate::Args), or [`RawArgs`]); then, if it
/// answers, an [`Ack`].
///
/// ```
/// # use fanfare::{Ack, Args, Io, Socket};
/// # let io = Io::new();
/// io.on("refresh", |socket: Socket| async move { socket.emit("fresh", true); });
/// io.on("time", |_: Socket, ack: Ack| async move { ack.send("noon"); });
/// io.on("say", |socket: Socket, text: String| async move { socket.broadcast().emit("said", text); });
/// io.on("add", |_: Socket, Args((a, b)): Args<(i64, i64)>, ack: Ack| async move { ack.send(a + b); });
/// ```
pub trait EventHandler<Parameters>: Send + Sync + 'static {
    /// Calls the function, unless its arguments can't be read from `args`.
    ///
    /// # Errors
    ///
    /// Says which argument was found and which was expected.
    fn call(&self, socket: Socket, args: &RawArgs, ack: Ack) -> Result<BoxFuture<()>, ArgsError>;
}

impl<F, R> EventHandler<fn()> for F
where
    F: Fn(Socket) -> R + Send + Sync + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    fn call(&self, socket: Socket, _args: &RawArgs, _ack: Ack) -> Result<BoxFuture<()>, ArgsError> {
        Ok(Box::pin(self(socket)))
    }
}

impl<F, R, A> EventHandler<fn(A)> for F
where
    F: Fn(Socket, A) -> R + Send + Sync + 'static,
    R: Future<Output = ()> + Send + 'static,
    A: FromArgs,
{
    fn call(&self, socket: Socket, args: &RawArgs, _ack: Ack) -> Result<BoxFuture<()>, ArgsError> {
        Ok(Box::pin(self(socket, args.read()?)))
    }
}

impl<F, R> EventHandler<fn(Ack)> for F
where
    F: Fn(Socket, Ack) -> R + Send + Sync + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    fn call(&self, socket: Socket, _args: &RawArgs, ack: Ack) -> Result<BoxFuture<()>, ArgsError> {
        Ok(Box::pin(self(socket, ack)))
    }
}

impl<F, R, A> EventHandler<fn(A, Ack)> for F
where
    F: Fn(Socket, A, Ack) -> R + Send + Sync + 'static,
    R: Future<Output = ()> + Send + 'static,
    A: FromArgs,
{
    fn call(&self, socket: Socket, args: &RawArgs, ack: Ack) -> Result<BoxFuture<()>, ArgsError> {
        Ok(Box::pin(self(socket, args.read()?, ack)))
    }
}

/// A future of any kind, as the handlers of a server are kept.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

pub(crate) type OnConnect = Arc<dyn Fn(Io, Socket) -> BoxFuture<()> + Send + Sync>;
pub(crate) type OnDisconnect =
    Arc<dyn Fn(Io, Socket, DisconnectReason) -> BoxFuture<()> + Send + Sync>;
pub(crate) type OnDisconnecting =
    Arc<dyn Fn(Io, Socket, DisconnectReason, Vec<String>) -> BoxFuture<()> + Send + Sync>;
pub(crate) type OnEvent =
    Arc<dyn Fn(Socket, &RawArgs, Ack) -> Result<BoxFuture<()>, ArgsError> + Send + Sync>;
pub(crate) type OnAny = Arc<dyn Fn(Socket, &str, &RawArgs) -> BoxFuture<()> + Send + Sync>;
pub(crate) type UseEvent =
    Arc<dyn Fn(Socket, &str, &RawArgs) -> BoxFuture<Result<(), Refusal>> + Send + Sync>;
pub(crate) type OnServerSide =
    Arc<dyn Fn(Io, RawArgs) -> BoxFuture<Result<RawArgs, ArgsError>> + Send + Sync>;
pub(crate) type UseConnect = Arc<dyn Fn(Handshake) -> BoxFuture<Result<(), Refusal>> + Send + Sync>;
pub(crate) type OnAdmit =
    Arc<dyn Fn(Handshake) -> BoxFuture<Result<Admission, Refusal>> + Send + Sync>;

/// A handler of one event.
#[derive(Clone)]
pub(crate) struct Listener {
    pub(crate) call: OnEvent,
    /// Names it, if each socket's first such event is the only one that it is called for.
    pub(crate) once: Option<u32>,
}

/// A namespace's handlers, shared by all its sockets.
#[derive(Clone, Default)]
pub(crate) struct Handlers {
    /// Asked about every newcomer, before `admit`.
    pub(crate) use_connect: Vec<UseConnect>,
    pub(crate) admit: Option<OnAdmit>,
    pub(crate) connect: Vec<OnConnect>,
    /// Called when a socket's session has moved to WebSocket.
    pub(crate) upgrade: Vec<OnConnect>,
    pub(crate) disconnecting: Vec<OnDisconnecting>,
    pub(crate) disconnect: Vec<OnDisconnect>,
    /// Called for every event, before `events`.
    pub(crate) any: Vec<OnAny>,
    /// Asked about every event, after `any` and before `events`.
    pub(crate) use_event: Vec<UseEvent>,
    /// Called for events of other nodes.
    pub(crate) server_side: std::collections::HashMap<String, OnServerSide>,
    pub(crate) events: std::collections::HashMap<String, Vec<Listener>>,
    /// How many listeners have been called `once`.
    n_once: u32,
    /// Called for every event that a socket is sent.
    pub(crate) any_outgoing: Vec<OnAny>,
    /// Told of what happens to rooms.
    pub(crate) rooms: Vec<OnRoom>,
    /// Told of who comes and who leaves.
    pub(crate) users: Vec<OnUser>,
}

impl Handlers {
    /// Adds a handler of `event`, for all such events or each socket's first.
    pub(crate) fn add(&mut self, event: &str, call: OnEvent, is_once: bool) {
        self.n_once += u32::from(is_once);
        let once = is_once.then_some(self.n_once);
        let listeners = self.events.entry(event.to_owned()).or_default();
        listeners.push(Listener { call, once });
    }
}
