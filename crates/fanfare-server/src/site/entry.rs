//! Entry: coming as a guest, with a new account or with one that is there, and going.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use axum::{
    Extension,
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Redirect, Response},
};
use fanfare::RemoteAddr;

use super::{
    Site,
    form::{self, Sent, Wrong},
    page, there, unavailable,
};
use crate::{
    auth::{AuthError, AuthSession, Credentials, User, life},
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
        Err(Stop::Auth(error)) => unavailable(&error),
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
        Err(Stop::Auth(error)) => unavailable(&error),
    }
}

/// The name and the password of an account.
pub(super) async fn login(
    State(site): State<Arc<Site>>,
    from: From,
    headers: HeaderMap,
    auth: AuthSession,
    sent: Sent,
) -> Response {
    let fields = match form::read(sent, "the fields username and password, once each") {
        Ok(fields) => fields,
        Err(wrong) => return again(EntryForm::Login, "", &wrong),
    };
    let name = Name::parse(&fields.username).ok();
    let from = site.address(from, &headers);
    match site.check(&auth, from, name, fields.password).await {
        Ok(user) => site.sign_in(auth, &user).await,
        Err(Stop::Wrong(wrong)) => again(EntryForm::Login, &fields.username, &wrong),
        Err(Stop::Auth(error)) => unavailable(&error),
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
    Auth(AuthError),
}

impl Stop {
    pub(super) fn because(why: String) -> Self {
        Self::Wrong(Wrong::because(why))
    }
}

impl<E: Into<AuthError>> std::convert::From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Auth(error.into())
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
        // Asked before it is held, too: an account's name must not be held against its owner.
        self.check_no_account(&name).await?;
        let name = self
            .room
            .reserve(&name, person)
            .await
            .map_err(|wrong| Stop::because(wrong.to_string()))?;
        match self.check_no_account(&name).await {
            Ok(()) => Ok(User::guest(person, name)),
            Err(stop) => {
                self.room.release(&name, person);
                Err(stop)
            }
        }
    }

    async fn check_no_account(&self, name: &Name) -> Result<(), Stop> {
        match self.accounts.by_name(name).await? {
            None => Ok(()),
            Some(_) => Err(Stop::because(format!(
                "the name {name} is taken: an account has it; if it is yours, sign in"
            ))),
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
        let hash = self.hasher.hash(password).await?;
        // A guest may take the name along.
        let holder = match &auth.user {
            Some(user) if !user.id.is_account() && user.name.key() == name.key() => user.id,
            _ => PersonId::new_guest(),
        };
        self.room
            .hold(&name, holder)
            .await
            .map_err(|wrong| Stop::because(wrong.to_string()))?;
        let created = self.accounts.create(&name, hash).await;
        self.room.release(&name, holder);
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
        if let Err(wait) = self.throttle.begin(from, &key).await {
            return Err(Stop::Wrong(Wrong::too_often(wait)));
        }
        let credentials = Credentials { name, password };
        let checked = auth.authenticate(credentials).await;
        match checked.map_err(AuthError::from)? {
            Some(user) => {
                self.throttle.handle_success(from, &key).await;
                Ok(user)
            }
            None => Err(Stop::because(
                "the name or the password is wrong".to_owned(),
            )),
        }
    }

    /// Begins a session of `user`, and ends what this browser had before if it was somebody else's.
    async fn sign_in(&self, mut auth: AuthSession, user: &User) -> Response {
        match self.begin(&mut auth, user).await {
            Ok(()) => Redirect::to("/chat").into_response(),
            Err(error) => unavailable(&error),
        }
    }

    async fn begin(&self, auth: &mut AuthSession, user: &User) -> Result<(), AuthError> {
        if auth.user.as_ref().is_none_or(|old| old.id != user.id) {
            if auth.user.is_some() {
                self.end(auth).await?;
            }
            // Who knew the old session must not know the new one.
            auth.session.cycle_id().await?;
        }
        auth.session.set_expiry(Some(life(self.session_seconds)));
        auth.login(user).await?;
        auth.session.save().await?;
        Ok(())
    }

    /// Ends the browser's session, first in the database.
    pub(super) async fn end(&self, auth: &mut AuthSession) -> Result<(), AuthError> {
        let ended = self.doors.user_of(auth);
        auth.logout().await?;
        if let Some((user, session)) = ended {
            self.room.end_session(session, user.id);
        }
        Ok(())
    }
}

impl Site {
    /// Where a request came from. What stands between on this machine, or is one of our proxies, says it in a header;
    /// behind a listener that says nothing, all come from one place.
    pub(super) fn address(&self, from: From, headers: &HeaderMap) -> IpAddr {
        address(from, headers, &self.proxies)
    }
}

fn address(from: From, headers: &HeaderMap, proxies: &[IpAddr]) -> IpAddr {
    let peer = from.map_or(
        IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        |Extension(RemoteAddr(from))| from.ip().to_canonical(),
    );
    let forwarded = headers.get_all(FORWARDED_FOR).iter().next_back();
    let last = forwarded
        .and_then(|addresses| addresses.to_str().ok()?.split(',').next_back())
        .and_then(|address| address.trim().parse().ok());
    last.filter(|_| peer.is_loopback() || proxies.contains(&peer))
        .unwrap_or(peer)
}

/// The addresses that a request came through, as proxies write them; the last one is what the last proxy saw.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// The form again, with what was typed but the password.
fn again(form: EntryForm, typed: &str, wrong: &Wrong) -> Response {
    let retry_after = wrong
        .retry_after
        .map(|seconds| [(header::RETRY_AFTER, seconds.to_string())]);
    let answer = page(wrong.status, pages::entry(form, typed, &wrong.why));
    (retry_after, answer).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_proxy_of_ours_says_where_a_request_came_from() {
        let proxies = ["10.0.0.1".parse().unwrap()];
        let mut headers = HeaderMap::new();
        headers.append(FORWARDED_FOR, "192.0.2.9, 192.0.2.1".parse().unwrap());
        for (peer, from) in [
            ("10.0.0.1:1", "192.0.2.1"),
            ("127.0.0.1:1", "192.0.2.1"),
            ("[::ffff:10.0.0.1]:1", "192.0.2.1"),
            ("10.0.0.2:1", "10.0.0.2"),
        ] {
            let peer = Some(Extension(RemoteAddr(peer.parse().unwrap())));
            assert_eq!(address(peer, &headers, &proxies).to_string(), from);
        }
    }
}
