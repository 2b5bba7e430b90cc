//! The task of a client: it alone touches the session, the wires and the socket.

use std::{collections::VecDeque, time::Duration};

use fanfare_proto::engineio::{
    ClientOutput, ClientSession, ClientTiming, CloseReason, Packet, Transport, Via, payload,
};
use fanfare_proto::socketio::AckId;
use tokio::{
    sync::{mpsc, oneshot},
    time::{self, Instant},
};

use crate::{
    error::{ConnectError, TransportError},
    event::{Args, DisconnectReason, Incoming},
    http::Endpoint,
    options::Options,
    socket::{Heard, Socket},
    unsent::Unsent,
    websocket::Decoded,
    wires::{Input, Room, Wires},
};

/// What the application asks for.
#[derive(Debug)]
pub(crate) enum Command {
    Emit {
        event: String,
        args: Args,
        answer: Option<oneshot::Sender<Args>>,
    },
    Ack {
        id: AckId,
        args: Args,
    },
    Disconnect,
}

/// A client that has been admitted.
#[derive(Debug)]
pub(crate) struct Joined {
    pub(crate) id: String,
    pub(crate) ping_interval: Duration,
    pub(crate) ping_timeout: Duration,
}

/// Where a driver and its client meet.
pub(crate) struct Desk {
    pub(crate) commands: mpsc::Receiver<Command>,
    pub(crate) inbox: mpsc::Sender<Incoming>,
    pub(crate) joined: oneshot::Sender<Result<Joined, ConnectError>>,
}

/// Drives one session from its opening to its end.
pub(crate) struct Driver {
    session: ClientSession,
    wires: Wires,
    socket: Socket,
    unsent: Unsent,
    /// What the inbox had no place for.
    unread: VecDeque<Incoming>,
    commands: mpsc::Receiver<Command>,
    inbox: mpsc::Sender<Incoming>,
    stage: Stage,
    spans: Spans,
    ending: Option<Ending>,
}

/// How far the client has come.
enum Stage {
    Connecting {
        joined: oneshot::Sender<Result<Joined, ConnectError>>,
        failure: Option<ConnectError>,
    },
    Joined,
}

/// What the handshake and the options say.
struct Spans {
    ping_interval: Duration,
    ping_timeout: Duration,
    close_timeout: Duration,
    max_payload: usize,
}

/// The end, decided.
struct Ending {
    reason: DisconnectReason,
    goodbye: Goodbye,
}

enum Goodbye {
    Said,
    Due,
}

impl Driver {
    pub(crate) fn new(endpoint: Endpoint, options: Options, desk: Desk) -> Self {
        let timing = ClientTiming {
            // The client waits no longer than its connect_timeout.
            open_timeout: Duration::MAX,
            upgrade_timeout: options.upgrade_timeout,
        };
        let now = Instant::now().into_std();
        let mut driver = Self {
            session: ClientSession::new(options.transports, &timing, now),
            wires: Wires::new(endpoint),
            socket: Socket::new(options.namespace, options.auth, &options.limits),
            unsent: Unsent::default(),
            unread: VecDeque::new(),
            commands: desk.commands,
            inbox: desk.inbox,
            stage: Stage::Connecting {
                joined: desk.joined,
                failure: None,
            },
            spans: Spans {
                ping_interval: Duration::ZERO,
                ping_timeout: Duration::ZERO,
                close_timeout: options.close_timeout,
                max_payload: usize::MAX,
            },
            ending: None,
        };
        if driver.session.transport() == Transport::WebSocket {
            driver.wires.open_websocket();
        }
        driver
    }

    /// Runs until the session is over and its client has been told so.
    pub(crate) async fn run(mut self) {
        let ending = loop {
            self.drain();
            if let Some(ending) = self.ending.take() {
                break ending;
            }
            self.write();
            self.turn().await;
        };
        match ending.goodbye {
            Goodbye::Due => {
                let close_timeout = self.spans.close_timeout;
                // A server that does not hear us out is left to its own timeouts.
                let _ = time::timeout(close_timeout, self.say_goodbye()).await;
            }
            Goodbye::Said => {}
        }
        let Self {
            stage,
            unread,
            inbox,
            wires,
            socket,
            ..
        } = self;
        drop((wires, socket));
        if let Stage::Connecting { joined, failure } = stage {
            let error = failure.unwrap_or(ConnectError::Ended(ending.reason));
            // Nobody may be waiting any more.
            let _ = joined.send(Err(error));
            return;
        }
        let last = Incoming::Disconnected(ending.reason);
        for incoming in unread.into_iter().chain([last]) {
            if inbox.send(incoming).await.is_err() {
                return;
            }
        }
    }

