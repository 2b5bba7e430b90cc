//! Hooks: functions of the application that see requests and answers.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use fanfare_proto::engineio::Sid;
use futures_util::FutureExt;
use http::{HeaderMap, request::Parts};
use hyper::upgrade::OnUpgrade;

use super::refused::Refused;
use crate::handler::BoxFuture;

/// A function that decides which requests may open a session; for
/// [`Config::allow_request`](crate::Config::allow_request).
///
/// It sees the request alone. Who may join a namespace, with the auth payload that a client sends for it, is for
/// [`Io::admit`](crate::Io::admit) to say.
///
/// ```
/// use fanfare::{AllowRequest, Config, Forbidden};
///
/// let config = Config {
///     allow_request: Some(AllowRequest::new(|request| async move {
///         match request.headers.get("x-api-key") {
///             Some(key) if key == "secret" => Ok(()),
///             _ => Err(Forbidden::new("the header X-Api-Key holds no key of ours")),
///         }
///     })),
///     ..Config::default()
/// };
/// ```
#[derive(Clone)]
pub struct AllowRequest(Arc<Allow>);

type Allow = dyn Fn(Parts) -> BoxFuture<Result<(), Forbidden>> + Send + Sync;

impl AllowRequest {
    /// Asks `allow` about each request that would open a session, on polling and on WebSocket. What layers in front left
    /// in its extensions is there, as is [`RemoteAddr`](crate::RemoteAddr). How long it takes is its own to bound:
    /// the client waits meanwhile, and if it gives up, the future is dropped. If it panics, the request is
    /// refused.
    pub fn new<R>(allow: impl Fn(Parts) -> R + Send + Sync + 'static) -> Self
    where
        R: Future<Output = Result<(), Forbidden>> + Send + 'static,
    {
        Self(Arc::new(move |request| Box::pin(allow(request))))
    }

    /// # Errors
    ///
    /// Why the request is refused.
    pub(super) async fn check(&self, request: &Parts) -> Result<(), Forbidden> {
        let request = without_connection(request);
        let allowed = async { (self.0)(request).await };
        let allowed = AssertUnwindSafe(allowed).catch_unwind().await;
        allowed.unwrap_or_else(|_| {
            tracing::error!("the function that allows requests panicked");
            Err(Forbidden::default())
        })
    }
}

/// The request for the application to see: the connection itself is ours alone to take.
fn without_connection(request: &Parts) -> Parts {
    let mut request = request.clone();
    request.extensions.remove::<OnUpgrade>();
    request
}

impl fmt::Debug for AllowRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AllowRequest")
    }
}

/// Refuses a request: status 403, code 4 and the reason on polling; status 400 and the reason on a request for a
/// WebSocket.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Forbidden(String);

impl Forbidden {
    /// Refuses a request; `reason` is sent to the client as it is, and tells the person what would be right.
    pub fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }

    pub(super) fn reason(&self) -> &str {
        &self.0
    }
}

/// Gives no reason but the protocol's word.
impl Default for Forbidden {
    fn default() -> Self {
        Self::new("Forbidden")
    }
}

/// A function that makes the ids of sessions; for [`Config::generate_sid`](crate::Config::generate_sid).
///
/// Whoever knows a session's id can speak for its client, so an id has to be one that nobody can guess.
///
/// ```
/// use fanfare::{Config, SidGenerator};
/// # fn random_text(_chars: usize) -> String { "x".repeat(16) }
///
/// let node = "eu-7";
/// let config = Config {
///     generate_sid: Some(SidGenerator::new(move |_request| async move {
///         Ok(format!("{node}{}", random_text(16)))
///     })),
///     ..Config::default()
/// };
/// ```
#[derive(Clone)]
pub struct SidGenerator(Arc<Generate>);

type Generate = dyn Fn(Parts) -> BoxFuture<Result<String, String>> + Send + Sync;

