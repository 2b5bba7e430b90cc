//! Cookie: the session's id, for what is between client and server.

use std::fmt::Write;

use fanfare_proto::engineio::Sid;
use http::{HeaderMap, HeaderValue, header};

use crate::config::{Cookie, SameSite};

/// Adds the cookie, its attributes in the reference's order.
///
/// RFC 6265 §4.1.
pub(super) fn set(headers: &mut HeaderMap, cookie: &Cookie, sid: &Sid) {
    match HeaderValue::try_from(encode(cookie, sid.as_str())) {
        Ok(mut value) => {
            value.set_sensitive(true);
            headers.append(header::SET_COOKIE, value);
        }
        Err(_) => tracing::error!(?cookie, "no header can hold the cookie that is set"),
    }
}

fn encode(cookie: &Cookie, sid: &str) -> String {
    let mut text = format!("{}={sid}", cookie.name);
    if let Some(max_age) = cookie.max_age {
        write!(text, "; Max-Age={}", max_age.as_secs()).expect("a String takes all");
    }
    if let Some(domain) = &cookie.domain {
        text += "; Domain=";
        text += domain;
    }
    if let Some(path) = &cookie.path {
        text += "; Path=";
        text += path;
    }
    text += "; HttpOnly";
    if cookie.secure {
        text += "; Secure";
    }
    text += match cookie.same_site {
        SameSite::Strict => "; SameSite=Strict",
        SameSite::Lax => "; SameSite=Lax",
        SameSite::None => "; SameSite=None",
    };
    text
}
