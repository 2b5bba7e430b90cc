//! The clients, and the loop that drives them.

use std::time::{Duration, Instant};

use nix::sys::epoll::{EpollEvent, EpollFlags, EpollTimeout};

use crate::client::{Client, Incoming};
use crate::error::{LoadError, failed};
use crate::inflater::Inflater;
use crate::line::Pulled;
use crate::meter::{Meter, Spent};
use crate::site::{ClientId, Lane, Length, Load, MAX_JOINING, Site, Transport, allow_sockets};
use crate::watch::{self, Moment, Watch};

/// All clients of a scenario.
#[derive(Debug)]
pub struct Swarm {
    load: Load,
    site: Site,
    clients: Vec<Option<Client>>,
    /// Clients that have begun to connect: all below.
    n_begun: usize,
    /// Those that are to connect once more.
    again: Vec<ClientId>,
    n_joining: usize,
    n_joined: usize,
    began: Instant,
    deadline: Instant,
    asked: Option<Asked>,
    /// Events and acks that have come.
    n_received: u64,
    news: News,
    progress: Progress,
    pub(crate) meter: Meter,
    watch: Option<Watch>,
    inflater: Inflater,
    buffer: Vec<u8>,
    events: Vec<EpollEvent>,
}

/// What the last turn brought besides packets.
#[derive(Debug, Default)]
pub(crate) struct News {
    pub(crate) joined: Vec<ClientId>,
    pub(crate) ended: Vec<ClientId>,
    pub(crate) pinged: Vec<ClientId>,
}

/// How far a scenario has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Progress {
    /// What is counted, in the plural.
    pub what: &'static str,
    /// How many there have been.
    pub done: u64,
    /// How many there are to be.
    pub of: u64,
}

/// An event that the server has yet to show that it knows.
#[derive(Clone, Copy, Debug)]
struct Asked {
    event: &'static str,
    at: Instant,
    n_received: u64,
}

/// What a turn does when nothing has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Pause {
    /// Comes back at once.
    Spin,
    /// Sleeps until something comes, or this long.
    Sleep(Duration),
}

impl Swarm {
    /// Prepares `load`; nobody connects yet.
    ///
    /// # Errors
    ///
    /// If there is nobody to connect, this process may not open enough sockets, or the server's process cannot be watched.
    pub fn new(load: Load) -> Result<Self, LoadError> {
        if load.clients == 0 {
            return Err(LoadError::NoClients);
        }
        allow_sockets(&load)?;
        Ok(Self {
            site: Site::new(&load)?,
            clients: std::iter::repeat_with(|| None).take(load.clients).collect(),
            n_begun: 0,
            again: Vec::new(),
            n_joining: 0,
            n_joined: 0,
            began: Instant::now(),
            deadline: Instant::now() + load.within,
            asked: None,
            n_received: 0,
            news: News::default(),
            progress: Progress {
                what: "joins",
                done: 0,
                of: load.clients as u64,
            },
            meter: Meter::new(load.server_pid)?,
            watch: None,
            inflater: Inflater::new(),
            buffer: vec![0; READ_BUFFER_BYTES],
            events: vec![EpollEvent::empty(); EVENTS_PER_TURN],
            load,
        })
    }

    /// Shows `observer` how far the scenario is, about ten times a second, and keeps what it is shown for the report.
    ///
    /// # Errors
    ///
    /// If the server's process cannot be watched.
    pub fn watch(
        &mut self,
        observer: impl FnMut(Progress, Moment) + 'static,
    ) -> Result<(), LoadError> {
        self.watch = Some(Watch::new(&self.meter, Box::new(observer))?);
        Ok(())
    }

    pub(crate) fn load(&self) -> &Load {
        &self.load
    }

    pub(crate) fn into_moments(self) -> Vec<Moment> {
        self.watch.map(Watch::into_moments).unwrap_or_default()
    }

    /// Clients that there are when all have connected.
    pub(crate) fn n_clients(&self) -> usize {
        self.load.clients
    }

    /// `full` deliveries, or as many as a brief scenario makes of them.
    pub(crate) fn volume(&self, full: usize) -> usize {
        match self.load.length {
            Length::Full => full,
            Length::Brief => full / 100,
        }
    }

    /// Joins so far.
    pub(crate) fn n_joined(&self) -> usize {
        self.n_joined
    }

    pub(crate) fn news(&self) -> &News {
        &self.news
    }

    /// Bytes that the kernel holds for the server's connections, if the server is on this machine.
    pub(crate) fn kernel_queued_bytes(&self) -> Result<Option<u64>, LoadError> {
        self.meter.kernel_queued_bytes(self.site.address().port())
    }

