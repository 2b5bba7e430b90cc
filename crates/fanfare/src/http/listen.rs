//! Listening: sockets with the options that fan-out needs, and connections until the shutdown.

use std::{convert::Infallible, fmt, io, net::SocketAddr, pin::pin, time::Duration};

use bytes::Bytes;
use http::{Request, Response, header};
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream, ToSocketAddrs, lookup_host},
    task::JoinSet,
    time::{sleep, timeout},
};
use tower::{Layer, Service, ServiceExt, service_fn};

use super::{
    answer,
    holding::{Hold, Holding},
    service::RemoteAddr,
};
use crate::{io::Io, shutdown::Phase};

/// Why a server does not listen.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The address names no place on this machine, or none that can be found.
    #[error("{address} is no address of this machine: {source}")]
    Address {
        /// The address as given.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// The address could not be had.
    #[error("can't listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

/// The same text as `Display`: `main` prints it.
impl fmt::Debug for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A bound address at which nobody is served yet.
#[derive(Debug)]
pub struct Listener {
    io: Io,
    socket: TcpListener,
    address: SocketAddr,
}

impl Io {
    /// Serves clients at `address`, such as `127.0.0.1:3000`, until [`shutdown`](Self::shutdown).
    ///
    /// # Errors
    ///
    /// [`ServeError`] if the address can't be had.
    pub async fn listen(&self, address: impl ToSocketAddrs + fmt::Debug) -> Result<(), ServeError> {
        let nothing =
            service_fn(|_: Request<Incoming>| async { Ok::<_, Infallible>(answer::not_found()) });
        self.serve(address, nothing).await
    }

    /// Serves clients at `address`, and hands all other requests to `app`, such as an
    /// `axum::Router`, until [`shutdown`](Self::shutdown).
    ///
    /// # Errors
    ///
    /// [`ServeError`] if the address can't be had.
    pub async fn serve<A, S, B>(&self, address: A, app: S) -> Result<(), ServeError>
    where
        A: ToSocketAddrs + fmt::Debug,
        S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Into<Box<dyn std::error::Error + Send + Sync>> + Send,
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.bind(address).await?.serve(app).await;
        Ok(())
    }

    /// Takes an address, without serving anybody there yet: port 0 becomes a real one.
    ///
    /// # Errors
    ///
    /// [`ServeError`] if the address can't be had.
    pub async fn bind(
        &self,
        address: impl ToSocketAddrs + fmt::Debug,
    ) -> Result<Listener, ServeError> {
        let given = format!("{address:?}").trim_matches('"').to_owned();
        let mut addresses = lookup_host(address)
            .await
            .map_err(|source| ServeError::Address {
                address: given.clone(),
                source,
            })?;
        let address = addresses.next().ok_or_else(|| ServeError::Address {
            address: given,
            source: io::Error::new(io::ErrorKind::NotFound, "the name has no address"),
        })?;
        let socket = open(address).map_err(|source| ServeError::Listen { address, source })?;
        let address = socket
            .local_addr()
            .map_err(|source| ServeError::Listen { address, source })?;
        Ok(Listener {
            io: self.clone(),
            socket,
            address,
        })
    }
}

impl Listener {
    /// The address, with its real port.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves clients, and hands all other requests to `app`, until [`Io::shutdown`].
    pub async fn serve<S, B>(self, app: S)
    where
        S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Into<Box<dyn std::error::Error + Send + Sync>> + Send,
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let io = self.io.clone();
        // A task of its own: where the caller's future runs, each connection would cost a thread
        // its sleep. In a set, since that ends it when the caller's future is dropped.
        let mut accepting = JoinSet::new();
        accepting.spawn(self.accept_all(app));
        accepting.join_all().await;
        Phase::Ended.reached(io.server().phase.subscribe()).await;
        let _ = timeout(io.config().shutdown_timeout, io.server().tasks.wait()).await;
    }

    async fn accept_all<S, B>(self, app: S)
    where
        S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Into<Box<dyn std::error::Error + Send + Sync>> + Send,
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let Self { io, socket, .. } = self;
        let phase = io.server().phase.subscribe();
        let service = io.layer().layer(app);
        loop {
            let (stream, address) = tokio::select! {
                accepted = accept(&socket) => accepted,
                () = Phase::Draining.reached(phase.clone()) => return,
            };
            let service = service.clone();
            let hold = Hold::default();
            let stream = Holding::new(stream, hold.clone());
            let service = service_fn(move |mut request: Request<Incoming>| {
                request.extensions_mut().insert(RemoteAddr(address));
                if request.headers().contains_key(header::UPGRADE) {
                    request.extensions_mut().insert(hold.clone());
                }
                service.clone().oneshot(request)
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(io.config().header_timeout)
                .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
                .with_upgrades();
            let phase = phase.clone();
            io.server().tasks.spawn(async move {
                let mut connection = pin!(connection);
                let ended = tokio::select! {
                    ended = &mut connection => ended,
                    // Polls come on it until then.
                    () = Phase::Ended.reached(phase) => {
                        connection.as_mut().graceful_shutdown();
                        connection.await
                    }
                };
                // A client that breaks HTTP or goes away is no matter of ours.
                if let Err(error) = ended {
                    tracing::trace!(%error, "a connection ended");
                }
            });
        }
    }
}

/// Accepts a connection, however long it takes.
async fn accept(socket: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match socket.accept().await {
            Ok((stream, address)) => {
                // Linux passes the listener's on.
                #[cfg(not(target_os = "linux"))]
                let _ = stream.set_nodelay(true);
                return (stream, address);
            }
            Err(error) if is_of_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "no connection can be accepted just now; is the limit of open files reached?");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// The error is the connection's, which has gone; all others are ours and would come again at once.
fn is_of_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
    )
}

fn open(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    socket.set_reuseaddr(true)?;
    socket.set_nodelay(true)?;
    let options = socket2::SockRef::from(&socket);
    if address.is_ipv6() {
        options.set_only_v6(true)?;
    }
    set_unsent_bytes(&options)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Connections inherit it: beyond it the kernel takes no more from us, so what waits for a slow
/// reader waits where we can see it, replace it, and let a ping past it.
#[cfg(target_os = "linux")]
fn set_unsent_bytes(socket: &socket2::SockRef<'_>) -> io::Result<()> {
    socket.set_tcp_notsent_lowat(UNSENT_BYTES)
}

#[cfg(not(target_os = "linux"))]
fn set_unsent_bytes(_: &socket2::SockRef<'_>) -> io::Result<()> {
    Ok(())
}

/// Connections that may wait to be accepted. A standard listener's 128 overflow when a few hundred
/// clients come at once, and each that is turned away tries again only after a second.
const BACKLOG: u32 = 4096;

/// 128 KiB: a stalled reader then takes about 266 kB before the kernel refuses, instead of 4.3 MB.
#[cfg(target_os = "linux")]
const UNSENT_BYTES: u32 = 128 * 1024;

/// After an error that would come again at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
