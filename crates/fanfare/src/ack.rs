//! Acks: answers to events, in both directions.

use std::{
    collections::HashMap,
    iter,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use fanfare_proto::socketio::AckId;
use tokio::sync::oneshot;

use crate::{
    admission::Refusal,
    args::{ArgsError, FromArgs, IntoArgs, RawArgs},
    emitted::EmitError,
    round::Answers,
    socket::Socket,
    socket_id::SocketId,
};

/// Answers an event, at most once. Does nothing if the client asked for no answer.
#[derive(Clone, Debug)]
pub struct Ack(Option<Arc<Asked>>);

#[derive(Debug)]
struct Asked {
    socket: Socket,
    id: AckId,
    is_answered: AtomicBool,
}

impl Ack {
    pub(crate) fn new(socket: &Socket, id: Option<AckId>) -> Self {
        Self(id.map(|id| {
            Arc::new(Asked {
                socket: socket.clone(),
                id,
                is_answered: AtomicBool::new(false),
            })
        }))
    }

    /// Whether the client waits for an answer.
    pub fn is_wanted(&self) -> bool {
        self.0
            .as_ref()
            .is_some_and(|asked| !asked.is_answered.load(Ordering::Acquire))
    }

    /// Answers with `args`, which reach the client's callback. Only the first answer is sent.
    pub fn send(&self, args: impl IntoArgs) {
        if let Some(asked) = &self.0
            && !asked.is_answered.swap(true, Ordering::AcqRel)
        {
            asked.socket.send_ack(asked.id, args);
        }
    }

    /// Answers `{"error": …}`, the way every refusal of the server's own looks.
    pub(crate) fn refuse(&self, refusal: &Refusal) {
        self.send(refusal.as_answer());
    }
}

/// Why an answer to [`Socket::emit_with_ack`] is missing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AckError {
    /// The client did not answer in time.
    #[error("the client did not answer in time")]
    Timeout,
    /// The socket is disconnected.
    #[error("the socket is disconnected")]
    Disconnected,
    /// The client owes more answers than `max_pending_acks`.
    #[error("the client owes {0} answers already")]
    TooManyPending(usize),
    /// The event could not be sent.
    #[error(transparent)]
    Emit(#[from] EmitError),
    /// The answer is of another type.
    #[error("the client's answer is of another type: {0}")]
    Args(#[from] ArgsError),
}

/// Why [`Broadcast::emit_with_ack`](crate::Broadcast::emit_with_ack) has not everyone's answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BroadcastAckError<T> {
    /// Not everyone answered.
    #[error("{}", unanswered(missing.len(), answers.len(), *silent_nodes))]
    Missing {
        /// The answers that came, in their order; of whom, if the node says it.
        answers: Vec<(Option<SocketId>, T)>,
        /// Who gave none, if the node says it, and why.
        missing: Vec<(Option<SocketId>, AckError)>,
        /// How many other nodes of the cluster did not say whom they have asked; 1 if nobody knows.
        silent_nodes: usize,
    },
    /// As many broadcasts as `max_pending_acks` wait for answers in this namespace.
    #[error("{0} broadcasts wait for answers already")]
    TooManyPending(usize),
    /// The event could not be sent.
    #[error(transparent)]
    Emit(#[from] EmitError),
}

impl<T> BroadcastAckError<T> {
    /// The same of a question to one socket, before it was sent.
    pub(crate) fn into_ack_error(self) -> AckError {
        match self {
            Self::TooManyPending(pending) => AckError::TooManyPending(pending),
            Self::Emit(error) => AckError::Emit(error),
            Self::Missing { .. } => AckError::Timeout,
        }
    }
}

fn unanswered(missing: usize, answers: usize, silent_nodes: usize) -> String {
    let sockets = format!("{missing} of {} sockets gave no answer", missing + answers);
    match silent_nodes {
        0 => sockets,
        nodes => format!("{sockets}, and {nodes} of the other nodes did not say whom it asked"),
    }
}

/// Everyone's answer, as `T`.
///
/// # Errors
///
/// [`BroadcastAckError::Missing`] unless everyone gave one.
pub(crate) fn read_all<T: FromArgs>(
    Answers {
        given,
        left,
        silent,
        silent_unnamed,
        silent_nodes,
    }: Answers,
) -> Result<Vec<(Option<SocketId>, T)>, BroadcastAckError<T>> {
    let left = left
        .into_iter()
        .map(|id| (Some(id), AckError::Disconnected));
    let silent = silent.into_iter().map(Some);
    let silent = silent.chain(iter::repeat_n(None, silent_unnamed));
    let silent = silent.map(|id| (id, AckError::Timeout));
    let mut missing: Vec<_> = left.chain(silent).collect();
    let mut answers = Vec::with_capacity(given.len());
    for (id, args) in given {
        match args.read() {
            Ok(answer) => answers.push((id, answer)),
            Err(wrong) => missing.push((id, wrong.into())),
        }
    }
    match missing.is_empty() && silent_nodes == 0 {
        true => Ok(answers),
        false => Err(BroadcastAckError::Missing {
            answers,
            missing,
            silent_nodes,
        }),
    }
}

/// Which answers a client owes. Takes no memory before the first.
#[derive(Debug, Default)]
pub(crate) struct PendingAcks(Mutex<Option<Box<Waiting>>>);

type Waiting = HashMap<u64, oneshot::Sender<RawArgs>>;

impl PendingAcks {
    /// Waits for the answer to `id`.
    ///
    /// # Errors
    ///
    /// How many answers are owed already, when that is `max`.
    pub(crate) fn wait_for(
        &self,
        id: AckId,
        max: usize,
    ) -> Result<oneshot::Receiver<RawArgs>, usize> {
        let mut pending = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let pending = pending.get_or_insert_default();
        if max <= pending.len() {
            pending.retain(|_, answer| !answer.is_closed());
        }
        if max <= pending.len() {
            return Err(pending.len());
        }
        let (answer, receiver) = oneshot::channel();
        pending.insert(id.0, answer);
        Ok(receiver)
    }

    /// Takes who waits for `id`; `None` for an answer nobody asked for, or a second one.
    pub(crate) fn take(&self, id: AckId) -> Option<oneshot::Sender<RawArgs>> {
        let mut pending = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = pending.as_mut()?.remove(&id.0);
        if pending.as_ref().is_some_and(|pending| pending.is_empty()) {
            *pending = None;
        }
        answer
    }

    /// Nobody will answer any more.
    pub(crate) fn clear(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