    /// Messages so far that came compressed.
    pub(crate) fn n_compressed(&self) -> u64 {
        self.inflater.n_messages()
    }

    /// Fails if clients come in another way than over WebSocket.
    pub(crate) fn needs_websocket(&self, scenario: &'static str) -> Result<(), LoadError> {
        match self.load.transport {
            Transport::WebSocket => Ok(()),
            transport @ (Transport::Polling | Transport::Upgrade) => {
                Err(LoadError::OnlyWebSocket {
                    scenario,
                    transport,
                })
            }
        }
    }

    pub(crate) fn restart_deadline(&mut self) {
        self.deadline = Instant::now() + self.load.within;
    }

    /// From now on, the server has to show soon that it knows `event`, by telling anybody anything.
    pub(crate) fn expect(&mut self, event: &'static str) {
        let now = Instant::now();
        self.deadline = now + self.load.within;
        self.asked = Some(Asked {
            event,
            at: now,
            n_received: self.n_received,
        });
    }

    /// Fails if the deadline has passed while `left` clients wait for `goal`.
    pub(crate) fn check_deadline(
        &mut self,
        now: Instant,
        left: usize,
        goal: impl FnOnce() -> String,
    ) -> Result<(), LoadError> {
        let patience = self.load.within.min(PATIENCE);
        if let Some(Asked {
            event,
            at,
            n_received,
        }) = self.asked
        {
            if n_received < self.n_received {
                self.asked = None;
            } else if at + patience <= now {
                return Err(LoadError::Unanswered {
                    event,
                    after: patience,
                });
            }
        }
        if self.n_joined == 0 && self.began + patience <= now {
            return Err(LoadError::NobodyJoins { after: patience });
        }
        if now < self.deadline {
            return Ok(());
        }
        Err(LoadError::TimedOut {
            after: self.load.within,
            left,
            clients: self.n_clients(),
            goal: goal(),
        })
    }

    /// Lets all clients join, whatever else they are sent meanwhile.
    pub(crate) fn join_all(&mut self) -> Result<(), LoadError> {
        while self.n_joined < self.n_clients() {
            let now = self.turn(Pause::Spin, |_, _| Ok(()))?;
            let left = self.n_clients() - self.n_joined;
            self.has_done("joins", self.n_joined as u64, self.n_clients() as u64);
            self.check_deadline(now, left, || "their join".to_owned())?;
        }
        Ok(())
    }

    /// The scenario has come so far.
    pub(crate) fn has_done(&mut self, what: &'static str, done: u64, of: u64) {
        self.progress = Progress { what, done, of };
    }

    /// Starts the joins that are due, and hands on what has come; returns the time.
    pub(crate) fn turn(
        &mut self,
        pause: Pause,
        mut receive: impl FnMut(ClientId, &[u8]) -> Result<(), LoadError>,
    ) -> Result<Instant, LoadError> {
        self.news.clear();
        while self.n_joining < MAX_JOINING
            && let Some(id) = self.next_to_join()
        {
            self.clients[id.0] = Some(Client::new(id, &self.site)?);
            self.n_joining += 1;
        }
        let timeout = match pause {
            Pause::Spin => EpollTimeout::ZERO,
            Pause::Sleep(longest) => {
                let longest = match self.watch {
                    Some(_) => longest.min(watch::EVERY),
                    None => longest,
                };
                EpollTimeout::try_from(longest).unwrap_or(EpollTimeout::MAX)
            }
        };
        let n_events = match self.site.epoll.wait(&mut self.events, timeout) {
            Ok(n_events) => n_events,
            Err(nix::Error::EINTR) => 0,
            Err(error) => return Err(failed("wait for the sockets", error.into())),
        };
        for i in 0..n_events {
            let event = self.events[i];
            let (id, lane) = Site::named(event);
            self.handle(id, lane, event.events(), &mut receive)?;
        }
        let now = self.meter.turned(if n_events == 0 {
            Spent::Waiting
        } else {
            Spent::Working
        });
        if let Some(watch) = &mut self.watch
            && watch.is_due(now)
        {
            watch.look(now, &self.meter, self.n_received, self.progress)?;
        }
        Ok(now)
    }

    /// Emits `packet` as `client`.
    pub(crate) fn emit(&mut self, client: ClientId, packet: &[u8]) -> Result<(), LoadError> {
        self.clients[client.0]
            .as_mut()
            .expect("only a client that is there is told to speak")
            .emit(packet, &self.site)
    }

