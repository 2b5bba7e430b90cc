//! Responses: what a request is answered.

use std::sync::Arc;

use bytes::Bytes;
use fanfare::{Answer, AskId, RawArgs, Reply, SocketId};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    Publication, Responses, Wire, Wrong,
    field::Field,
    request::kind,
    socket::{SocketIn, SocketOut},
    text::{self, Room},
};

/// How an answer finds whoever asked: what stands in [`AskId::request`] of questions from other nodes.
///
/// This node's own questions have a number there, and go out as `<node>:<number>`, which no other maker's
/// adapter writes: whoever answers sees by it that the asker is fanfare's, and reads more than others do.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Way<'a> {
    kind: u8,
    request_id: &'a str,
    asker: Asker,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Asker {
    Fanfare,
    Other,
}

impl<'a> Way<'a> {
    /// What a question of this node is called on the wire.
    pub(super) fn request_id(id: &AskId) -> String {
        format!("{}:{}", id.node, id.request)
    }

    pub(super) fn ask_id(kind: u8, node: Arc<str>, request_id: &str) -> AskId {
        let request = format!("{kind} {request_id}").into();
        AskId { node, request }
    }

    fn of(id: &'a AskId) -> Option<Self> {
        let (kind, request_id) = id.request.split_once(' ')?;
        let number = request_id.strip_prefix(&*id.node);
        let is_fanfare = !id.node.is_empty() && number.is_some_and(|rest| rest.starts_with(':'));
        Some(Self {
            kind: kind.parse().ok()?,
            request_id,
            asker: if is_fanfare {
                Asker::Fanfare
            } else {
                Asker::Other
            },
        })
    }
}

pub(super) fn encode(wire: &Wire, reply: &Reply) -> Result<Option<Publication>, Wrong> {
    let way = Way::of(&reply.to).ok_or(Wrong::Missing("the question"))?;
    let Some(form) = form(&way, &reply.answer)? else {
        return Ok(None);
    };
    let shared = || wire.channels.responses(&reply.nsp);
    let own = || wire.channels.responses_to(&reply.nsp, &reply.to.node);
    let channel = match (way.asker, wire.responses) {
        (Asker::Fanfare, _) => own(),
        // The reference answers these there, too, whatever its option says.
        (Asker::Other, _) if way.kind == kind::SERVER_SIDE_EMIT => shared(),
        (Asker::Other, _) if reply.to.node.is_empty() => shared(),
        (Asker::Other, Responses::Specific) => own(),
        (Asker::Other, Responses::Shared) => shared(),
    };
    let (mut fields, attachments) = form;
    if let (Asker::Fanfare, Some(from)) = (way.asker, &reply.from) {
        fields.push(("node", Field::new(&from.as_ref())));
    }
    let fields = Field::Map(fields);
    let payload = match attachments {
        None => fields.to_json(),
        Some(attachments) => fields.to_message_pack(attachments)?,
    };
    Ok(Some(Publication { channel, payload }))
}

/// Fields in their order; and attachments, if it is MessagePack.
type Form<'a> = (Vec<(&'static str, Field)>, Option<&'a [Bytes]>);

fn form<'a>(way: &Way<'_>, answer: &'a Answer) -> Result<Option<Form<'a>>, Wrong> {
    let id = ("requestId", Field::new(&way.request_id));
    let fields = match answer {
        Answer::Sockets(states) => match way.kind {
            kind::SOCKETS => {
                let ids: Vec<_> = states.iter().map(|state| state.id).collect();
                vec![id, ("sockets", Field::new(&ids))]
            }
            kind::REMOTE_JOIN | kind::REMOTE_LEAVE if states.is_empty() => return Ok(None),
            kind::REMOTE_JOIN | kind::REMOTE_LEAVE => vec![id],
            _ => {
                let sockets: Vec<_> = states.iter().map(SocketOut::new).collect();
                vec![id, ("sockets", Field::new(&sockets))]
            }
        },
        Answer::Rooms(rooms) => vec![id, ("rooms", Field::new(rooms))],
        Answer::Asked(ids) => {
            let mut fields = vec![
                ("type", Field::new(&kind::BROADCAST_CLIENT_COUNT)),
                id,
                ("clientCount", Field::new(&ids.len())),
            ];
            if way.asker == Asker::Fanfare {
                fields.push(("socketIds", Field::new(ids)));
            }
            fields
        }
        Answer::AskedUnnamed(n) => vec![
            ("type", Field::new(&kind::BROADCAST_CLIENT_COUNT)),
            id,
            ("clientCount", Field::new(n)),
        ],
        Answer::Acked(socket, args) => {
            let mut fields = vec![("type", Field::new(&kind::BROADCAST_ACK)), id];
            put_args(&mut fields, "packet", args, way.asker)?;
            if let (Asker::Fanfare, Some(socket)) = (way.asker, socket) {
                fields.push(("socketId", Field::new(socket)));
            }
            return Ok(Some((fields, Some(&args.attachments))));
        }
        Answer::Left(socket) => match way.asker {
            // Others wait until their time is up.
            Asker::Other => return Ok(None),
            Asker::Fanfare => vec![
                ("type", Field::new(&kind::BROADCAST_ACK)),
                id,
                ("socketId", Field::new(socket)),
                ("left", Field::new(&true)),
            ],
        },
        Answer::ServerSide(Some(args)) => {
            let mut fields = vec![("type", Field::new(&kind::SERVER_SIDE_EMIT)), id];
            put_args(&mut fields, "data", args, way.asker)?;
            let attachments = (!args.attachments.is_empty()).then_some(&args.attachments[..]);
            return Ok(Some((fields, attachments)));
        }
        Answer::ServerSide(None) => match way.asker {
            Asker::Other => return Ok(None),
            Asker::Fanfare => vec![
                ("type", Field::new(&kind::SERVER_SIDE_EMIT)),
                id,
                ("unanswered", Field::new(&true)),
            ],
        },
        other => {
            tracing::error!(?other, "an answer has no form on this wire");
            return Ok(None);
        }
    };
    Ok(Some((fields, None)))
}

