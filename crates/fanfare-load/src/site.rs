//! Whom to load, and how to get there.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::socket::{setsockopt, sockopt};
use socket2::{Domain, Socket, Type};

use crate::error::{LoadError, failed};
use crate::http::Requests;
use crate::line::Line;
use crate::stream::{Stream, Tls};

/// Whom to load, and with how much.
#[derive(Clone, Debug)]
pub struct Load {
    /// Where the server listens.
    pub address: SocketAddr,
    /// What requests name as their host.
    pub host: String,
    /// The path of Socket.IO there, with both slashes.
    pub path: String,
    /// Clients in all, at least 1.
    pub clients: usize,
    /// How they come.
    pub transport: Transport,
    /// How they speak TLS, if they do.
    pub tls: Option<Tls>,
    /// Their WebSockets offer permessage-deflate, without windows that are kept.
    pub compression: bool,
    /// Bytes of headers in each request besides those that it needs, such as a browser sends.
    pub header_bytes: usize,
    /// The server's process, if what it uses is to be measured.
    pub server_pid: Option<u32>,
    /// How much of it a scenario does.
    pub length: Length,
    /// How long a scenario may take before it fails.
    pub within: Duration,
}

/// How much a scenario does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Length {
    /// Enough for its figures to mean something: seconds, with a few thousand clients.
    Full,
    /// A hundredth of that: enough to see whether the server does it right.
    Brief,
}

impl Load {
    /// `clients` for the server at `address`, over WebSocket, at the usual path, for two minutes at most.
    pub fn new(address: SocketAddr, clients: usize) -> Self {
        Self {
            address,
            host: address.to_string(),
            path: "/socket.io/".to_owned(),
            clients,
            transport: Transport::WebSocket,
            tls: None,
            compression: false,
            header_bytes: 0,
            server_pid: None,
            length: Length::Full,
            within: Duration::from_secs(120),
        }
    }
}

/// How clients come.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
#[value(rename_all = "lower")]
pub enum Transport {
    /// WebSocket from the start.
    WebSocket,
    /// HTTP long-polling to the end: one poll always under way, and a second connection for what the client says.
    Polling,
    /// Polling, and on to WebSocket once joined: what browsers do by themselves.
    Upgrade,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WebSocket => "websocket",
            Self::Polling => "polling",
            Self::Upgrade => "upgrade",
        })
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

/// Which of a client's two connections.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Lane {
    /// The first: its WebSocket, or its polls.
    Main,
    /// The second: its posts, or the WebSocket that it moves to.
    Side,
}

/// The server as a client meets it, and the epoll in which all connections are.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) epoll: Epoll,
    address: SocketAddr,
    tls: Option<Tls>,
    pub(crate) requests: Requests,
    pub(crate) transport: Transport,
    /// Clients from this one on have a small receive buffer.
    pub(crate) first_narrow: usize,
    /// All ask for small segments, by which the server's kernel chooses how much it holds for each.
    pub(crate) has_small_segments: bool,
}

impl Site {
    pub(crate) fn new(load: &Load) -> Result<Self, LoadError> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)
            .map_err(|error| failed("make an epoll", error.into()))?;
        Ok(Self {
            epoll,
            address: load.address,
            tls: load.tls.clone(),
            requests: Requests::of(load),
            transport: load.transport,
            first_narrow: usize::MAX,
            has_small_segments: false,
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// A connection under way, which the epoll tells of.
    pub(crate) fn open(&self, id: ClientId, lane: Lane) -> Result<Line, LoadError> {
        let socket = self
            .socket(id.0)
            .map_err(|source| failed("open a socket", source))?;
        let stream = Stream::new(TcpStream::from(socket), self.tls.as_ref());
        let line = Line::new(stream.map_err(|source| failed("begin with TLS", source))?);
        self.watch(&line, id, lane)?;
        Ok(line)
    }

    /// The epoll tells of `line` from now on.
    pub(crate) fn watch(&self, line: &Line, id: ClientId, lane: Lane) -> Result<(), LoadError> {
        let name = (id.0 as u64) << 1 | u64::from(lane == Lane::Side);
        self.epoll
            .add(&line.stream, EpollEvent::new(interest(), name))
            .map_err(|error| failed("watch a socket", error.into()))
    }

    /// The epoll tells no more of `line`.
    pub(crate) fn unwatch(&self, line: &Line) -> Result<(), LoadError> {
        self.epoll
            .delete(&line.stream)
            .map_err(|error| failed("leave a socket alone", error.into()))
    }

    /// Whose an event is.
    pub(crate) fn named(event: EpollEvent) -> (ClientId, Lane) {
        let lane = match event.data() & 1 {
            0 => Lane::Main,
            _ => Lane::Side,
        };
        (ClientId((event.data() >> 1) as usize), lane)
    }

    fn socket(&self, id: usize) -> io::Result<Socket> {
        let socket = Socket::new(Domain::for_address(self.address), Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        if self.first_narrow <= id {
            socket.set_recv_buffer_size(NARROW_BUFFER_BYTES)?;
        }
        if self.has_small_segments {
            setsockopt(&socket, sockopt::TcpMaxSeg, &SMALL_SEGMENT_BYTES)?;
        }
        if let Some(source) = source(self.address.ip(), id) {
            // Else bind(2) takes a port for itself alone, where the four-tuple is free with any.
            setsockopt(&socket, sockopt::IpBindAddressNoPort, &true)?;
            socket.bind(&SocketAddr::new(source.into(), 0).into())?;
        }
        match socket.connect(&self.address.into()) {
            Ok(()) => Ok(socket),
            Err(error) if error.raw_os_error() == Some(nix::Error::EINPROGRESS as i32) => {
                Ok(socket)
            }
            Err(error) => Err(error),
        }
    }
}

/// Where client `id` connects from, if the server is on loopback: one address has not ports enough.
fn source(target: IpAddr, id: usize) -> Option<Ipv4Addr> {
    let last = FIRST_SOURCE + u8::try_from(id % N_SOURCES).expect("there are few");
    (target == Ipv4Addr::LOCALHOST).then(|| Ipv4Addr::new(127, 0, 0, last))
}

/// Has the system allow as many sockets as `load` needs.
pub(crate) fn allow_sockets(load: &Load) -> Result<(), LoadError> {
    let limit = |error: nix::Error| failed("read the limit of open files", error.into());
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).map_err(limit)?;
    let second_lines = match load.transport {
        // Who polls has a second one once it speaks, which most do not.
        Transport::WebSocket | Transport::Polling => 0,
        Transport::Upgrade => MAX_JOINING.min(load.clients),
    };
    let needed = load.clients as u64 + second_lines as u64 + SPARE_FILES;
    if hard < needed {
        return Err(LoadError::TooManyClients {
            clients: load.clients,
            needed,
            open_files: hard,
        });
    }
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).map_err(limit)?;
    Ok(())
}

fn interest() -> EpollFlags {
    EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT | EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLET
}

/// Joins under way at once: a crowd, but one that the usual listen backlog of 511 can hold.
pub(crate) const MAX_JOINING: usize = 256;
/// Standard streams, the epoll, and what the runtime opens.
const SPARE_FILES: u64 = 16;
const FIRST_SOURCE: u8 = 2;
const N_SOURCES: usize = 16;
/// As small as Linux makes it.
const NARROW_BUFFER_BYTES: usize = 2_304;
/// With these, Linux holds some 20 kB for one that does not read.
const SMALL_SEGMENT_BYTES: u32 = 536;
