//! Joining namespaces, leaving them, and the end.

use std::sync::{Arc, atomic::Ordering};

use fanfare_proto::{
    engineio::{CloseReason, Revision},
    socketio::{self, Nsp},
};
use tracing::{debug, error, warn};

use super::{Entry, Session, State, Step, Steps};
use crate::{
    admission::{Admission, Deciders, Handshake, Refusal},
    clock, frame,
    inbox::{self, Item, Leaving, Place, Sent},
    namespace::Namespace,
    reason::DisconnectReason,
    recovery::{Claim, Discarded, Recovered},
    socket::{Identity, Socket},
    socket_id::SocketId,
};

/// A socket that is about to join, the frames that are its first, its rooms, and what it was before but is not
/// any more.
struct Entrance {
    socket: Socket,
    first: Vec<u8>,
    rooms: Vec<Arc<str>>,
    discarded: Discarded,
}

/// The client was here before, but that has been forgotten.
struct Forgotten;

/// What was decided on a client that wants to join.
enum Decision {
    Admitted(Admission),
    Refused(Refusal),
    /// It was here before, and comes back in time; if that is so.
    LetInAgain,
}

impl Session {
    pub(super) fn admit(
        self: &Arc<Self>,
        namespace: Arc<Namespace>,
        auth: Option<Arc<str>>,
        place: Place,
    ) {
        let Some(listening) = self.server.cluster.listening(namespace.nsp.as_str()) else {
            return self.admit_now(namespace, auth, place);
        };
        let session = self.clone();
        inbox::run(place, async move {
            listening.await;
            session.admit_now(namespace, auth, Place::Here);
        });
    }

    fn admit_now(
        self: &Arc<Self>,
        namespace: Arc<Namespace>,
        auth: Option<Arc<str>>,
        place: Place,
    ) {
        let Some(deciders) = namespace.with_handlers(Deciders::of) else {
            return self.join(&namespace, Ok(Admission::anonymous()), auth, place);
        };
        if self.is_let_in_again(&namespace, auth.as_deref()) {
            let again = self.try_join(&namespace, Decision::LetInAgain, auth.clone(), place);
            if again.is_ok() {
                return;
            }
        }
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
        let decision = admitted.map_or_else(Decision::Refused, Decision::Admitted);
        // Only who was not decided on can turn out to be a stranger.
        let _ = self.try_join(namespace, decision, auth, place);
    }

    /// Carries the decision out.
    ///
    /// # Errors
    ///
    /// [`Forgotten`] if who was to be let in again is not known any more.
    fn try_join(
        self: &Arc<Self>,
        namespace: &Arc<Namespace>,
        decision: Decision,
        auth: Option<Arc<str>>,
        place: Place,
    ) -> Result<(), Forgotten> {
        let mut wake = crate::shard::Wake::Nobody;
        // Who has gone meanwhile needs no decision, but it is not dropped under our lock: it may hold data.
        let mut decision = Some(decision);
        let joined = self.update_at(place, |state, steps| {
            let at = state.entries.iter().position(
                |entry| matches!(entry, Entry::Joining(joining) if Arc::ptr_eq(joining, namespace)),
            );
            let Some(at) = at else { return Ok(None) };
            if !state.machine.is_open() {
                state.entries.swap_remove(at);
                return Ok(None);
            }
            let admission = match decision.take() {
                Some(Decision::Admitted(admission)) => Some(admission),
                Some(Decision::LetInAgain) | None => None,
                Some(Decision::Refused(refusal)) => {
                    state.entries.swap_remove(at);
                    steps.push(Step::Send(self.refused(&namespace.nsp, &refusal)));
                    return Ok(None);
                }
            };
            let claim = self.claim(namespace, auth.as_deref());
            let mut order = namespace.order();
            let recovered = claim.and_then(|claim| {
                let recovered = namespace.recover(&mut order, &claim);
                recovered.map_err(|discarded| plan(discarded, steps)).ok()
            });
            let Entrance {
                socket,
                first,
                rooms,
                discarded,
            } = self.enter(namespace, admission, recovered, auth)?;
            wake = namespace.join_in(order, &socket, &first, &rooms);
            plan(discarded, steps);
            state.join_by = None;
            state.entries[at] = Entry::Joined(socket.clone());
            socket.inbox().push(Item::Connect, socket.max_inbox_bytes());
            Ok(Some(socket))
        })?;
        self.shard.tell(wake);
        if let Some(socket) = joined {
            self.end_joining();
            // Told the count before its connect handler can tell it anything.
            namespace.greet(&socket);
            inbox::serve(&socket, place);
        }
        Ok(())
    }

