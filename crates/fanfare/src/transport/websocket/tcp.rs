//! Over TCP: the flusher writes into the stream itself, the task only what it could not.

use std::{
    future::poll_fn,
    io,
    ops::ControlFlow,
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
};

use fanfare_proto::{
    engineio::{CloseReason, Via},
    websocket::Reader,
};
use tokio::{io::Interest, net::TcpStream, sync::futures::Notified, time::timeout};

use super::{CLOSING, Ending, Link, feed, with_buffer};
use crate::{clock, session::Session};

/// Serves a session whose frames the flusher writes into the stream itself.
///
/// Each connection holds what this keeps across a wait: [`Link`] is taken apart in place, and readiness is polled, since tokio's futures
/// for it are several times as large.
#[expect(
    clippy::manual_async_fn,
    reason = "an `async fn` would hold its argument twice"
)]
pub(super) fn serve(mut link: Link<Arc<TcpStream>>) -> impl Future<Output = ()> {
    async move {
        let Link {
            stream,
            reader,
            session,
        } = &mut link;
        session.outbox().take_over(stream.clone());
        let ending = loop {
            let woken = session.wake.notified();
            let (is_waiting, is_ending) = {
                let out = session.outbox();
                (!out.is_empty(), out.is_ending())
            };
            if is_ending {
                break Ending::Over;
            }
            let wanted = Wanted {
                reads: session.is_readable(),
                writes: is_waiting,
            };
            match ready(stream, wanted, pin!(woken)).await {
                Ok(Event::Woken) => continue,
                Ok(Event::Ready) => {}
                Err(_) => break Ending::Lost(CloseReason::TransportClose),
            }
            if is_waiting && flush(session).is_err() {
                break Ending::Lost(CloseReason::TransportClose);
            }
            if session.is_readable()
                && let ControlFlow::Break(ending) = read(session, stream, reader)
            {
                break ending;
            }
        };
        if let Ending::Lost(reason) = ending {
            session.handle_transport_closed(Via::WebSocket, reason);
        }
        // Of those that are lost, who broke a rule is still there to be told so.
        if !matches!(ending, Ending::Lost(CloseReason::TransportClose)) {
            let finishing = timeout(CLOSING, finish(session, stream));
            // Boxed, so that the idle do not carry it. Late or not, it is over.
            let _ = Box::pin(finishing).await;
        }
        session.outbox().close();
    }
}

/// What a stream is waited for.
#[derive(Clone, Copy)]
struct Wanted {
    reads: bool,
    writes: bool,
}

enum Event {
    /// What is wanted may have changed.
    Woken,
    Ready,
}

/// Waits until `stream` can be read or written, as far as that is wanted, or `woken` is.
///
/// # Errors
///
/// If the stream is no more.
async fn ready(
    stream: &TcpStream,
    wanted: Wanted,
    mut woken: Pin<&mut Notified<'_>>,
) -> io::Result<Event> {
    if !wanted.reads && !wanted.writes {
        // Unread, it may be gone all the same. Boxed, since few come here.
        return Box::pin(until_gone(stream, woken)).await;
    }
    poll_fn(|context| {
        if woken.as_mut().poll(context).is_ready() {
            return Poll::Ready(Ok(Event::Woken));
        }
        let mut is_ready = false;
        if wanted.reads
            && let Poll::Ready(readable) = stream.poll_read_ready(context)
        {
            readable?;
            is_ready = true;
        }
        if wanted.writes
            && let Poll::Ready(writable) = stream.poll_write_ready(context)
        {
            writable?;
            is_ready = true;
        }
        match is_ready {
            true => Poll::Ready(Ok(Event::Ready)),
            false => Poll::Pending,
        }
    })
    .await
}

/// # Errors
///
/// When the stream is no more.
async fn until_gone(stream: &TcpStream, woken: Pin<&mut Notified<'_>>) -> io::Result<Event> {
    tokio::select! {
        gone = stream.ready(Interest::ERROR) => gone.and_then(|_| Err(io::ErrorKind::ConnectionReset.into())),
        () = woken => Ok(Event::Woken),
    }
}

/// Writes the rest, then waits for the client to close its side: closing first with bytes
/// unread would cost the client what it has not read yet.
async fn finish(session: &Session, stream: &TcpStream) -> io::Result<()> {
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

fn read(session: &Arc<Session>, stream: &TcpStream, reader: &mut Reader) -> ControlFlow<Ending> {
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

/// Reads before other tasks get the thread.
const READS_PER_WAKE: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_connection_holds_little() {
        fn size_of_future<F: Future>(_: impl FnOnce(Link<Arc<TcpStream>>) -> F) -> usize {
            size_of::<F>()
        }
        let size = size_of_future(serve);
        // With what tokio adds, a task is 384 bytes at most, and 512 is the next size.
        assert!(size <= 264, "{size}");
    }
}
