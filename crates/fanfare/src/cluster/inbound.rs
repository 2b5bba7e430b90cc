//! What other nodes tell and ask this one.

use std::{collections::HashSet, sync::Arc};

use fanfare_proto::socketio::Nsp;
use tokio::{
    sync::mpsc,
    time::{Instant, timeout_at},
};
use tracing::{debug, error};

use super::{Answer, AskId, Message, Question, Reply};
use crate::{
    args::RawArgs,
    broadcast::Select,
    clock,
    handler::BoxFuture,
    inbox::{self, Place, caught},
    io::Io,
    operations::Event,
    round::OpenRound,
    server::Server,
    socket_id::SocketId,
};

/// Does what another node wants.
pub(crate) fn receive(server: &Arc<Server>, message: Message) {
    match message {
        Message::Emit {
            nsp,
            to,
            event,
            args,
            manner,
        } => with(server, &nsp, |io| {
            // Who waits for the report is on the other node, if anybody is.
            drop(io.broadcast(&event, args, &to.into(), manner));
        }),
        Message::Join { nsp, of, room } => with(server, &nsp, |io| io.join_of(&of.into(), &room)),
        Message::Leave { nsp, of, room } => with(server, &nsp, |io| io.leave_of(&of.into(), &room)),
        Message::Disconnect { nsp, of, closes } => {
            with(server, &nsp, |io| io.disconnect_of(&of.into(), closes));
        }
        Message::ServerSide { nsp, event, args } => with(server, &nsp, |io| {
            if let Some(handling) = server_side(io, &event, args) {
                inbox::run(Place::Here, async { drop(handling.await) });
            }
        }),
        Message::Ask { nsp, id, question } => answer(server, &nsp, id, question),
    }
}

fn with(server: &Arc<Server>, nsp: &str, act: impl FnOnce(Io)) {
    if let Some(io) = seen_from(server, nsp) {
        act(io);
    }
}

/// The server seen from a namespace or a family; `None` if this node has none of the name.
fn seen_from(server: &Arc<Server>, nsp: &str) -> Option<Io> {
    let nsp = Nsp::parse(nsp).ok()?;
    let namespace = server.namespaces.get_or_parent(&nsp)?;
    Some(Io::new_in(server.clone(), namespace))
}

fn answer(server: &Arc<Server>, nsp: &str, id: AskId, question: Question) {
    let Some(adapter) = server.cluster.adapter.clone() else {
        return;
    };
    let io = seen_from(server, nsp);
    let nsp = nsp.to_owned();
    let from = server.cluster.node().clone();
    let reply = move |answer| {
        adapter.reply(Reply {
            from: Some(from.clone()),
            nsp: nsp.clone(),
            to: id.clone(),
            answer,
        });
    };
    match question {
        Question::Rooms => {
            let rooms = io.map(|io| io.room_names()).unwrap_or_default();
            reply(Answer::Rooms(rooms));
        }
        Question::Sockets(of) => {
            let sockets = io.map(|io| io.sockets_of(&of.into())).unwrap_or_default();
            let states = sockets.iter().map(|socket| socket.state()).collect();
            reply(Answer::Sockets(states));
        }
        Question::ServerSide { event, args } => {
            match io.and_then(|io| server_side(io, &event, args)) {
                Some(handling) => inbox::run(Place::Here, async move {
                    reply(Answer::ServerSide(handling.await));
                }),
                None => reply(Answer::ServerSide(None)),
            }
        }
        Question::Emit {
            to,
            event,
            args,
            is_plain,
            patience,
        } => {
            let (heard, hears) = mpsc::unbounded_channel();
            let select: Select = to.into();
            let event = Event {
                name: &event,
                args: &args,
                is_plain,
            };
            let rounds = io.map(|io| io.ask_for_node(event, &select, &heard));
            let until = clock::after(patience);
            tokio::spawn(pass_on(hears, rounds.unwrap_or_default(), until, reply));
        }
    }
}

/// Tells whom this node has asked, and passes their answers on, until all are here or at `until`.
async fn pass_on(
    mut hears: mpsc::UnboundedReceiver<Answer>,
    rounds: Vec<OpenRound>,
    until: Instant,
    reply: impl Fn(Answer),
) {
    let waiting = rounds.iter().flat_map(OpenRound::waiting_ids);
    let mut asked: HashSet<SocketId> = waiting.map(|(_, id)| id).collect();
    let mut heard = Vec::new();
    // Who is not waited for any more has been heard by now.
    while let Ok(answer) = hears.try_recv() {
        if let Answer::Acked(Some(id), _) | Answer::Left(id) = &answer {
            asked.insert(*id);
        }
        heard.push(answer);
    }
    reply(Answer::Asked(asked.into_iter().collect()));
    heard.into_iter().for_each(&reply);
    while let Ok(Some(answer)) = timeout_at(until, hears.recv()).await {
        reply(answer);
    }
    drop(rounds);
}

/// Calls the handler of an event for nodes; what comes back is its answer, if it gave one.
fn server_side(io: Io, event: &str, args: RawArgs) -> Option<BoxFuture<Option<RawArgs>>> {
    let handler = io
        .namespace()
        .with_handlers(|handlers| handlers.server_side.get(event).cloned())?;
    let (nsp, event) = (io.nsp().to_owned(), event.to_owned());
    Some(Box::pin(async move {
        match caught(|| handler(io, args)).await {
            Ok(Ok(answer)) => Some(answer),
            Ok(Err(wrong)) => {
                debug!(nsp, event, %wrong, "another node's event was not answered");
                None
            }
            Err(_) => {
                error!(nsp, event, "the handler of another node's event panicked");
                None
            }
        }
    }))
}
