//! Where a server is.

use std::{fmt, str::FromStr};

use http::Uri;

/// A server's address, as in `http://127.0.0.1:3000`.
///
/// It has no path: where on the server Socket.IO answers is [`Options::path`](crate::Options::path), and which
/// namespace is meant is [`Options::namespace`](crate::Options::namespace).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Address {
    /// A name or an IP address; one of version 6 keeps its brackets.
    host: String,
    port: u16,
}

impl Address {
    /// `host:port`, for the `Host` header and for the resolver.
    pub fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(url: &str) -> Result<Self, AddressError> {
        let uri: Uri = url.parse().map_err(|_| AddressError::NotAUrl)?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https" | "wss") => return Err(AddressError::Tls),
            Some(_) | None => return Err(AddressError::NotAUrl),
        }
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(AddressError::Path);
        }
        let host = uri.host().ok_or(AddressError::NotAUrl)?.to_owned();
        let port = uri.port_u16().unwrap_or(80);
        Ok(Self { host, port })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}:{}", self.host, self.port)
    }
}

/// Why a text is no [`Address`].
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// It does not begin with `http://` and a host.
    #[error("an address looks like http://127.0.0.1:3000")]
    NotAUrl,
    /// It begins with `https://` or `wss://`.
    #[error("https is not spoken yet, only http")]
    Tls,
    /// Something follows host and port.
    #[error("an address ends after its port; a path or query does not belong to it")]
    Path,
}

#[cfg(test)]
mod tests {
    use super::{Address, AddressError};

    #[track_caller]
    fn check(url: &str, expected: Result<&str, AddressError>) {
        let actual = url.parse::<Address>().map(|address| address.authority());
        assert_eq!(actual, expected.map(str::to_owned), "parsing {url:?}");
    }

    #[test]
    fn an_address_is_a_host_and_a_port() {
        check("http://127.0.0.1:3000", Ok("127.0.0.1:3000"));
        check("http://localhost:3000/", Ok("localhost:3000"));
        check("http://[::1]:3000", Ok("[::1]:3000"));
        check("http://example.org", Ok("example.org:80"));
    }

    #[test]
    fn anything_else_is_told_apart() {
        check("127.0.0.1:3000", Err(AddressError::NotAUrl));
        check("localhost", Err(AddressError::NotAUrl));
        check("", Err(AddressError::NotAUrl));
        check("ftp://example.org", Err(AddressError::NotAUrl));
        check("http://", Err(AddressError::NotAUrl));
        check("https://example.org", Err(AddressError::Tls));
        check("http://localhost:3000/chat", Err(AddressError::Path));
        check("http://localhost:3000/?room=1", Err(AddressError::Path));
    }
}
