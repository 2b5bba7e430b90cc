//! What an application holds of its connection.

use std::time::Duration;

use fanfare_proto::socketio::{AckId, is_reserved};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::timeout,
};

use crate::{
    address::Address,
    driver::{Command, Desk, Driver, Joined},
    error::{AckError, ConnectError, EmitError},
    event::{Args, DisconnectReason, Incoming},
    http::Endpoint,
    options::Options,
    stream::Fate,
};

/// A connection to a Socket.IO server: one session, in one namespace.
///
/// A task of its own keeps it alive, answers pings and gathers events in an inbox that [`next`](Self::next) takes
/// from. While the inbox is full the server is read no further, acks included, and may give the client up.
/// Dropping a `Client` ends the session as [`disconnect`](Self::disconnect) does, without waiting for it.
#[derive(Debug)]
pub struct Client {
    joined: Joined,
    commands: mpsc::Sender<Command>,
    inbox: mpsc::Receiver<Incoming>,
    fate: Fate,
    driver: JoinHandle<()>,
    close_timeout: Duration,
}

impl Client {
    /// Opens a session and joins the namespace. An upgrade may still be under way; see [`Incoming::Upgraded`].
    ///
    /// # Errors
    ///
    /// [`ConnectError`]; it is never tried again from here.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the session.
    pub async fn connect(address: &Address, options: Options) -> Result<Self, ConnectError> {
        let Options {
            connect_timeout,
            close_timeout,
            max_inbox,
            ..
        } = options;
        let fate = Fate::default();
        let endpoint = Endpoint::new(address.clone(), &options, fate.clone());
        let (commands, command_receiver) = mpsc::channel(MAX_COMMANDS);
        let (inbox_sender, inbox) = mpsc::channel(max_inbox);
        let (joined_sender, joined) = oneshot::channel();
        let desk = Desk {
            commands: command_receiver,
            inbox: inbox_sender,
            joined: joined_sender,
        };
        let driver = tokio::spawn(Driver::new(endpoint, options, desk).run());
        let joined = match timeout(connect_timeout, joined).await {
            Ok(Ok(joined)) => joined?,
            // The runtime is going down, and its tasks with it.
            Ok(Err(_)) => return Err(ConnectError::Ended(DisconnectReason::IoClientDisconnect)),
            Err(_) => {
                fate.seal();
                driver.abort();
                return Err(ConnectError::TimedOut(connect_timeout));
            }
        };
        Ok(Self {
            joined,
            commands,
            inbox,
            fate,
            driver,
            close_timeout,
        })
    }

    /// What the client hears of next; `None` after [`Incoming::Disconnected`].
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<Incoming> {
        self.inbox.recv().await
    }

    /// Emits an event. It is sent when the transport is ready for it.
    ///
    /// # Errors
    ///
    /// [`EmitError`]; the event was not sent.
    pub async fn emit(&self, event: &str, args: Args) -> Result<(), EmitError> {
        self.send(event, args, None).await
    }

    /// Emits an event and waits up to `patience` for the server's answer.
    ///
    /// # Errors
    ///
    /// [`AckError`]; the server may have had the event nevertheless.
    pub async fn emit_with_ack(
        &self,
        event: &str,
        args: Args,
        patience: Duration,
    ) -> Result<Args, AckError> {
        let (sender, answer) = oneshot::channel();
        let answered = async {
            self.send(event, args, Some(sender)).await?;
            answer.await.map_err(|_| AckError::Disconnected)
        };
        timeout(patience, answered)
            .await
            .map_err(|_| AckError::TimedOut)?
    }

    /// Answers an event that the server wants answered; see [`Event::ack`](crate::Event::ack).
    ///
    /// # Errors
    ///
    /// [`EmitError::Disconnected`].
    pub async fn ack(&self, id: AckId, args: Args) -> Result<(), EmitError> {
        let command = Command::Ack { id, args };
        let sent = self.commands.send(command).await;
        sent.map_err(|_| EmitError::Disconnected)
    }

    /// Leaves the namespace and ends the session: what was emitted is sent, then goodbye is said, and the server's
    /// answer waited for, all within [`Options::close_timeout`].
    pub async fn disconnect(self) {
        let Self {
            commands,
            inbox,
            driver,
            close_timeout,
            ..
        } = self;
        drop(inbox);
        let abort = driver.abort_handle();
        let ended = async {
            // An error means that the session is over anyway.
            let _ = commands.send(Command::Disconnect).await;
            let _ = driver.await;
        };
        if timeout(close_timeout, ended).await.is_err() {
            abort.abort();
        }
    }

    /// Drops all connections at once with a reset, as if this process had died: no goodbye, and nothing unsent is
    /// sent. When it returns, the kernel has been told.
    pub async fn abort(self) {
        self.fate.seal();
        self.driver.abort();
        // It was cancelled, or had ended before.
        let _ = self.driver.await;
    }

    /// The socket's public id.
    pub fn id(&self) -> &str {
        &self.joined.id
    }

    /// How long after a pong the server sends the next ping, as it said in the handshake.
    pub fn ping_interval(&self) -> Duration {
        self.joined.ping_interval
    }

    /// How long the server waits for a pong, as it said in the handshake.
    pub fn ping_timeout(&self) -> Duration {
        self.joined.ping_timeout
    }

    async fn send(
        &self,
        event: &str,
        args: Args,
        answer: Option<oneshot::Sender<Args>>,
    ) -> Result<(), EmitError> {
        if is_reserved(event) {
            return Err(EmitError::ReservedName);
        }
        let command = Command::Emit {
            event: event.to_owned(),
            args,
            answer,
        };
        let sent = self.commands.send(command).await;
        sent.map_err(|_| EmitError::Disconnected)
    }
}

/// Between the application and a task that takes them at once unless the server is slow.
const MAX_COMMANDS: usize = 16;
