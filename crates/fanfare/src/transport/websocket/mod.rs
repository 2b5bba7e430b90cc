//! WebSocket: one task per connection. It reads; it writes only what the flusher could not.

mod probe;
mod stream;
mod tcp;

use std::{
    cell::RefCell,
    future::poll_fn,
    ops::ControlFlow,
    pin::Pin,
    sync::Arc,
    task::{Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use fanfare_proto::{
    engineio::{CloseReason, Packet, Transport, Via, Violation},
    websocket::{CloseFrame, Message, OpCode, Reader, Role, encode_frame},
};
use hyper::upgrade::{Parts, Upgraded};
use hyper_util::{rt::TokioIo, server::conn::auto};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf},
    net::TcpStream,
    time::timeout,
};

use crate::{
    dialect::{self, WireForm},
    frame,
    http::Holding,
    session::Session,
};

use probe::Probe;

/// What a WebSocket has been opened for.
pub(crate) enum Purpose {
    /// A session that began on it, and the frames that are its first.
    Session(Arc<Session>, Vec<u8>),
    /// Taking over a session that is on polling.
    Upgrade(Arc<Session>, WireForm),
    /// Nothing: it is closed at once, since its session can't be upgraded.
    Nothing,
}

impl Purpose {
    /// How messages look on it.
    pub(crate) fn form(&self) -> Option<WireForm> {
        match self {
            Self::Session(session, _) => Some(session.form()),
            Self::Upgrade(_, form) => Some(*form),
            Self::Nothing => None,
        }
    }
}

/// Serves an upgraded connection, in a task that holds no more than an idle one needs: what the
/// handshake took is given back before.
pub(crate) async fn run(upgraded: Upgraded, purpose: Purpose) {
    match into_tcp(upgraded) {
        Ok(tcp) => {
            let Tcp {
                stream,
                unwritten,
                leftover,
            } = tcp;
            let Some(mut link) = Link::open(stream, unwritten, purpose, &leftover).await else {
                return;
            };
            let tasks = link.session.server.tasks.clone();
            match link.session.form() {
                WireForm::Frames | WireForm::Deflated => tasks.spawn(tcp::serve(link.shared())),
                WireForm::Base64 | WireForm::TypedFrames | WireForm::TypedBase64 => {
                    tasks.spawn(async move { stream::serve(&mut link).await })
                }
            };
        }
        Err(upgraded) => {
            let stream = TokioIo::new(upgraded);
            if let Some(mut link) = Link::open(stream, Vec::new(), purpose, &[]).await {
                stream::serve(&mut link).await;
            }
        }
    }
}

/// The connection never became a WebSocket.
pub(crate) fn lost(purpose: &Purpose, error: &hyper::Error) {
    tracing::debug!(%error, "a handshake was not completed");
    match purpose {
        Purpose::Session(session, _) => {
            session.handle_transport_closed(Via::WebSocket, CloseReason::TransportClose);
        }
        Purpose::Upgrade(..) | Purpose::Nothing => {}
    }
}

/// The TCP stream under an upgraded connection.
struct Tcp {
    stream: TcpStream,
    /// The answer to the handshake, if it was held back.
    unwritten: Vec<u8>,
    /// What was read behind the handshake.
    leftover: Bytes,
}

fn into_tcp(upgraded: Upgraded) -> Result<Tcp, Upgraded> {
    let upgraded = match upgraded.downcast::<TokioIo<Holding>>() {
        Ok(Parts { io, read_buf, .. }) => {
            let (stream, unwritten) = io.into_inner().into_parts();
            return Ok(Tcp {
                stream,
                unwritten,
                leftover: read_buf,
            });
        }
        Err(upgraded) => upgraded,
    };
    let (io, leftover) = match upgraded.downcast::<TokioIo<TcpStream>>() {
        Ok(Parts { io, read_buf, .. }) => (io, read_buf),
        Err(upgraded) => {
            let auto::upgrade::Parts { io, read_buf, .. } = auto::upgrade::downcast(upgraded)?;
            (io, read_buf)
        }
    };
    Ok(Tcp {
        stream: io.into_inner(),
        unwritten: Vec::new(),
        leftover,
    })
}

