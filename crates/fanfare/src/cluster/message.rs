//! What nodes tell each other: plain data, which an adapter puts into whatever form its wire has.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use crate::{args::RawArgs, broadcast::Select, socket_id::SocketId};

/// What one node tells all others.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Message {
    /// An event for sockets.
    Emit {
        /// The namespace's name.
        nsp: String,
        /// Whom it is for.
        to: Targets,
        /// The event's name.
        event: String,
        /// Its arguments.
        args: RawArgs,
        /// How it is sent.
        manner: Manner,
    },
    /// Sockets join a room.
    Join {
        /// The namespace's name.
        nsp: String,
        /// Which sockets.
        of: Targets,
        /// The room.
        room: String,
    },
    /// Sockets leave a room.
    Leave {
        /// The namespace's name.
        nsp: String,
        /// Which sockets.
        of: Targets,
        /// The room.
        room: String,
    },
    /// Sockets are disconnected.
    Disconnect {
        /// The namespace's name.
        nsp: String,
        /// Which sockets.
        of: Targets,
        /// Whether their connections are closed, too.
        closes: bool,
    },
    /// An event for the nodes themselves, which nobody answers.
    ServerSide {
        /// The namespace's name.
        nsp: String,
        /// The event's name.
        event: String,
        /// Its arguments.
        args: RawArgs,
    },
    /// A question, which every other node answers with one [`Reply`] or more.
    Ask {
        /// The namespace's name.
        nsp: String,
        /// Which question it is.
        id: AskId,
        /// What is asked.
        question: Question,
    },
}

/// What one node asks all others.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Question {
    /// Which sockets these are. Answered by [`Answer::Sockets`].
    Sockets(Targets),
    /// Which rooms there are. Answered by [`Answer::Rooms`].
    Rooms,
    /// An event whose receivers are to answer. Answered by [`Answer::Asked`], then by [`Answer::Acked`] or
    /// [`Answer::Left`] of each socket that it names; or by [`Answer::AskedUnnamed`], then by so many
    /// [`Answer::Acked`] at most.
    Emit {
        /// Whom it is for.
        to: Targets,
        /// The event's name.
        event: String,
        /// Its arguments.
        args: RawArgs,
        /// Whether it is sent as it is to those, too, who take compressed messages.
        is_plain: bool,
        /// How long answers are waited for.
        patience: Duration,
    },
    /// An event for the nodes themselves. Answered by [`Answer::ServerSide`].
    ServerSide {
        /// The event's name.
        event: String,
        /// Its arguments.
        args: RawArgs,
    },
}

/// What a node answers to a question.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// Whose answer it is, [`Node::id`](super::Node::id), if that can be known.
    pub from: Option<Arc<str>>,
    /// The name of the namespace in which it was asked.
    pub nsp: String,
    /// The question.
    pub to: AskId,
    /// The answer.
    pub answer: Answer,
}

/// The substance of a [`Reply`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Answer {
    /// The node's sockets that were asked for.
    Sockets(Vec<SocketState>),
    /// The node's rooms, with those of its sockets' ids.
    Rooms(Vec<String>),
    /// The node's sockets that have been sent the event.
    Asked(Vec<SocketId>),
    /// How many of the node's sockets have been sent the event. Nodes of other makers name none.
    AskedUnnamed(usize),
    /// One of them has answered; `None` if the node names none.
    Acked(Option<SocketId>, RawArgs),
    /// One of them has left, and will not answer.
    Left(SocketId),
    /// What the node's handler has answered; `None` if it has none.
    ServerSide(Option<RawArgs>),
}

/// Names a question in the whole cluster.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct AskId {
    /// The node that asks: its [`Node::id`](crate::Node::id).
    pub node: Arc<str>,
    /// The node's name for it.
    pub request: Arc<str>,
}

/// Sockets of a namespace, chosen by rooms. A socket's id names a room of its own.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Targets {
    /// Those in any of these; everyone, if there are none.
    pub rooms: Vec<String>,
    /// But none of those in these.
    pub except: Vec<String>,
}

/// How an event is sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Manner {
    /// What becomes of it where it can't be sent at once.
    pub worth: Worth,
    /// Whether it is sent as it is to those, too, who take compressed messages.
    pub is_plain: bool,
}

impl From<Worth> for Manner {
    fn from(worth: Worth) -> Self {
        Self {
            worth,
            is_plain: false,
        }
    }
}

/// What becomes of an event where a receiver can't take it at once.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Worth {
    /// It waits.
    Event,
    /// It waits until there is a newer one of its name.
    Latest,
    /// It is dropped.
    Volatile,
}

/// A socket, as other nodes see it: how it was when they asked.
#[derive(Clone, Debug, PartialEq)]
pub struct SocketState {
    /// Its id.
    pub id: SocketId,
    /// The rooms that it was in, without the one of its id.
    pub rooms: Vec<String>,
    /// The user key that admission gave.
    pub user: Option<String>,
    /// What admission [shared](crate::Admission::with_shared) with other nodes, as JSON; `null` if nothing.
    pub shared: serde_json::Value,
    /// Where its first request came from.
    pub address: Option<String>,
    /// When that request came.
    pub issued: SystemTime,
    /// Whether it came over TLS, as far as the server knows.
    pub is_secure: bool,
    /// The path and query of that request.
    pub url: String,
    /// The headers of that request, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The auth payload; `{}` if there was none.
    pub auth: serde_json::Value,
}

impl From<&Select> for Targets {
    fn from(select: &Select) -> Self {
        let names = |rooms: &[Arc<str>]| rooms.iter().map(|room| String::from(&**room)).collect();
        let mut targets = Self {
            rooms: names(&select.rooms),
            except: names(&select.except),
        };
        let but = select.but.map(|id| id.to_string());
        targets.except.extend(but);
        targets
    }
}

impl From<Targets> for Select {
    fn from(targets: Targets) -> Self {
        let names = |rooms: Vec<String>| rooms.into_iter().map(Arc::from).collect();
        Self {
            rooms: names(targets.rooms),
            except: names(targets.except),
            but: None,
            is_local: true,
        }
    }
}
