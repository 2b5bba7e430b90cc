//! What a node asks the whole cluster, and how all answers become one.

use std::{collections::HashSet, pin::pin, sync::Arc, time::Duration};

use tokio::time::{Instant, sleep_until};

use super::{Answer, Asking, ClusterError, Message, Question, RemoteSocket};
use crate::{
    args::{FromArgs, IntoArgs, RawArgs},
    broadcast::Select,
    clock,
    emitted::EmitError,
    io::Io,
    operations::{Questions, written},
    round::Answers,
    socket_id::SocketId,
};

impl Questions {
    /// All answers, when they are here or at `until`.
    pub(crate) async fn answers(self, until: Instant) -> Answers {
        let Self { local, remote } = self;
        let here = async {
            let mut all = Answers::default();
            for asking in local {
                all.extend(asking.answers(until).await);
            }
            all
        };
        let there = async {
            match remote {
                Some(asking) => remote_answers(asking, until).await,
                None => Answers::default(),
            }
        };
        let (mut all, there) = tokio::join!(here, there);
        all.extend(there);
        all
    }
}

async fn remote_answers(mut asking: Asking, until: Instant) -> Answers {
    let mut all = Answers::default();
    // Nobody knows how many have been asked: at least that is said.
    let others = asking.others(until).await.unwrap_or_else(|error| {
        tracing::warn!(error, "nobody knows which nodes have been asked");
        usize::MAX
    });
    let (mut asked, mut waiting, mut unnamed) = (0, HashSet::<SocketId>::new(), 0_usize);
    let mut acked_unnamed = 0;
    while asked < others || !waiting.is_empty() || acked_unnamed < unnamed {
        match asking.next(until).await.map(|reply| reply.answer) {
            Some(Answer::Asked(ids)) => {
                asked += 1;
                waiting.extend(ids);
            }
            Some(Answer::AskedUnnamed(n)) => {
                asked += 1;
                unnamed = unnamed.saturating_add(n);
            }
            Some(Answer::Acked(id, args)) => {
                match &id {
                    Some(id) => drop(waiting.remove(id)),
                    None => acked_unnamed += 1,
                }
                all.given.push((id, args));
            }
            Some(Answer::Left(id)) => {
                waiting.remove(&id);
                all.left.push(id);
            }
            // Another question's answer, by a node that does not keep to the form.
            Some(Answer::Sockets(_) | Answer::Rooms(_) | Answer::ServerSide(_)) => {}
            None => break,
        }
    }
    all.silent = waiting.into_iter().collect();
    all.silent_unnamed = unnamed.saturating_sub(acked_unnamed);
    all.silent_nodes = match others {
        usize::MAX => 1,
        others => others.saturating_sub(asked),
    };
    all
}

impl Io {
    pub(crate) fn fetch_of(
        &self,
        select: &Select,
        patience: Duration,
    ) -> impl Future<Output = Result<Vec<RemoteSocket>, ClusterError<RemoteSocket>>> + use<> {
        let until = clock::after(patience);
        let question = || Question::Sockets(select.into());
        let asking = match select.is_local {
            true => None,
            false => self.server().cluster.ask(self.nsp(), question()),
        };
        let here = self.sockets_of(select).into_iter();
        let mut all: Vec<_> = here
            .map(|socket| RemoteSocket::new(socket.io(), socket.state()))
            .collect();
        let io = self.clone();
        async move {
            let read = |answer| match answer {
                Answer::Sockets(states) => Some(states),
                Answer::Rooms(_)
                | Answer::Asked(_)
                | Answer::AskedUnnamed(_)
                | Answer::Acked(..)
                | Answer::Left(_)
                | Answer::ServerSide(_) => None,
            };
            let there = one_of_each(asking, until, read).await?;
            let states = there.answers.into_iter().flatten();
            all.extend(states.map(|state| RemoteSocket::new(io.clone(), state)));
            match there.missing {
                0 => Ok(all),
                missing => Err(ClusterError::Missing {
                    answers: all,
                    missing,
                    silent: there.silent,
                }),
            }
        }
    }

