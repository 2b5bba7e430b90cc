//! HTTP long-polling: the GETs and POSTs of one session.

use std::sync::Arc;

use bytes::Bytes;
use fanfare_proto::engineio::{Packet, Transport, Via, Violation};
use http_body::Body;
use http_body_util::{BodyExt, LengthLimitError, Limited};

use crate::{dialect::Polled, session::Session};

/// Waits until there is something to send.
///
/// # Errors
///
/// What was wrong with the request.
///
/// # Cancel safety
///
/// Dropping it tells the session that its client has gone.
pub(crate) async fn get(session: Arc<Session>) -> Result<Polled, Violation> {
    let dialect = session.dialect;
    let frames = session.handle_poll()?;
    let mut pending = Pending {
        session: Some(session),
    };
    let frames = frames.await;
    pending.session = None;
    frames
        .map(|frames| dialect.encode_payload(&frames))
        .map_err(|_| Violation::UnknownSid)
}

/// A GET that waits for its answer.
struct Pending {
    session: Option<Arc<Session>>,
}

impl Drop for Pending {
    fn drop(&mut self) {
        if let Some(session) = self.session.take() {
            session.handle_poll_aborted();
        }
    }
}

/// Takes the packets of one body.
///
/// # Errors
///
/// What was wrong with the request.
///
/// # Cancel safety
///
/// Dropping it tells the session that its client has gone.
pub(crate) async fn post<B>(
    session: Arc<Session>,
    is_binary: bool,
    body: B,
) -> Result<(), Violation>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    session.handle_post()?;
    let mut reading = Reading {
        session: Some(session.clone()),
    };
    if is_binary && !session.dialect.takes_binary_payloads() {
        session.handle_violation(Via::Polling, Violation::BinaryPayload);
        return Err(Violation::BinaryPayload);
    }
    let max = session.server.config.limits.proto.max_payload_bytes;
    let body = tokio::select! {
        body = Limited::new(body, max).collect() => body,
        () = has_left_polling(&session) => return Err(Violation::UnknownSid),
    };
    let body = match body {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            reading.session = None;
            session.handle_post_end();
            return Err(Violation::PayloadTooLarge);
        }
        // The drop guard tells the session.
        Err(_) => return Err(Violation::BadRequest),
    };
    if session.dialect.is_absent(&body) {
        reading.session = None;
        session.handle_post_end();
        return Ok(());
    }
    for packet in session.dialect.decode_payload(body, is_binary) {
        match packet {
            Ok(packet) => handle(&session, packet).await,
            Err(violation) => {
                session.handle_violation(Via::Polling, violation);
                break;
            }
        }
    }
    reading.session = None;
    session.handle_post_end();
    Ok(())
}

/// Hands one packet on, as soon as the session's inboxes have room.
async fn handle(session: &Arc<Session>, packet: Packet) {
    loop {
        let resumed = session.resumed.notified();
        if session.is_readable() {
            break;
        }
        resumed.await;
    }
    session.handle_packet(Via::Polling, packet);
}

/// Waits until the session has no use for requests any more.
async fn has_left_polling(session: &Session) {
    while !session.outbox().is_gone() && session.transport() == Transport::Polling {
        session.wake.notified().await;
    }
    // What woke us may have been meant for the WebSocket's task.
    session.wake.notify_one();
}

/// A POST that is being read.
struct Reading {
    session: Option<Arc<Session>>,
}

impl Drop for Reading {
    fn drop(&mut self) {
        if let Some(session) = self.session.take() {
            session.handle_post_aborted();
        }
    }
}
