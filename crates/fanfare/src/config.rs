//! Config: every setting of a server, declared, documented and defaulted here only.

use std::{sync::Arc, time::Duration};

use fanfare_proto::engineio::{Timing, Transport};
use http::{HeaderName, HeaderValue, Method, StatusCode};

use crate::{
    cluster::Adapter,
    engine::{EngineHandler, Message},
    http::{
        AllowRequest, ClientBundle, ConnectionErrorListener, HeaderHook, OriginPredicate,
        PolicyFunction, SidGenerator,
    },
    recovery::Recovery,
};

/// Every setting of a server. Change some and take the rest from `Config::default()`.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where Engine.IO answers: `/socket.io` serves `/socket.io/`.
    pub path: String,
    /// Whether the path ends in a slash, as clients ask for it unless their own `addTrailingSlash` is off.
    /// Without, every request whose path begins with the server's is the server's: `/socket.io`, `/socket.io/` and
    /// `/socket.iofoo` too, as with the reference.
    pub add_trailing_slash: bool,
    /// Which transports are served.
    pub transports: Transports,
    /// Whether clients on polling are told that they may move to WebSocket. One that tries untold still may, as with
    /// the reference: [`Transports::Polling`] keeps them from it.
    pub allow_upgrades: bool,
    /// Time between a pong and the next ping. Clients are told in the handshake.
    pub ping_interval: Duration,
    /// How long a pong may take. Clients are told in the handshake.
    pub ping_timeout: Duration,
    /// How long an upgrade to WebSocket may take before its candidate is dropped.
    pub upgrade_timeout: Duration,
    /// How long a session may stay without joining a namespace.
    pub connect_timeout: Duration,
    /// How long a request may take to send its headers.
    pub header_timeout: Duration,
    /// How long [`Io::shutdown`](crate::Io::shutdown) waits for handlers and for bytes under way.
    pub shutdown_timeout: Duration,
    /// Over how long [`Io::shutdown`](crate::Io::shutdown) spreads the ends of sessions, evenly, so that those who come
    /// back do not all come to the other nodes at once; zero ends all at once. Nobody new is let in meanwhile.
    pub drain_time: Duration,
    /// Which pages may open a connection.
    pub origins: Origins,
    /// Asked for each request that would open a session, before it does; `None` lets all in. Requests of a
    /// session that is open are not asked for.
    pub allow_request: Option<AllowRequest>,
    /// What foreign pages that may open a connection may do further.
    pub cors: Cors,
    /// Says of each request what `origins` and `cors` say of all, instead of them; `None` keeps to those.
    pub policy: Option<PolicyFunction>,
    /// The cookie that tells a session's id to what is between client and server; `None` sets none.
    pub cookie: Option<Cookie>,
    /// Told of each request that is refused.
    pub connection_error: Option<ConnectionErrorListener>,
    /// Changes the headers of the answer that opens a session: the first of a session on polling, or the
    /// switch to WebSocket of one that begins there.
    pub initial_headers: Option<HeaderHook>,
    /// Changes the headers of every answer that is no refusal: polls, posts and switches to WebSocket, those
    /// of `initial_headers` included. Neither sees preflights, refusals or the client's files.
    pub headers: Option<HeaderHook>,
    /// Bytes from which on an answer to a poll is compressed, by gzip or deflate, if the client takes that. 1,024: what
    /// is shorter fits into a packet of the network anyway. The client's files are compressed whatever their size,
    /// each once for each coding. `None` switches all compression off. Have it off if
    /// one answer can hold a secret beside what an attacker writes: sizes tell of secrets
    /// ([BREACH](https://breachattack.com)).
    pub http_compression: Option<usize>,
    /// Bytes from which on a message on a WebSocket is compressed, if the client offers permessage-deflate;
    /// `None`, as in the reference, compresses none, and takes none that is. An event is compressed once for all its
    /// receivers, and never with what else a client is sent, so that it keeps no window for anybody.
    ///
    /// [RFC 7692](https://www.rfc-editor.org/rfc/rfc7692)
    pub websocket_compression: Option<usize>,
    /// Makes the ids of sessions, for a proxy that finds a session's server by its id; `None` makes them of 120 bits from
    /// the operating system, which is what keeps strangers out.
    pub generate_sid: Option<SidGenerator>,
    /// A message that every session is sent right behind its open packet, on polling in the same answer. It is a
    /// message of Engine.IO's: clients of Socket.IO understand it only if it is one of their packets.
    pub initial_packet: Option<Message>,
    /// Whether clients up to version 2.x, which speak Engine.IO 3, are served too, and scripts that poll by
    /// JSONP. For such a client the id of its main socket *is* its session's, which opens the session to whoever
    /// learns it: show neither to anybody.
    pub allow_eio3: bool,
    /// Whether clients that lose their connection may come back as who they were, and how long; `None` lets
    /// nobody.
    pub recovery: Option<Recovery>,
    /// What connects the server with the other nodes of its cluster; `None` for a server that is alone.
    pub adapter: Option<Arc<dyn Adapter>>,
    /// What becomes of a namespace of a [family](crate::Io::of_matching) when nobody is in it any more.
    pub empty_namespaces: EmptyNamespaces,
    /// The form of Socket.IO's packets, which clients must have too.
    pub parser: Parser,
    /// The official client's files, served beside Engine.IO; `None` serves none.
    pub client: Option<ClientBundle>,
    /// What happens to a client that reads too slowly.
    pub slow_reader: SlowReader,
    /// Every bound that a peer can run into.
    pub limits: Limits,
    /// Speaks plain Engine.IO: messages go to this function, and no namespace is ever joined.
    pub engine: Option<EngineHandler>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            path: "/socket.io".to_owned(),
            add_trailing_slash: true,
            transports: Transports::Both,
            allow_upgrades: true,
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            upgrade_timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(45),
            header_timeout: Duration::from_secs(10),
            shutdown_timeout: Duration::from_secs(5),
            drain_time: Duration::ZERO,
            origins: Origins::SameOrigin,
            allow_request: None,
            cors: Cors::default(),
            policy: None,
            cookie: None,
            connection_error: None,
            initial_headers: None,
            headers: None,
            http_compression: Some(1_024),
            websocket_compression: None,
            generate_sid: None,
            initial_packet: None,
            allow_eio3: false,
            recovery: None,
            adapter: None,
            parser: Parser::Json,
            empty_namespaces: EmptyNamespaces::Stay,
            client: None,
            slow_reader: SlowReader::Disconnect,
            limits: Limits::default(),
            engine: None,
        }
    }
}

