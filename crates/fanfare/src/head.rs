//! Head: what a session keeps of its first request.

use std::{
    collections::HashSet,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use http::{HeaderName, header, request::Parts, uri::Scheme};

use crate::http::OverTls;

/// Where a session's first request came from, its target and its headers.
///
/// A copy: the HTTP library's own header values would keep its whole read buffer alive.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    /// The client's address or nothing, the target, then `name:value` for each header that is its own, a line each.
    own: Box<str>,
    /// The headers that others send alike, a line each.
    alike: Arc<str>,
    is_secure: bool,
}

/// Headers that many clients send alike, kept once for all of them: what one browser says of itself and its page is the larger part of a
/// request.
#[derive(Default)]
pub(crate) struct Alike(Mutex<HashSet<Arc<str>>>);

impl Head {
    /// Keeps as many whole headers as fit into `max_bytes`; values that are no text are left out.
    pub(crate) fn new(
        parts: &Parts,
        remote: Option<SocketAddr>,
        max_bytes: usize,
        known: &Alike,
    ) -> Self {
        let target = parts
            .uri
            .path_and_query()
            .map_or("/", |target| target.as_str());
        let mut left = max_bytes;
        let mut ends = (0..=left.min(target.len())).rev();
        let end = ends.find(|end| target.is_char_boundary(*end));
        let target = &target[..end.unwrap_or_default()];
        left -= target.len();
        let mut own = remote.map_or_else(String::new, |remote| remote.to_string());
        own.extend(["\n", target]);
        let mut alike = String::new();
        for (name, value) in &parts.headers {
            let Ok(value) = std::str::from_utf8(value.as_bytes()) else {
                continue;
            };
            let line = ["\n", name.as_str(), ":", value];
            let bytes = line.iter().map(|part| part.len()).sum();
            let Some(rest) = left.checked_sub(bytes) else {
                continue;
            };
            left = rest;
            match OWN.contains(name) {
                true => own.extend(line),
                false => alike.extend(line),
            }
        }
        let is_https = parts.uri.scheme() == Some(&Scheme::HTTPS);
        Self {
            // A copy of its size: an allocator need not take back what a string is shrunk by.
            own: own.as_str().into(),
            alike: known.share(&alike),
            is_secure: is_https || parts.extensions.get::<OverTls>().is_some(),
        }
    }

    pub(crate) fn target(&self) -> &str {
        self.own.lines().nth(1).unwrap_or_default()
    }

    /// Names in lower case, and values.
    pub(crate) fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let lines = self.alike.lines().chain(self.own.lines().skip(2));
        lines.filter_map(|line| line.split_once(':'))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    pub(crate) fn is_secure(&self) -> bool {
        self.is_secure
    }

    pub(crate) fn remote_addr(&self) -> Option<SocketAddr> {
        self.own.lines().next()?.parse().ok()
    }
}

impl Alike {
    fn share(&self, headers: &str) -> Arc<str> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(headers) = known.get(headers) {
            return headers.clone();
        }
        if known.len() >= MAX_KNOWN {
            known.retain(|headers| Arc::strong_count(headers) > 1);
            // Whoever has them keeps them; they are no longer shared with who comes. To look for little room each time would take long.
            if known.len() > MAX_KNOWN / 2 {
                known.clear();
            }
        }
        let headers: Arc<str> = headers.into();
        known.insert(headers.clone());
        headers
    }
}

/// What tells clients apart, or requests of one: with these among the others, hardly any two would be alike.
const OWN: [HeaderName; 13] = [
    header::AUTHORIZATION,
    header::COOKIE,
    header::FORWARDED,
    header::SEC_WEBSOCKET_KEY,
    HeaderName::from_static("cf-connecting-ip"),
    HeaderName::from_static("cf-ray"),
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("true-client-ip"),
    HeaderName::from_static("x-amzn-trace-id"),
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-forwarded-port"),
    HeaderName::from_static("x-real-ip"),
    HeaderName::from_static("x-request-id"),
];
/// More than there are browsers in versions and languages. With 4 KiB each, 4 MiB.
const MAX_KNOWN: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    fn head(max_bytes: usize) -> Head {
        head_of("a=b", max_bytes, &Alike::default())
    }

    fn head_of(cookie: &str, max_bytes: usize, known: &Alike) -> Head {
        let request = http::Request::get("/socket.io/?EIO=4")
            .header("Cookie", cookie)
            .header("Host", "here");
        let remote = Some(SocketAddr::from(([127, 0, 0, 1], 3000)));
        let parts = request.body(()).unwrap().into_parts().0;
        Head::new(&parts, remote, max_bytes, known)
    }

    #[test]
    fn headers_are_found_in_any_case() {
        assert_eq!(head(4096).target(), "/socket.io/?EIO=4");
        assert_eq!(head(4096).header("cOOkie"), Some("a=b"));
        assert_eq!(head(4096).header("hOst"), Some("here"));
        assert_eq!(head(4096).header("origin"), None);
        assert_eq!(head(4096).headers().count(), 2);
    }

    #[test]
    fn the_address_is_kept() {
        let expected = SocketAddr::from(([127, 0, 0, 1], 3000));
        assert_eq!(head(0).remote_addr(), Some(expected));
    }

    #[test]
    fn a_header_that_does_not_fit_is_left_out_whole() {
        let head = head(27);
        assert_eq!(head.header("cookie"), None);
        assert_eq!(head.header("host"), Some("here"));
    }

    #[test]
    fn what_clients_send_alike_is_kept_once() {
        let known = Alike::default();
        let [a, b] = ["a=1", "a=2"].map(|cookie| head_of(cookie, 4096, &known));
        assert!(Arc::ptr_eq(&a.alike, &b.alike));
        assert_eq!(
            [a, b].map(|head| head.header("cookie").map(str::to_owned)),
            [Some("a=1".to_owned()), Some("a=2".to_owned())]
        );
    }

    #[test]
    fn what_nobody_sends_any_more_is_forgotten() {
        let known = Alike::default();
        let kept: Vec<_> = (0..10).map(|n| known.share(&n.to_string())).collect();
        for n in 0..5 * MAX_KNOWN {
            drop(known.share(&format!("gone {n}")));
        }
        assert!(known.0.lock().unwrap().len() <= MAX_KNOWN);
        assert!(Arc::ptr_eq(&kept[0], &known.share("0")));
    }
}
