//! CORS: what browsers are told that foreign pages may do, in the reference's headers.
//!
//! [Fetch, CORS protocol](https://fetch.spec.whatwg.org/#http-cors-protocol). Whether a page may connect at all is
//! decided in `origin.rs`.

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};

use super::{answer::Ours, origin::Verdict, policy::Policy};
use crate::config::{Cors, Origins};

/// Whether the browser asks what a page may send. Nothing else is looked at then.
pub(super) fn is_preflight(policy: &Policy<'_>, method: &Method, verdict: &Verdict) -> bool {
    *method == Method::OPTIONS
        && *policy.origins != Origins::SameOrigin
        && *verdict != Verdict::Refused
}

/// Adds what a page may send to the answer of a preflight.
pub(super) fn permit(answer: &mut HeaderMap, cors: &Cors, asked: &HeaderMap) {
    let methods = cors.methods.iter().map(Method::as_str);
    insert_list(answer, header::ACCESS_CONTROL_ALLOW_METHODS, methods);
    match &cors.allowed_headers {
        Some(allowed) => {
            let allowed = allowed.iter().map(HeaderName::as_str);
            insert_list(answer, header::ACCESS_CONTROL_ALLOW_HEADERS, allowed);
        }
        None => {
            vary(answer, "Access-Control-Request-Headers");
            if let Some(wanted) = asked.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
                answer.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
            }
        }
    }
    if let Some(max_age) = cors.max_age {
        answer.insert(header::ACCESS_CONTROL_MAX_AGE, max_age.as_secs().into());
    }
}

/// Lets a page that may read the answer do so.
pub(super) fn share(answer: &mut Ours, verdict: &Verdict, policy: &Policy<'_>) {
    let headers = answer.headers_mut();
    let cors = &*policy.cors;
    let Some(origin) = named_origin(headers, verdict, policy) else {
        return;
    };
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    if cors.credentials {
        let credentials = HeaderValue::from_static("true");
        headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, credentials);
    }
    let exposed = cors.exposed_headers.iter().map(HeaderName::as_str);
    insert_list(headers, header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
}

/// The origin that the answer is to name, if any. Caches are told if it depends on who asks.
fn named_origin(
    headers: &mut HeaderMap,
    verdict: &Verdict,
    policy: &Policy<'_>,
) -> Option<HeaderValue> {
    let cors = &*policy.cors;
    if *policy.origins == Origins::SameOrigin {
        return None;
    }
    // Browsers take no asterisk for an answer to a request with cookies.
    if *policy.origins == Origins::Any && cors.fixed_origin.is_none() && !cors.credentials {
        return Some(HeaderValue::from_static("*"));
    }
    vary(headers, "Origin");
    match (&cors.fixed_origin, verdict) {
        (Some(fixed), _) => Some(fixed.clone()),
        (None, Verdict::Foreign(origin)) => Some(origin.clone()),
        (None, Verdict::Same | Verdict::Refused) => None,
    }
}

fn insert_list<'a>(
    headers: &mut HeaderMap,
    name: HeaderName,
    values: impl Iterator<Item = &'a str>,
) {
    let list = values.collect::<Vec<_>>().join(",");
    if list.is_empty() {
        return;
    }
    let list = HeaderValue::try_from(list).expect("methods and names of headers are tokens");
    headers.insert(name, list);
}

fn vary(headers: &mut HeaderMap, on: &'static str) {
    headers.append(header::VARY, HeaderValue::from_static(on));
}
