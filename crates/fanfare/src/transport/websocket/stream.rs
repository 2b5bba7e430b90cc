//! Over a stream of any kind, TLS or another: the session's task alone reads and writes it.

use std::{io, ops::ControlFlow, pin::pin, sync::Arc};

use bytes::{Buf as _, Bytes};
use fanfare_proto::engineio::{CloseReason, Via};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    time::timeout,
};

use super::{CLOSING, Link, read};
use crate::{clock, dialect, session::Session};

/// Serves a session over a stream of any kind, which this task alone reads and writes.
pub(super) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(link: &mut Link<S>) {
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
            (out.take_for_task(clock::now()), out.is_ending())
        };
        if frames.is_empty() && is_ending {
            let _ = timeout(CLOSING, output.shutdown()).await;
            return Ok(());
        }
        if frames.is_empty() {
            woken.await;
            continue;
        }
        let mut writing = pin!(write(session, output, frames));
        tokio::select! {
            biased;
            written = &mut writing => written?,
            // Who does not read must not hold what is over.
            () = until_ending(session) => timeout(CLOSING, writing).await??,
        }
    }
}

/// Writes what the task has taken, and notes each time that the stream took something.
async fn write(
    session: &Arc<Session>,
    output: &mut (impl AsyncWrite + Unpin),
    frames: Vec<Bytes>,
) -> io::Result<()> {
    for frames in frames {
        let mut frames = dialect::in_form(frames, session.form());
        while !frames.is_empty() {
            let written = output.write(&frames).await?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            frames.advance(written);
            let is_deferred = session.outbox().task_writes(clock::now());
            if is_deferred {
                session.defer_pong();
            }
        }
    }
    output.flush().await?;
    let is_deferred = session.outbox().task_has_written(clock::now());
    if is_deferred {
        session.defer_pong();
    }
    Ok(())
}

/// Waits until nothing follows what waits. Takes the wakes of the outbox: whoever waits for this looks there afterwards.
async fn until_ending(session: &Session) {
    loop {
        let woken = session.wake.notified();
        if session.outbox().is_ending() {
            return;
        }
        woken.await;
    }
}
