//! Auth: who a cookie stands for, for pages and for sockets alike.
//!
//! The sessions are tower-sessions', in the database; who is signed in is axum-login's. A socket asks
//! the very layers that pages go through, so that both always agree.

use std::{convert::Infallible, fmt, sync::Arc};

use axum_login::{AuthManagerLayer, AuthManagerLayerBuilder, AuthUser, AuthnBackend};
use http::{HeaderValue, Request, Response, StatusCode, header};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tower::{Layer as _, ServiceExt as _, service_fn};
use tower_sessions::{
    Expiry, SessionManagerLayer,
    cookie::{SameSite, time::Duration},
    session,
};

use crate::{
    names::Name,
    password::{Busy, Hasher},
    person::PersonId,
    store::{Account, Accounts, Secret, Sessions, Store},
};

/// Somebody who is signed in.
#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) id: PersonId,
    pub(crate) name: Name,
    stamp: Secret<Vec<u8>>,
}

impl User {
    pub(crate) fn guest(id: PersonId, name: Name) -> Self {
        Self {
            id,
            name,
            stamp: Secret(Vec::new()),
        }
    }
}

impl From<Account> for User {
    fn from(account: Account) -> Self {
        Self {
            id: PersonId::Account(account.id),
            name: account.name,
            stamp: account.stamp,
        }
    }
}

/// What a session keeps of its user: of a guest everything, since there is nothing else.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) enum Identity {
    Account(i64),
    Guest { bits: u64, name: String },
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account(id) => PersonId::Account(*id).fmt(f),
            Self::Guest { bits, .. } => PersonId::Guest(*bits).fmt(f),
        }
    }
}

impl AuthUser for User {
    type Id = Identity;

    fn id(&self) -> Identity {
        match self.id {
            PersonId::Account(id) => Identity::Account(id),
            PersonId::Guest(bits) => Identity::Guest {
                bits,
                name: self.name.as_str().to_owned(),
            },
        }
    }

    /// Another password has another stamp, and so ends the sessions before it.
    fn session_auth_hash(&self) -> &[u8] {
        &self.stamp.0
    }
}

/// Why it can't be decided just now who somebody is.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AuthError {
    /// The database can't be used.
    #[error(transparent)]
    Store(#[from] sqlx::Error),
    /// The sessions can't be.
    #[error(transparent)]
    Session(#[from] session::Error),
    /// Too many want to know.
    #[error(transparent)]
    Busy(#[from] Busy),
}

impl From<axum_login::Error<Backend>> for AuthError {
    fn from(error: axum_login::Error<Backend>) -> Self {
        match error {
            axum_login::Error::Backend(error) => error,
            axum_login::Error::Session(error) => error.into(),
        }
    }
}

/// A name and a password, as somebody typed them.
pub(crate) struct Credentials {
    pub(crate) name: Option<Name>,
    pub(crate) password: String,
}

/// Where axum-login finds users.
#[derive(Clone, Debug)]
pub(crate) struct Backend {
    accounts: Arc<dyn Accounts>,
    hasher: Hasher,
}

impl AuthnBackend for Backend {
    type User = User;
    type Credentials = Credentials;
    type Error = AuthError;

    /// Takes the same time whether or not there is such an account.
    async fn authenticate(&self, credentials: Credentials) -> Result<Option<User>, AuthError> {
        let account = match &credentials.name {
            Some(name) => self.accounts.by_name(name).await?,
            None => None,
        };
        let hash = account.as_ref().map(|account| account.password.0.clone());
        let is_right = self.hasher.verify(credentials.password, hash).await?;
        Ok(account.filter(|_| is_right).map(User::from))
    }

    async fn get_user(&self, id: &Identity) -> Result<Option<User>, AuthError> {
        match id {
            Identity::Account(id) => Ok(self.accounts.by_id(*id).await?.map(User::from)),
            Identity::Guest { bits, name } => {
                let name = Name::parse(name).ok();
                Ok(name.map(|name| User::guest(PersonId::Guest(*bits), name)))
            }
        }
    }
}

pub(crate) type AuthSession = axum_login::AuthSession<Backend>;
pub(crate) type AuthLayer = AuthManagerLayer<Backend, Sessions>;

/// Names a session, on all nodes alike. It is no secret, as the session's id in the cookie is, and does not tell it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub(crate) struct SessionTag([u8; 16]);

impl SessionTag {
    fn of(id: session::Id) -> Self {
        let hash = Sha256::digest(id.0.to_be_bytes());
        let (half, _) = hash.split_first_chunk().expect("it has 32 bytes");
        Self(*half)
    }
}

impl fmt::Display for SessionTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

/// Knows whom cookies stand for.
#[derive(Clone, Debug)]
pub(crate) struct Doorkeeper {
    layer: AuthLayer,
}

/// The sessions can't be read just now.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the server can't look up who is signed in just now; try again in a moment")]
pub(crate) struct Unavailable;

impl Doorkeeper {
    /// Sessions last `life_seconds` after the last visit to the room's page.
    pub(crate) fn new(store: &Store, hasher: Hasher, life_seconds: u32) -> Self {
        let sessions = SessionManagerLayer::new(store.sessions())
            .with_name(COOKIE)
            .with_same_site(SameSite::Lax)
            // Where the browser came by TLS, the site adds the flag.
            .with_secure(false)
            .with_expiry(life(life_seconds));
        let backend = Backend {
            accounts: store.accounts(),
            hasher,
        };
        Self {
            layer: AuthManagerLayerBuilder::new(backend, sessions).build(),
        }
    }

    /// What pages go through.
    pub(crate) fn layer(&self) -> AuthLayer {
        self.layer.clone()
    }

    /// Who the `Cookie` header of a socket's first request stands for.
    ///
    /// # Errors
    ///
    /// [`Unavailable`]
    pub(crate) async fn who(
        &self,
        cookies: &str,
    ) -> Result<Option<(User, SessionTag)>, Unavailable> {
        let mut request = Request::new(());
        if let Ok(cookies) = HeaderValue::from_str(cookies) {
            request.headers_mut().insert(header::COOKIE, cookies);
        }
        let look = service_fn(|request: Request<()>| async move {
            let auth = request.extensions().get::<AuthSession>().cloned();
            Ok::<_, Infallible>(Response::new(auth))
        });
        let answer = self.layer.layer(look).oneshot(request).await;
        let answer = answer.unwrap_or_else(|never| match never {});
        if answer.status() != StatusCode::OK {
            return Err(Unavailable);
        }
        Ok(answer.into_body().and_then(|auth| self.user_of(&auth)))
    }

    /// The user of a session, and the session's name.
    pub(crate) fn user_of(&self, auth: &AuthSession) -> Option<(User, SessionTag)> {
        Some((auth.user.clone()?, SessionTag::of(auth.session.id()?)))
    }

    /// The name of the session that has this id in its cookie.
    pub(crate) fn tag_of(&self, id: &str) -> Option<SessionTag> {
        id.parse().ok().map(SessionTag::of)
    }
}

/// From now on.
pub(crate) fn life(seconds: u32) -> Expiry {
    Expiry::OnInactivity(Duration::seconds(seconds.into()))
}

/// The cookie that carries a session's id.
pub(crate) const COOKIE: &str = "fanfare_session";
