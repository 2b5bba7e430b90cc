//! Requests: what nodes tell and ask each other beside events for sockets.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use fanfare::{AskId, Message, Question, RawArgs, Targets};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{
    Publication, Wire, Wrong,
    field::Field,
    packet::{self, PacketIn},
    response::Way,
    text::{self, Flags, Opts, OptsOut, Room},
};

/// The types of requests.
pub(super) mod kind {
    /// No longer sent by adapters of version 8.
    pub(crate) const SOCKETS: u8 = 0;
    pub(crate) const ALL_ROOMS: u8 = 1;
    pub(crate) const REMOTE_JOIN: u8 = 2;
    pub(crate) const REMOTE_LEAVE: u8 = 3;
    pub(crate) const REMOTE_DISCONNECT: u8 = 4;
    pub(crate) const REMOTE_FETCH: u8 = 5;
    pub(crate) const SERVER_SIDE_EMIT: u8 = 6;
    pub(crate) const BROADCAST: u8 = 7;
    pub(crate) const BROADCAST_CLIENT_COUNT: u8 = 8;
    pub(crate) const BROADCAST_ACK: u8 = 9;
}

/// A request, with the fields of all types.
#[derive(Debug, Deserialize)]
struct RequestIn<'a> {
    uid: Option<String>,
    #[serde(rename = "requestId")]
    request_id: Option<String>,
    #[serde(rename = "type")]
    kind: u8,
    opts: Option<Opts>,
    rooms: Option<Vec<Room>>,
    #[serde(default)]
    close: bool,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(borrow)]
    packet: Option<PacketIn<'a>>,
    /// Of older adapters, in the place of `opts`.
    sid: Option<String>,
    /// Of older adapters, in the place of `rooms`.
    room: Option<Room>,
}

pub(super) fn encode(wire: &Wire, message: &Message) -> Result<Publication, Wrong> {
    let nsp = nsp_of(message);
    let mut fields = Fields(vec![("uid", Field::new(&&*wire.uid))]);
    let mut attachments: &[Bytes] = &[];
    match message {
        Message::Emit { .. } => return Err(Wrong::Type(kind::BROADCAST)),
        Message::Join { of, room, .. } => {
            fields
                .kind(kind::REMOTE_JOIN)
                .opts(of)
                .put("rooms", &[room]);
        }
        Message::Leave { of, room, .. } => {
            fields
                .kind(kind::REMOTE_LEAVE)
                .opts(of)
                .put("rooms", &[room]);
        }
        Message::Disconnect { of, closes, .. } => {
            fields
                .kind(kind::REMOTE_DISCONNECT)
                .opts(of)
                .put("close", closes);
        }
        Message::ServerSide { event, args, .. } => {
            fields.kind(kind::SERVER_SIDE_EMIT).event(event, args);
            attachments = &args.attachments;
        }
        Message::Ask { id, question, .. } => {
            fields.put("requestId", &Way::request_id(id));
            attachments = fields.question(nsp, question);
        }
        other => return Err(unknown(other)),
    }
    let is_broadcast = matches!(
        message,
        Message::Ask {
            question: Question::Emit { .. },
            ..
        }
    );
    let fields = Field::Map(fields.0);
    Ok(Publication {
        channel: wire.channels.requests(nsp),
        payload: match attachments.is_empty() && !is_broadcast {
            true => fields.to_json(),
            false => fields.to_message_pack(attachments)?,
        },
    })
}

fn nsp_of(message: &Message) -> &str {
    match message {
        Message::Emit { nsp, .. }
        | Message::Join { nsp, .. }
        | Message::Leave { nsp, .. }
        | Message::Disconnect { nsp, .. }
        | Message::ServerSide { nsp, .. }
        | Message::Ask { nsp, .. } => nsp,
        _ => "/",
    }
}

/// A message that this wire has no form for.
fn unknown(message: &Message) -> Wrong {
    tracing::error!(?message, "a message has no form on this wire");
    Wrong::Missing("a form for it")
}

/// The fields of a request, in their order.
struct Fields(Vec<(&'static str, Field)>);

impl Fields {
    fn put(&mut self, name: &'static str, value: &impl Serialize) -> &mut Self {
        self.0.push((name, Field::new(value)));
        self
    }

    fn kind(&mut self, kind: u8) -> &mut Self {
        self.put("type", &kind)
    }

    fn opts(&mut self, targets: &Targets) -> &mut Self {
        self.put("opts", &OptsOut::new(targets, None))
    }

    fn event(&mut self, event: &str, args: &RawArgs) -> &mut Self {
        self.0.push(("data", Field::event(event, args)));
        self
    }

    /// Returns the question's attachments.
    fn question<'a>(&mut self, nsp: &str, question: &'a Question) -> &'a [Bytes] {
        match question {
            Question::Sockets(of) => {
                self.kind(kind::REMOTE_FETCH).opts(of);
                &[]
            }
            Question::Rooms => {
                self.kind(kind::ALL_ROOMS);
                &[]
            }
            Question::ServerSide { event, args } => {
                self.kind(kind::SERVER_SIDE_EMIT).event(event, args);
                &args.attachments
            }
            Question::Emit {
                to,
                event,
                args,
                is_plain,
                patience,
            } => {
                let flags = Flags {
                    timeout: Some(patience.as_secs_f64() * 1_000.0),
                    compress: is_plain.then_some(false),
                    ..Flags::default()
                };
                self.kind(kind::BROADCAST);
                self.0.push(("packet", packet::encode(nsp, event, args)));
                self.put("opts", &OptsOut::new(to, Some(flags)));
                &args.attachments
            }
            other => {
                tracing::error!(?other, "a question has no form on this wire");
                &[]
            }
        }
    }
}