    /// Waits for one thing to happen, and handles it.
    async fn turn(&mut self) {
        let room = if self.unread.is_empty() {
            Room::Some
        } else {
            Room::None
        };
        let timeout = self.session.poll_timeout();
        tokio::select! {
            input = self.wires.next(room) => self.handle_input(input),
            command = self.commands.recv(), if self.unsent.has_room() => {
                // A client that was dropped wants no more.
                self.handle_command(command.unwrap_or(Command::Disconnect));
            }
            () = deliver(&mut self.unread, &self.inbox), if !self.unread.is_empty() => {}
            () = sleep_until(timeout) => self.session.handle_timeout(now()),
        }
    }

    fn handle_input(&mut self, input: Input) {
        match input {
            Input::Polled(Ok(body)) => {
                for packet in payload::decode(&body) {
                    self.handle_decoded(Via::Polling, packet);
                }
                self.session.handle_poll_end(now());
            }
            Input::Posted(Ok(())) => self.session.handle_post_end(now()),
            Input::Polled(Err(error)) | Input::Posted(Err(error)) => {
                self.handle_failure(Via::Polling, error);
            }
            Input::Opened(Ok(())) => self.session.handle_probe_open(now()),
            Input::Opened(Err(error)) => self.handle_failure(self.websocket_is(), error),
            Input::Received(Ok(packet)) => self.handle_decoded(self.websocket_is(), packet),
            Input::Received(Err(error)) => self.handle_failure(self.websocket_is(), error),
        }
    }

    fn handle_decoded(&mut self, via: Via, packet: Decoded) {
        match packet {
            Ok(packet) => self.session.handle_packet(via, packet, now()),
            Err(violation) => self.session.handle_violation(via, violation, now()),
        }
    }

    fn handle_failure(&mut self, via: Via, error: TransportError) {
        let reason = match error {
            TransportError::Closed | TransportError::Broken(_) => CloseReason::TransportClose,
            TransportError::Connect(_)
            | TransportError::Http(_)
            | TransportError::Status { .. }
            | TransportError::Handshake
            | TransportError::NotUtf8
            | TransportError::NotEngineIo
            | TransportError::Violation(_) => CloseReason::TransportError,
        };
        if via != Via::Probe {
            self.fail(ConnectError::Transport(error));
        }
        self.session.handle_transport_closed(via, reason, now());
    }

    /// What a client that is still connecting will be told. The first thing that went wrong counts.
    fn fail(&mut self, error: ConnectError) {
        if let Stage::Connecting { failure, .. } = &mut self.stage {
            failure.get_or_insert(error);
        }
    }

    fn handle_command(&mut self, command: Command) {
        match command {
            Command::Emit {
                event,
                args,
                answer,
            } => self
                .socket
                .emit(&event, args, answer)
                .for_each(|packet| self.unsent.push(packet)),
            Command::Ack { id, args } => self
                .socket
                .ack(id, args)
                .for_each(|packet| self.unsent.push(packet)),
            Command::Disconnect => {
                self.unsent.push(self.socket.disconnect());
                self.end(DisconnectReason::IoClientDisconnect);
            }
        }
    }

    /// Ends the session for a reason of the layer above.
    fn end(&mut self, reason: DisconnectReason) {
        self.session.close(now());
        self.drain();
        if let Some(ending) = &mut self.ending {
            ending.reason = reason;
        }
    }

    /// Does all that the session wants done.
    fn drain(&mut self) {
        while let Some(output) = self.session.poll_output() {
            self.handle_output(output);
        }
    }

