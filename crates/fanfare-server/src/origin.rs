//! Origin: whether a form was sent from a page of ours.

use axum::http::{HeaderMap, HeaderName, header};

/// Whether the request comes from a page of this host, from a page of one of the `allowed`
/// origins, or from no page at all: the rule that sockets obey too. An old browser that says
/// nothing of either is believed, its cookie stays at home with `SameSite`.
pub(crate) fn is_ours(headers: &HeaderMap, allowed: &[String]) -> bool {
    let text = |name: HeaderName| {
        headers
            .get(name)
            .map(|value| value.to_str().unwrap_or_default())
    };
    match text(header::ORIGIN) {
        Some(origin) => {
            let authority = origin.split_once("://").map(|(_, authority)| authority);
            let host = text(header::HOST);
            authority
                .zip(host)
                .is_some_and(|(authority, host)| authority.eq_ignore_ascii_case(host))
                || allowed
                    .iter()
                    .any(|allowed| allowed.eq_ignore_ascii_case(origin))
        }
        None => matches!(text(SEC_FETCH_SITE), None | Some("same-origin" | "none")),
    }
}

/// What browsers say of the page that a request comes from, even where they send no `Origin`.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[track_caller]
    fn check(origin: &str, site: &str, expected: bool) {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static("localhost:3000"));
        for (name, value) in [(header::ORIGIN, origin), (SEC_FETCH_SITE, site)] {
            if !value.is_empty() {
                headers.insert(name, value.parse().unwrap());
            }
        }
        let allowed = ["https://friend.example".to_owned()];
        assert_eq!(
            is_ours(&headers, &allowed),
            expected,
            "origin {origin:?}, site {site:?}"
        );
    }

    #[test]
    fn our_own_pages_and_programs_may_send_forms() {
        check("http://localhost:3000", "same-origin", true);
        check("http://LOCALHOST:3000", "", true);
        check("https://friend.example", "cross-site", true);
        check("", "same-origin", true);
        check("", "none", true);
        check("", "", true);
    }

    #[test]
    fn foreign_pages_may_not() {
        check("http://evil.example", "cross-site", false);
        check("http://localhost:3001", "same-site", false);
        check("http://localhost", "", false);
        check("null", "", false);
        check("", "cross-site", false);
        check("", "same-site", false);
        check("é", "same-origin", false);
        check("http://friend.example", "", false);
    }
}
