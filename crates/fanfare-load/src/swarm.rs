//! The clients, and the loop that drives them.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::socket::{setsockopt, sockopt};
use socket2::{Domain, Socket, Type};

use crate::client::{Client, Incoming, Pulled, upgrade_request};
use crate::error::LoadError;
use crate::meter::{Meter, Spent};

/// Whom to load, and with how much.
#[derive(Clone, Debug)]
pub struct Load {
    /// Where the server listens.
    pub address: SocketAddr,
    /// The path of Socket.IO there, with both slashes.
    pub path: String,
    /// Clients in all, at least 1.
    pub clients: usize,
    /// The server's process, if what it uses is to be measured.
    pub server_pid: Option<u32>,
    /// How long a scenario may take before it fails.
    pub within: Duration,
}

impl Load {
    /// `clients` for the server at `address`, at the usual path, for two minutes at most.
    pub fn new(address: SocketAddr, clients: usize) -> Self {
        Self {
            address,
            path: "/socket.io/".to_owned(),
            clients,
            server_pid: None,
            within: Duration::from_secs(120),
        }
    }
}

/// Names one client in reports: the first to connect is 0.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ClientId(pub usize);

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "client {}", self.0)
    }
}

/// All clients of a scenario.
#[derive(Debug)]
pub struct Swarm {
    load: Load,
    epoll: Epoll,
    clients: Vec<Option<Client>>,
    n_joining: usize,
    n_joined: usize,
    request: String,
    deadline: Instant,
    pub(crate) meter: Meter,
    buffer: Vec<u8>,
    events: Vec<EpollEvent>,
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
        allow_sockets(load.clients)?;
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)
            .map_err(|error| failed("make an epoll", error.into()))?;
        Ok(Self {
            epoll,
            clients: Vec::with_capacity(load.clients),
            n_joining: 0,
            n_joined: 0,
            request: upgrade_request(&load.address.to_string(), &load.path),
            deadline: Instant::now() + load.within,
            meter: Meter::new(load.server_pid)?,
            buffer: vec![0; READ_BUFFER_BYTES],
            events: vec![EpollEvent::empty(); EVENTS_PER_TURN],
            load,
        })
    }

    /// Clients that there are when all have connected.
    pub(crate) fn n_clients(&self) -> usize {
        self.load.clients
    }

    pub(crate) fn n_joined(&self) -> usize {
        self.n_joined
    }

    pub(crate) fn restart_deadline(&mut self) {
        self.deadline = Instant::now() + self.load.within;
    }

    /// Fails if the deadline has passed while `left` clients wait for `goal`.
    pub(crate) fn check_deadline(
        &self,
        now: Instant,
        left: usize,
        goal: impl FnOnce() -> String,
    ) -> Result<(), LoadError> {
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
            self.check_deadline(now, self.n_clients() - self.n_joined, || {
                "their join".to_owned()
            })?;
        }
        Ok(())
    }

    /// Starts the joins that are due, and hands on what has come; returns the time.
    pub(crate) fn turn(
        &mut self,
        pause: Pause,
        mut receive: impl FnMut(ClientId, &[u8]) -> Result<(), LoadError>,
    ) -> Result<Instant, LoadError> {
        while self.n_joining < MAX_JOINING && self.clients.len() < self.n_clients() {
            self.connect()?;
        }
        let timeout = match pause {
            Pause::Spin => EpollTimeout::ZERO,
            Pause::Sleep(longest) => EpollTimeout::try_from(longest).unwrap_or(EpollTimeout::MAX),
        };
        let n_events = match self.epoll.wait(&mut self.events, timeout) {
            Ok(n_events) => n_events,
            Err(nix::Error::EINTR) => 0,
            Err(error) => return Err(failed("wait for the sockets", error.into())),
        };
        for i in 0..n_events {
            let event = self.events[i];
            self.handle(
                ClientId(event.data() as usize),
                event.events(),
                &mut receive,
            )?;
        }
        Ok(self.meter.turned(if n_events == 0 {
            Spent::Waiting
        } else {
            Spent::Working
        }))
    }

    /// Sends `bytes` as `client`.
    pub(crate) fn send(&self, client: ClientId, bytes: &[u8]) -> Result<(), LoadError> {
        self.clients[client.0]
            .as_ref()
            .expect("only a client that is there is told to speak")
            .send(client, bytes)
    }

    /// Ends a client's connection without a word.
    pub(crate) fn cut(&mut self, client: ClientId) {
        self.clients[client.0] = None;
    }

    fn connect(&mut self) -> Result<(), LoadError> {
        let id = self.clients.len();
        let socket =
            open(self.load.address, id).map_err(|source| failed("open a socket", source))?;
        let name = EpollEvent::new(interest(), id as u64);
        self.epoll
            .add(&socket, name)
            .map_err(|error| failed("watch a socket", error.into()))?;
        self.clients
            .push(Some(Client::new(TcpStream::from(socket))));
        self.n_joining += 1;
        Ok(())
    }

    fn handle(
        &mut self,
        id: ClientId,
        events: EpollFlags,
        receive: &mut impl FnMut(ClientId, &[u8]) -> Result<(), LoadError>,
    ) -> Result<(), LoadError> {
        let Some(client) = &mut self.clients[id.0] else {
            return Ok(());
        };
        if events.contains(EpollFlags::EPOLLOUT) {
            client.handle_writable(id, self.request.as_bytes())?;
        }
        if !events.intersects(EpollFlags::EPOLLIN | EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLHUP) {
            return Ok(());
        }
        loop {
            let (filled, is_drained) = match client.pull(id, &mut self.buffer)? {
                Pulled::Some(filled) => (filled, false),
                Pulled::Drained(filled) => (filled, !events.contains(EpollFlags::EPOLLRDHUP)),
                Pulled::Closed => {
                    return Err(LoadError::Closed {
                        client: id,
                        stage: client.stage.name(),
                    });
                }
            };
            let mut rest = &self.buffer[..filled];
            while let Some((incoming, length)) = client.take(id, rest)? {
                match incoming {
                    Incoming::Nothing => {}
                    Incoming::Joined => {
                        self.n_joining -= 1;
                        self.n_joined += 1;
                    }
                    Incoming::Packet(packet) => receive(id, packet)?,
                }
                rest = &rest[length..];
            }
            client.keep(id, rest)?;
            if is_drained {
                return Ok(());
            }
        }
    }
}