impl SidGenerator {
    /// Asks `generate` for the id of each session that is opened: 20 letters, digits, hyphens and underscores, which no
    /// other session has. Else, and if it returns an error or panics, the request is refused with code 3, and the
    /// log says why.
    pub fn new<R>(generate: impl Fn(Parts) -> R + Send + Sync + 'static) -> Self
    where
        R: Future<Output = Result<String, String>> + Send + 'static,
    {
        Self(Arc::new(move |request| Box::pin(generate(request))))
    }

    /// # Errors
    ///
    /// There is no id.
    pub(super) async fn generate(&self, request: &Parts) -> Result<Sid, Refused> {
        let request = without_connection(request);
        let generated = async { (self.0)(request).await };
        let generated = AssertUnwindSafe(generated).catch_unwind().await;
        let text = match generated {
            Ok(Ok(text)) => text,
            Ok(Err(wrong)) => {
                tracing::error!(%wrong, "no id was made for a session");
                return Err(Refused::NoSid);
            }
            Err(_) => {
                tracing::error!("the function that makes ids panicked");
                return Err(Refused::NoSid);
            }
        };
        Sid::parse(&text).ok_or_else(|| {
            let found = text.chars().count();
            tracing::error!("an id for a session has to be 20 letters, digits, hyphens and underscores; what was made has {found} characters");
            Refused::NoSid
        })
    }
}

impl fmt::Debug for SidGenerator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SidGenerator")
    }
}

/// A function that is told of refused requests; for
/// [`Config::connection_error`](crate::Config::connection_error).
///
/// ```
/// use fanfare::{Config, ConnectionErrorListener};
///
/// let config = Config {
///     connection_error: Some(ConnectionErrorListener::new(|error, request| {
///         let agent = request.headers.get("user-agent");
///         eprintln!("refused {agent:?}: {} ({})", error.message, error.context);
///     })),
///     ..Config::default()
/// };
/// ```
#[derive(Clone)]
pub struct ConnectionErrorListener(Arc<Listen>);

type Listen = dyn Fn(&ConnectionError, &Parts) + Send + Sync;

impl ConnectionErrorListener {
    /// Calls `listen` with each refusal and its request, before the client is answered. Any stranger can cause as many as
    /// they like. It must not block; what it panics with is lost.
    pub fn new(listen: impl Fn(&ConnectionError, &Parts) + Send + Sync + 'static) -> Self {
        Self(Arc::new(listen))
    }

    pub(super) fn call(&self, error: &ConnectionError, request: &Parts) {
        if catch_unwind(AssertUnwindSafe(|| (self.0)(error, request))).is_err() {
            tracing::error!("a function that is told of refused requests panicked");
        }
    }
}

impl fmt::Debug for ConnectionErrorListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ConnectionErrorListener")
    }
}

/// Why a request was refused.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ConnectionError {
    /// Engine.IO's number of the error, 0 to 5; `None` for what it has no number for: requests of a session that
    /// come at the wrong time or are too large, WebSocket handshakes that break RFC 6455, and a server that takes
    /// nobody just now.
    pub code: Option<u8>,
    /// What the client was told; may be empty.
    pub message: String,
    /// What exactly was wrong: one of a few names, such as `UNKNOWN_SID` or `TRANSPORT_MISMATCH`.
    pub context: &'static str,
}

/// A function that changes the headers of answers; for [`Config::initial_headers`](crate::Config::initial_headers)
/// and [`Config::headers`](crate::Config::headers).
///
/// ```
/// use fanfare::{Config, HeaderHook};
/// use http::{HeaderValue, header};
///
/// let config = Config {
///     headers: Some(HeaderHook::new(|headers, _request| {
///         let policy = HeaderValue::from_static("max-age=31536000");
///         headers.insert(header::STRICT_TRANSPORT_SECURITY, policy);
///     })),
///     ..Config::default()
/// };
/// ```
#[derive(Clone)]
pub struct HeaderHook(Arc<ChangeHeaders>);

type ChangeHeaders = dyn Fn(&mut HeaderMap, &Parts) + Send + Sync;

impl HeaderHook {
    /// Calls `change` with an answer's headers, all others of which are set, and with the request; what layers in front
    /// left in its extensions is there. It must not block, and must leave alone what HTTP and WebSocket need:
    /// lengths, encodings, `Connection`, `Upgrade` and `Sec-WebSocket-*`. If it panics, the answer goes out as
    /// it is by then.
    pub fn new(change: impl Fn(&mut HeaderMap, &Parts) + Send + Sync + 'static) -> Self {
        Self(Arc::new(change))
    }

    pub(super) fn call(&self, headers: &mut HeaderMap, request: &Parts) {
        if catch_unwind(AssertUnwindSafe(|| (self.0)(headers, request))).is_err() {
            tracing::error!("a function that changes headers panicked");
        }
    }
}

impl fmt::Debug for HeaderHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HeaderHook")
    }
}
