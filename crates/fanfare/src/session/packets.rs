//! What a client's Socket.IO packets mean for its session.

use std::sync::Arc;

use fanfare_proto::{
    engineio::{self, Query, Revision, Via},
    socketio::{self, AckId, Assembled, Nsp, msgpack},
};
use tracing::{debug, trace};

use super::{Entry, Session, State, Step, Steps, membership::leave};
use crate::{
    admission::Refusal, args::RawArgs, clock, config::Parser, inbox::Item,
    reason::DisconnectReason, socket::Socket,
};

impl Session {
    pub(super) fn handle_message(
        self: &Arc<Self>,
        state: &mut State,
        message: engineio::Message,
        steps: &mut Steps,
    ) {
        let config = &self.server.config;
        let assembled = match (config.parser, message) {
            (Parser::Json, engineio::Message::Text(text)) => {
                state.assembly.handle_text(&text, &config.limits.proto)
            }
            (Parser::Json, engineio::Message::Binary(data)) => state.assembly.handle_binary(data),
            (Parser::MessagePack, engineio::Message::Binary(data)) => {
                msgpack::decode(&data, &config.limits.proto).map(Some)
            }
            (Parser::MessagePack, engineio::Message::Text(_)) => {
                Err(socketio::Violation::TextForMessagePack)
            }
        };
        let handled = match assembled {
            Ok(None) => Ok(()),
            Ok(Some(assembled)) => self.handle_assembled(state, assembled, steps),
            Err(violation) => Err(violation),
        };
        if let Err(violation) = handled {
            debug!(sid = ?self.sid, %violation, "a client broke the protocol");
            state.note(Via::WebSocket, &violation);
            state.machine.close(clock::now());
            state.leave_all(reason_of(violation, &state.machine), steps);
        }
    }

    fn handle_assembled(
        self: &Arc<Self>,
        state: &mut State,
        Assembled {
            packet,
            attachments,
        }: Assembled,
        steps: &mut Steps,
    ) -> Result<(), socketio::Violation> {
        trace!(sid = ?self.sid, nsp = packet.nsp().as_str(), "a packet came in");
        match packet {
            socketio::Packet::Connect { nsp, data } => match self.dialect.revision {
                Revision::V3 => {
                    let (nsp, auth) = split_query(&nsp);
                    self.handle_connect(state, &nsp, auth, steps)
                }
                Revision::V4 => self.handle_connect(state, &nsp, data, steps),
            },
            socketio::Packet::Disconnect { nsp } => {
                let joined =
                    |entry: &Entry| matches!(entry, Entry::Joined(_)) && *entry.nsp() == nsp;
                let at = state.entries.iter().position(joined);
                let entry = state
                    .entries
                    .swap_remove(at.ok_or(socketio::Violation::NotConnected)?);
                if let Entry::Joined(socket) = entry {
                    leave(socket, DisconnectReason::ClientNamespaceDisconnect, steps);
                }
                Ok(())
            }
            socketio::Packet::Event {
                nsp,
                id,
                event,
                args,
                ..
            } => {
                let socket = state
                    .joined(&nsp)
                    .ok_or(socketio::Violation::NotConnected)?;
                if let Some(event) = event {
                    let args = RawArgs {
                        json: args,
                        attachments,
                    };
                    self.push(
                        socket,
                        Item::Event {
                            event: event.into_boxed_str(),
                            args,
                            id,
                        },
                        steps,
                    );
                }
                Ok(())
            }
            socketio::Packet::Ack { nsp, id, args, .. } => {
                let socket = state
                    .joined(&nsp)
                    .ok_or(socketio::Violation::NotConnected)?;
                let args = RawArgs {
                    json: args,
                    attachments,
                };
                steps.extend(id.and_then(|id| answered(socket, id, args)));
                Ok(())
            }
            socketio::Packet::ConnectError { .. } => {
                Err(socketio::Violation::ConnectErrorFromClient)
            }
        }
    }

    /// A client of an older protocol is in the main namespace without asking.
    pub(crate) fn welcome(self: &Arc<Self>) {
        if self.dialect.revision == Revision::V3 && self.server.config.engine.is_none() {
            self.update(|state, steps| {
                // It is in no namespace yet, so that nothing can be wrong with it.
                let _ = self.handle_connect(state, &Nsp::main(), None, steps);
            });
        }
    }

    fn handle_connect(
        self: &Arc<Self>,
        state: &mut State,
        nsp: &Nsp,
        auth: Option<String>,
        steps: &mut Steps,
    ) -> Result<(), socketio::Violation> {
        if state.entries.iter().any(|entry| entry.nsp() == nsp) {
            return Err(socketio::Violation::AlreadyConnected);
        }
        let limits = &self.server.config.limits;
        let too_many = if limits.max_namespaces <= state.entries.len() {
            Some("this connection is in too many namespaces; the limit is `max_namespaces`")
        } else if limits.max_leaving <= self.n_leaving() {
            Some("handlers of sockets that have left are not done; the limit is `max_leaving`")
        } else {
            None
        };
        if let Some(too_many) = too_many {
            steps.push(Step::Send(self.refused(nsp, &Refusal::new(too_many))));
            return Ok(());
        }
        let auth = auth.map(Into::into);
        match self.server.namespaces.get(nsp) {
            Some(namespace) => {
                state.entries.push(Entry::Joining(namespace.clone()));
                steps.push(Step::Admit(namespace, auth));
            }
            None if self.server.namespaces.has_families() => {
                state.entries.push(Entry::Choosing(nsp.clone()));
                steps.push(Step::Choose(nsp.clone(), auth));
            }
            None => steps.push(Step::Send(self.unknown_namespace(nsp))),
        }
        Ok(())
    }

    /// Tells the client that there is no such namespace. The same in both protocols.
    pub(super) fn unknown_namespace(&self, nsp: &Nsp) -> Vec<u8> {
        let data = Some(Refusal::new("Invalid namespace").to_json());
        let nsp = nsp.clone();
        self.packet(&socketio::Packet::ConnectError { nsp, data })
    }
}

/// The reference's reason for those whose session was just told to close: another one if the packet was only out of
/// order, and a request has yet to take the news.
fn reason_of(violation: socketio::Violation, machine: &engineio::Session) -> DisconnectReason {
    let waits_for_a_poll = machine.poll_timeout().is_some();
    match violation.is_of_state() && waits_for_a_poll {
        true => DisconnectReason::ForcedServerClose,
        false => DisconnectReason::ForcedClose,
    }
}

/// Who waits for an answer; nobody, for one that was not asked for, or a second one.
fn answered(socket: &Socket, id: AckId, args: RawArgs) -> Option<Step> {
    match socket.acks().take(id) {
        Some(to) => Some(Step::Answer(to, args)),
        None => {
            let over = socket.namespace().rounds.answer(id, socket, args);
            over.map(Step::RoundOver)
        }
    }
}

/// Protocol 4 has no auth payload; a query behind the namespace's name is its place.
fn split_query(nsp: &Nsp) -> (Nsp, Option<String>) {
    let Some((name, query)) = nsp.as_str().split_once('?') else {
        return (nsp.clone(), None);
    };
    let pairs =
        Query::pairs(query).map(|(key, value)| (key.into_owned(), value.into_owned().into()));
    let auth = serde_json::Value::Object(pairs.collect());
    // What is before the mark was part of a valid name.
    let nsp = Nsp::parse(name).unwrap_or_else(|_| nsp.clone());
    (nsp, Some(auth.to_string()))
}