impl Config {
    /// What the paths of requests are compared with: with one slash in front, and one behind if it is wanted.
    pub(crate) fn prefix(&self) -> String {
        let path = self.path.trim_matches('/');
        match self.add_trailing_slash {
            true => format!("/{path}/"),
            false => format!("/{path}"),
        }
    }

    /// What a session that begins on `transport` is told of where it may move.
    pub(crate) fn upgrades(&self, transport: Transport) -> &'static [Transport] {
        match self.transports {
            Transports::Both if self.allow_upgrades => transport.upgrades(),
            Transports::Both | Transports::Polling | Transports::WebSocket => &[],
        }
    }

    pub(crate) fn timing(&self) -> Timing {
        Timing {
            ping_interval: self.ping_interval,
            ping_timeout: self.ping_timeout,
            upgrade_timeout: self.upgrade_timeout,
            ..Timing::default()
        }
    }
}

/// Which transports are served. A request for another one is told `Transport unknown`, code 0.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Transports {
    /// Polling and WebSocket.
    #[default]
    Both,
    /// Polling alone: a request for a WebSocket is answered as a plain one.
    Polling,
    /// WebSocket alone. Clients have to be told too, by their option `transports`: they begin with polling.
    WebSocket,
}

impl Transports {
    pub(crate) fn have(self, transport: Transport) -> bool {
        match self {
            Self::Both => true,
            Self::Polling => transport == Transport::Polling,
            Self::WebSocket => transport == Transport::WebSocket,
        }
    }
}

