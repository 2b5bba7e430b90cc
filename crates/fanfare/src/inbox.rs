//! Inbox: what happens to one socket, handled one by one and in order, whatever handlers do.

use std::{
    collections::VecDeque,
    future::Future,
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use fanfare_proto::socketio::AckId;
use futures_util::FutureExt;
use tracing::{debug, error};

use crate::{
    ack::Ack,
    admission::Refusal,
    args::RawArgs,
    handler::{BoxFuture, Listener, UseEvent},
    reason::DisconnectReason,
    socket::Socket,
};

/// What waits for a socket's handlers. `Connect` is the first item, `Disconnect` the last.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    items: VecDeque<Item>,
    bytes: usize,
    /// Somebody is taking items out; whoever puts one in need not.
    is_served: bool,
    /// The session is not read, because this inbox was full.
    is_full: bool,
    /// Nothing comes after `Disconnect`.
    is_over: bool,
    /// The listeners that were called for their only event.
    spent: Option<Box<Spent>>,
}

/// Names of listeners.
#[derive(Debug, Default)]
struct Spent(Vec<u32>);

#[derive(Debug)]
pub(crate) enum Item {
    Connect,
    Event {
        event: Box<str>,
        args: RawArgs,
        id: Option<AckId>,
    },
    /// The socket has been sent an event.
    Sent(Sent),
    /// The session has moved to WebSocket.
    Upgraded,
    Disconnect(Leaving),
}

/// An event that goes out, shared by all who are told of it.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) event: Arc<str>,
    pub(crate) args: Arc<RawArgs>,
}

/// What the handlers of a socket that has left are told.
#[derive(Debug)]
pub(crate) struct Leaving {
    pub(crate) reason: DisconnectReason,
    /// The rooms that it was in.
    pub(crate) rooms: Vec<Arc<str>>,
}

/// Where handlers run.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Place {
    /// Begun at once, in the caller's task; moved to a task of their own when they wait.
    Here,
    /// In a task of their own, because the caller may hold locks of the application.
    Task,
}

impl Inbox {
    /// Returns whether this item fills the inbox, so that the session must not be read on.
    pub(crate) fn push(&mut self, item: Item, max_bytes: usize) -> bool {
        if self.is_over {
            return false;
        }
        self.is_over = matches!(item, Item::Disconnect(_));
        self.bytes += item.bytes();
        self.items.push_back(item);
        let was_full = self.is_full;
        self.is_full |= max_bytes < self.bytes;
        self.is_full && !was_full
    }

    /// Whether nothing more should come.
    pub(crate) fn is_full(&self) -> bool {
        self.is_full
    }

    /// Takes the next item, and whether there is room again.
    fn pop(&mut self, max_bytes: usize) -> (Option<Item>, bool) {
        let item = self.items.pop_front();
        match &item {
            Some(item) => self.bytes -= item.bytes(),
            None => {
                self.is_served = false;
                self.items = VecDeque::new();
            }
        }
        let has_room = self.is_full && self.bytes <= max_bytes / 2;
        self.is_full &= !has_room;
        (item, has_room)
    }

    /// Whether nothing comes any more: `Disconnect` has been pushed.
    fn is_over(&self) -> bool {
        self.is_over
    }

    /// Whether a listener is called for the first time.
    fn spend(&mut self, once: u32) -> bool {
        let spent = self.spent.get_or_insert_default();
        let is_first = !spent.0.contains(&once);
        if is_first {
            spent.0.push(once);
        }
        is_first
    }

    fn begin(&mut self) -> bool {
        let has_work = !self.is_served && !self.items.is_empty();
        self.is_served |= has_work;
        has_work
    }
}

impl Item {
    fn bytes(&self) -> usize {
        match self {
            Self::Event { event, args, .. } => bytes_of(event, args),
            Self::Sent(Sent { event, args }) => bytes_of(event, args),
            Self::Connect | Self::Upgraded | Self::Disconnect(_) => 0,
        }
    }
}

fn bytes_of(event: &str, args: &RawArgs) -> usize {
    let attachments = args.attachments.iter().map(|data| data.len());
    ITEM_BYTES + event.len() + args.json.len() + attachments.sum::<usize>()
}

