//! The Socket.IO side of a client: one namespace, its events and acks.

use std::collections::HashMap;

use fanfare_proto::{
    Limits,
    engineio::{self, Message},
    socketio::{AckId, Assembled, Assembly, Nsp, Packet, Violation, encode_ack, encode_event},
};
use serde_json::value::RawValue;
use tokio::sync::oneshot;

use crate::{
    error::Refusal,
    event::{Args, Event},
};

/// One client in one namespace.
#[derive(Debug)]
pub(crate) struct Socket {
    nsp: Nsp,
    auth: Option<String>,
    assembly: Assembly,
    limits: Limits,
    /// Who waits for which answer.
    acks: HashMap<AckId, oneshot::Sender<Args>>,
    next_ack: AckId,
}

/// What a message of the server's means.
#[derive(Debug)]
pub(crate) enum Heard {
    /// The client is in the namespace, under this id.
    Joined(String),
    Refused(Refusal),
    Event(Event),
    /// The server has put the client out.
    PutOut,
}

impl Socket {
    pub(crate) fn new(nsp: Nsp, auth: Option<String>, limits: &Limits) -> Self {
        Self {
            nsp,
            auth,
            assembly: Assembly::new(),
            limits: *limits,
            acks: HashMap::new(),
            next_ack: AckId(0),
        }
    }

    /// Asks to join.
    pub(crate) fn connect(&mut self) -> engineio::Packet {
        let packet = Packet::Connect {
            nsp: self.nsp.clone(),
            data: self.auth.take(),
        };
        wrap(|out| packet.encode(out))
    }

    /// Leaves.
    pub(crate) fn disconnect(&self) -> engineio::Packet {
        let packet = Packet::Disconnect {
            nsp: self.nsp.clone(),
        };
        wrap(|out| packet.encode(out))
    }

    /// An event, as the packets that carry it.
    pub(crate) fn emit(
        &mut self,
        event: &str,
        args: Args,
        answer: Option<oneshot::Sender<Args>>,
    ) -> impl Iterator<Item = engineio::Packet> {
        let id = answer.map(|answer| self.expect(answer));
        let n_attachments = args.attachments.len();
        let header = wrap(|out| encode_event(out, &self.nsp, id, event, &args.json, n_attachments));
        with_attachments(header, args)
    }

    /// The answer to an event, as the packets that carry it.
    pub(crate) fn ack(
        &self,
        id: AckId,
        args: Args,
    ) -> impl Iterator<Item = engineio::Packet> + use<> {
        let n_attachments = args.attachments.len();
        let header = wrap(|out| encode_ack(out, &self.nsp, id, &args.json, n_attachments));
        with_attachments(header, args)
    }

    /// What the next message means; `None` for an ack, or while attachments are still to come.
    pub(crate) fn handle_message(&mut self, message: Message) -> Result<Option<Heard>, Violation> {
        let assembled = match message {
            Message::Text(text) => self.assembly.handle_text(&text, &self.limits)?,
            Message::Binary(data) => self.assembly.handle_binary(data)?,
        };
        Ok(assembled.and_then(|assembled| self.handle_packet(assembled)))
    }

    fn handle_packet(&mut self, assembled: Assembled) -> Option<Heard> {
        let Assembled {
            packet,
            attachments,
        } = assembled;
        if *packet.nsp() != self.nsp {
            return None;
        }
        match packet {
            Packet::Connect { data, .. } => Some(Heard::Joined(socket_id(data.as_deref()))),
            Packet::ConnectError { data, .. } => Some(Heard::Refused(refusal(data))),
            Packet::Disconnect { .. } => Some(Heard::PutOut),
            Packet::Event {
                id, event, args, ..
            } => event.map(|name| {
                Heard::Event(Event {
                    name,
                    args: Args {
                        json: args,
                        attachments,
                    },
                    ack: id,
                })
            }),
            Packet::Ack { id, args, .. } => {
                let answer = id.and_then(|id| self.acks.remove(&id))?;
                // Who has given up waiting needs no answer.
                let _ = answer.send(Args {
                    json: args,
                    attachments,
                });
                None
            }
        }
    }

    fn expect(&mut self, answer: oneshot::Sender<Args>) -> AckId {
        self.acks.retain(|_, answer| !answer.is_closed());
        let id = self.next_ack;
        self.next_ack = AckId(id.0 + 1);
        self.acks.insert(id, answer);
        id
    }
}

/// An Engine.IO message of what `encode` writes.
fn wrap(encode: impl FnOnce(&mut Vec<u8>)) -> engineio::Packet {
    let mut text = Vec::new();
    encode(&mut text);
    let text = String::from_utf8(text).expect("packets are encoded from strings");
    engineio::Packet::Message(Message::Text(text))
}

fn with_attachments(
    header: engineio::Packet,
    args: Args,
) -> impl Iterator<Item = engineio::Packet> {
    let attachments = args.attachments.into_iter();
    std::iter::once(header)
        .chain(attachments.map(|data| engineio::Packet::Message(Message::Binary(data))))
}

/// The public id; empty where the server tells none, as those of protocol 4 do.
fn socket_id(data: Option<&str>) -> String {
    #[derive(serde::Deserialize)]
    struct Connected {
        sid: String,
    }
    let connected = data.and_then(|data| serde_json::from_str(data).ok());
    connected.map_or_else(String::new, |Connected { sid }| sid)
}

/// Reads `{"message":…,"data":…}`, a JSON string, or as a last resort whatever it is.
fn refusal(data: Option<String>) -> Refusal {
    #[derive(serde::Deserialize)]
    struct Reply<'a> {
        message: String,
        #[serde(borrow)]
        data: Option<&'a RawValue>,
    }
    let text = data.unwrap_or_default();
    if let Ok(Reply { message, data }) = serde_json::from_str(&text) {
        let data = data.map(|data| data.get().to_owned());
        return Refusal { message, data };
    }
    let message = serde_json::from_str(&text).unwrap_or(text);
    Refusal {
        message,
        data: None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Refusal, refusal};

    #[track_caller]
    fn check(payload: &str, message: &str, data: Option<&str>) {
        let expected = Refusal {
            message: message.to_owned(),
            data: data.map(str::to_owned),
        };
        assert_eq!(refusal(Some(payload.to_owned())), expected);
    }

    #[test]
    fn a_refusal_is_understood_in_every_form() {
        check(r#"{"message":"no"}"#, "no", None);
        check(
            r#"{"message":"no","data":{"b":1,"a":2}}"#,
            "no",
            Some(r#"{"b":1,"a":2}"#),
        );
        check(r#""no""#, "no", None);
        check(r#"{"reason":"no"}"#, r#"{"reason":"no"}"#, None);
    }
}
