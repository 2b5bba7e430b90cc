//! Entry: coming as a guest, with a new account or with one that is there, and going.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Instant,
};

use axum::{
    Extension,
    extract::State,
    http::header,
    response::{IntoResponse, Redirect, Response},
};
use fanfare::RemoteAddr;
use tower_sessions::session;

use super::{
    Site,
    form::{self, Sent, Wrong},
    page, there, unavailable,
};
use crate::{
    auth::{AuthSession, Credentials, User, life},
    names::Name,
    pages::{self, EntryForm},
    password::Password,
    person::PersonId,
    store::CreateError,
};

type From = Option<Extension<RemoteAddr>>;

pub(super) async fn guest_page() -> Response {
    page(there(), pages::entry(EntryForm::Guest, "", ""))
}

pub(super) async fn register_page() -> Response {
    page(there(), pages::entry(EntryForm::Register, "", ""))
}

pub(super) async fn login_page() -> Response {
    page(there(), pages::entry(EntryForm::Login, "", ""))
}

/// A name alone: a guest.
pub(super) async fn enter(
    State(site): State<Arc<Site>>,
    auth: AuthSession,
    sent: Sent,
) -> Response {
    let typed = match form::read(sent, "one field, username") {
        Ok(fields) => fields.username,
        Err(wrong) => return again(EntryForm::Guest, "", &wrong),
    };
    match site.enter(&auth, &typed).await {
        Ok(user) => site.sign_in(auth, &user).await,
        Err(Stop::Wrong(wrong)) => again(EntryForm::Guest, &typed, &wrong),
        Err(Stop::Store(error)) => unavailable(&error),
    }
}

/// A name and a new password: an account.
pub(super) async fn register(
    State(site): State<Arc<Site>>,
    auth: AuthSession,
    sent: Sent,
) -> Response {
    let fields = match form::read(sent, "the fields username and password, once each") {
        Ok(fields) => fields,
        Err(wrong) => return again(EntryForm::Register, "", &wrong),
    };
    match site
        .register(&auth, &fields.username, fields.password)
        .await
    {
        Ok(user) => site.sign_in(auth, &user).await,
        Err(Stop::Wrong(wrong)) => again(EntryForm::Register, &fields.username, &wrong),
        Err(Stop::Store(error)) => unavailable(&error),
    }
}

/// The name and the password of an account.
pub(super) async fn login(
    State(site): State<Arc<Site>>,
    from: From,
    auth: AuthSession,
    sent: Sent,
) -> Response {
    let fields = match form::read(sent, "the fields username and password, once each") {
        Ok(fields) => fields,
        Err(wrong) => return again(EntryForm::Login, "", &wrong),
    };
    let name = Name::parse(&fields.username).ok();
    let from = address(from);
    match site.check(&auth, from, name, fields.password).await {
        Ok(user) => site.sign_in(auth, &user).await,
        Err(Stop::Wrong(wrong)) => again(EntryForm::Login, &fields.username, &wrong),
        Err(Stop::Store(error)) => unavailable(&error),
    }
}

pub(super) async fn log_out(State(site): State<Arc<Site>>, mut auth: AuthSession) -> Response {
    match site.end(&mut auth).await {
        Ok(()) => Redirect::to("/").into_response(),
        Err(error) => unavailable(&error),
    }
}

/// Why somebody is not let in.
pub(super) enum Stop {
    Wrong(Wrong),
    Store(sqlx::Error),
}

impl Stop {
    pub(super) fn because(why: String) -> Self {
        Self::Wrong(Wrong::because(why))
    }
}

impl std::convert::From<sqlx::Error> for Stop {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error)
    }
}

impl Site {
    async fn enter(&self, auth: &AuthSession, typed: &str) -> Result<User, Stop> {
        let name = Name::parse(typed).map_err(|wrong| Stop::because(wrong.to_string()))?;
        let person = match &auth.user {
            // The same guest, perhaps after a while: pages that are open stay.
            Some(user) if !user.id.is_account() && user.name.key() == name.key() => user.id,
            _ => PersonId::new_guest(),
        };
        let name = self
            .room
            .reserve(&name, person)
            .map_err(|wrong| Stop::because(wrong.to_string()))?;
        match self.accounts.by_name(&name).await {
            Ok(None) => Ok(User::guest(person, name)),
            found => {
                self.room.release(person);
                found?;
                Err(Stop::because(format!(
                    "the name {name} is taken: an account has it; if it is yours, sign in"
                )))
            }
        }
    }

