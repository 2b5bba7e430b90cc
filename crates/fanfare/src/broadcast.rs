//! Broadcast: choosing receivers, then emitting to them.

use std::{sync::Arc, time::Duration};

use smallvec::SmallVec;

use crate::{
    ack::{BroadcastAckError, read_all},
    args::{FromArgs, IntoArgs},
    clock,
    cluster::{ClusterError, Manner, RemoteSocket, Worth},
    emitted::Emitted,
    io::Io,
    ranges::Keep,
    socket::Socket,
    socket_id::SocketId,
};

/// Receivers within a namespace: everyone, until [`to`](Self::to) or [`except`](Self::except)
/// choose. A socket in several of the rooms gets an event once.
#[derive(Clone, Debug)]
#[must_use = "nothing is sent before an emit"]
pub struct Broadcast {
    io: Io,
    select: Select,
    is_plain: bool,
}

/// Who is meant, by rooms.
#[derive(Clone, Debug, Default)]
pub(crate) struct Select {
    /// The union of these; everyone if there are none.
    pub(crate) rooms: SmallVec<[Arc<str>; 1]>,
    pub(crate) except: SmallVec<[Arc<str>; 1]>,
    /// The one who speaks.
    pub(crate) but: Option<SocketId>,
    /// Sockets of this node only.
    pub(crate) is_local: bool,
}

impl Select {
    /// One socket.
    pub(crate) fn only(id: SocketId) -> Self {
        Self {
            rooms: [Arc::from(id.as_str())].into_iter().collect(),
            ..Self::default()
        }
    }

    /// Whether all are meant, but perhaps for the one who speaks.
    pub(crate) fn is_everyone(&self) -> bool {
        self.rooms.is_empty() && self.except.is_empty()
    }

    /// The room, if being in it is all that is asked.
    pub(crate) fn only_room(&self) -> Option<&str> {
        match &self.rooms[..] {
            [room]
                if self.except.is_empty()
                    && self.but.is_none()
                    && SocketId::parse(room).is_none() =>
            {
                Some(room)
            }
            _ => None,
        }
    }
}

/// Receivers of events that are worth nothing later: what can't leave now is dropped. See
/// [`Io::volatile`].
#[derive(Clone, Debug)]
#[must_use = "nothing is sent before an emit"]
pub struct Volatile<T>(pub(crate) T);

impl Volatile<Broadcast> {
    /// Sends an event to those of these receivers whose transport is writable. Takes its place in
    /// the namespace's order at once; see [`Io::emit`].
    pub fn emit(&self, event: &str, args: impl IntoArgs) -> Emitted {
        self.0.emit_worth(event, args, Worth::Volatile)
    }
}

impl Volatile<Socket> {
    /// Sends an event to the socket if its transport is writable. Takes its place in the order of
    /// all that the socket is sent at once; see [`Socket::emit`].
    pub fn emit(&self, event: &str, args: impl IntoArgs) {
        self.0.emit_kept(event, args, Keep::Nothing);
    }
}

impl Broadcast {
    pub(crate) fn new(io: Io, but: Option<SocketId>) -> Self {
        Self {
            io,
            select: Select {
                but,
                ..Select::default()
            },
            is_plain: false,
        }
    }

    /// Adds the sockets of `room`. A socket's id names a room of its own.
    pub fn to(mut self, room: impl AsRef<str>) -> Self {
        self.select.rooms.push(room.as_ref().into());
        self
    }

    /// Takes the sockets of `room` out.
    pub fn except(mut self, room: impl AsRef<str>) -> Self {
        self.select.except.push(room.as_ref().into());
        self
    }

    /// Whether what is emitted may be compressed on WebSockets; it may, unless this says `false`. See
    /// [`Config::websocket_compression`](crate::Config::websocket_compression).
    ///
    /// An event that holds a secret beside what somebody else wrote should not be: its size tells of it.
    pub fn compress(mut self, compresses: bool) -> Self {
        self.is_plain = !compresses;
        self
    }

    /// Takes the sockets of other nodes out.
    pub fn local(mut self) -> Self {
        self.select.is_local = true;
        self
    }

    pub(crate) fn select(&self) -> &Select {
        &self.select
    }

    /// Sends an event to these receivers. Takes its place in the namespace's order at once; see
    /// [`Io::emit`].
    pub fn emit(&self, event: &str, args: impl IntoArgs) -> Emitted {
        self.emit_worth(event, args, Worth::Event)
    }

