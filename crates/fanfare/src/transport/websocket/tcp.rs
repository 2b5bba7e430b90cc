//! Over TCP: the flusher writes into the stream itself, the task only what it could not.

use std::{io, ops::ControlFlow, sync::Arc};

use fanfare_proto::{
    engineio::{CloseReason, Via},
    websocket::Reader,
};
use tokio::{io::Interest, net::TcpStream, time::timeout};

use super::{CLOSING, Ending, Link, feed, with_buffer};
use crate::{clock, session::Session};

/// Serves a session whose frames the flusher writes into `stream` itself.
pub(super) async fn serve(link: Link<TcpStream>) {
    let Link {
        stream,
        mut reader,
        session,
    } = link;
    let stream = Arc::new(stream);
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
            && let ControlFlow::Break(ending) = read(&session, &stream, &mut reader)
        {
            break ending;
        }
    };
    if let Ending::Lost(reason) = ending {
        session.handle_transport_closed(Via::WebSocket, reason);
    }
    // Of those that are lost, who broke a rule is still there to be told so.
    if !matches!(ending, Ending::Lost(CloseReason::TransportClose)) {
        let finishing = timeout(CLOSING, finish(&session, &stream));
        // Boxed, so that the idle do not carry it. Late or not, it is over.
        let _ = Box::pin(finishing).await;
    }
    session.outbox().close();
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
