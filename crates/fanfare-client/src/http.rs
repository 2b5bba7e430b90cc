//! HTTP requests, each on a TCP connection of its own: so none can meet a connection that its server is just
//! giving up as idle, and all of one client's connections can be reset at once.

use std::{future::Future, pin::pin};

use ::http::{
    Method, Request, Response, StatusCode, Uri,
    header::{self, HeaderMap, HeaderName, HeaderValue},
};
use bytes::Bytes;
use fanfare_proto::{Limits, engineio::Transport, websocket};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{body::Incoming, client::conn::http1, upgrade};
use hyper_util::rt::TokioIo;

use crate::{
    address::Address,
    error::TransportError,
    options::Options,
    stream::{Fate, Stream},
    websocket::WebSocket,
};

/// Sends one HTTP request on a connection of its own, and reads the whole answer, of whatever status.
///
/// The request's URI is the path on the server; its `Host` header is added here.
///
/// # Errors
///
/// [`TransportError::Connect`], or [`TransportError::Http`]: also for a body of more than `max_bytes`.
///
/// # Cancel safety
///
/// Dropping the future drops the connection; whether the server has acted on the request is then unknown.
pub async fn fetch(
    address: &Address,
    request: Request<Bytes>,
    max_bytes: usize,
) -> Result<Response<Bytes>, TransportError> {
    let stream = connect(address, &Fate::default()).await?;
    exchange(stream, address, request, |response| {
        read(response, max_bytes)
    })
    .await
}

/// Where a client's requests go, and what they all have.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    address: Address,
    path: String,
    headers: HeaderMap,
    limits: Limits,
    fate: Fate,
}

impl Endpoint {
    pub(crate) fn new(address: Address, options: &Options, fate: Fate) -> Self {
        Self {
            address,
            path: options.path.clone(),
            headers: options.headers.clone(),
            limits: options.limits,
            fate,
        }
    }

    /// Polls: the payload that the server answers with.
    pub(crate) async fn poll(self, sid: Option<String>) -> Result<String, TransportError> {
        let request = self.request(Method::GET, Transport::Polling, sid.as_deref())?;
        let body = self.ask(request).await?.into_body();
        String::from_utf8(body.into()).map_err(|_| TransportError::NotUtf8)
    }

    /// Sends a payload.
    pub(crate) async fn post(self, sid: String, payload: Vec<u8>) -> Result<(), TransportError> {
        let mut request = self.request(Method::POST, Transport::Polling, Some(&sid))?;
        let kind = HeaderValue::from_static("text/plain;charset=UTF-8");
        request.headers_mut().insert(header::CONTENT_TYPE, kind);
        *request.body_mut() = payload.into();
        self.ask(request).await.map(drop)
    }

    /// Opens a WebSocket: of the session `sid`, or of a new one.
    pub(crate) async fn open(self, sid: Option<String>) -> Result<WebSocket, TransportError> {
        let mut random = [0; 16];
        getrandom::fill(&mut random).expect("the operating system has random bytes");
        let key = websocket::generate_key(random);
        let mut request = self.request(Method::GET, Transport::WebSocket, sid.as_deref())?;
        for (name, value) in handshake(&key) {
            request.headers_mut().insert(name, value);
        }
        let accept = websocket::accept_key(&key);
        let stream = connect(&self.address, &self.fate).await?;
        let limits = self.limits;
        exchange(stream, &self.address, request, |response| {
            upgrade(response, accept, limits)
        })
        .await
    }

    /// The answer, if it is one of success.
    async fn ask(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let stream = connect(&self.address, &self.fate).await?;
        let max_bytes = self.limits.max_payload_bytes;
        let response = exchange(stream, &self.address, request, |response| {
            read(response, max_bytes)
        })
        .await?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(TransportError::status(response.status(), response.body()))
    }

    fn request(
        &self,
        method: Method,
        transport: Transport,
        sid: Option<&str>,
    ) -> Result<Request<Bytes>, TransportError> {
        let mut target = format!("{}?EIO=4&transport={}", self.path, transport.as_str());
        if let Some(sid) = sid {
            target.push_str("&sid=");
            target.push_str(sid);
        }
        let target: Uri = target.parse().map_err(TransportError::http)?;
        let mut request = Request::new(Bytes::new());
        *request.method_mut() = method;
        *request.uri_mut() = target;
        request.headers_mut().clone_from(&self.headers);
        Ok(request)
    }
}

fn handshake(key: &str) -> [(HeaderName, HeaderValue); 4] {
    let key = HeaderValue::from_str(key).expect("base64 is a header value");
    [
        (header::CONNECTION, HeaderValue::from_static("Upgrade")),
        (header::UPGRADE, HeaderValue::from_static("websocket")),
        (
            header::SEC_WEBSOCKET_VERSION,
            HeaderValue::from_static("13"),
        ),
        (header::SEC_WEBSOCKET_KEY, key),
    ]
}

async fn connect(address: &Address, fate: &Fate) -> Result<Stream, TransportError> {
    Stream::connect(address, fate)
        .await
        .map_err(TransportError::Connect)
}

/// Sends `request` and lets `finish` have the response, while the connection is driven beside it.
async fn exchange<T, F>(
    stream: Stream,
    address: &Address,
    mut request: Request<Bytes>,
    finish: impl FnOnce(Response<Incoming>) -> F,
) -> Result<T, TransportError>
where
    F: Future<Output = Result<T, TransportError>>,
{
    let host = HeaderValue::try_from(address.authority()).map_err(TransportError::http)?;
    request.headers_mut().insert(header::HOST, host);
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(TransportError::http)?;
    let mut connection = pin!(connection.with_upgrades());
    let mut exchange = pin!(async {
        let request = request.map(Full::new);
        let response = sender.send_request(request).await;
        finish(response.map_err(TransportError::http)?).await
    });
    tokio::select! {
        result = &mut exchange => result,
        // How it ended, the exchange is told as well.
        _ = &mut connection => exchange.await,
    }
}

async fn read(
    response: Response<Incoming>,
    max_bytes: usize,
) -> Result<Response<Bytes>, TransportError> {
    let (head, body) = response.into_parts();
    let body = Limited::new(body, max_bytes)
        .collect()
        .await
        .map_err(TransportError::http)?;
    Ok(Response::from_parts(head, body.to_bytes()))
}

async fn upgrade(
    response: Response<Incoming>,
    accept: String,
    limits: Limits,
) -> Result<WebSocket, TransportError> {
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        let response = read(response, MAX_REFUSAL_BYTES).await?;
        return Err(TransportError::status(response.status(), response.body()));
    }
    let answer = response.headers().get(header::SEC_WEBSOCKET_ACCEPT);
    if answer.is_none_or(|answer| answer.as_bytes() != accept.as_bytes()) {
        return Err(TransportError::Handshake);
    }
    let upgraded = upgrade::on(response).await.map_err(TransportError::http)?;
    let parts = upgraded
        .downcast::<TokioIo<Stream>>()
        .expect("the connection was made of a Stream");
    Ok(WebSocket::new(
        parts.io.into_inner(),
        &parts.read_buf,
        &limits,
    ))
}

/// Of a server's words on why there is no WebSocket.
const MAX_REFUSAL_BYTES: usize = 64 * 1024;
