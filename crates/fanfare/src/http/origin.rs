//! Origin: which pages may talk to us, on every transport alike.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use http::{HeaderMap, HeaderValue, header};

use crate::config::Origins;

/// A function that says which origins may connect, for [`Origins::Matching`].
///
/// ```
/// use fanfare::{Config, OriginPredicate, Origins};
///
/// let is_ours = |origin: &str| {
///     let host = origin.strip_prefix("https://");
///     host.is_some_and(|host| host == "example.org" || host.ends_with(".example.org"))
/// };
/// let config = Config {
///     origins: Origins::Matching(OriginPredicate::new(is_ours)),
///     ..Config::default()
/// };
/// ```
#[derive(Clone)]
pub struct OriginPredicate(Arc<dyn Fn(&str) -> bool + Send + Sync>);

impl OriginPredicate {
    /// Asks `is_allowed` about the origin of each request of a foreign page, as the browser writes it:
    /// `https://example.org:8443`, or `null`. It must not block; if it panics, the page is refused.
    pub fn new(is_allowed: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(is_allowed))
    }

    fn allows(&self, origin: &str) -> bool {
        let is_allowed = catch_unwind(AssertUnwindSafe(|| (self.0)(origin)));
        is_allowed.unwrap_or_else(|_| {
            tracing::error!(%origin, "the function that allows origins panicked");
            false
        })
    }
}

/// Whether both are clones of one.
impl PartialEq for OriginPredicate {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for OriginPredicate {}

impl fmt::Debug for OriginPredicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OriginPredicate")
    }
}

/// What a request's origin means for it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    /// It comes from no page, or from a page of this host.
    Same,
    /// It comes from a foreign page that may talk to us; the browser has to be told.
    Foreign(HeaderValue),
    /// It comes from a foreign page.
    Refused,
}

pub(super) fn judge(headers: &HeaderMap, origins: &Origins) -> Verdict {
    let Some(origin) = headers.get(header::ORIGIN) else {
        return Verdict::Same;
    };
    let is_same = origin.to_str().ok().is_some_and(|origin| {
        let host = headers
            .get(header::HOST)
            .and_then(|host| host.to_str().ok());
        let authority = origin.split_once("://").map(|(_, authority)| authority);
        authority
            .is_some_and(|authority| host.is_some_and(|host| authority.eq_ignore_ascii_case(host)))
    });
    if is_same {
        return Verdict::Same;
    }
    let is_allowed = match origins {
        Origins::SameOrigin => false,
        Origins::List(list) => list
            .iter()
            .any(|listed| listed.as_bytes().eq_ignore_ascii_case(origin.as_bytes())),
        Origins::Matching(predicate) => {
            origin.to_str().is_ok_and(|origin| predicate.allows(origin))
        }
        Origins::Any => true,
    };
    match is_allowed {
        true => Verdict::Foreign(origin.clone()),
        false => Verdict::Refused,
    }
}

/// Whether a browser says that another site's page asks for a script. It sends no `Origin` then, and the page
/// could read what the script says.
pub(super) fn is_foreign_script(headers: &HeaderMap) -> bool {
    headers
        .get("sec-fetch-site")
        .is_some_and(|site| matches!(site.as_bytes(), b"cross-site" | b"same-site"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(origin: Option<&'static str>, origins: &Origins, expected: &str) {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static("example.org:3000"));
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, HeaderValue::from_static(origin));
        }
        let actual = match judge(&headers, origins) {
            Verdict::Same => "same",
            Verdict::Foreign(_) => "foreign",
            Verdict::Refused => "refused",
        };
        assert_eq!(actual, expected, "{origin:?}");
    }

    #[test]
    fn only_pages_of_this_host_may_talk_to_it_by_default() {
        check(None, &Origins::SameOrigin, "same");
        check(
            Some("http://example.org:3000"),
            &Origins::SameOrigin,
            "same",
        );
        check(Some("http://example.org"), &Origins::SameOrigin, "refused");
        check(Some("http://evil.example"), &Origins::SameOrigin, "refused");
        check(Some("null"), &Origins::SameOrigin, "refused");
        check(
            Some("http://example.org:3000.evil.example"),
            &Origins::SameOrigin,
            "refused",
        );
    }

    #[test]
    fn listed_pages_may_too() {
        let origins = Origins::List(vec!["https://app.example".to_owned()]);
        check(Some("https://app.example"), &origins, "foreign");
        check(Some("http://app.example"), &origins, "refused");
        check(Some("http://evil.example"), &Origins::Any, "foreign");
    }
}