/// A socket that is connecting to `address`.
fn open(address: SocketAddr, id: usize) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    if let Some(source) = source(address.ip(), id) {
        // Else bind(2) takes a port for itself alone, where the four-tuple is free with any.
        setsockopt(&socket, sockopt::IpBindAddressNoPort, &true)?;
        socket.bind(&SocketAddr::new(source.into(), 0).into())?;
    }
    match socket.connect(&address.into()) {
        Ok(()) => Ok(socket),
        Err(error) if error.raw_os_error() == Some(nix::Error::EINPROGRESS as i32) => Ok(socket),
        Err(error) => Err(error),
    }
}

/// Where client `id` connects from, if the server is on loopback: one address has not ports enough.
fn source(target: IpAddr, id: usize) -> Option<Ipv4Addr> {
    let last = FIRST_SOURCE + u8::try_from(id % N_SOURCES).expect("there are few");
    (target == Ipv4Addr::LOCALHOST).then(|| Ipv4Addr::new(127, 0, 0, last))
}

fn allow_sockets(clients: usize) -> Result<(), LoadError> {
    let limit = |error: nix::Error| failed("read the limit of open files", error.into());
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).map_err(limit)?;
    let needed = clients as u64 + SPARE_FILES;
    if hard < needed {
        return Err(LoadError::TooManyClients {
            clients,
            open_files: hard,
        });
    }
    if soft < needed {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard).map_err(limit)?;
    }
    Ok(())
}

fn failed(doing: &'static str, source: io::Error) -> LoadError {
    LoadError::Io { doing, source }
}

fn interest() -> EpollFlags {
    EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT | EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLET
}

/// Joins under way at once: a crowd, but one that the usual listen backlog of 511 can hold.
const MAX_JOINING: usize = 256;
const EVENTS_PER_TURN: usize = 1024;
/// Holds what one socket's buffer in the kernel does, so that a read is a drain.
const READ_BUFFER_BYTES: usize = 512 << 10;
/// Standard streams, the epoll, and what the runtime opens.
const SPARE_FILES: u64 = 16;
const FIRST_SOURCE: u8 = 2;
const N_SOURCES: usize = 16;