    pub(crate) fn tell_nodes(&self, event: &str, args: impl IntoArgs) {
        let Some(adapter) = &self.server().cluster.adapter else {
            return;
        };
        match for_nodes(event, args) {
            Ok(args) => adapter.publish(Message::ServerSide {
                nsp: self.nsp().to_owned(),
                event: event.to_owned(),
                args,
            }),
            Err(error) => tracing::error!(%error, "an event for nodes was not sent"),
        }
    }

    pub(crate) fn ask_nodes<T: FromArgs, A: IntoArgs>(
        &self,
        event: &str,
        args: A,
        patience: Duration,
    ) -> impl Future<Output = Result<Vec<T>, ClusterError<T>>> + use<T, A> {
        let until = clock::after(patience);
        let asking = for_nodes(event, args).map(|args| {
            let event = event.to_owned();
            let question = Question::ServerSide { event, args };
            self.server().cluster.ask(self.nsp(), question)
        });
        async move {
            let read = |answer| match answer {
                Answer::ServerSide(args) => Some(args),
                Answer::Sockets(_)
                | Answer::Rooms(_)
                | Answer::Asked(_)
                | Answer::AskedUnnamed(_)
                | Answer::Acked(..)
                | Answer::Left(_) => None,
            };
            let there = one_of_each(asking?, until, read).await?;
            let (mut answers, mut missing) = (Vec::new(), there.missing);
            for reply in there.answers {
                match reply.and_then(|args| args.read().ok()) {
                    Some(answer) => answers.push(answer),
                    None => missing += 1,
                }
            }
            match missing {
                0 => Ok(answers),
                missing => Err(ClusterError::Missing {
                    answers,
                    missing,
                    silent: there.silent,
                }),
            }
        }
    }
}

/// What other nodes have answered.
struct FromEach<T> {
    answers: Vec<T>,
    /// Of how many there is no answer.
    missing: usize,
    /// Which of these have names.
    silent: Vec<Arc<str>>,
}

/// One answer of each other node, and who gave none.
///
/// # Errors
///
/// [`ClusterError::Unreachable`] if nobody knows how many there are.
async fn one_of_each<T, E>(
    asking: Option<Asking>,
    until: Instant,
    read: impl Fn(Answer) -> Option<T>,
) -> Result<FromEach<T>, ClusterError<E>> {
    let mut all = FromEach {
        answers: Vec::new(),
        missing: 0,
        silent: Vec::new(),
    };
    let Some(mut asking) = asking else {
        return Ok(all);
    };
    let others = asking.others(until).await;
    let others = others.map_err(ClusterError::Unreachable)?;
    let names = asking.names(until);
    // In time for the names to be here when all has to be.
    let late = clock::before(until, TO_NAME);
    let naming = async move {
        sleep_until(late).await;
        names.await
    };
    let mut naming = pin!(naming);
    let mut heard = HashSet::new();
    let mut named = None;
    while all.answers.len() < others {
        let reply = tokio::select! {
            biased;
            reply = asking.next(until) => reply,
            names = &mut naming, if named.is_none() => {
                named = Some(names);
                continue;
            }
        };
        let Some(reply) = reply else { break };
        all.answers.extend(read(reply.answer));
        heard.extend(reply.from);
    }
    all.missing = others - all.answers.len();
    if all.missing > 0 {
        let named = named.into_iter().flatten();
        all.silent = named.filter(|name| !heard.contains(name)).collect();
    }
    Ok(all)
}

/// # Errors
///
/// [`EmitError`] if the name is reserved or the arguments can't be sent.
fn for_nodes(event: &str, args: impl IntoArgs) -> Result<RawArgs, EmitError> {
    match event {
        "connect" | "connection" | "new_namespace" => Err(EmitError::Reserved(event.to_owned())),
        _ => written(event, args),
    }
}

/// How long the names of those who do not answer may take.
const TO_NAME: Duration = Duration::from_millis(250);
