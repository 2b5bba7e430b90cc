//! Joining namespaces, leaving them, and the end.

use std::sync::{Arc, atomic::Ordering};

use fanfare_proto::{
    engineio::{CloseReason, Revision},
    socketio::{self, Nsp},
};
use tracing::debug;

use super::{Entry, Session, Stage, Step, Steps};
use crate::{
    admission::{Admission, Deciders, Handshake, Refusal},
    clock, frame,
    inbox::{self, Item, Leaving, Place},
    namespace::Namespace,
    reason::DisconnectReason,
    socket::Socket,
    socket_id::SocketId,
};

impl Session {
    pub(super) fn admit(
        self: &Arc<Self>,
        namespace: Arc<Namespace>,
        auth: Option<Arc<str>>,
        place: Place,
    ) {
        let Some(deciders) = namespace.with_handlers(Deciders::of) else {
            return self.join(&namespace, Ok(Admission::anonymous()), auth, place);
        };
        let handshake = Handshake::new(self.clone(), namespace.nsp.clone(), auth.clone());
        let session = self.clone();
        inbox::run(place, async move {
            let admitted = deciders.decide(handshake).await;
            session.join(&namespace, admitted, auth, Place::Here);
        });
    }

    pub(super) fn join(
        self: &Arc<Self>,
        namespace: &Arc<Namespace>,
        admitted: Result<Admission, Refusal>,
        auth: Option<Arc<str>>,
        place: Place,
    ) {
        let mut wake = crate::shard::Wake::Nobody;
        let joined = self.update_at(place, |state, steps| {
            let at = state
                .entries
                .iter()
                .position(|entry| Arc::ptr_eq(&entry.namespace, namespace))?;
            if !state.machine.is_open() {
                state.entries.swap_remove(at);
                return None;
            }
            let admission = match admitted {
                Ok(admission) => admission,
                Err(refusal) => {
                    state.entries.swap_remove(at);
                    steps.push(Step::Send(self.refused(&namespace.nsp, &refusal)));
                    return None;
                }
            };
            let id = self.new_socket_id(&namespace.nsp);
            let socket = Socket::new(id, self.clone(), namespace.clone(), admission, auth);
            wake = namespace.join(&socket, &self.connected(&namespace.nsp, id));
            if let Some(room) = self.older_id(&namespace.nsp) {
                socket.join(room);
            }
            state.join_by = None;
            state.entries[at].stage = Stage::Joined(socket.clone());
            socket.inbox().push(Item::Connect, socket.max_inbox_bytes());
            Some(socket)
        });
        self.shard.tell(wake);
        if let Some(socket) = joined {
            self.end_joining();
            // Told the count before its connect handler can tell it anything.
            namespace.greet(&socket);
            inbox::serve(&socket, place);
        }
    }

    /// To a client of an older protocol its session's id is the main socket's.
    fn new_socket_id(&self, nsp: &Nsp) -> SocketId {
        let own = match self.dialect.revision {
            Revision::V3 if nsp.is_main() => SocketId::parse(self.sid.as_str()),
            Revision::V3 | Revision::V4 => None,
        };
        own.unwrap_or_else(|| self.server.new_socket_id())
    }

    /// What a client of an older protocol takes for the id of a socket that is not in the main namespace.
    fn older_id(&self, nsp: &Nsp) -> Option<String> {
        match self.dialect.revision {
            Revision::V3 if !nsp.is_main() => {
                Some(format!("{}#{}", nsp.as_str(), self.sid.as_str()))
            }
            Revision::V3 | Revision::V4 => None,
        }
    }

