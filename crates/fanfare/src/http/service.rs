//! The tower layer and service: Engine.IO's requests are answered here, all others further in.

use std::{
    future::Future,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use fanfare_proto::engineio::{Open, Packet, Transport};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header, request::Parts};
use hyper::upgrade::OnUpgrade;
use tower::{Layer, Service};

use super::{
    answer::{self, Ours},
    body::Body,
    bundle::ClientFile,
    coding::Coding,
    cookie, cors,
    holding::Hold,
    origin,
    policy::Policy,
    refused::Refused,
    route::{self, Route},
};
use crate::{
    config::Config,
    dialect::{Dialect, Polled, WireForm},
    frame,
    head::Head,
    io::Io,
    server::Server,
    session::{Opening, Session},
    transport::{
        polling,
        websocket::{self, Purpose},
    },
};

/// Where a request came from. [`Io::listen`] and [`Io::serve`] add it to each request; whoever
/// brings a listener of their own may add it too, for handshakes to know and for limits to work.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RemoteAddr(
    /// The address of the other end of the connection.
    pub SocketAddr,
);

/// Says that a request came over TLS. Whoever ends TLS in front of the server adds it to each request's extensions, for
/// [`Handshake::is_secure`](crate::Handshake::is_secure) to know.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct OverTls;

/// Puts a server in front of any tower service, such as an `axum::Router`.
#[derive(Clone, Debug)]
pub struct FanfareLayer {
    io: Io,
}

impl Io {
    /// The server as a tower layer: requests under [`Config::path`](crate::Config::path) are
    /// answered, all others go on to the service that the layer is put around.
    pub fn layer(&self) -> FanfareLayer {
        FanfareLayer { io: self.clone() }
    }
}

impl<S> Layer<S> for FanfareLayer {
    type Service = FanfareService<S>;

    fn layer(&self, inner: S) -> FanfareService<S> {
        FanfareService {
            prefix: self.io.config().prefix().into(),
            io: self.io.clone(),
            inner,
        }
    }
}

/// A tower service with a server in front of it; see [`Io::layer`].
#[derive(Clone, Debug)]
pub struct FanfareService<S> {
    io: Io,
    prefix: Arc<str>,
    inner: S,
}

impl<S, B, T> Service<Request<B>> for FanfareService<S>
where
    S: Service<Request<B>, Response = Response<T>>,
    S::Future: Send + 'static,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = Response<Body<T>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let Some(name) = request.uri().path().strip_prefix(&*self.prefix) else {
            let theirs = self.inner.call(request);
            return Box::pin(async move { Ok(theirs.await?.map(Body::Theirs)) });
        };
        if let Some(file) = find_file(self.io.config(), name) {
            let (io, file) = (self.io.clone(), file.clone());
            let (parts, _) = request.into_parts();
            return Box::pin(async move {
                let answer = answer_file(io.config(), &file, &parts).await;
                Ok(answer.map(Body::Ours))
            });
        }
        let io = self.io.clone();
        Box::pin(async move { Ok(answer(io, request).await.map(Body::Ours)) })
    }
}

/// The file of the client that is called what stands behind the server's path.
fn find_file<'a>(config: &'a Config, name: &str) -> Option<&'a Arc<ClientFile>> {
    let name = match config.add_trailing_slash {
        true => name,
        false => name.strip_prefix('/')?,
    };
    config.client.as_ref()?.file(name)
}

/// A file of the client, or what a page may do with it.
async fn answer_file(config: &Config, file: &ClientFile, parts: &Parts) -> Ours {
    let policy = Policy::of(config, parts);
    let verdict = origin::judge(&parts.headers, &policy.origins);
    if cors::is_preflight(&policy, &parts.method, &verdict) {
        return answer::preflight(&policy, &verdict, &parts.headers);
    }
    let mut answer = send_file(config, file, &parts.headers).await;
    cors::share(&mut answer, &verdict, &policy);
    answer
}

async fn send_file(config: &Config, file: &ClientFile, request: &HeaderMap) -> Ours {
    let known = request.get(header::IF_NONE_MATCH);
    let known = known.and_then(|known| known.to_str().ok());
    if known.is_some_and(|known| known.trim_start_matches("W/") == &*file.etag) {
        return answer::not_modified();
    }
    if config.http_compression.is_none() {
        return answer::file(file, file.plain());
    }
    let offered = [Coding::Brotli, Coding::Gzip, Coding::Deflate];
    let coded = match Coding::choose(request, &offered) {
        Some(coding) => file.coded(coding).await.map(|body| (body, coding)),
        None => None,
    };
    let mut answer = match coded {
        Some((body, coding)) => {
            let mut answer = answer::file(file, body);
            answer::mark(&mut answer, coding);
            answer
        }
        None => answer::file(file, file.plain()),
    };
    // All forms have one ETag.
    answer
        .headers_mut()
        .append(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    answer
}

async fn answer<B>(io: Io, request: Request<B>) -> Ours
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let config = io.config();
    let (mut parts, body) = request.into_parts();
    let policy = Policy::of(config, &parts);
    let verdict = origin::judge(&parts.headers, &policy.origins);
    if cors::is_preflight(&policy, &parts.method, &verdict) {
        return answer::preflight(&policy, &verdict, &parts.headers);
    }
    let mut initial_headers = None;
    let answered = match route::route(io.server(), &parts, &policy, &verdict).await {
        Ok(route) => {
            initial_headers = config
                .initial_headers
                .as_ref()
                .filter(|_| route.opens_session());
            carry_out(&io, route, &mut parts, body).await
        }
        Err(refused) => Err(refused),
    };
    match answered {
        Ok(mut answer) => {
            if answer.status() == StatusCode::OK {
                answer::suit_old_browsers(&mut answer, &parts.headers);
            }
            cors::share(&mut answer, &verdict, &policy);
            for hook in initial_headers.into_iter().chain(&config.headers) {
                hook.call(answer.headers_mut(), &parts);
            }
            answer
        }
        Err(refused) => {
            if let Some(listener) = &config.connection_error {
                listener.call(&refused.to_error(), &parts);
            }
            let mut answer = answer::refused(&refused, route::is_upgrade(config, &parts));
            cors::share(&mut answer, &verdict, &policy);
            answer
        }
    }
}

