//! Operations: what a selection of sockets is sent, asked, and made to do, here and on the other nodes.

use std::{collections::HashSet, iter, sync::Arc, time::Duration};

use tokio::sync::{mpsc, oneshot};

use crate::{
    ack::BroadcastAckError,
    args::{IntoArgs, RawArgs},
    broadcast::Select,
    cluster::{Answer, Manner, Message, Question, Worth},
    draft::Draft,
    emitted::{EmitError, Emitted},
    frame,
    inbox::Sent,
    io::Io,
    members::Members,
    namespace::Namespace,
    ranges::Keep,
    recovery::Trailer,
    round::{Answers, Asking, Hearer, NewRound, OpenRound},
    session::Session,
    shard::ShardTurn,
    socket::Socket,
};

/// An event that is to be answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event<'a> {
    pub(crate) name: &'a str,
    pub(crate) args: &'a RawArgs,
    pub(crate) is_plain: bool,
}

impl Io {
    /// The namespace itself, or those that are there of the family.
    pub(crate) fn members(&self) -> Vec<Arc<Namespace>> {
        let namespace = self.namespace();
        namespace
            .children()
            .unwrap_or_else(|| vec![namespace.clone()])
    }

    /// The namespace itself, and those of the family if it is one.
    pub(crate) fn and_children(&self) -> impl Iterator<Item = Arc<Namespace>> {
        let namespace = self.namespace();
        let children = namespace.children().unwrap_or_default();
        iter::once(namespace.clone()).chain(children)
    }

    /// Whether other nodes have to be told.
    fn is_published(&self, select: &Select) -> bool {
        !select.is_local && self.server().cluster.adapter.is_some()
    }

    /// Tells the other nodes, unless the server is alone or the selection is of this node.
    fn publish(&self, select: &Select, message: impl FnOnce(String) -> Message) {
        if let Some(adapter) = &self.server().cluster.adapter
            && !select.is_local
        {
            adapter.publish(message(self.nsp().to_owned()));
        }
    }

    pub(crate) fn broadcast(
        &self,
        event: &str,
        args: impl IntoArgs,
        select: &Select,
        manner: Manner,
    ) -> Emitted {
        let children = self.namespace().children();
        let emitted = match children {
            None if !self.is_published(select) && !self.namespace().tells_of_sent() => {
                self.broadcast_in(self.namespace(), event, args, select, manner, || ())
            }
            children => self.broadcast_wide(children, event, args, select, manner),
        };
        emitted.unwrap_or_else(|error| {
            tracing::error!(%error, "an event was not sent");
            Emitted::failed(error)
        })
    }

    /// To several namespaces, several nodes, or both.
    fn broadcast_wide(
        &self,
        children: Option<Vec<Arc<Namespace>>>,
        event: &str,
        args: impl IntoArgs,
        select: &Select,
        manner: Manner,
    ) -> Result<Emitted, EmitError> {
        let args = written(event, args)?;
        let publish = || {
            self.publish(select, |nsp| Message::Emit {
                nsp,
                to: select.into(),
                event: event.to_owned(),
                args: args.clone(),
                manner,
            });
        };
        let emit_in = |namespace: &Arc<Namespace>, publish: &dyn Fn()| {
            let mut receivers = Vec::new();
            let witness = || {
                publish();
                receivers = self.receivers_to_tell(namespace, select);
            };
            let emitted = self.broadcast_in(namespace, event, &args, select, manner, witness)?;
            tell_of_sent(namespace, &receivers, event, &args);
            Ok(emitted)
        };
        let Some(children) = children else {
            return emit_in(self.namespace(), &publish);
        };
        let mut all = Emitted::new();
        for namespace in &children {
            all.extend(emit_in(namespace, &|| ())?);
        }
        publish();
        Ok(all)
    }

    /// Those whose handlers are to be told of what they are sent; by who holds the order.
    fn receivers_to_tell(&self, namespace: &Namespace, select: &Select) -> Vec<Arc<Session>> {
        if !namespace.tells_of_sent() {
            return Vec::new();
        }
        let shards = self.server().shards().iter();
        let selected = shards.flat_map(|shard| shard.lock().select(namespace.number, select));
        selected.collect()
    }

