//! WebSocket: one task per connection. It reads; it writes only what the flusher could not.

use std::{
    cell::RefCell,
    future::poll_fn,
    io,
    ops::ControlFlow,
    pin::{Pin, pin},
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
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, Interest, ReadBuf},
    net::TcpStream,
    sync::mpsc,
    time::timeout,
};

use crate::{
    clock,
    dialect::{self, WireForm},
    frame,
    http::Holding,
    session::{ProbeCommand, Session},
};

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
                WireForm::Frames | WireForm::Deflated => tasks.spawn(serve_tcp(link)),
                WireForm::Base64 | WireForm::TypedFrames | WireForm::TypedBase64 => {
                    tasks.spawn(async move { serve_stream(&mut link).await })
                }
            };
        }
        Err(upgraded) => {
            let stream = TokioIo::new(upgraded);
            if let Some(mut link) = Link::open(stream, Vec::new(), purpose, &[]).await {
                serve_stream(&mut link).await;
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
        if stream.write_all(&unwritten).await.is_err() || stream.flush().await.is_err() {
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

/// A stream that is to take a session over.
struct Probe<S> {
    stream: S,
    reader: Reader,
    session: Arc<Session>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Probe<S> {
    /// Returns whether the session is on this stream now.
    async fn run(&mut self, mut commands: mpsc::Receiver<ProbeCommand>, leftover: &[u8]) -> bool {
        let mut fed = feed(&self.session, Via::Probe, &mut self.reader, leftover);
        loop {
            while let Ok(command) = commands.try_recv() {
                match command {
                    ProbeCommand::Send(frame) => {
                        if self.stream.write_all(&frame).await.is_err() {
                            fed = ControlFlow::Break(Ending::Lost(CloseReason::TransportClose));
                        }
                    }
                    ProbeCommand::Drop => {
                        close(&mut self.stream).await;
                        return false;
                    }
                }
            }
            let is_upgraded =
                commands.is_closed() && self.session.transport() == Transport::WebSocket;
            match fed {
                ControlFlow::Break(ending) => {
                    let via = if is_upgraded {
                        Via::WebSocket
                    } else {
                        Via::Probe
                    };
                    self.session.handle_transport_closed(via, ending.reason());
                    close(&mut self.stream).await;
                    return false;
                }
                ControlFlow::Continue(()) if is_upgraded => return true,
                ControlFlow::Continue(()) => {}
            }
            tokio::select! {
                command = commands.recv() => match command {
                    Some(ProbeCommand::Send(frame)) => drop(self.stream.write_all(&frame).await),
                    Some(ProbeCommand::Drop) => {
                        close(&mut self.stream).await;
                        return false;
                    }
                    // The session dropped its end: it is upgraded, or over.
                    None if self.session.transport() == Transport::WebSocket => return true,
                    None => {
                        close(&mut self.stream).await;
                        return false;
                    }
                },
                read = read(&mut self.stream, &self.session, Via::Probe, &mut self.reader) => fed = read,
            }
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

/// Serves a session whose frames the flusher writes into `stream` itself.
async fn serve_tcp(link: Link<TcpStream>) {
    let Link {
        stream,
        mut reader,
        session,
    } = link;
    let stream = Arc::new(stream);
    session.outbox().take_over(&stream);
    let ending = loop {
        let woken = session.wake.notified();
        let (is_waiting, is_ending) = {
            let out = session.outbox();
            (!out.is_empty(), out.is_ending())
        };
        if is_ending {
            break Ending::Over;
        }
        let interest = match (session.is_readable(), is_waiting) {
            (true, false) => Interest::READABLE,
            (true, true) => Interest::READABLE | Interest::WRITABLE,
            (false, true) => Interest::WRITABLE,
            // Unread, it may be gone all the same.
            (false, false) => Interest::ERROR,
        };
        let ready = tokio::select! {
            ready = stream.ready(interest) => ready,
            () = woken => continue,
        };
        let Ok(ready) = ready else {
            break Ending::Lost(CloseReason::TransportClose);
        };
        if ready.is_error() {
            break Ending::Lost(CloseReason::TransportClose);
        }
        if is_waiting && ready.is_writable() && flush(&session).is_err() {
            break Ending::Lost(CloseReason::TransportClose);
        }
        if session.is_readable()
            && (ready.is_readable() || ready.is_read_closed())
            && let ControlFlow::Break(ending) = read_tcp(&session, &stream, &mut reader)
        {
            break ending;
        }
    };
    if let Ending::Lost(reason) = ending {
        session.handle_transport_closed(Via::WebSocket, reason);
    }
    // Of those that are lost, who broke a rule is still there to be told so.
    if !matches!(ending, Ending::Lost(CloseReason::TransportClose)) {
        let finishing = timeout(CLOSING, finish_tcp(&session, &stream));
        // Boxed, so that the idle do not carry it. Late or not, it is over.
        let _ = Box::pin(finishing).await;
    }
    session.outbox().close();
}

/// Writes the rest, then waits for the client to close its side: closing first with bytes
/// unread would cost the client what it has not read yet.
async fn finish_tcp(session: &Session, stream: &TcpStream) -> io::Result<()> {
    while !session.outbox().is_empty() {
        stream.writable().await?;
        session.outbox().flush(clock::now())?;
    }
    socket2::SockRef::from(stream).shutdown(std::net::Shutdown::Write)?;
    loop {
        stream.readable().await?;
        match with_buffer(|buffer| stream.try_read(buffer)) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

fn flush(session: &Session) -> io::Result<()> {
    let is_deferred = {
        let mut out = session.outbox();
        out.flush(clock::now())? && out.take_ping_progress()
    };
    if is_deferred {
        session.defer_pong();
    }
    Ok(())
}

fn read_tcp(
    session: &Arc<Session>,
    stream: &TcpStream,
    reader: &mut Reader,
) -> ControlFlow<Ending> {
    with_buffer(|buffer| {
        for _ in 0..READS_PER_WAKE {
            let read = match read_once(stream, buffer) {
                Ok(Some(Read { bytes: 0, .. })) | Err(_) => {
                    return ControlFlow::Break(Ending::Lost(CloseReason::TransportClose));
                }
                Ok(Some(read)) => read,
                Ok(None) => break,
            };
            feed(session, Via::WebSocket, reader, &buffer[..read.bytes])?;
            if read.is_drained || !session.is_readable() {
                break;
            }
        }
        ControlFlow::Continue(())
    })
}

/// What reading once came to.
struct Read {
    bytes: usize,
    /// There was no more: the task is woken when there is.
    is_drained: bool,
}

/// Reads what is there. A read that does not fill the buffer has taken all, epoll(7) says: asking again would cost a
/// system call for each message that comes.
fn read_once(stream: &TcpStream, buffer: &mut [u8]) -> io::Result<Option<Read>> {
    let mut bytes = None;
    let tried = stream.try_io(Interest::READABLE, || {
        let read = stream.try_read(buffer)?;
        bytes = Some(read);
        match 0 < read && read < buffer.len() && cfg!(unix) {
            // Has the stream wait for the next edge.
            true => Err(io::ErrorKind::WouldBlock.into()),
            false => Ok(()),
        }
    });
    match (bytes, tried) {
        (Some(bytes), tried) => Ok(Some(Read {
            bytes,
            is_drained: tried.is_err(),
        })),
        (None, Err(error)) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        (None, tried) => tried.map(|()| None),
    }
}

/// Serves a session over a stream of any kind, which this task alone reads and writes.
async fn serve_stream<S: AsyncRead + AsyncWrite + Unpin>(link: &mut Link<S>) {
    let Link {
        stream,
        reader,
        session,
    } = link;
    let (mut input, mut output) = tokio::io::split(stream);
    let mut writing = pin!(write_all(session, &mut output));
    let reading = async {
        loop {
            let resumed = session.resumed.notified();
            if !session.is_readable() {
                resumed.await;
            } else if let ControlFlow::Break(ending) =
                read(&mut input, session, Via::WebSocket, reader).await
            {
                return ending;
            }
        }
    };
    tokio::select! {
        written = &mut writing => if written.is_err() {
            session.handle_transport_closed(Via::WebSocket, CloseReason::TransportClose);
        },
        ending = reading => {
            session.handle_transport_closed(Via::WebSocket, ending.reason());
            // A Close frame may wait.
            let _ = timeout(CLOSING, &mut writing).await;
        }
    }
    session.outbox().close();
}

/// Writes what comes into the outbox, until nothing follows.
async fn write_all(
    session: &Arc<Session>,
    output: &mut (impl AsyncWrite + Unpin),
) -> io::Result<()> {
    loop {
        let woken = session.wake.notified();
        let (frames, is_ending) = {
            let mut out = session.outbox();
            (out.take_for_task(), out.is_ending())
        };
        if frames.is_empty() && is_ending {
            let _ = timeout(CLOSING, output.shutdown()).await;
            return Ok(());
        }
        if frames.is_empty() {
            woken.await;
            continue;
        }
        for frames in frames {
            let frames = dialect::in_form(frames, session.form());
            output.write_all(&frames).await?;
        }
        output.flush().await?;
        session.outbox().task_has_written(clock::now());
        session.defer_pong();
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

/// Reads before other tasks get the thread.
const READS_PER_WAKE: usize = 16;

/// How long a client may take to read the end and close its side.
const CLOSING: Duration = Duration::from_secs(5);