/// What a request says; nothing if it is the node's own.
pub(super) fn decode(own: &str, nsp: &str, payload: &Bytes) -> Result<Vec<Message>, Wrong> {
    let (json, attachments) = text::read(payload)?;
    let request: RequestIn<'_> = serde_json::from_str(&json)?;
    if request.uid.as_deref() == Some(own) {
        return Ok(Vec::new());
    }
    let nsp = nsp.to_owned();
    match request.kind {
        kind::SOCKETS => {
            let of = Targets {
                rooms: text::names(request.rooms),
                except: Vec::new(),
            };
            let id = ask_id(kind::SOCKETS, request.uid, request.request_id)?;
            Ok(vec![ask(nsp, id, Question::Sockets(of))])
        }
        kind::ALL_ROOMS => {
            let id = ask_id(kind::ALL_ROOMS, request.uid, request.request_id)?;
            Ok(vec![ask(nsp, id, Question::Rooms)])
        }
        kind::REMOTE_JOIN | kind::REMOTE_LEAVE => change_rooms(&nsp, request),
        kind::REMOTE_DISCONNECT => Ok(vec![Message::Disconnect {
            nsp,
            of: sockets(request.opts, request.sid)?,
            closes: request.close,
        }]),
        kind::REMOTE_FETCH => {
            let of = request.opts.ok_or(Wrong::Missing("opts"))?.into_targets();
            let id = ask_id(kind::REMOTE_FETCH, request.uid, request.request_id)?;
            Ok(vec![ask(nsp, id, Question::Sockets(of))])
        }
        kind::SERVER_SIDE_EMIT => {
            let data = request.data.ok_or(Wrong::Missing("data"))?;
            let (event, args) = packet::event(data, &attachments)?;
            let message = match request.request_id {
                None => Message::ServerSide { nsp, event, args },
                id => {
                    let id = ask_id(kind::SERVER_SIDE_EMIT, request.uid, id)?;
                    ask(nsp, id, Question::ServerSide { event, args })
                }
            };
            Ok(vec![message])
        }
        kind::BROADCAST => {
            let packet = request.packet.ok_or(Wrong::Missing("packet"))?;
            let (event, args) = packet.event(&attachments)?;
            let mut opts = request.opts.unwrap_or_default();
            let flags = opts.flags.take().unwrap_or_default();
            let id = ask_id(kind::BROADCAST, request.uid, request.request_id)?;
            let question = Question::Emit {
                to: opts.into_targets(),
                event,
                args,
                is_plain: flags.compress == Some(false),
                patience: patience(flags.timeout),
            };
            Ok(vec![ask(nsp, id, question)])
        }
        kind => Err(Wrong::Type(kind)),
    }
}

fn change_rooms(nsp: &str, request: RequestIn<'_>) -> Result<Vec<Message>, Wrong> {
    let older = request.room.map(|room| vec![room]);
    let rooms = text::names(request.rooms.or(older));
    let of = sockets(request.opts, request.sid)?;
    let change = |room| {
        let (nsp, of) = (nsp.to_owned(), of.clone());
        match request.kind {
            kind::REMOTE_JOIN => Message::Join { nsp, of, room },
            _ => Message::Leave { nsp, of, room },
        }
    };
    let mut messages: Vec<_> = rooms.into_iter().map(change).collect();
    // Older adapters are told by who has the socket, and by nobody else.
    if request.request_id.is_some() {
        let id = ask_id(request.kind, request.uid, request.request_id)?;
        messages.push(ask(nsp.to_owned(), id, Question::Sockets(of)));
    }
    Ok(messages)
}

/// The sockets that a request names in either form. Never everyone because something is missing.
fn sockets(opts: Option<Opts>, sid: Option<String>) -> Result<Targets, Wrong> {
    match (opts, sid) {
        (Some(opts), _) => Ok(opts.into_targets()),
        (None, Some(sid)) => Ok(Targets {
            rooms: vec![sid],
            except: Vec::new(),
        }),
        (None, None) => Err(Wrong::Missing("opts")),
    }
}

fn ask(nsp: String, id: AskId, question: Question) -> Message {
    Message::Ask { nsp, id, question }
}

fn ask_id(kind: u8, uid: Option<String>, request_id: Option<String>) -> Result<AskId, Wrong> {
    let node: Arc<str> = uid.unwrap_or_default().into();
    let request = request_id.ok_or(Wrong::Missing("requestId"))?;
    Ok(Way::ask_id(kind, node, &request))
}

fn patience(timeout_ms: Option<f64>) -> Duration {
    let patience = timeout_ms.and_then(|ms| Duration::try_from_secs_f64(ms / 1_000.0).ok());
    patience.map_or(DEFAULT_PATIENCE, |patience| patience.min(MAX_PATIENCE))
}

/// Of askers that name none.
const DEFAULT_PATIENCE: Duration = Duration::from_secs(5);

/// Answers are waited for so long at most, whoever asks.
const MAX_PATIENCE: Duration = Duration::from_secs(3_600);