    /// Makes the socket that joins: anew, or as who it was.
    fn enter(
        self: &Arc<Self>,
        namespace: &Arc<Namespace>,
        admission: Option<Admission>,
        recovered: Option<Recovered>,
        auth: Option<Arc<str>>,
    ) -> Result<Entrance, Forgotten> {
        let mut discarded = Discarded::default();
        let (identity, rooms, mut first, admission) = match recovered {
            Some(Recovered {
                pid,
                mut away,
                missed,
            }) => {
                let identity = Identity {
                    id: away.id,
                    pid: Some(pid),
                    is_recovered: true,
                };
                let rooms = std::mem::take(&mut away.rooms);
                let admission = match admission {
                    Some(admission) => {
                        discarded = away.into();
                        admission
                    }
                    None => away.into(),
                };
                (identity, rooms, missed, admission)
            }
            None => {
                let can_be_recovered =
                    namespace.recovery.is_some() && self.dialect.revision == Revision::V4;
                let identity = Identity {
                    id: self.new_socket_id(&namespace.nsp),
                    pid: can_be_recovered.then(|| self.server.new_pid()),
                    is_recovered: false,
                };
                let rooms = self.older_id(&namespace.nsp).into_iter().collect();
                (identity, rooms, Vec::new(), admission.ok_or(Forgotten)?)
            }
        };
        first.extend(self.connected(&namespace.nsp, &identity));
        let socket = Socket::new(identity, self.clone(), namespace.clone(), admission, auth);
        Ok(Entrance {
            socket,
            first,
            rooms,
            discarded,
        })
    }

    /// Whether a client that has come back need not be decided on again.
    fn is_let_in_again(&self, namespace: &Namespace, auth: Option<&str>) -> bool {
        let skips = namespace.recovery.as_ref();
        skips.is_some_and(|settings| settings.skips_admission)
            && self
                .claim(namespace, auth)
                .is_some_and(|claim| namespace.knows(&claim))
    }