    /// Ends a client's connection without a word.
    pub(crate) fn cut(&mut self, client: ClientId) {
        self.clients[client.0] = None;
    }

    /// Has a client say goodbye; the server's own ends it.
    pub(crate) fn leave(&mut self, client: ClientId) -> Result<(), LoadError> {
        self.clients[client.0]
            .as_mut()
            .expect("only a client that is there leaves")
            .leave(&self.site)
    }

    /// Clients from `first` on have a small receive buffer.
    pub(crate) fn narrow_from(&mut self, first: ClientId) {
        self.site.first_narrow = first.0;
    }

    /// The server's kernel holds little for each client, so that what it has not read waits in the server itself.
    pub(crate) fn keep_kernels_part_small(&mut self) {
        self.narrow_from(ClientId(0));
        self.site.has_small_segments = true;
    }

    /// Has a client read nothing from now on.
    pub(crate) fn stop_reading(&mut self, client: ClientId) -> Result<(), LoadError> {
        let client = self.clients[client.0].as_mut();
        client.map_or(Ok(()), |client| client.stop_reading(&self.site))
    }

    /// Has it read again.
    pub(crate) fn go_on_reading(&self, client: ClientId) -> Result<(), LoadError> {
        let client = self.clients[client.0].as_ref();
        client.map_or(Ok(()), |client| client.go_on_reading(&self.site))
    }

    /// Has a client that has ended connect again.
    pub(crate) fn come_again(&mut self, client: ClientId) {
        self.again.push(client);
    }

    /// How long `client` has been coming at `now`.
    pub(crate) fn since_connect(&self, client: ClientId, now: Instant) -> Duration {
        let client = self.clients[client.0].as_ref();
        client.map_or(Duration::ZERO, |client| now - client.begun())
    }

    fn next_to_join(&mut self) -> Option<ClientId> {
        self.again.pop().or_else(|| {
            let id = ClientId(self.n_begun);
            (self.n_begun < self.n_clients()).then(|| {
                self.n_begun += 1;
                id
            })
        })
    }

    fn handle(
        &mut self,
        id: ClientId,
        lane: Lane,
        events: EpollFlags,
        receive: &mut impl FnMut(ClientId, &[u8]) -> Result<(), LoadError>,
    ) -> Result<(), LoadError> {
        let Some(client) = &mut self.clients[id.0] else {
            return Ok(());
        };
        if events.contains(EpollFlags::EPOLLOUT) {
            client.handle_writable(lane, &self.site)?;
        }
        if !events.intersects(EpollFlags::EPOLLIN | EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLHUP) {
            return Ok(());
        }
        loop {
            let (filled, is_drained) = match client.pull(lane, &mut self.buffer)? {
                Pulled::Some(filled) => (filled, false),
                Pulled::Drained(filled) => (filled, !events.contains(EpollFlags::EPOLLRDHUP)),
                Pulled::Closed => {
                    self.end(id);
                    return Ok(());
                }
            };
            let mut rest = &self.buffer[..filled];
            while let Some((incoming, length)) = client.take(lane, rest, &self.site)? {
                let incoming = match incoming {
                    Incoming::Compressed(payload) => {
                        client.take_inflated(self.inflater.inflate(payload), &self.site)?
                    }
                    incoming => incoming,
                };
                match incoming {
                    Incoming::Nothing | Incoming::Compressed(_) => {}
                    Incoming::Joined => {
                        self.n_joining -= 1;
                        self.n_joined += 1;
                        self.news.joined.push(id);
                    }
                    Incoming::Ping => self.news.pinged.push(id),
                    Incoming::Packet(packet) => {
                        self.n_received += 1;
                        receive(id, packet)?;
                    }
                    Incoming::Ended => {
                        self.end(id);
                        return Ok(());
                    }
                }
                rest = &rest[length..];
            }
            client.keep(lane, rest)?;
            // The line may have gone with what came on it.
            if is_drained || !client.has(lane) {
                return Ok(());
            }
        }
    }

    fn end(&mut self, id: ClientId) {
        self.clients[id.0] = None;
        self.news.ended.push(id);
    }
}

impl News {
    fn clear(&mut self) {
        self.joined.clear();
        self.ended.clear();
        self.pinged.clear();
    }
}

const EVENTS_PER_TURN: usize = 1024;
/// Holds what one socket's buffer in the kernel does, so that a read is a drain.
const READ_BUFFER_BYTES: usize = 512 << 10;
/// How long the first join may take, and the first sign that the server knows an event.
const PATIENCE: Duration = Duration::from_secs(10);