/// A stream that carries a session.
struct Link<S> {
    stream: S,
    reader: Reader,
    session: Arc<Session>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Link<S> {
    /// Writes what is to be first, feeds what the handshake left over, and goes through an upgrade if there is
    /// one to go through; `None` if nothing came of it.
    async fn open(
        mut stream: S,
        mut unwritten: Vec<u8>,
        purpose: Purpose,
        leftover: &[u8],
    ) -> Option<Self> {
        if let Purpose::Session(session, opening) = &purpose {
            let opening = Bytes::copy_from_slice(opening);
            unwritten.extend_from_slice(&dialect::in_form(opening, session.form()));
        }
        let writing = async {
            stream.write_all(&unwritten).await?;
            stream.flush().await
        };
        if !matches!(timeout(OPENING, writing).await, Ok(Ok(()))) {
            if let Purpose::Session(session, _) = &purpose {
                session.handle_transport_closed(Via::WebSocket, CloseReason::TransportClose);
            }
            return None;
        }
        drop(unwritten);
        match purpose {
            Purpose::Session(session, _) => {
                let mut reader = new_reader(&session, session.form());
                if let ControlFlow::Break(ending) =
                    feed(&session, Via::WebSocket, &mut reader, leftover)
                {
                    session.handle_transport_closed(Via::WebSocket, ending.reason());
                }
                Some(Self {
                    stream,
                    reader,
                    session,
                })
            }
            Purpose::Upgrade(session, form) => {
                let reader = new_reader(&session, form);
                let mut probe = Probe {
                    stream,
                    reader,
                    session,
                };
                match probe.session.handle_probe() {
                    Ok(commands) => probe.run(commands, leftover).await.then(|| {
                        let Probe {
                            stream,
                            reader,
                            session,
                        } = probe;
                        session.set_form(form);
                        Self {
                            stream,
                            reader,
                            session,
                        }
                    }),
                    Err(_) => {
                        close(&mut probe.stream).await;
                        None
                    }
                }
            }
            Purpose::Nothing => {
                close(&mut stream).await;
                None
            }
        }
    }
}

impl Link<TcpStream> {
    /// The same, with a stream that others may write to.
    fn shared(self) -> Link<Arc<TcpStream>> {
        Link {
            stream: Arc::new(self.stream),
            reader: self.reader,
            session: self.session,
        }
    }
}

fn new_reader(session: &Session, form: WireForm) -> Reader {
    let reader = Reader::new(Role::Server, &session.server.config.limits.proto);
    match form {
        WireForm::Deflated => reader.inflating(),
        WireForm::Frames | WireForm::Base64 | WireForm::TypedFrames | WireForm::TypedBase64 => {
            reader
        }
    }
}

/// Why a stream is read no further.
#[derive(Clone, Copy, Debug)]
enum Ending {
    Lost(CloseReason),
    /// The session ended itself.
    Over,
}

impl Ending {
    fn reason(self) -> CloseReason {
        match self {
            Self::Lost(reason) => reason,
            Self::Over => CloseReason::TransportClose,
        }
    }
}

async fn read(
    stream: &mut (impl AsyncRead + Unpin),
    session: &Arc<Session>,
    via: Via,
    reader: &mut Reader,
) -> ControlFlow<Ending> {
    poll_fn(|context| {
        with_buffer(|buffer| {
            let mut buffer = ReadBuf::new(buffer);
            Poll::Ready(
                match ready!(Pin::new(&mut *stream).poll_read(context, &mut buffer)) {
                    Ok(()) if buffer.filled().is_empty() => {
                        ControlFlow::Break(Ending::Lost(CloseReason::TransportClose))
                    }
                    Ok(()) => feed(session, via, reader, buffer.filled()),
                    Err(_) => ControlFlow::Break(Ending::Lost(CloseReason::TransportClose)),
                },
            )
        })
    })
    .await
}

/// Hands all messages on that `bytes` complete.
fn feed(
    session: &Arc<Session>,
    mut via: Via,
    reader: &mut Reader,
    mut bytes: &[u8],
) -> ControlFlow<Ending> {
    loop {
        match reader.read(&mut bytes) {
            Ok(Some(message)) => {
                handle(session, via, message)?;
                // What follows the upgrade in the same bytes is the session's already.
                if via == Via::Probe && session.transport() == Transport::WebSocket {
                    via = Via::WebSocket;
                }
            }
            Ok(None) => return ControlFlow::Continue(()),
            Err(violation) => {
                session.note_violation(via, &violation);
                let mut payload = Vec::new();
                CloseFrame {
                    code: violation.close_code(),
                    reason: String::new(),
                }
                .encode(&mut payload);
                send_close(session, via, &payload);
                return ControlFlow::Break(Ending::Lost(CloseReason::TransportError));
            }
        }
    }
}

fn handle(session: &Arc<Session>, via: Via, message: Message) -> ControlFlow<Ending> {
    match message {
        Message::Text(text) => handle_packet(session, via, session.dialect.decode_text(&text)),
        Message::Binary(data) => handle_packet(session, via, session.dialect.decode_binary(data)),
        Message::Ping(data) => {
            if via == Via::WebSocket {
                let mut pong = Vec::new();
                encode_frame(&mut pong, OpCode::Pong, &[&data]);
                session.send_control(&pong);
            }
        }
        Message::Pong(_) => {}
        Message::Close(goodbye) => {
            if via == Via::WebSocket && !session.is_open() {
                // The answer to ours, which is written or about to be.
                return ControlFlow::Break(Ending::Over);
            }
            let mut payload = Vec::new();
            if let Some(goodbye) = goodbye {
                goodbye.encode(&mut payload);
            }
            send_close(session, via, &payload);
            return ControlFlow::Break(Ending::Lost(CloseReason::TransportClose));
        }
    }
    ControlFlow::Continue(())
}

fn handle_packet(session: &Arc<Session>, via: Via, packet: Result<Packet, Violation>) {
    match packet {
        Ok(packet) => session.handle_packet(via, packet),
        Err(violation) => session.handle_violation(via, violation),
    }
}

/// Says goodbye, if the stream takes it at once.
fn send_close(session: &Arc<Session>, via: Via, payload: &[u8]) {
    if via == Via::WebSocket {
        let mut close = Vec::new();
        encode_frame(&mut close, OpCode::Close, &[payload]);
        session.send_control(&close);
    }
}

/// Closes a WebSocket that carries no session: an empty Close frame, then the end.
async fn close(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) {
    let closing = async {
        stream.write_all(&frame::close()).await?;
        stream.shutdown().await?;
        tokio::io::copy(stream, &mut tokio::io::sink()).await
    };
    let _ = timeout(CLOSING, closing).await;
}

/// Lends this thread's read buffer: an idle connection has none of its own.
fn with_buffer<T>(read: impl FnOnce(&mut [u8]) -> T) -> T {
    let mut buffer = BUFFER.take();
    buffer.resize(READ_BYTES, 0);
    let result = read(&mut buffer);
    BUFFER.set(buffer);
    result
}

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Bytes of one read: the largest that a socket's buffer usually holds.
const READ_BYTES: usize = 64 * 1024;

/// How long a client may take to let the first bytes through, which any buffer on the way holds.
const OPENING: Duration = Duration::from_secs(5);

/// How long a client may take to read the end and close its side.
const CLOSING: Duration = Duration::from_secs(5);