/// Handles what waits for `socket`, unless somebody does already.
pub(crate) fn serve(socket: &Socket, place: Place) {
    if !socket.inbox().begin() {
        return;
    }
    match place {
        Place::Here => serve_here(socket),
        Place::Task => drop(
            socket
                .session()
                .server
                .tasks
                .spawn(serve_on(socket.clone())),
        ),
    }
}

fn serve_here(socket: &Socket) {
    while let Some(item) = next(socket) {
        let Some(mut handling) = handle(socket, item) else {
            continue;
        };
        match poll_once(handling.as_mut()) {
            Poll::Ready(()) => {}
            Poll::Pending => {
                let moved = socket.clone();
                socket.session().server.tasks.spawn(async move {
                    handling.await;
                    serve_on(moved).await;
                });
                return;
            }
        }
    }
}

async fn serve_on(socket: Socket) {
    while let Some(item) = next(&socket) {
        if let Some(handling) = handle(&socket, item) {
            handling.await;
        }
        tokio::task::consume_budget().await;
    }
}

fn next(socket: &Socket) -> Option<Item> {
    let (item, has_room, is_over) = {
        let mut inbox = socket.inbox();
        let (item, has_room) = inbox.pop(socket.max_inbox_bytes());
        (item, has_room, inbox.is_over())
    };
    if has_room {
        socket.session().resume_reading();
    }
    if item.is_none() && is_over {
        socket.session().has_left();
    }
    item
}

/// Calls the handlers for `item`; `None` if there are none.
fn handle(socket: &Socket, item: Item) -> Option<BoxFuture<()>> {
    match item {
        Item::Connect => {
            let handlers = socket.handlers(|handlers| handlers.connect.clone());
            let socket = socket.clone();
            (!handlers.is_empty()).then(|| -> BoxFuture<()> {
                Box::pin(async move {
                    for on_connect in handlers {
                        let called = caught(|| on_connect(socket.io(), socket.clone())).await;
                        if called.is_err() {
                            error!(nsp = socket.nsp(), id = %socket.id(), "a connect handler panicked");
                            return socket.disconnect();
                        }
                    }
                })
            })
        }
        Item::Event { event, args, id } => handle_event(socket, &event, args, id),
        Item::Sent(sent) => handle_sent(socket, sent),
        Item::Upgraded => Some(handle_upgraded(socket)),
        Item::Disconnect(leaving) => handle_disconnect(socket, leaving),
    }
}

fn handle_sent(socket: &Socket, Sent { event, args }: Sent) -> Option<BoxFuture<()>> {
    let handlers = socket.handlers(|handlers| handlers.any_outgoing.clone());
    let socket = socket.clone();
    Some(Box::pin(async move {
        for handler in handlers {
            let called = caught(|| handler(socket.clone(), &event, &args));
            if called.await.is_err() {
                error!(nsp = socket.nsp(), id = %socket.id(), %event, "a handler of all that is sent panicked");
            }
        }
    }))
}

fn handle_upgraded(socket: &Socket) -> BoxFuture<()> {
    let handlers = socket.handlers(|handlers| handlers.upgrade.clone());
    let socket = socket.clone();
    Box::pin(async move {
        for handler in handlers {
            let called = caught(|| handler(socket.io(), socket.clone()));
            if called.await.is_err() {
                error!(nsp = socket.nsp(), id = %socket.id(), "a handler of upgrades panicked");
            }
        }
    })
}

fn handle_disconnect(socket: &Socket, Leaving { reason, rooms }: Leaving) -> Option<BoxFuture<()>> {
    let (disconnecting, disconnect) =
        socket.handlers(|handlers| (handlers.disconnecting.clone(), handlers.disconnect.clone()));
    if disconnecting.is_empty() && disconnect.is_empty() {
        return None;
    }
    let socket = socket.clone();
    Some(Box::pin(async move {
        for handler in disconnecting {
            let rooms = rooms.iter().map(|room| String::from(&**room)).collect();
            let called = caught(|| handler(socket.io(), socket.clone(), reason, rooms));
            if called.await.is_err() {
                error!(nsp = socket.nsp(), id = %socket.id(), "a disconnecting handler panicked");
            }
        }
        for handler in disconnect {
            let called = caught(|| handler(socket.io(), socket.clone(), reason));
            if called.await.is_err() {
                error!(nsp = socket.nsp(), id = %socket.id(), "a disconnect handler panicked");
            }
        }
    }))
}

