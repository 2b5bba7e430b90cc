//! Admission: who asks to join a namespace, and the answer.

use std::{any::Any, fmt, net::SocketAddr, sync::Arc, time::SystemTime};

use fanfare_proto::{
    engineio::{Query, Transport},
    socketio::Nsp,
};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    args::{ArgsError, FromArgs, RawArgs},
    handler::{Handlers, OnAdmit, UseConnect},
    inbox::caught,
    recovery::Away,
    session::Session,
};

/// What a socket came with: its request and its auth payload.
#[derive(Clone)]
pub struct Handshake {
    session: Arc<Session>,
    nsp: Nsp,
    auth: Option<Arc<str>>,
}

impl Handshake {
    pub(crate) fn new(session: Arc<Session>, nsp: Nsp, auth: Option<Arc<str>>) -> Self {
        Self { session, nsp, auth }
    }

    /// The namespace that the socket joins.
    pub fn nsp(&self) -> &str {
        self.nsp.as_str()
    }

    /// The value of a header of the session's first request, if it was text; names in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.session.head.header(name)
    }

    /// The headers of that request, names in lower case, as far as `max_header_bytes` keeps them;
    /// values that are no text are left out.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.session.head.headers()
    }

    /// The value of a cookie of that request, as it was sent.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        let cookies = self.header("cookie")?.split(';');
        cookies
            .filter_map(|cookie| cookie.trim().split_once('='))
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value)
    }

    /// The value of a query parameter of that request, decoded.
    pub fn query(&self, name: &str) -> Option<String> {
        let (_, query) = self.session.head.target().split_once('?')?;
        Query::pairs(query)
            .filter(|(key, _)| key == name)
            .last()
            .map(|(_, value)| value.into_owned())
    }

    /// The path and query of that request, as they were sent.
    pub fn url(&self) -> &str {
        self.session.head.target()
    }

    /// Where the request came from; `None` behind a stream that has no address.
    pub fn remote_addr(&self) -> Option<SocketAddr> {
        self.session.head.remote_addr()
    }

    /// When that request came, to the millisecond.
    pub fn issued(&self) -> SystemTime {
        self.session.issued()
    }

    /// Whether that request came over TLS, as far as whoever ended TLS told; see [`OverTls`](crate::OverTls).
    pub fn is_secure(&self) -> bool {
        self.session.head.is_secure()
    }

    /// The transport in use just now.
    pub fn transport(&self) -> Transport {
        self.session.transport()
    }

    /// The auth payload as JSON text; `{}` if the client sent none.
    pub fn auth_json(&self) -> &str {
        self.auth.as_deref().unwrap_or("{}")
    }

    /// The auth payload, read as `T`.
    ///
    /// # Errors
    ///
    /// Says which value was found and which was expected.
    pub fn auth<T: DeserializeOwned>(&self) -> Result<T, ArgsError> {
        T::from_args(&RawArgs {
            json: self.auth_json().to_owned(),
            attachments: Vec::new(),
        })
    }
}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake")
            .field("nsp", &self.nsp())
            .finish_non_exhaustive()
    }
}

/// Who decides about a newcomer: middlewares, then the hook that says who it is.
pub(crate) struct Deciders {
    middlewares: Vec<UseConnect>,
    hook: Option<OnAdmit>,
}

impl Deciders {
    /// `None` where everybody is let in.
    pub(crate) fn of(handlers: &Handlers) -> Option<Self> {
        let deciders = Self {
            middlewares: handlers.use_connect.clone(),
            hook: handlers.admit.clone(),
        };
        (!deciders.middlewares.is_empty() || deciders.hook.is_some()).then_some(deciders)
    }

    /// Asks them in order, until one refuses. Who panics refuses.
    pub(crate) async fn decide(self, handshake: Handshake) -> Result<Admission, Refusal> {
        for middleware in self.middlewares {
            caught(|| middleware(handshake.clone()))
                .await
                .unwrap_or_else(|_| Err(undecided(&handshake.nsp)))?;
        }
        let Some(hook) = self.hook else {
            return Ok(Admission::anonymous());
        };
        let nsp = handshake.nsp.clone();
        caught(|| hook(handshake))
            .await
            .unwrap_or_else(|_| Err(undecided(&nsp)))
    }
}

fn undecided(nsp: &Nsp) -> Refusal {
    tracing::error!(
        nsp = nsp.as_str(),
        "what decides about a connection panicked"
    );
    Refusal::new("the server failed to decide on this connection")
}

/// Lets a socket in.
#[derive(Clone, Default)]
pub struct Admission {
    pub(crate) user: Option<Box<str>>,
    pub(crate) data: Option<Arc<dyn Any + Send + Sync>>,
    /// JSON text.
    pub(crate) shared: Option<Box<str>>,
}

impl From<Away> for Admission {
    fn from(
        Away {
            user, data, shared, ..
        }: Away,
    ) -> Self {
        Self { user, data, shared }
    }
}

impl Admission {
    /// Lets an anonymous socket in: it counts as a user of its own.
    pub fn anonymous() -> Self {
        Self::default()
    }

    /// Lets a socket in for the user named by `key`: all sockets of one key are one user.
    pub fn user(key: impl Into<String>) -> Self {
        Self {
            user: Some(key.into().into_boxed_str()),
            ..Self::default()
        }
    }

    /// Gives the socket `data`, for its handlers to take with [`Socket::data`](crate::Socket::data).
    #[must_use]
    pub fn with_data(self, data: impl Any + Send + Sync) -> Self {
        Self {
            data: Some(Arc::new(data)),
            ..self
        }
    }

    /// Lets other nodes of the cluster see `shared` of the socket; see
    /// [`RemoteSocket::shared`](crate::RemoteSocket::shared).
    ///
    /// # Errors
    ///
    /// If `shared` is none that JSON can hold.
    pub fn with_shared(self, shared: impl Serialize) -> Result<Self, ArgsError> {
        let shared = serde_json::to_string(&shared).map_err(ArgsError::from_json)?;
        Ok(Self {
            shared: Some(shared.into()),
            ..self
        })
    }
}

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admission")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// Keeps a socket out, or an event from its handlers.
///
/// The client sees a socket's refusal as `connect_error`, and its connection stays open; an
/// event's refusal as the answer `{"error": …}`, if it asked for one.
#[derive(Clone, Debug, Serialize)]
pub struct Refusal {
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<serde_json::Value>,
}

impl Refusal {
    /// Refuses; `message` tells the person why, and what would be right.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            data: None,
        }
    }

    /// Adds what the client's code can act on.
    ///
    /// # Errors
    ///
    /// If `data` is none that JSON can hold.
    pub fn with_data(self, data: impl Serialize) -> Result<Self, ArgsError> {
        let data = serde_json::to_value(data).map_err(ArgsError::from_json)?;
        Ok(Self {
            data: Some(data),
            ..self
        })
    }

    /// As clients up to 2.x have it: the data alone, or the message alone.
    pub(crate) fn to_older_json(&self) -> String {
        let json = match &self.data {
            Some(data) => serde_json::to_string(data),
            None => serde_json::to_string(&self.message),
        };
        json.expect("a text and a JSON value are JSON")
    }

    /// How it looks in an answer to an event.
    pub(crate) fn as_answer(&self) -> impl Serialize + '_ {
        #[derive(Serialize)]
        struct Answer<'a> {
            error: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            data: Option<&'a serde_json::Value>,
        }
        Answer {
            error: &self.message,
            data: self.data.as_ref(),
        }
    }

    pub(crate) fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a text and a JSON value are JSON")
    }
}