    /// Sends a `message`, the event of clients' `send`, to these receivers.
    pub fn send(&self, args: impl IntoArgs) -> Emitted {
        self.emit(MESSAGE, args)
    }

    fn emit_worth(&self, event: &str, args: impl IntoArgs, worth: Worth) -> Emitted {
        let manner = Manner {
            worth,
            is_plain: self.is_plain,
        };
        self.io.broadcast(event, args, &self.select, manner)
    }

    /// Sends an event of which receivers need the latest value only; see [`Io::emit_latest`].
    pub fn emit_latest(&self, event: &str, args: impl IntoArgs) -> Emitted {
        self.emit_worth(event, args, Worth::Latest)
    }

    /// Sends an event, and waits for everyone's answer: each receiver's id and answer, in the order
    /// in which they came. The id is missing where a node of another maker does not say it. The event is sent at
    /// once, not when the result is first awaited; nobody to ask is an answer at once.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use fanfare::{BroadcastAckError, Io};
    /// # async fn vote(io: Io) {
    /// match io.to("jury").emit_with_ack::<bool, _>("guilty?", (), Duration::from_secs(10)).await {
    ///     Ok(votes) => println!("{} votes", votes.len()),
    ///     Err(BroadcastAckError::Missing { answers, missing, .. }) => {
    ///         println!("{} votes, {} abstentions", answers.len(), missing.len());
    ///     }
    ///     Err(wrong) => println!("{wrong}"),
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`BroadcastAckError::Missing`] with the answers that came, and who gave none: it did not
    /// within `patience`, it left, or its answer is no `T`. [`BroadcastAckError`] has the others.
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
        let until = clock::after(patience);
        let asking = self
            .io
            .ask(event, args, &self.select, self.is_plain, patience);
        async move { read_all(asking?.answers(until).await) }
    }

    /// These receivers, for events that are worth nothing later; see [`Io::volatile`].
    pub fn volatile(self) -> Volatile<Self> {
        Volatile(self)
    }

    /// How many sockets of this node these are. O(1) for one room.
    pub fn count(&self) -> usize {
        self.io.count_of(&self.select)
    }

    /// These sockets of this node, in no order.
    ///
    /// ```
    /// # let io = fanfare::Io::new();
    /// let names: Vec<_> = io.to("board").sockets().iter().map(|socket| socket.id()).collect();
    /// ```
    pub fn sockets(&self) -> Vec<Socket> {
        self.io.sockets_of(&self.select)
    }

    /// Adds these sockets to a room, at one point of the namespace's order: a broadcast to the room
    /// reaches all of them, or came before.
    ///
    /// ```
    /// # let io = fanfare::Io::new();
    /// io.to("lobby").join("game 7");
    /// io.to("game 7").leave("lobby");
    /// ```
    pub fn join(&self, room: impl AsRef<str>) {
        self.io.join_of(&self.select, room.as_ref());
    }

    /// Takes these sockets out of a room, at one point of the namespace's order.
    pub fn leave(&self, room: impl AsRef<str>) {
        self.io.leave_of(&self.select, room.as_ref());
    }

    /// Disconnects these sockets from the namespace.
    pub fn disconnect(&self) {
        self.io.disconnect_of(&self.select, false);
    }

    /// Disconnects all sockets of these sockets' connections, and closes them.
    pub fn close(&self) {
        self.io.disconnect_of(&self.select, true);
    }

    /// These sockets of all nodes of the cluster, as they are now. In no order.
    ///
    /// ```
    /// # async fn names(io: fanfare::Io) -> Result<(), Box<dyn std::error::Error>> {
    /// for socket in io.to("board").fetch_sockets(std::time::Duration::from_secs(5)).await? {
    ///     println!("{} is in {:?}", socket.id(), socket.state().rooms);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ClusterError`] unless all nodes have answered within `patience`; it has what came.
    pub fn fetch_sockets(
        &self,
        patience: Duration,
    ) -> impl Future<Output = Result<Vec<RemoteSocket>, ClusterError<RemoteSocket>>> + use<> {
        self.io.fetch_of(&self.select, patience)
    }
}

/// The event that clients' `send` emits.
pub(crate) const MESSAGE: &str = "message";