/// # Errors
///
/// Why it can't be done after all.
async fn carry_out<B>(io: &Io, route: Route, parts: &mut Parts, body: B) -> Result<Ours, Refused>
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let answer = match route {
        Route::Open(dialect) => {
            let session = open(io, parts, dialect, Opening::Polling).await?;
            let opening = opening_frames(&session, Transport::Polling);
            let polled = dialect.encode_payload(&[opening.into()]);
            session.welcome();
            let mut answer = payload(io.config(), polled, &parts.headers).await;
            if let Some(cookie) = &io.config().cookie {
                cookie::set(answer.headers_mut(), cookie, &session.sid);
            }
            answer
        }
        Route::Get(session) => {
            let polled = polling::get(session).await?;
            payload(io.config(), polled, &parts.headers).await
        }
        Route::Post(session) => {
            let kind = parts.headers.get(header::CONTENT_TYPE);
            let is_binary = kind.is_some_and(|kind| kind == "application/octet-stream");
            polling::post(session, is_binary, body).await?;
            answer::ok()
        }
        Route::OpenWebSocket {
            accept,
            dialect,
            form,
        } => {
            let session = open(io, parts, dialect, Opening::WebSocket(form)).await?;
            let opening = opening_frames(&session, Transport::WebSocket);
            session.welcome();
            switch(io, parts, &accept, Purpose::Session(session, opening))
        }
        Route::Upgrade {
            accept,
            session,
            form,
        } => switch(io, parts, &accept, Purpose::Upgrade(session, form)),
        Route::CloseWebSocket { accept } => switch(io, parts, &accept, Purpose::Nothing),
    };
    Ok(answer)
}

/// # Errors
///
/// Why there is no session.
async fn open(
    io: &Io,
    parts: &Parts,
    dialect: Dialect,
    opening: Opening,
) -> Result<Arc<Session>, Refused> {
    let sid = match &io.config().generate_sid {
        Some(generator) => generator.generate(parts).await?,
        None => Server::new_sid(),
    };
    let head = head(io, parts);
    Ok(io.server().open_session(sid, head, dialect, opening)?)
}

/// What a poll is answered, compressed if that pays and the client takes it.
async fn payload(config: &Config, polled: Polled, request: &HeaderMap) -> Ours {
    let coding = config
        .http_compression
        .filter(|min_bytes| *min_bytes <= polled.body.len())
        .and_then(|_| Coding::choose(request, &[Coding::Gzip, Coding::Deflate]));
    let Some(coding) = coding else {
        return answer::payload(polled);
    };
    let body = coding.compress(&polled.body).await;
    let mut answer = answer::payload(Polled { body, ..polled });
    answer::mark(&mut answer, coding);
    answer
}

fn head(io: &Io, parts: &Parts) -> Head {
    let remote = parts
        .extensions
        .get::<RemoteAddr>()
        .map(|RemoteAddr(address)| *address);
    let max_bytes = io.config().limits.max_header_bytes;
    Head::new(parts, remote, max_bytes, &io.server().alike)
}

/// The open packet and what else every session is sent first, as frames.
fn opening_frames(session: &Session, transport: Transport) -> Vec<u8> {
    let config = &session.server.config;
    let mut packet = Vec::new();
    let open = Open {
        sid: session.sid.as_str().to_owned(),
        upgrades: config.upgrades(transport),
        ping_interval: config.ping_interval,
        ping_timeout: config.ping_timeout,
        max_payload: config.limits.proto.max_payload_bytes,
    };
    open.encode(&mut packet);
    let mut frames = frame::text(&packet);
    if let Some(message) = &config.initial_packet {
        frames.extend(frame::engine_packet(&Packet::Message(message.clone())));
    }
    frames
}

/// Answers that the connection is a WebSocket now, and serves it as one.
fn switch(io: &Io, parts: &mut Parts, accept: &str, purpose: Purpose) -> Ours {
    let protocol = parts.headers.get(header::SEC_WEBSOCKET_PROTOCOL).cloned();
    let mut request = Request::new(());
    if let Some(upgrade) = parts.extensions.remove::<OnUpgrade>() {
        request.extensions_mut().insert(upgrade);
    }
    if let Some(hold) = parts.extensions.remove::<Hold>() {
        hold.ask();
    }
    let is_deflated = purpose.form() == Some(WireForm::Deflated);
    let upgrade = hyper::upgrade::on(request);
    io.server().tasks.spawn(async move {
        match upgrade.await {
            Ok(upgraded) => websocket::run(upgraded, purpose).await,
            Err(error) => websocket::lost(&purpose, &error),
        }
    });
    answer::switching(accept, protocol.as_ref(), is_deflated)
}
