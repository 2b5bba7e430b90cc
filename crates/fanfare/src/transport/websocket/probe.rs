//! Probe: a WebSocket that is to take over a session on polling.

use std::{ops::ControlFlow, sync::Arc};

use fanfare_proto::{
    engineio::{CloseReason, Transport, Via},
    websocket::Reader,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    sync::mpsc,
    time::timeout,
};

use super::{CLOSING, Ending, close, feed, read};
use crate::session::{ProbeCommand, Session};

/// A stream that is to take a session over.
pub(super) struct Probe<S> {
    pub(super) stream: S,
    pub(super) reader: Reader,
    pub(super) session: Arc<Session>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Probe<S> {
    /// Returns whether the session is on this stream now.
    pub(super) async fn run(
        &mut self,
        mut commands: mpsc::Receiver<ProbeCommand>,
        leftover: &[u8],
    ) -> bool {
        let mut fed = feed(&self.session, Via::Probe, &mut self.reader, leftover);
        loop {
            while let Ok(command) = commands.try_recv() {
                match command {
                    ProbeCommand::Send(frame) => {
                        if !self.send(&frame).await {
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
                    Some(ProbeCommand::Send(frame)) => if !self.send(&frame).await {
                        fed = ControlFlow::Break(Ending::Lost(CloseReason::TransportClose));
                    },
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

    /// Whether the stream took it, in time.
    async fn send(&mut self, frame: &[u8]) -> bool {
        matches!(
            timeout(CLOSING, self.stream.write_all(frame)).await,
            Ok(Ok(()))
        )
    }
}