    async fn register(
        &self,
        auth: &AuthSession,
        typed: &str,
        password: String,
    ) -> Result<User, Stop> {
        let name = Name::parse(typed).map_err(|wrong| Stop::because(wrong.to_string()))?;
        let password =
            Password::choose(password, &name).map_err(|wrong| Stop::because(wrong.to_string()))?;
        let hash = self.hasher.hash(password).await;
        // A guest may take the name along.
        let holder = match &auth.user {
            Some(user) if !user.id.is_account() && user.name.key() == name.key() => user.id,
            _ => PersonId::new_guest(),
        };
        self.room
            .reserve(&name, holder)
            .map_err(|wrong| Stop::because(wrong.to_string()))?;
        let created = self.accounts.create(&name, hash).await;
        self.room.release(holder);
        match created {
            Ok(account) => Ok(account.into()),
            Err(CreateError::Store(error)) => Err(error.into()),
            Err(taken @ CreateError::Taken(_)) => Err(Stop::because(taken.to_string())),
        }
    }

    /// Whether the password is the account's. Wrong ones cost time.
    pub(super) async fn check(
        &self,
        auth: &AuthSession,
        from: IpAddr,
        name: Option<Name>,
        password: String,
    ) -> Result<User, Stop> {
        let key = name.as_ref().map_or("", Name::key).to_owned();
        if let Some(wait) = self.throttle().wait(from, &key, Instant::now()) {
            return Err(Stop::Wrong(Wrong::too_often(wait)));
        }
        let credentials = Credentials { name, password };
        let checked = auth.authenticate(credentials).await;
        match checked.map_err(store_error)? {
            Some(user) => {
                self.throttle().handle_success(from, &key);
                Ok(user)
            }
            None => {
                self.throttle().handle_failure(from, &key, Instant::now());
                Err(Stop::because(
                    "the name or the password is wrong".to_owned(),
                ))
            }
        }
    }

    /// Begins a session of `user`, and ends what this browser had before if it was somebody else's.
    async fn sign_in(&self, mut auth: AuthSession, user: &User) -> Response {
        let is_another = auth.user.as_ref().is_some_and(|old| old.id != user.id);
        let begun = async {
            if is_another {
                self.end(&mut auth).await?;
                // Who knew the old session must not know the new one.
                auth.session
                    .cycle_id()
                    .await
                    .map_err(|error| session_error(&error))?;
            }
            auth.session.set_expiry(Some(life(self.session_seconds)));
            auth.login(user).await.map_err(store_error)
        };
        match begun.await {
            Ok(()) => Redirect::to("/chat").into_response(),
            Err(error) => unavailable(&error),
        }
    }

    /// Ends the browser's session, first in the database.
    pub(super) async fn end(&self, auth: &mut AuthSession) -> Result<(), sqlx::Error> {
        let ended = self.doors.user_of(auth);
        auth.logout().await.map_err(store_error)?;
        if let Some((user, session)) = ended {
            self.room.end_session(session, user.id);
        }
        Ok(())
    }
}

/// Both of axum-login's errors come from the database.
pub(super) fn store_error(error: axum_login::Error<crate::auth::Backend>) -> sqlx::Error {
    match error {
        axum_login::Error::Backend(error) => error,
        axum_login::Error::Session(error) => session_error(&error),
    }
}

pub(super) fn session_error(error: &session::Error) -> sqlx::Error {
    sqlx::Error::Protocol(error.to_string())
}

/// Where a request came from; behind a listener that does not say, all come from one place.
pub(super) fn address(from: From) -> IpAddr {
    from.map_or(
        IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        |Extension(RemoteAddr(from))| from.ip(),
    )
}

/// The form again, with what was typed but the password.
fn again(form: EntryForm, typed: &str, wrong: &Wrong) -> Response {
    let retry_after = wrong
        .retry_after
        .map(|seconds| [(header::RETRY_AFTER, seconds.to_string())]);
    let answer = page(wrong.status, pages::entry(form, typed, &wrong.why));
    (retry_after, answer).into_response()
}
