//! Rounds: broadcasts that wait for everyone's answer.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use fanfare_proto::{engineio::Sid, socketio::AckId};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, timeout_at},
};

use crate::{
    args::RawArgs, cluster::Answer, namespace::Namespace, session::Session, socket::Socket,
    socket_id::SocketId,
};

/// A namespace's open rounds, by their ack ids.
///
/// An ack id is the namespace's own, so all receivers of a broadcast are sent the same one, and an
/// idle socket keeps nothing.
#[derive(Default)]
pub(crate) struct Rounds(Mutex<HashMap<u64, Round>>);

/// Nobody answers, nor leaves, while this is held.
pub(crate) struct OpenRounds<'a>(MutexGuard<'a, HashMap<u64, Round>>);

/// A round that is to be opened.
pub(crate) struct NewRound {
    pub(crate) id: AckId,
    pub(crate) to: Hearer,
    /// How many may be open, with this one.
    pub(crate) max: usize,
}

/// One broadcast that waits. It ends when nobody is left to wait for.
struct Round {
    /// By their sessions, each of which is in the namespace once, as long as it does not leave.
    waiting: HashMap<Sid, Arc<Session>>,
    to: Hearer,
}

/// Who is told what a broadcast is answered.
pub(crate) enum Hearer {
    /// Whoever asked, when all is known.
    Here(Answers, oneshot::Sender<Answers>),
    /// The node that asked, of each answer as it comes.
    Node(mpsc::UnboundedSender<Answer>),
}

/// What a broadcast was answered.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    /// In the order in which they came.
    pub(crate) given: Vec<(Option<SocketId>, RawArgs)>,
    pub(crate) left: Vec<SocketId>,
    pub(crate) silent: Vec<SocketId>,
    /// How many more did not answer, whose nodes name nobody.
    pub(crate) silent_unnamed: usize,
    /// Other nodes that did not say whom they asked.
    pub(crate) silent_nodes: usize,
}

impl Answers {
    pub(crate) fn extend(&mut self, other: Self) {
        self.given.extend(other.given);
        self.left.extend(other.left);
        self.silent.extend(other.silent);
        self.silent_unnamed += other.silent_unnamed;
        self.silent_nodes += other.silent_nodes;
    }

    pub(crate) fn is_nobody_silent(&self) -> bool {
        self.silent.is_empty() && self.silent_unnamed == 0 && self.silent_nodes == 0
    }
}

/// A round that is over, for whoever waits; told with no lock of ours held.
pub(crate) struct Over(Hearer);

/// A round that may still be open. Dropping it closes the round.
pub(crate) struct OpenRound {
    namespace: Arc<Namespace>,
    id: AckId,
}

/// Whoever waits for a round.
pub(crate) struct Asking {
    round: OpenRound,
    answers: oneshot::Receiver<Answers>,
}

impl Rounds {
    pub(crate) fn lock(&self) -> OpenRounds<'_> {
        OpenRounds(self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// `socket` answers. Ignored unless it was asked, and for the first time.
    pub(crate) fn answer(&self, id: AckId, socket: &Socket, args: RawArgs) -> Option<Over> {
        let OpenRounds(mut rounds) = self.lock();
        let round = rounds.get_mut(&id.0)?;
        round.waiting.remove(&socket.session().sid)?;
        round.to.hear(socket.id(), Some(args));
        take_if_over(&mut rounds, id.0)
    }

    /// `socket` leaves, and will not answer. Under its session's state, so that nobody can have
    /// joined in its place.
    pub(crate) fn leave(&self, socket: &Socket) -> Vec<Over> {
        let OpenRounds(mut rounds) = self.lock();
        let mut asked = Vec::new();
        for (id, round) in rounds.iter_mut() {
            if round.waiting.remove(&socket.session().sid).is_some() {
                round.to.hear(socket.id(), None);
                asked.push(*id);
            }
        }
        let over = |id| take_if_over(&mut rounds, id);
        asked.into_iter().filter_map(over).collect()
    }
}

impl OpenRounds<'_> {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Waits for the answers of `asked`.
    pub(crate) fn open(
        &mut self,
        namespace: &Arc<Namespace>,
        NewRound { id, to, .. }: NewRound,
        asked: impl Iterator<Item = Arc<Session>>,
    ) -> OpenRound {
        let waiting: HashMap<_, _> = asked.map(|session| (session.sid, session)).collect();
        self.0.insert(id.0, Round { waiting, to });
        // Nobody can wait for the receiver yet, so nobody is woken.
        if let Some(over) = take_if_over(&mut self.0, id.0) {
            over.tell();
        }
        OpenRound {
            namespace: namespace.clone(),
            id,
        }
    }
}

impl Over {
    pub(crate) fn tell(self) {
        if let Hearer::Here(answers, to) = self.0 {
            // Nobody may wait any more.
            let _ = to.send(answers);
        }
    }
}

impl Hearer {
    /// `socket` has answered, or has left.
    fn hear(&mut self, socket: SocketId, answer: Option<RawArgs>) {
        match (self, answer) {
            (Self::Here(answers, _), Some(args)) => answers.given.push((Some(socket), args)),
            (Self::Here(answers, _), None) => answers.left.push(socket),
            // Whoever passes answers on ends when time is up.
            (Self::Node(to), Some(args)) => drop(to.send(Answer::Acked(Some(socket), args))),
            (Self::Node(to), None) => drop(to.send(Answer::Left(socket))),
        }
    }
}

impl Round {
    /// What there is to tell, unless each answer has been told already.
    fn answers(self) -> Option<Answers> {
        match self.to {
            Hearer::Here(answers, _) => Some(answers),
            Hearer::Node(_) => None,
        }
    }
}

impl Asking {
    pub(crate) fn new(round: OpenRound, answers: oneshot::Receiver<Answers>) -> Self {
        Self { round, answers }
    }

    /// The answers, when all are here or at `until`.
    pub(crate) async fn answers(mut self, until: Instant) -> Answers {
        if let Ok(answers) = timeout_at(until, &mut self.answers).await {
            return answers.unwrap_or_default();
        }
        // Looked up while those who leave are still noted: who waits after that has its id here.
        let ids = self.round.waiting_ids();
        let Some(round) = self.round.close() else {
            return (&mut self.answers).await.unwrap_or_default();
        };
        let silent = round.waiting.keys();
        let silent = silent.filter_map(|sid| ids.get(sid).copied()).collect();
        Answers {
            silent,
            ..round.answers().unwrap_or_default()
        }
    }
}

impl OpenRound {
    /// Who has not answered yet.
    pub(crate) fn waiting_ids(&self) -> HashMap<Sid, SocketId> {
        let waiting: Vec<Arc<Session>> = match self.namespace.rounds.lock().0.get(&self.id.0) {
            Some(round) => round.waiting.values().cloned().collect(),
            None => Vec::new(),
        };
        let id =
            |session: &Arc<Session>| Some((session.sid, session.socket_in(&self.namespace)?.id()));
        waiting.iter().filter_map(id).collect()
    }

    /// `None` if the round is over already.
    fn close(&self) -> Option<Round> {
        self.namespace.rounds.lock().0.remove(&self.id.0)
    }
}

impl Drop for OpenRound {
    fn drop(&mut self) {
        self.close();
    }
}

fn take_if_over(rounds: &mut HashMap<u64, Round>, id: u64) -> Option<Over> {
    if !rounds.get(&id)?.waiting.is_empty() {
        return None;
    }
    Some(Over(rounds.remove(&id)?.to))
}
