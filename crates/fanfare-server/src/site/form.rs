//! Form: what a form was sent with, and what to say when it was none.

use std::time::Duration;

use axum::{Form, extract::rejection::FormRejection, http::StatusCode};
use serde::Deserialize;

/// The fields of all forms; a form has the ones that it needs. Those that are missing are empty.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Fields {
    pub(super) username: String,
    pub(super) password: String,
    pub(super) new_password: String,
}

/// A form as it arrived.
pub(super) type Sent = Result<Form<Fields>, FormRejection>;

/// What is wrong with a form, for the page that shows it again.
#[derive(Debug)]
pub(super) struct Wrong {
    pub(super) status: StatusCode,
    pub(super) why: String,
    /// After how many seconds the same may succeed.
    pub(super) retry_after: Option<u64>,
}

impl Wrong {
    /// The form was readable; something in it breaks a rule.
    pub(super) fn because(why: String) -> Self {
        Self {
            status: StatusCode::UNPROCESSABLE_ENTITY,
            why,
            retry_after: None,
        }
    }

    /// There were too many wrong attempts before.
    pub(super) fn too_often(wait: Duration) -> Self {
        let seconds = wait.as_secs() + 1;
        Self {
            status: StatusCode::TOO_MANY_REQUESTS,
            why: format!("too many wrong attempts: try again in {seconds} s"),
            retry_after: Some(seconds),
        }
    }
}

/// Reads a form that has to have these `fields`.
///
/// # Errors
///
/// [`Wrong`] if it is none.
pub(super) fn read(sent: Sent, fields: &str) -> Result<Fields, Wrong> {
    let rejection = match sent {
        Ok(Form(fields)) => return Ok(fields),
        Err(rejection) => rejection,
    };
    let status = rejection.status();
    let why = match status {
        StatusCode::PAYLOAD_TOO_LARGE => "this is far longer than any name or password".to_owned(),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            "the form has to come as application/x-www-form-urlencoded".to_owned()
        }
        _ => format!("the form has to have {fields}, in UTF-8"),
    };
    Err(Wrong {
        status,
        why,
        retry_after: None,
    })
}
