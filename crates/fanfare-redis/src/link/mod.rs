//! Link: the connections to Redis, which come back by themselves.
//!
//! ```text
//! commands   one connection for all that is sent, and for the canary, once a second
//! hearing    one connection for all that is subscribed to
//!
//! Connecting ---- both connections, and the canary has come back ----> Up
//!     |                                                                ^ |
//!     +--- either fails ---> Down ------- the same ---------------------+ | either fails, or a canary
//!                             ^                                           | does not come back
//!                             +-------------------------------------------+
//! ```
//!
//! A subscription may be dead while its connection looks alive. So the node sends itself a message again and again,
//! the canary, and a subscription counts as alive only while it brings them.

mod backoff;
mod commands;
mod hearing;
mod state;
mod subscriptions;
mod tap;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use redis::{Client, Cmd, Pipeline, RedisError, Script, Value, aio::MultiplexedConnection};
use tokio::{
    sync::{Notify, watch},
    task::JoinHandle,
    time::{Instant, timeout},
};

pub(crate) use state::State;
pub(crate) use subscriptions::{Ear, Group, GroupId, Name};

use self::{state::Watched, subscriptions::Subscriptions};

/// The way to Redis. All clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct Link(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    client: Client,
    canary: String,
    /// How long Redis may take to answer.
    patience: Duration,
    commands: watch::Sender<Option<Commands>>,
    /// The connection for commands has failed.
    broken: Notify,
    subscriptions: Mutex<Subscriptions>,
    /// The subscriptions are not what they should be.
    resubscribe: Notify,
    /// Raised when subscriptions have been confirmed.
    confirmed: watch::Sender<u64>,
    /// A canary is to fly now.
    fly_now: Notify,
    /// Since when a canary has been under way.
    flying: Mutex<Option<Instant>>,
    state: Watched,
    closing: watch::Sender<bool>,
}

/// A connection for commands, by its number.
#[derive(Clone, Debug)]
pub(crate) struct Commands {
    number: u64,
    connection: MultiplexedConnection,
}

/// Why Redis did not do something.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    /// There is no connection, or it failed: nobody knows whether it was done.
    #[error("Redis is out of reach")]
    Unreachable,
    /// There was no answer in time: nobody knows whether it was done.
    #[error("Redis gave no answer within {0:?}")]
    Timeout(Duration),
    /// Redis does not want to.
    #[error("Redis refuses: {0}")]
    Refused(RedisError),
    /// What is published there reaches nobody who is connected to another.
    #[error("this Redis is a replica: nodes need the one that it follows")]
    Replica,
}

impl Link {
    /// Connects, and stays so, until it is [closed](Self::close).
    pub(crate) fn start(
        client: Client,
        canary: String,
        patience: Duration,
    ) -> (Self, Vec<JoinHandle<()>>) {
        let link = Self(Arc::new(Inner {
            client,
            canary,
            patience,
            commands: watch::Sender::new(None),
            broken: Notify::new(),
            subscriptions: Mutex::default(),
            resubscribe: Notify::new(),
            confirmed: watch::Sender::new(0),
            fly_now: Notify::new(),
            flying: Mutex::default(),
            state: Watched::new(),
            closing: watch::Sender::new(false),
        }));
        let inner = Arc::downgrade(&link.0);
        let ear = Ear::new(move |_, _| {
            if let Some(inner) = inner.upgrade() {
                inner.hear_canary();
            }
        });
        link.subscribe(Group::of([(Name::channel(&link.0.canary), ear)]));
        let tasks = vec![
            tokio::spawn(commands::run(link.clone())),
            tokio::spawn(hearing::run(link.clone())),
        ];
        (link, tasks)
    }

    /// Unsubscribes from all but the canary: once that is done, other nodes do not count on this one any more.
    pub(crate) async fn stop_hearing(&self) {
        self.0.lock().remove_all_but(GroupId::CANARY);
        self.0.resubscribe.notify_one();
        let mut confirmed = self.0.confirmed.subscribe();
        let mut state = self.state();
        while self.0.lock().hears_too_much() && *state.borrow_and_update() != State::Down {
            tokio::select! {
                _ = confirmed.changed() => {}
                _ = state.changed() => {}
            }
        }
    }

    /// Ends the connections. What waits for Redis gets no answer.
    pub(crate) fn close(&self) {
        self.0.closing.send_replace(true);
    }

    /// Runs `script`, for `patience` at most. That there was no answer in time ends no connection: the canary shows whether it is dead,
    /// and others' messages are under way on it.
    ///
    /// # Errors
    ///
    /// [`LinkError`]; it may have run unless Redis has refused.
    pub(crate) async fn run(
        &self,
        script: &Script,
        keys: &[&str],
        args: &[&[u8]],
        patience: Duration,
    ) -> Result<Value, LinkError> {
        let mut invocation = script.prepare_invoke();
        for key in keys {
            invocation.key(*key);
        }
        for arg in args {
            invocation.arg(*arg);
        }
        let mut commands = self.commands()?;
        let answer = invocation.invoke_async(&mut commands.connection);
        match timeout(patience, answer).await {
            Err(_) => Err(LinkError::Timeout(patience)),
            answered => self.judge(commands.number, patience, answered),
        }
    }