fn handle_event(
    socket: &Socket,
    event: &str,
    args: RawArgs,
    id: Option<AckId>,
) -> Option<BoxFuture<()>> {
    let (any, middlewares, handlers) = socket.handlers(|handlers| {
        let own = handlers.events.get(event).cloned();
        let middlewares = handlers.use_event.clone();
        (handlers.any.clone(), middlewares, own.unwrap_or_default())
    });
    let ack = Ack::new(socket, id);
    match (&any[..], &middlewares[..], &handlers[..]) {
        ([], [], []) => return None,
        ([], [], [only]) => return call(only, socket, event, &args, &ack),
        _ => {}
    }
    let (socket, event) = (socket.clone(), Box::<str>::from(event));
    Some(Box::pin(async move {
        for on_any in any {
            if caught(|| on_any(socket.clone(), &event, &args))
                .await
                .is_err()
            {
                error!(nsp = socket.nsp(), id = %socket.id(), event, "a handler of all events panicked");
            }
        }
        for middleware in middlewares {
            if let Err(refusal) = ask(&middleware, &socket, &event, &args).await {
                debug!(nsp = socket.nsp(), id = %socket.id(), event, ?refusal, "an event was refused");
                return ack.refuse(&refusal);
            }
        }
        for handler in handlers {
            if let Some(handling) = call(&handler, &socket, &event, &args, &ack) {
                handling.await;
            }
        }
    }))
}

async fn ask(
    middleware: &UseEvent,
    socket: &Socket,
    event: &str,
    args: &RawArgs,
) -> Result<(), Refusal> {
    caught(|| middleware(socket.clone(), event, args))
        .await
        .unwrap_or_else(|_| {
            error!(nsp = socket.nsp(), id = %socket.id(), event, "an event's middleware panicked");
            Err(Refusal::new("the server failed to decide on this event"))
        })
}

fn call(
    handler: &Listener,
    socket: &Socket,
    event: &str,
    args: &RawArgs,
    ack: &Ack,
) -> Option<BoxFuture<()>> {
    if handler.once.is_some_and(|once| !socket.inbox().spend(once)) {
        return None;
    }
    let called = std::panic::catch_unwind(AssertUnwindSafe(|| {
        (handler.call)(socket.clone(), args, ack.clone())
    }));
    let (nsp, id, event) = (socket.nsp().to_owned(), socket.id(), event.to_owned());
    match called {
        Ok(Ok(handling)) => Some(Box::pin(AssertUnwindSafe(handling).catch_unwind().map(
            move |handled| {
                if handled.is_err() {
                    error!(nsp, %id, event, "an event handler panicked");
                }
            },
        ))),
        Ok(Err(wrong)) => {
            debug!(nsp, %id, event, %wrong, "the arguments of an event are not what its handler expects");
            ack.refuse(&Refusal::new(format!("'{event}': {wrong}")));
            None
        }
        Err(_) => {
            error!(nsp, %id, event, "an event handler panicked");
            None
        }
    }
}

/// Runs the application's `future`, which is begun at once unless its place is a task.
pub(crate) fn run(place: Place, future: impl Future<Output = ()> + Send + 'static) {
    match place {
        Place::Task => drop(tokio::spawn(future)),
        Place::Here => {
            let mut future = Box::pin(future);
            if poll_once(future.as_mut()).is_pending() {
                tokio::spawn(future);
            }
        }
    }
}

/// Calls a handler and awaits it; its panic becomes an error.
pub(crate) async fn caught<R: Future>(
    handler: impl FnOnce() -> R,
) -> std::thread::Result<R::Output> {
    AssertUnwindSafe(async move { handler().await })
        .catch_unwind()
        .await
}

fn poll_once(future: Pin<&mut (dyn Future<Output = ()> + Send)>) -> Poll<()> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// What an item costs besides its text.
const ITEM_BYTES: usize = 128;