/// Which pages may open a connection, on every transport alike.
///
/// Browsers send a visitor's cookies with any page's request, so a server that trusts cookies
/// must not talk to foreign pages. A request without an `Origin` header does not come from a
/// page and is served.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Origins {
    /// Pages of the host that the request names (`Origin` and `Host` agree). No answer has a
    /// CORS header.
    #[default]
    SameOrigin,
    /// The same, and the origins listed, as a browser writes them: `https://example.org`.
    List(Vec<String>),
    /// The same, and the origins of which a function says so.
    Matching(OriginPredicate),
    /// Every page. For servers that trust no cookie.
    Any,
}

/// What browsers are told to let foreign pages do, if [`Origins`] lets them in. It is told on every
/// answer of Engine.IO's, refusals and the switch to WebSocket included, and with the client's files.
///
/// ```
/// use fanfare::{Config, Cors, Origins};
///
/// let config = Config {
///     origins: Origins::List(vec!["https://app.example".to_owned()]),
///     cors: Cors { credentials: true, ..Cors::default() },
///     ..Config::default()
/// };
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Cors {
    /// The methods that a page may use. Engine.IO itself needs `GET` and `POST`.
    pub methods: Vec<Method>,
    /// The headers that a page may send; `None` allows whichever it asks for.
    pub allowed_headers: Option<Vec<HeaderName>>,
    /// The headers of answers that a page may read, besides those that every page may.
    pub exposed_headers: Vec<HeaderName>,
    /// Whether a page may send the visitor's cookies with its polls: `withCredentials` in the
    /// client. A WebSocket has them without asking. With [`Origins::Any`] this gives every page on the web
    /// what the cookie gives.
    pub credentials: bool,
    /// How long a browser may keep what it was told, in whole seconds; `None` leaves that to it.
    pub max_age: Option<Duration>,
    /// The origin that every answer names, whoever asks; `None` names the page that asks, if it may connect. Browsers
    /// let pages of no other origin read an answer then. Who may connect is still for [`Origins`] to say.
    pub fixed_origin: Option<HeaderValue>,
    /// The status of what a preflight is answered. 204; some old devices take 200 only.
    pub preflight_status: StatusCode,
}

impl Default for Cors {
    fn default() -> Self {
        Self {
            methods: vec![
                Method::GET,
                Method::HEAD,
                Method::PUT,
                Method::PATCH,
                Method::POST,
                Method::DELETE,
            ],
            allowed_headers: None,
            exposed_headers: Vec::new(),
            credentials: false,
            max_age: None,
            fixed_origin: None,
            preflight_status: StatusCode::NO_CONTENT,
        }
    }
}

/// A cookie that holds the session's id. It comes with the answer that opens a session on polling,
/// and with no other; a session that begins on WebSocket gets none.
///
/// It is there for load balancers that send all requests of a client to one server by a cookie. Nothing
/// here reads it. The id is a secret, and the cookie takes it to more places: see SECURITY.md before use.
///
/// ```
/// use fanfare::{Config, Cookie};
///
/// let config = Config {
///     cookie: Some(Cookie { secure: true, ..Cookie::default() }),
///     ..Config::default()
/// };
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Cookie {
    /// The cookie's name: letters, digits and hyphens.
    pub name: String,
    /// The domain to which browsers send it, with all below it, without a semicolon; `None` leaves that to
    /// them: the host of the request alone.
    pub domain: Option<String>,
    /// The path under which browsers send it, without a semicolon; `None` leaves that to them: the
    /// path of the request.
    pub path: Option<String>,
    /// How long browsers keep it, in whole seconds; `None` keeps it until they are closed.
    pub max_age: Option<Duration>,
    /// Whether it is sent over https only.
    pub secure: bool,
    /// Which pages' requests it is sent with.
    pub same_site: SameSite,
}

impl Default for Cookie {
    fn default() -> Self {
        Self {
            name: "io".to_owned(),
            domain: None,
            path: Some("/".to_owned()),
            max_age: None,
            secure: false,
            same_site: SameSite::Lax,
        }
    }
}