    /// Who the client says that it was.
    fn claim(&self, namespace: &Namespace, auth: Option<&str>) -> Option<Claim> {
        match self.dialect.revision {
            Revision::V4 if namespace.recovery.is_some() => Claim::of(auth?),
            Revision::V3 | Revision::V4 => None,
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
    fn older_id(&self, nsp: &Nsp) -> Option<Arc<str>> {
        match self.dialect.revision {
            Revision::V3 if !nsp.is_main() => {
                Some(format!("{}#{}", nsp.as_str(), self.sid.as_str()).into())
            }
            Revision::V3 | Revision::V4 => None,
        }
    }

    fn connected(&self, nsp: &Nsp, identity: &Identity) -> Vec<u8> {
        let id = identity.id;
        let data = match (self.dialect.revision, identity.pid) {
            (Revision::V3, _) => None,
            (Revision::V4, None) => Some(format!(r#"{{"sid":"{id}"}}"#)),
            (Revision::V4, Some(pid)) => {
                let pid = pid.as_str();
                Some(format!(r#"{{"sid":"{id}","pid":"{pid}"}}"#))
            }
        };
        let nsp = nsp.clone();
        self.packet(&socketio::Packet::Connect { nsp, data })
    }

    /// Tells the client that it may not join, and why.
    pub(super) fn refused(&self, nsp: &Nsp, refusal: &Refusal) -> Vec<u8> {
        let data = Some(match self.dialect.revision {
            Revision::V3 => refusal.to_older_json(),
            Revision::V4 => refusal.to_json(),
        });
        let nsp = nsp.clone();
        self.packet(&socketio::Packet::ConnectError { nsp, data })
    }

    /// A packet as the session's parser has it.
    pub(super) fn packet(&self, packet: &socketio::Packet) -> Vec<u8> {
        frame::packet(self.server.config.parser, packet)
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
        self.n_leaving.fetch_add(1, Ordering::AcqRel);
        socket.inbox().push(Item::Disconnect(leaving), max);
        inbox::serve(socket, place);
    }

    /// The handlers of a socket that has left are done.
    pub(crate) fn has_left(&self) {
        self.n_leaving.fetch_sub(1, Ordering::AcqRel);
    }

    /// Sockets that have left, but whose handlers are not done.
    pub(super) fn n_leaving(&self) -> usize {
        self.n_leaving.load(Ordering::Acquire) as usize
    }

    /// Disconnects one socket, on the application's behalf.
    pub(crate) fn disconnect(self: &Arc<Self>, socket: &Socket, reason: DisconnectReason) {
        self.update_at(Place::Task, |state, steps| {
            let is_it =
                |entry: &Entry| matches!(entry, Entry::Joined(joined) if joined.is_same(socket));
            if let Some(at) = state.entries.iter().position(is_it) {
                let packet = socketio::Packet::Disconnect {
                    nsp: socket.namespace().nsp.clone(),
                };
                state.entries.swap_remove(at);
                steps.push(Step::Send(self.packet(&packet)));
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
                if let Entry::Joined(socket) = entry {
                    let packet = socketio::Packet::Disconnect {
                        nsp: socket.namespace().nsp.clone(),
                    };
                    steps.push(Step::Send(self.packet(&packet)));
                    leave(socket, DisconnectReason::ServerNamespaceDisconnect, steps);
                }
            }
            match steps.is_empty() {
                true => state.machine.close(now),
                false => state.machine.close_behind(now),
            }
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
            | DisconnectReason::ForcedServerClose
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

    /// Has the sockets' handlers told that the session has moved to WebSocket.
    pub(super) fn tell_of_upgrade(&self, state: &State, steps: &mut Steps) {
        for entry in &state.entries {
            if let Entry::Joined(socket) = entry
                && socket.handlers(|handlers| !handlers.upgrade.is_empty())
            {
                self.push(socket, Item::Upgraded, steps);
            }
        }
    }

    /// Has the socket's handlers told of an event that it is sent.
    pub(crate) fn push_sent(&self, socket: &Socket, sent: Sent) {
        let max = socket.max_inbox_bytes();
        let mut inbox = socket.inbox();
        if inbox.is_full() {
            warn!(nsp = socket.nsp(), id = %socket.id(), event = &*sent.event, "handlers of what is sent are too slow, and were not told of an event");
            return;
        }
        if inbox.push(Item::Sent(sent), max) {
            self.n_full.fetch_add(1, Ordering::AcqRel);
        }
        drop(inbox);
        inbox::serve(socket, Place::Task);
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
    let (rooms, discarded) = socket.namespace().leave(&socket, reason);
    plan(discarded, steps);
    if reason.may_be_recovered() {
        let server = &socket.session().server;
        plan(server.keep_for_return(socket.namespace()), steps);
    }
    let over = socket.namespace().rounds.leave(&socket);
    steps.extend(over.into_iter().map(Step::RoundOver));
    steps.push(Step::Left(socket, Leaving { reason, rooms }));
}

/// Has what is not needed any more dropped once the state is released.
fn plan(discarded: Discarded, steps: &mut Steps) {
    if !discarded.is_empty() {
        steps.push(Step::Discard(discarded));
    }
}

/// Drops what is not needed any more, as handlers are run: it may be the application's code that runs then.
pub(super) fn discard(discarded: Discarded, place: Place) {
    inbox::run(place, async move {
        if inbox::caught(|| async move { drop(discarded) })
            .await
            .is_err()
        {
            error!("the data of a forgotten socket panicked when it was dropped");
        }
    });
}
