//! What a client's Socket.IO packets mean for its session.

use std::sync::Arc;

use fanfare_proto::{
    engineio::{self},
    socketio::{self, Assembled, Nsp},
};
use tracing::{debug, trace};

use super::{
    Entry, Session, Stage, State, Step, Steps,
    membership::{leave, refused},
};
use crate::{admission::Refusal, args::RawArgs, clock, inbox::Item, reason::DisconnectReason};

impl Session {
    pub(super) fn handle_message(
        self: &Arc<Self>,
        state: &mut State,
        message: engineio::Message,
        steps: &mut Steps,
    ) {
        let assembled = match message {
            engineio::Message::Text(text) => state.assembly.handle_text(&text),
            engineio::Message::Binary(data) => state.assembly.handle_binary(data),
        };
        let handled = match assembled {
            Ok(None) => Ok(()),
            Ok(Some(assembled)) => self.handle_assembled(state, assembled, steps),
            Err(violation) => Err(violation),
        };
        if let Err(violation) = handled {
            debug!(sid = ?self.sid, %violation, "a client broke the protocol");
            state.leave_all(DisconnectReason::ForcedClose, steps);
            state.machine.close(clock::now());
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
            socketio::Packet::Connect { nsp, data } => {
                self.handle_connect(state, &nsp, data, steps)
            }
            socketio::Packet::Disconnect { nsp } => {
                let at = state.entries.iter().position(|entry| entry.is_joined(&nsp));
                let entry = state
                    .entries
                    .swap_remove(at.ok_or(socketio::Violation::NotConnected)?);
                if let Stage::Joined(socket) = entry.stage {
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
                let asked = id.and_then(|id| socket.acks().take(id));
                steps.extend(asked.map(|to| Step::Answer(to, args)));
                Ok(())
            }
            socketio::Packet::ConnectError { .. } => {
                Err(socketio::Violation::ConnectErrorFromClient)
            }
        }
    }

    fn handle_connect(
        self: &Arc<Self>,
        state: &mut State,
        nsp: &Nsp,
        auth: Option<String>,
        steps: &mut Steps,
    ) -> Result<(), socketio::Violation> {
        if state
            .entries
            .iter()
            .any(|entry| entry.namespace.nsp == *nsp)
        {
            return Err(socketio::Violation::AlreadyConnected);
        }
        let refusal = match self.server.namespace(nsp) {
            Some(_) if self.server.config.limits.max_namespaces <= state.entries.len() => {
                Refusal::new(
                    "this connection is in too many namespaces; the limit is `max_namespaces`",
                )
            }
            Some(namespace) => {
                state.entries.push(Entry {
                    namespace: namespace.clone(),
                    stage: Stage::Joining,
                });
                steps.push(Step::Admit(namespace, auth.map(Into::into)));
                return Ok(());
            }
            None => Refusal::new("Invalid namespace"),
        };
        steps.push(Step::Send(refused(nsp, &refusal)));
        Ok(())
    }
}
