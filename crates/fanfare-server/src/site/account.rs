//! Account: another name, another password, or no account any more.

use std::{net::IpAddr, sync::Arc};

use axum::{
    Extension,
    extract::{Query, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Redirect, Response},
};
use fanfare::RemoteAddr;
use serde::Deserialize;

use super::{
    Site,
    entry::Stop,
    form::{self, Sent, Wrong},
    there, unavailable,
};
use crate::{
    auth::{AuthSession, User},
    names::Name,
    pages::{self, AccountForm},
    password::Password,
    person::PersonId,
    store::CreateError,
};

/// What has just been done, as the redirection says it.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Notice {
    done: String,
}

pub(super) async fn page(auth: AuthSession, Query(Notice { done }): Query<Notice>) -> Response {
    let Some((_, user)) = account_of(&auth) else {
        return Redirect::to("/").into_response();
    };
    let done = match &*done {
        "name" => "Your name is changed.",
        "password" => "Your password is changed. Other browsers have been signed out.",
        _ => "",
    };
    super::page(there(), pages::account(user.name.as_str(), None, done))
}

pub(super) async fn rename(
    State(site): State<Arc<Site>>,
    auth: AuthSession,
    sent: Sent,
) -> Response {
    let Some((id, user)) = account_of(&auth) else {
        return Redirect::to("/").into_response();
    };
    let typed = match form::read(sent, "one field, username") {
        Ok(fields) => fields.username,
        Err(wrong) => return again(AccountForm::Name, user.name.as_str(), &wrong),
    };
    let renamed = site.rename(id, &typed).await;
    answer(renamed, "/account?done=name", AccountForm::Name, &typed)
}

pub(super) async fn change_password(
    State(site): State<Arc<Site>>,
    from: Option<Extension<RemoteAddr>>,
    headers: HeaderMap,
    auth: AuthSession,
    sent: Sent,
) -> Response {
    let Some((id, user)) = account_of(&auth) else {
        return Redirect::to("/").into_response();
    };
    let name = user.name.clone();
    let fields = match form::read(sent, "the fields password and new_password, once each") {
        Ok(fields) => fields,
        Err(wrong) => return again(AccountForm::Password, name.as_str(), &wrong),
    };
    let changed = site
        .change_password(
            auth,
            id,
            site.address(from, &headers),
            fields.password,
            fields.new_password,
        )
        .await;
    let to = "/account?done=password";
    answer(changed, to, AccountForm::Password, name.as_str())
}

pub(super) async fn delete(
    State(site): State<Arc<Site>>,
    from: Option<Extension<RemoteAddr>>,
    headers: HeaderMap,
    auth: AuthSession,
    sent: Sent,
) -> Response {
    let Some((id, user)) = account_of(&auth) else {
        return Redirect::to("/").into_response();
    };
    let name = user.name.clone();
    let password = match form::read(sent, "one field, password") {
        Ok(fields) => fields.password,
        Err(wrong) => return again(AccountForm::Delete, name.as_str(), &wrong),
    };
    let deleted = site
        .delete(auth, id, site.address(from, &headers), password)
        .await;
    answer(deleted, "/", AccountForm::Delete, name.as_str())
}

impl Site {
    async fn rename(&self, id: i64, typed: &str) -> Result<(), Stop> {
        let name = Name::parse(typed).map_err(|wrong| Stop::because(wrong.to_string()))?;
        let person = PersonId::Account(id);
        // Held against guests by somebody who is not here, until the account has it. If the account
        // holds it already, only its spelling changes.
        let reservation = PersonId::new_guest();
        let is_own = self
            .accounts
            .by_name(&name)
            .await?
            .is_some_and(|account| account.id == id);
        if !is_own {
            self.room
                .hold(&name, reservation)
                .await
                .map_err(|wrong| Stop::because(wrong.to_string()))?;
        }
        match self.accounts.rename(id, &name).await {
            Ok(()) => {
                self.room.rename(person, &name, reservation);
                Ok(())
            }
            Err(error) => {
                self.room.release(&name, reservation);
                Err(match error {
                    CreateError::Store(error) => error.into(),
                    taken @ CreateError::Taken(_) => Stop::because(taken.to_string()),
                })
            }
        }
    }

    async fn change_password(
        &self,
        mut auth: AuthSession,
        id: i64,
        from: IpAddr,
        old: String,
        new: String,
    ) -> Result<(), Stop> {
        let user = self.check_own(&auth, from, old).await?;
        let password =
            Password::choose(new, &user.name).map_err(|wrong| Stop::because(wrong.to_string()))?;
        let hash = self.hasher.hash(password).await?;
        let here = self.doors.user_of(&auth);
        self.accounts.set_password(id, &hash).await?;
        // From here on the old sessions are nobody's, whatever becomes of this one.
        if let Some((user, session)) = here {
            self.room.end_other_sessions(user.id, session);
        }
        if let Some(account) = self.accounts.by_id(id).await? {
            // This session goes on, with the new stamp.
            auth.login(&account.into()).await?;
            auth.session.save().await?;
        }
        Ok(())
    }

    async fn delete(
        &self,
        mut auth: AuthSession,
        id: i64,
        from: IpAddr,
        password: String,
    ) -> Result<(), Stop> {
        self.check_own(&auth, from, password).await?;
        self.accounts.delete(id).await?;
        self.room.end_person(PersonId::Account(id));
        auth.logout().await?;
        Ok(())
    }

    /// Whether `password` is the one of who is signed in. Wrong ones cost time here, too.
    async fn check_own(
        &self,
        auth: &AuthSession,
        from: IpAddr,
        password: String,
    ) -> Result<User, Stop> {
        let name = auth.user.as_ref().map(|user| user.name.clone());
        let checked = self.check(auth, from, name, password).await;
        checked.map_err(|stop| match stop {
            Stop::Wrong(wrong) if wrong.status == StatusCode::UNPROCESSABLE_ENTITY => {
                Stop::because("the password is not yours".to_owned())
            }
            stop => stop,
        })
    }
}

/// Who is signed in, if it is with an account, and the account's number.
fn account_of(auth: &AuthSession) -> Option<(i64, &User)> {
    let user = auth.user.as_ref()?;
    match user.id {
        PersonId::Account(id) => Some((id, user)),
        PersonId::Guest(_) => None,
    }
}

/// On to where it is done, or the page again with what is wrong.
fn answer(done: Result<(), Stop>, to: &str, form: AccountForm, name: &str) -> Response {
    match done {
        Ok(()) => Redirect::to(to).into_response(),
        Err(Stop::Wrong(wrong)) => again(form, name, &wrong),
        Err(Stop::Auth(error)) => unavailable(&error),
    }
}

fn again(form: AccountForm, name: &str, wrong: &Wrong) -> Response {
    super::page(
        wrong.status,
        pages::account(name, Some((form, &wrong.why)), ""),
    )
}
