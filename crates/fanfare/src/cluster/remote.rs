//! RemoteSocket: a socket of any node, as it was when it was asked for.

use std::{fmt, time::Duration};

use serde::de::DeserializeOwned;

use super::SocketState;
use crate::{
    ack::{AckError, BroadcastAckError},
    args::{ArgsError, FromArgs, IntoArgs},
    broadcast::Broadcast,
    clock,
    emitted::Emitted,
    io::Io,
    socket_id::SocketId,
};

/// A socket of any node of the cluster: how it was when it was asked for, and the way to it. From
/// [`Io::fetch_sockets`].
#[derive(Clone)]
pub struct RemoteSocket {
    io: Io,
    state: SocketState,
}

impl RemoteSocket {
    pub(crate) fn new(io: Io, state: SocketState) -> Self {
        Self { io, state }
    }

    /// Its id.
    pub fn id(&self) -> SocketId {
        self.state.id
    }

    /// How it was: its rooms, its user, and what it came with.
    pub fn state(&self) -> &SocketState {
        &self.state
    }

    /// What admission [shared](crate::Admission::with_shared) with other nodes, read as `T`.
    ///
    /// # Errors
    ///
    /// Says which value was found and which was expected.
    pub fn shared<T: DeserializeOwned>(&self) -> Result<T, ArgsError> {
        T::deserialize(&self.state.shared).map_err(ArgsError::from_json)
    }

    /// Sends it an event; see [`Broadcast::emit`].
    pub fn emit(&self, event: &str, args: impl IntoArgs) -> Emitted {
        self.selected().emit(event, args)
    }

    /// Sends it an event, and waits for its answer. The event is sent at once, not when the result is first
    /// awaited.
    ///
    /// # Errors
    ///
    /// [`AckError`] unless it has answered within `patience`; [`AckError::Disconnected`] too if no node has it
    /// any more.
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
        let asking = self
            .io
            .ask::<T>(event, args, self.selected().select(), false, patience);
        async move {
            let answers = asking.map_err(BroadcastAckError::into_ack_error)?;
            let mut answers = answers.answers(until).await;
            match answers.given.pop() {
                Some((_, args)) => Ok(args.read()?),
                None if answers.is_nobody_silent() => Err(AckError::Disconnected),
                None => Err(AckError::Timeout),
            }
        }
    }

    /// Adds it to a room.
    pub fn join(&self, room: impl AsRef<str>) {
        self.selected().join(room);
    }

    /// Takes it out of a room.
    pub fn leave(&self, room: impl AsRef<str>) {
        self.selected().leave(room);
    }

    /// Disconnects it from its namespace.
    pub fn disconnect(&self) {
        self.selected().disconnect();
    }

    /// Disconnects all sockets of its connection, and closes it.
    pub fn close(&self) {
        self.selected().close();
    }

    fn selected(&self) -> Broadcast {
        self.io.to(self.state.id)
    }
}

impl fmt::Debug for RemoteSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteSocket")
            .field("nsp", &self.io.nsp())
            .field("id", &self.id())
            .finish_non_exhaustive()
    }
}