/// Which pages' requests a [`Cookie`] is sent with.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum SameSite {
    /// Those of the same site.
    Strict,
    /// Those of the same site, and links to it.
    #[default]
    Lax,
    /// Those of every page. Browsers take it with [`Cookie::secure`] only.
    None,
}

/// The form of Socket.IO's packets.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Parser {
    /// JSON text, and binary messages behind it: what every client speaks.
    #[default]
    Json,
    /// MessagePack: a packet is one binary message, binary values included. For clients with the parser
    /// [`socket.io-msgpack-parser`](https://www.npmjs.com/package/socket.io-msgpack-parser), version 3; `undefined` is
    /// `null` to handlers, and a date is its ISO 8601 text.
    MessagePack,
}

/// What becomes of a namespace that clients have had made when nobody is in it any more.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum EmptyNamespaces {
    /// It stays, as in the reference, and counts towards
    /// [`Limits::max_dynamic_namespaces`].
    #[default]
    Stay,
    /// It ends, as soon as nobody may come back to it by recovery either, and no [`Io`](crate::Io) of it is kept.
    End,
}

/// What happens to a client for which more than [`Limits::max_backlog_bytes`] wait.
///
/// Every dropped event is counted, and logged with the socket's id.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum SlowReader {
    /// The session ends with [`DisconnectReason::SlowReader`](crate::DisconnectReason::SlowReader).
    #[default]
    Disconnect,
    /// What does not fit is dropped.
    DropNewest,
    /// What has waited longest is dropped.
    DropOldest,
}

/// Every bound that a peer can run into, with its default and the reason for it.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The bounds of the protocols.
    pub proto: fanfare_proto::Limits,
    /// Bytes that wait for one client before events that need not arrive are dropped and a
    /// reader that takes no byte for `stall_timeout` is disconnected. 256 KiB: a second of a
    /// slow mobile link.
    pub soft_backlog_bytes: usize,
    /// How long a reader above `soft_backlog_bytes` may take no byte at all.
    pub stall_timeout: Duration,
    /// Bytes that wait for one client before [`SlowReader`] decides, and the largest event. 4 MiB: four of the largest
    /// messages that a client may send.
    pub max_backlog_bytes: usize,
    /// Bytes of events that wait for one socket's handlers before its session is read no
    /// further. One of the largest messages: at least one event always fits.
    pub max_inbox_bytes: usize,
    /// Namespaces that one session may be in. 100: pages use a handful.
    pub max_namespaces: usize,
    /// Sockets of one session that have left, but whose handlers are not done: while there are as many, the session joins
    /// nothing. 100: each may have left as much behind as `max_inbox_bytes`.
    pub max_leaving: usize,
    /// Namespaces that clients may have made, of all [families](crate::Io::of_matching) together. 10,000: each
    /// costs some kilobytes as long as it is there.
    pub max_dynamic_namespaces: usize,
    /// Rooms that the application may have [counted](crate::Io::count_room) at a time. 1,000: in a cluster each is told to
    /// all nodes whenever it changes. What other nodes have counted is bounded by theirs.
    pub max_counted_rooms: usize,
    /// Acks that one socket may still owe, and broadcasts of one namespace that may wait for
    /// answers. 1,000: a client that answers nothing costs no more.
    pub max_pending_acks: usize,
    /// Bytes of request line and headers that are kept for handlers. 4 KiB: what browsers send,
    /// cookies included; longer headers are cut off, never a value in its middle.
    pub max_header_bytes: usize,
    /// Sessions of one address that have not joined a namespace yet. 4,096: what a proxy in
    /// front of a reconnect storm holds open, a tenth of what one flooding host would.
    pub max_joining_per_address: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            proto: fanfare_proto::Limits::default(),
            soft_backlog_bytes: 256 * 1024,
            stall_timeout: Duration::from_secs(10),
            max_backlog_bytes: 4 * 1024 * 1024,
            max_inbox_bytes: 1_000_000,
            max_namespaces: 100,
            max_leaving: 100,
            max_dynamic_namespaces: 10_000,
            max_counted_rooms: 1_000,
            max_pending_acks: 1_000,
            max_header_bytes: 4 * 1024,
            max_joining_per_address: 4_096,
        }
    }
}
