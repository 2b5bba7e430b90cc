//! What is under way between a client and its server.

use std::future;

use fanfare_proto::engineio::Packet;
use futures_util::future::BoxFuture;

use crate::{
    error::TransportError,
    http::Endpoint,
    websocket::{Decoded, WebSocket},
};

/// A session's requests and its WebSocket.
pub(crate) struct Wires {
    endpoint: Endpoint,
    /// The session's id, once it is open.
    sid: Option<String>,
    poll: Slot<Result<String, TransportError>>,
    post: Slot<Result<(), TransportError>>,
    opening: Slot<Result<WebSocket, TransportError>>,
    websocket: Option<WebSocket>,
}

/// What has come of it.
pub(crate) enum Input {
    /// A `GET` was answered.
    Polled(Result<String, TransportError>),
    /// A `POST` was answered.
    Posted(Result<(), TransportError>),
    /// A WebSocket is open, or will not open.
    Opened(Result<(), TransportError>),
    /// The WebSocket brought something, or is gone.
    Received(Result<Decoded, TransportError>),
}

/// Whether there is a place for what the server sends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Room {
    Some,
    None,
}

impl Wires {
    pub(crate) fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            sid: None,
            poll: Slot::empty(),
            post: Slot::empty(),
            opening: Slot::empty(),
            websocket: None,
        }
    }

    pub(crate) fn set_sid(&mut self, sid: String) {
        self.sid = Some(sid);
    }

    pub(crate) fn poll(&mut self) {
        self.poll.fill(self.endpoint.clone().poll(self.sid.clone()));
    }

    /// Sends a payload of an open session.
    pub(crate) fn post(&mut self, payload: Vec<u8>) {
        let sid = self.sid.clone().unwrap_or_default();
        self.post.fill(self.endpoint.clone().post(sid, payload));
    }

    pub(crate) fn open_websocket(&mut self) {
        self.opening
            .fill(self.endpoint.clone().open(self.sid.clone()));
    }

    pub(crate) fn drop_websocket(&mut self) {
        self.opening = Slot::empty();
        self.websocket = None;
    }

    pub(crate) fn websocket(&mut self) -> Option<&mut WebSocket> {
        self.websocket.as_mut()
    }

    /// Waits for the next thing to come. Where there is no room, only what is to be sent goes on.
    ///
    /// Cancel-safe.
    pub(crate) async fn next(&mut self, room: Room) -> Input {
        let Self {
            poll,
            post,
            opening,
            websocket,
            ..
        } = self;
        tokio::select! {
            polled = poll.take(), if room == Room::Some => Input::Polled(polled),
            posted = post.take() => Input::Posted(posted),
            opened = opening.take() => Input::Opened(opened.map(|open| *websocket = Some(open))),
            received = receive(websocket, room) => Input::Received(received),
        }
    }

    /// Sends a last payload on polling, after the one under way.
    pub(crate) async fn end_polling(&mut self, payload: Vec<u8>) {
        if self.post.is_empty() || self.post.take().await.is_ok() {
            self.post(payload);
            // Whether it arrived makes no difference to what happens next.
            let _ = self.post.take().await;
        }
    }

    /// Closes the WebSocket after sending `packets`.
    pub(crate) async fn end_websocket(&mut self, packets: impl Iterator<Item = Packet>) {
        if let Some(mut websocket) = self.websocket.take() {
            packets.for_each(|packet| websocket.push(&packet));
            websocket.close().await;
        }
    }
}

async fn receive(websocket: &mut Option<WebSocket>, room: Room) -> Result<Decoded, TransportError> {
    let Some(open) = websocket else {
        return future::pending().await;
    };
    let received = match room {
        Room::Some => open.next().await,
        Room::None => Err(open.flush().await),
    };
    if received.is_err() {
        *websocket = None;
    }
    received
}

/// A request under way, or none.
struct Slot<T>(Option<BoxFuture<'static, T>>);

impl<T> Slot<T> {
    fn empty() -> Self {
        Self(None)
    }

    fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    fn fill(&mut self, request: impl Future<Output = T> + Send + 'static) {
        self.0 = Some(Box::pin(request));
    }

    /// What comes of the request; while there is none, it rests.
    async fn take(&mut self) -> T {
        let Some(request) = &mut self.0 else {
            return future::pending().await;
        };
        let result = request.await;
        self.0 = None;
        result
    }
}