/// The first argument in `name`, which is all that others read, and the rest for those who do.
fn put_args(
    fields: &mut Vec<(&'static str, Field)>,
    name: &'static str,
    args: &RawArgs,
    asker: Asker,
) -> Result<(), Wrong> {
    let Some((first, more)) = text::split_first(args)? else {
        return Ok(());
    };
    fields.push((name, Field::Json(first)));
    if asker == Asker::Fanfare && !more.is_empty() {
        let more = more.into_iter().map(Field::Json).collect();
        fields.push(("more", Field::List(more)));
    }
    Ok(())
}

/// A response, with the fields of all types; the last five are fanfare's own.
#[derive(Debug, Deserialize)]
struct ResponseIn<'a> {
    #[serde(rename = "type")]
    kind: Option<u8>,
    #[serde(rename = "requestId")]
    request_id: Option<String>,
    #[serde(borrow)]
    sockets: Option<Vec<&'a RawValue>>,
    rooms: Option<Vec<Room>>,
    #[serde(rename = "clientCount", default)]
    client_count: usize,
    #[serde(borrow)]
    packet: Option<&'a RawValue>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(rename = "socketIds")]
    socket_ids: Option<Vec<SocketId>>,
    #[serde(rename = "socketId")]
    socket_id: Option<SocketId>,
    #[serde(borrow, default)]
    more: Vec<&'a RawValue>,
    #[serde(default)]
    left: bool,
    #[serde(default)]
    unanswered: bool,
    node: Option<String>,
}

/// `None` if another node is answered.
pub(super) fn decode(own: &str, nsp: &str, payload: &Bytes) -> Result<Option<Reply>, Wrong> {
    let (json, attachments) = text::read(payload)?;
    let mut response: ResponseIn<'_> = serde_json::from_str(&json)?;
    let request_id = response.request_id.as_deref().unwrap_or_default();
    let number = request_id.strip_prefix(own);
    let Some(number) = number.and_then(|rest| rest.strip_prefix(':')) else {
        return Ok(None);
    };
    let to = AskId {
        node: own.into(),
        request: number.into(),
    };
    Ok(Some(Reply {
        from: response.node.take().map(Arc::from),
        nsp: nsp.to_owned(),
        to,
        answer: response.answer(&attachments)?,
    }))
}

impl ResponseIn<'_> {
    fn answer(self, attachments: &[Bytes]) -> Result<Answer, Wrong> {
        let args = |first: Option<&RawValue>| {
            let all: Vec<_> = first.into_iter().chain(self.more.iter().copied()).collect();
            text::args(&all, attachments)
        };
        Ok(match self.kind {
            Some(kind::BROADCAST_CLIENT_COUNT) => match self.socket_ids {
                Some(ids) => Answer::Asked(ids),
                None => Answer::AskedUnnamed(self.client_count),
            },
            Some(kind::BROADCAST_ACK) => match self.socket_id {
                Some(socket) if self.left => Answer::Left(socket),
                socket => Answer::Acked(socket, args(self.packet)),
            },
            Some(kind::SERVER_SIDE_EMIT) if self.unanswered => Answer::ServerSide(None),
            Some(kind::SERVER_SIDE_EMIT) => Answer::ServerSide(Some(args(self.data))),
            Some(kind) => return Err(Wrong::Type(kind)),
            None => match self.rooms {
                Some(rooms) => Answer::Rooms(rooms.into_iter().map(Room::into_name).collect()),
                // One without either counts as an answer, too.
                None => Answer::Sockets(SocketIn::all(&self.sockets.unwrap_or_default())),
            },
        })
    }
}