    fn connected(&self, nsp: &Nsp, id: SocketId) -> Vec<u8> {
        let data = match self.dialect.revision {
            Revision::V3 => None,
            Revision::V4 => Some(format!(r#"{{"sid":"{id}"}}"#)),
        };
        let nsp = nsp.clone();
        frame::packet(&socketio::Packet::Connect { nsp, data })
    }

    /// Tells the client that it may not join, and why.
    pub(super) fn refused(&self, nsp: &Nsp, refusal: &Refusal) -> Vec<u8> {
        let data = Some(match self.dialect.revision {
            Revision::V3 => refusal.to_older_json(),
            Revision::V4 => refusal.to_json(),
        });
        let nsp = nsp.clone();
        frame::packet(&socketio::Packet::ConnectError { nsp, data })
    }

    pub(super) fn end_joining(&self) {
        if self.is_joining.swap(false, Ordering::AcqRel) {
            self.server.end_joining(self.head.remote_addr());
        }
    }

    /// Tells a socket's handlers that it has left.
    pub(super) fn after_leave(&self, socket: &Socket, leaving: Leaving, place: Place) {
        debug!(nsp = socket.nsp(), id = %socket.id(), reason = %leaving.reason, "a socket disconnected");
        socket.acks().clear();
        let max = socket.max_inbox_bytes();
        socket.inbox().push(Item::Disconnect(leaving), max);
        inbox::serve(socket, place);
    }

    /// Disconnects one socket, on the application's behalf.
    pub(crate) fn disconnect(self: &Arc<Self>, socket: &Socket, reason: DisconnectReason) {
        self.update_at(Place::Task, |state, steps| {
            let is_it = |entry: &Entry| matches!(&entry.stage, Stage::Joined(joined) if joined.is_same(socket));
            if let Some(at) = state.entries.iter().position(is_it) {
                let packet = socketio::Packet::Disconnect { nsp: socket.namespace().nsp.clone() };
                state.entries.swap_remove(at);
                steps.push(Step::Send(frame::packet(&packet)));
                leave(socket.clone(), reason, steps);
            }
        });
    }

    /// The socket that is in `namespace`, if one is.
    pub(crate) fn socket_in(&self, namespace: &Namespace) -> Option<Socket> {
        self.lock().joined(&namespace.nsp).cloned()
    }

    /// Disconnects all sockets, on the application's behalf, then closes the connection.
    pub(crate) fn close(self: &Arc<Self>) {
        let now = clock::now();
        self.update_at(Place::Task, |state, steps| {
            for entry in std::mem::take(&mut state.entries) {
                if let Stage::Joined(socket) = entry.stage {
                    let packet = socketio::Packet::Disconnect {
                        nsp: entry.namespace.nsp.clone(),
                    };
                    steps.push(Step::Send(frame::packet(&packet)));
                    leave(socket, DisconnectReason::ServerNamespaceDisconnect, steps);
                }
            }
            state.machine.close(now);
        });
    }

    /// Ends the session at once, whatever it still holds.
    pub(crate) fn end(self: &Arc<Self>, reason: DisconnectReason) {
        let close_reason = match reason {
            DisconnectReason::ServerShuttingDown => CloseReason::ServerShuttingDown,
            DisconnectReason::TransportClose => CloseReason::TransportClose,
            DisconnectReason::TransportError => CloseReason::TransportError,
            DisconnectReason::PingTimeout => CloseReason::PingTimeout,
            DisconnectReason::ParseError => CloseReason::ParseError,
            DisconnectReason::ForcedClose
            | DisconnectReason::ClientNamespaceDisconnect
            | DisconnectReason::ServerNamespaceDisconnect
            | DisconnectReason::SlowReader => CloseReason::ForcedClose,
        };
        self.update_at(Place::Task, |state, steps| {
            state.leave_all(reason, steps);
            state.machine.abort(close_reason);
        });
    }

    /// Puts `item` into the socket's inbox, in the order in which things happen to the session.
    pub(super) fn push(&self, socket: &Socket, item: Item, steps: &mut Steps) {
        if socket.inbox().push(item, socket.max_inbox_bytes()) {
            self.n_full.fetch_add(1, Ordering::AcqRel);
        }
        steps.push(Step::Serve(socket.clone()));
    }

    /// An inbox that was full has room again.
    pub(crate) fn resume_reading(self: &Arc<Self>) {
        if self.n_full.fetch_sub(1, Ordering::AcqRel) == 1 {
            let now = clock::now();
            self.lock().machine.defer_pong(now);
            self.resumed.notify_waiters();
            self.wake.notify_one();
        }
    }

    /// Whether the session may be read: no inbox is full.
    pub(crate) fn is_readable(&self) -> bool {
        self.n_full.load(Ordering::Acquire) == 0
    }
}

/// Takes a socket that has just been taken out of `entries` out of everything else, under the same
/// lock: later, somebody else might have the session's slot, and be taken out instead.
pub(super) fn leave(socket: Socket, reason: DisconnectReason, steps: &mut Steps) {
    let rooms = socket.namespace().leave(&socket);
    let over = socket.namespace().rounds.leave(&socket);
    steps.extend(over.into_iter().map(Step::RoundOver));
    steps.push(Step::Left(socket, Leaving { reason, rooms }));
}