    fn broadcast_in(
        &self,
        namespace: &Namespace,
        event: &str,
        args: impl IntoArgs,
        select: &Select,
        manner: Manner,
        publish: impl FnOnce(),
    ) -> Result<Emitted, EmitError> {
        let server = self.server();
        let keep = match manner.worth {
            Worth::Event => Keep::Event,
            Worth::Latest => Keep::Latest(server.latest_key(namespace.number, event)),
            Worth::Volatile => Keep::Nothing,
        };
        let trailer = namespace.trailer(keep);
        let frames = frame::event(&server.config, &namespace.nsp, None, trailer, event, args)?;
        let mut draft = self.draft(frames, trailer, manner.is_plain);
        Ok(namespace.broadcast(server.shards(), &mut draft, trailer, select, keep, publish))
    }

    /// The frames for all receivers, compressed if anybody takes that.
    fn draft(&self, frames: Vec<u8>, trailer: Trailer, is_plain: bool) -> Draft {
        let shards = self.server().shards();
        match self.config().websocket_compression {
            Some(min_bytes)
                if !is_plain && shards.iter().any(|shard| shard.lock().has_deflating()) =>
            {
                Draft::deflated(frames, trailer, min_bytes)
            }
            Some(_) | None => Draft::plain(frames),
        }
    }

    /// Asks everyone of the selection, on all nodes.
    pub(crate) fn ask<T>(
        &self,
        event: &str,
        args: impl IntoArgs,
        select: &Select,
        is_plain: bool,
        patience: Duration,
    ) -> Result<Questions, BroadcastAckError<T>> {
        let args = written(event, args)?;
        let asked = Event {
            name: event,
            args: &args,
            is_plain,
        };
        let mut remote = None;
        let mut publish = || {
            if self.is_published(select) {
                let question = Question::Emit {
                    to: select.into(),
                    event: event.to_owned(),
                    args: args.clone(),
                    is_plain,
                    patience,
                };
                remote = self.server().cluster.ask(self.nsp(), question);
            }
        };
        let mut local = Vec::new();
        let mut ask_in = |namespace: &Arc<Namespace>, publish: &mut dyn FnMut()| {
            let (to, answers) = oneshot::channel();
            let hearer = Hearer::Here(Answers::default(), to);
            let round = self.ask_in(namespace, asked, select, hearer, publish)?;
            local.push(Asking::new(round, answers));
            Ok::<_, BroadcastAckError<T>>(())
        };
        match self.namespace().children() {
            None => ask_in(self.namespace(), &mut publish)?,
            Some(children) => {
                for namespace in &children {
                    ask_in(namespace, &mut || ())?;
                }
                publish();
            }
        }
        Ok(Questions { local, remote })
    }

    /// Asks this node's sockets for another node. What they answer goes to `heard`, while the rounds are kept.
    pub(crate) fn ask_for_node(
        &self,
        event: Event<'_>,
        select: &Select,
        heard: &mpsc::UnboundedSender<Answer>,
    ) -> Vec<OpenRound> {
        let mut rounds = Vec::new();
        for namespace in self.members() {
            let hearer = Hearer::Node(heard.clone());
            match self.ask_in::<()>(&namespace, event, select, hearer, &mut || ()) {
                Ok(round) => rounds.push(round),
                Err(error) => tracing::error!(%error, "another node's event was not sent"),
            }
        }
        rounds
    }

    fn ask_in<T>(
        &self,
        namespace: &Arc<Namespace>,
        event: Event<'_>,
        select: &Select,
        to: Hearer,
        publish: &mut dyn FnMut(),
    ) -> Result<OpenRound, BroadcastAckError<T>> {
        let (config, id, nsp) = (self.config(), namespace.next_ack_id(), &namespace.nsp);
        let Event {
            name,
            args,
            is_plain,
        } = event;
        let frames = frame::event(config, nsp, Some(id), Trailer::None, name, args)?;
        let draft = self.draft(frames, Trailer::None, is_plain);
        let max = self.config().limits.max_pending_acks;
        let mut receivers = Vec::new();
        let witness = || {
            publish();
            receivers = self.receivers_to_tell(namespace, select);
        };
        let round = namespace
            .ask(
                self.server().shards(),
                draft.encoded(),
                select,
                NewRound { id, to, max },
                witness,
            )
            .map_err(BroadcastAckError::TooManyPending)?;
        tell_of_sent(namespace, &receivers, name, args);
        Ok(round)
    }