    fn handle_output(&mut self, output: ClientOutput) {
        match output {
            ClientOutput::Poll => self.wires.poll(),
            ClientOutput::Opened(open) => {
                self.spans.ping_interval = open.ping_interval;
                self.spans.ping_timeout = open.ping_timeout;
                self.spans.max_payload = open.max_payload;
                self.wires.set_sid(open.sid);
                self.unsent.push(self.socket.connect());
            }
            ClientOutput::Send(packet) => self.unsent.push(packet),
            ClientOutput::OpenProbe => self.wires.open_websocket(),
            ClientOutput::SendProbe(packet) => {
                if let Some(websocket) = self.wires.websocket() {
                    websocket.push(&packet);
                }
            }
            ClientOutput::DropProbe => self.wires.drop_websocket(),
            ClientOutput::Upgraded => self.unread.push_back(Incoming::Upgraded),
            ClientOutput::Message(message) => match self.socket.handle_message(message) {
                Ok(Some(heard)) => self.handle_heard(heard),
                Ok(None) => {}
                Err(_violation) => self.end(DisconnectReason::ParseError),
            },
            ClientOutput::CloseTransport => {
                self.ending = Some(Ending {
                    reason: DisconnectReason::IoClientDisconnect,
                    goodbye: Goodbye::Due,
                });
            }
            ClientOutput::Closed(reason) => self.handle_closed(reason),
        }
    }

    fn handle_closed(&mut self, reason: CloseReason) {
        let reason = match reason {
            CloseReason::TransportClose | CloseReason::ServerShuttingDown => {
                DisconnectReason::TransportClose
            }
            CloseReason::TransportError => DisconnectReason::TransportError,
            CloseReason::PingTimeout => DisconnectReason::PingTimeout,
            CloseReason::ParseError => {
                self.fail(ConnectError::Transport(TransportError::NotEngineIo));
                DisconnectReason::ParseError
            }
            CloseReason::ForcedClose => DisconnectReason::IoClientDisconnect,
        };
        let goodbye = match &self.ending {
            Some(_) => Goodbye::Due,
            None => Goodbye::Said,
        };
        self.ending = Some(Ending { reason, goodbye });
    }

    fn handle_heard(&mut self, heard: Heard) {
        match heard {
            Heard::Joined(id) => {
                let stage = std::mem::replace(&mut self.stage, Stage::Joined);
                if let Stage::Connecting { joined, .. } = stage {
                    // A client that has given up waiting has dropped its commands too.
                    let _ = joined.send(Ok(Joined {
                        id,
                        ping_interval: self.spans.ping_interval,
                        ping_timeout: self.spans.ping_timeout,
                    }));
                }
            }
            Heard::Refused(refusal) => {
                self.fail(ConnectError::Refused(refusal));
                self.end(DisconnectReason::IoServerDisconnect);
            }
            Heard::PutOut => self.end(DisconnectReason::IoServerDisconnect),
            Heard::Event(event) => self.unread.push_back(Incoming::Event(event)),
        }
    }

    /// Sends what is unsent, as far as the session allows.
    fn write(&mut self) {
        match self.session.writable() {
            Some(Transport::Polling) if !self.unsent.is_empty() => {
                let payload = self.unsent.take_payload(self.spans.max_payload);
                self.session.handle_post();
                self.wires.post(payload);
            }
            Some(Transport::WebSocket) => {
                if let Some(websocket) = self.wires.websocket() {
                    self.unsent.write_to(websocket);
                }
            }
            Some(Transport::Polling) | None => {}
        }
    }

    async fn say_goodbye(&mut self) {
        match self.session.transport() {
            Transport::Polling => {
                self.unsent.push(Packet::Close);
                let payload = self.unsent.take_payload(usize::MAX);
                self.wires.end_polling(payload).await;
            }
            Transport::WebSocket => self.wires.end_websocket(self.unsent.drain()).await,
        }
    }

    /// What a WebSocket is to the session now.
    fn websocket_is(&self) -> Via {
        match self.session.transport() {
            Transport::Polling => Via::Probe,
            Transport::WebSocket => Via::WebSocket,
        }
    }
}

/// Moves one thing into the inbox as soon as it has a place. Cancel-safe.
async fn deliver(unread: &mut VecDeque<Incoming>, inbox: &mpsc::Sender<Incoming>) {
    let place = inbox.reserve().await;
    match (place, unread.pop_front()) {
        (Ok(place), Some(incoming)) => place.send(incoming),
        (Ok(_), None) => {}
        (Err(_), _) => unread.clear(),
    }
}

fn now() -> std::time::Instant {
    Instant::now().into_std()
}

async fn sleep_until(deadline: Option<std::time::Instant>) {
    match deadline {
        Some(deadline) => time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