    /// Does one command.
    ///
    /// # Errors
    ///
    /// [`LinkError`]; it may have been done unless Redis has refused.
    pub(crate) async fn query(&self, command: &Cmd) -> Result<Value, LinkError> {
        let patience = self.0.patience;
        let mut commands = self.commands()?;
        let answer = command.query_async(&mut commands.connection);
        let answer = timeout(patience, answer).await;
        self.judge(commands.number, patience, answer)
    }

    /// Does many commands, in their order, and forgets what they are answered.
    ///
    /// # Errors
    ///
    /// [`LinkError`]; any may have been done.
    pub(crate) async fn send(&self, pipeline: &Pipeline) -> Result<(), LinkError> {
        let patience = self.0.patience;
        let mut commands = self.commands()?;
        let number = commands.number;
        let answer = pipeline.exec_async(&mut commands.connection);
        tokio::select! {
            answer = timeout(patience, answer) => self.judge(number, patience, answer),
            () = self.0.given_up(number) => Err(LinkError::Unreachable),
        }
    }

    /// Waits until commands can be sent; `None` if the link is closed first.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub(crate) async fn ready(&self) -> Option<()> {
        let mut commands = self.0.commands.subscribe();
        tokio::select! {
            ready = commands.wait_for(Option::is_some) => ready.ok().map(drop),
            () = self.0.closed() => None,
        }
    }

    /// Subscribes to all of a group, on each connection anew, until it is given to [`unsubscribe`](Self::unsubscribe).
    pub(crate) fn subscribe(&self, group: Group) -> GroupId {
        let id = self.0.lock().add(group);
        self.0.resubscribe.notify_one();
        id
    }

    pub(crate) fn unsubscribe(&self, id: GroupId) {
        self.0.lock().remove(id);
        self.0.resubscribe.notify_one();
    }

    /// Whether what a group subscribes to is heard.
    pub(crate) fn hears(&self, id: GroupId) -> bool {
        self.0.lock().is_confirmed(id)
    }

    /// Waits until a group is heard, or Redis is known to be out of reach.
    pub(crate) async fn heard(&self, id: GroupId) {
        let mut confirmed = self.0.confirmed.subscribe();
        let mut state = self.state();
        while !self.hears(id) && *state.borrow_and_update() != State::Down {
            tokio::select! {
                _ = confirmed.changed() => {}
                _ = state.changed() => {}
            }
        }
    }

    /// Whether the link is up, and which one it is since the beginning.
    pub(crate) fn state(&self) -> watch::Receiver<State> {
        self.0.state.subscribe()
    }

    pub(crate) fn watched(&self) -> &Watched {
        &self.0.state
    }

    fn commands(&self) -> Result<Commands, LinkError> {
        let commands = self.0.commands.borrow().clone();
        commands.ok_or(LinkError::Unreachable)
    }

    /// Ends the connection if what it answered shows that it is no good.
    fn judge<T>(
        &self,
        number: u64,
        patience: Duration,
        answer: Result<Result<T, RedisError>, tokio::time::error::Elapsed>,
    ) -> Result<T, LinkError> {
        let wrong = match answer {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) if error.is_io_error() || error.is_unrecoverable_error() => {
                LinkError::Unreachable
            }
            // It was not one when we came. There may be another by now behind the same name.
            Ok(Err(error)) if is_read_only(&error) => LinkError::Replica,
            Ok(Err(error)) => return Err(LinkError::Refused(error)),
            Err(_) => LinkError::Timeout(patience),
        };
        self.0.give_up(number);
        Err(wrong)
    }
}

/// What a replica answers to whoever writes; a script's error only quotes it.
fn is_read_only(error: &RedisError) -> bool {
    error.code() == Some("READONLY") || error.to_string().contains("READONLY")
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, Subscriptions> {
        self.subscriptions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn flying(&self) -> MutexGuard<'_, Option<Instant>> {
        self.flying.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hear_canary(&self) {
        *self.flying() = None;
        self.state.set_hearing(true);
    }

    /// The connection for commands of this number has failed.
    fn give_up(&self, number: u64) {
        let is_it = |commands: &Option<Commands>| {
            commands
                .as_ref()
                .is_some_and(|commands| commands.number == number)
        };
        let ended = self.commands.send_if_modified(|commands| {
            let is_it = is_it(commands);
            if is_it {
                *commands = None;
            }
            is_it
        });
        if ended {
            self.broken.notify_one();
        }
    }

    /// Waits until the connection for commands of this number has failed.
    async fn given_up(&self, number: u64) {
        let mut commands = self.commands.subscribe();
        let is_other = |commands: &Option<Commands>| {
            commands
                .as_ref()
                .is_none_or(|commands| commands.number != number)
        };
        let _ = commands.wait_for(is_other).await;
    }

    /// Waits until the link is closed.
    async fn closed(&self) {
        let mut closing = self.closing.subscribe();
        let _ = closing.wait_for(|is_closing| *is_closing).await;
    }
}

/// Between two canaries.
const CANARY_INTERVAL: Duration = Duration::from_secs(1);

/// How long a canary may be under way. With the interval, deafness is noticed in less than 5 s.
const CANARY_PATIENCE: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests;
