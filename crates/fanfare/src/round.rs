//! Rounds: broadcasts that wait for everyone's answer.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use fanfare_proto::{engineio::Sid, socketio::AckId};
use tokio::{
    sync::oneshot,
    time::{Instant, timeout_at},
};

use crate::{
    args::RawArgs, namespace::Namespace, session::Session, socket::Socket, socket_id::SocketId,
};

/// A namespace's open rounds, by their ack ids.
///
/// An ack id is the namespace's own, so all receivers of a broadcast are sent the same one, and an
/// idle socket keeps nothing.
#[derive(Default)]
pub(crate) struct Rounds(Mutex<HashMap<u64, Round>>);

/// Nobody answers, nor leaves, while this is held.
pub(crate) struct OpenRounds<'a>(MutexGuard<'a, HashMap<u64, Round>>);

/// One broadcast that waits. It ends when nobody is left to wait for.
struct Round {
    /// By their sessions, each of which is in the namespace once, as long as it does not leave.
    waiting: HashMap<Sid, Arc<Session>>,
    answers: Answers,
    to: oneshot::Sender<Answers>,
}

/// What a broadcast was answered.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    /// In the order in which they came.
    pub(crate) given: Vec<(SocketId, RawArgs)>,
    pub(crate) left: Vec<SocketId>,
    pub(crate) silent: Vec<SocketId>,
}

/// A round that is over, for whoever waits; told with no lock of ours held.
pub(crate) struct Over {
    to: oneshot::Sender<Answers>,
    answers: Answers,
}

/// Whoever waits for a round. Dropping it closes the round.
pub(crate) struct Asking {
    namespace: Arc<Namespace>,
    id: AckId,
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
        round.answers.given.push((socket.id(), args));
        take_if_over(&mut rounds, id.0)
    }

    /// `socket` leaves, and will not answer. Under its session's state, so that nobody can have
    /// joined in its place.
    pub(crate) fn leave(&self, socket: &Socket) -> Vec<Over> {
        let OpenRounds(mut rounds) = self.lock();
        let mut asked = Vec::new();
        for (id, round) in rounds.iter_mut() {
            if round.waiting.remove(&socket.session().sid).is_some() {
                round.answers.left.push(socket.id());
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
        id: AckId,
        asked: impl Iterator<Item = Arc<Session>>,
    ) -> Asking {
        let (to, answers) = oneshot::channel();
        let waiting: HashMap<_, _> = asked.map(|session| (session.sid, session)).collect();
        let round = Round {
            waiting,
            answers: Answers::default(),
            to,
        };
        self.0.insert(id.0, round);
        // Nobody can wait for the receiver yet, so nobody is woken.
        if let Some(over) = take_if_over(&mut self.0, id.0) {
            over.tell();
        }
        Asking {
            namespace: namespace.clone(),
            id,
            answers,
        }
    }
}

impl Over {
    pub(crate) fn tell(self) {
        // Nobody may wait any more.
        let _ = self.to.send(self.answers);
    }
}

impl Asking {
    /// The answers, when all are here or at `until`.
    pub(crate) async fn answers(mut self, until: Instant) -> Answers {
        if let Ok(answers) = timeout_at(until, &mut self.answers).await {
            return answers.unwrap_or_default();
        }
        // Looked up while those who leave are still noted: who waits after that has its id here.
        let waiting: Vec<Arc<Session>> = match self.namespace.rounds.lock().0.get(&self.id.0) {
            Some(round) => round.waiting.values().cloned().collect(),
            None => Vec::new(),
        };
        let ids: HashMap<Sid, SocketId> = waiting
            .iter()
            .filter_map(|session| Some((session.sid, session.socket_in(&self.namespace)?.id())))
            .collect();
        let Some(round) = self.close() else {
            return (&mut self.answers).await.unwrap_or_default();
        };
        let silent = round.waiting.keys();
        Answers {
            silent: silent.filter_map(|sid| ids.get(sid).copied()).collect(),
            ..round.answers
        }
    }

    /// `None` if the round is over already.
    fn close(&self) -> Option<Round> {
        self.namespace.rounds.lock().0.remove(&self.id.0)
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.close();
    }
}

fn take_if_over(rounds: &mut HashMap<u64, Round>, id: u64) -> Option<Over> {
    if !rounds.get(&id)?.waiting.is_empty() {
        return None;
    }
    let Round { answers, to, .. } = rounds.remove(&id)?;
    Some(Over { to, answers })
}