    pub(crate) fn count_of(&self, select: &Select) -> usize {
        let namespaces = self.members();
        let count = |namespace: &Arc<Namespace>| -> usize {
            let members = |turn: &ShardTurn| {
                let members = turn.members(namespace.number);
                members.map_or(0, |members| members.count(select))
            };
            let shards = self.server().shards().iter();
            shards.map(|shard| members(&shard.lock())).sum()
        };
        namespaces.iter().map(count).sum()
    }

    pub(crate) fn sockets_of(&self, select: &Select) -> Vec<Socket> {
        let mut sockets = Vec::new();
        for namespace in self.members() {
            for shard in self.server().shards() {
                let sessions = shard.lock().select(namespace.number, select);
                let joined = sessions.iter();
                sockets.extend(joined.filter_map(|session| session.socket_in(&namespace)));
            }
        }
        sockets
    }

    /// This node's rooms, with those of its sockets' ids.
    pub(crate) fn room_names(&self) -> Vec<String> {
        let sockets = self.sockets_of(&Select::default()).into_iter();
        let mut names: HashSet<Arc<str>> =
            sockets.map(|socket| socket.id().as_str().into()).collect();
        for namespace in self.members() {
            for shard in self.server().shards() {
                let turn = shard.lock();
                let rooms = turn.members(namespace.number);
                let rooms = rooms.into_iter().flat_map(Members::room_sizes);
                names.extend(rooms.map(|(room, _)| room.clone()));
            }
        }
        names.iter().map(|name| String::from(&**name)).collect()
    }

    pub(crate) fn disconnect_of(&self, select: &Select, closes: bool) {
        self.publish(select, |nsp| Message::Disconnect {
            nsp,
            of: select.into(),
            closes,
        });
        for socket in self.sockets_of(select) {
            match closes {
                true => socket.close(),
                false => socket.disconnect(),
            }
        }
    }

    pub(crate) fn join_of(&self, select: &Select, room: &str) {
        let publish = || {
            self.publish(select, |nsp| Message::Join {
                nsp,
                of: select.into(),
                room: room.to_owned(),
            });
        };
        self.act(&publish, |namespace, publish| {
            namespace.join_room(self.server().shards(), select, room, publish);
        });
    }

    pub(crate) fn leave_of(&self, select: &Select, room: &str) {
        let publish = || {
            self.publish(select, |nsp| Message::Leave {
                nsp,
                of: select.into(),
                room: room.to_owned(),
            });
        };
        self.act(&publish, |namespace, publish| {
            namespace.leave_room(self.server().shards(), select, room, publish);
        });
    }

    /// Acts on the namespace, which publishes that under its order; or on all of a family, and publishes it then.
    fn act(&self, publish: &dyn Fn(), act: impl Fn(&Namespace, &dyn Fn())) {
        match self.namespace().children() {
            None => act(self.namespace(), publish),
            Some(children) => {
                for namespace in &children {
                    act(namespace, &|| ());
                }
                publish();
            }
        }
    }
}

/// A question to sockets of one namespace or several, on one node or several.
pub(crate) struct Questions {
    pub(crate) local: Vec<Asking>,
    pub(crate) remote: Option<crate::cluster::Asking>,
}

/// Has handlers told of what sockets have been sent.
fn tell_of_sent(namespace: &Namespace, to: &[Arc<Session>], event: &str, args: &RawArgs) {
    if to.is_empty() {
        return;
    }
    let sent = Sent {
        event: event.into(),
        args: Arc::new(args.clone()),
    };
    for session in to {
        if let Some(socket) = session.socket_in(namespace) {
            session.push_sent(&socket, sent.clone());
        }
    }
}

/// Arguments that may have to be encoded more than once.
pub(crate) fn written(event: &str, args: impl IntoArgs) -> Result<RawArgs, EmitError> {
    RawArgs::written(args).map_err(|source| EmitError::Args {
        event: event.to_owned(),
        source,
    })
}
