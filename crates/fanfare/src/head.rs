//! Head: what a session keeps of its first request.

use std::net::SocketAddr;

use http::{request::Parts, uri::Scheme};

use crate::http::OverTls;

/// The target and the headers of a session's first request, in one allocation of their size.
///
/// A copy: the HTTP library's own header values would keep its whole read buffer alive.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    /// The target, then `name:value` for each header, a line each.
    lines: Box<str>,
    remote: Option<SocketAddr>,
    is_secure: bool,
}

impl Head {
    /// Keeps as many whole headers as fit into `max_bytes`; values that are no text are left out.
    pub(crate) fn new(parts: &Parts, remote: Option<SocketAddr>, max_bytes: usize) -> Self {
        let target = parts
            .uri
            .path_and_query()
            .map_or("/", |target| target.as_str());
        let mut kept = Vec::with_capacity(parts.headers.len());
        let mut bytes = target.len().min(max_bytes);
        while !target.is_char_boundary(bytes) {
            bytes -= 1;
        }
        let target = &target[..bytes];
        for (name, value) in &parts.headers {
            let Ok(value) = std::str::from_utf8(value.as_bytes()) else {
                continue;
            };
            let more = name.as_str().len() + value.len() + 2;
            if bytes + more <= max_bytes {
                bytes += more;
                kept.push((name.as_str(), value));
            }
        }
        // Of its size from the start: an allocator need not take back what a string is shrunk by.
        let mut lines = String::with_capacity(bytes);
        lines.push_str(target);
        for (name, value) in kept {
            lines.extend(["\n", name, ":", value]);
        }
        let is_https = parts.uri.scheme() == Some(&Scheme::HTTPS);
        Self {
            lines: lines.into_boxed_str(),
            remote,
            is_secure: is_https || parts.extensions.get::<OverTls>().is_some(),
        }
    }

    pub(crate) fn target(&self) -> &str {
        self.lines.lines().next().unwrap_or_default()
    }

    /// Names in lower case, and values.
    pub(crate) fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let lines = self.lines.lines().skip(1);
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
        self.remote
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(max_bytes: usize) -> Head {
        let request = http::Request::get("/socket.io/?EIO=4")
            .header("Cookie", "a=b")
            .header("Host", "here");
        Head::new(&request.body(()).unwrap().into_parts().0, None, max_bytes)
    }

    #[test]
    fn headers_are_found_in_any_case() {
        assert_eq!(head(4096).target(), "/socket.io/?EIO=4");
        assert_eq!(head(4096).header("cOOkie"), Some("a=b"));
        assert_eq!(head(4096).header("origin"), None);
    }

    #[test]
    fn a_header_that_does_not_fit_is_left_out_whole() {
        let head = head(27);
        assert_eq!(head.header("cookie"), None);
        assert_eq!(head.header("host"), Some("here"));
    }
}
