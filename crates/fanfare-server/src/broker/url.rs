//! Url: where a Redis server is.

use std::{fmt, str::FromStr};

use fanfare_redis::{BadUrl, RedisAdapter};
use redis::{Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _};

use crate::store::Secret;

/// `redis://HOST:PORT`, which has been read once. Neither `Debug` nor `Display` shows the password.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Url(Secret<String>);

impl Url {
    pub(super) fn client(&self) -> Client {
        Client::open(&*self.0.0).expect("it has been read before")
    }

    /// What joins the nodes that have this server in common.
    ///
    /// # Errors
    ///
    /// If it is not understood.
    pub(crate) fn adapter(&self) -> Result<RedisAdapter, BadUrl> {
        RedisAdapter::new(&self.0.0)
    }

    fn info(&self) -> ConnectionInfo {
        let info = self.0.0.as_str().into_connection_info();
        info.expect("it has been read before")
    }
}

impl FromStr for Url {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if !text.starts_with("redis:") && !text.starts_with("rediss:") {
            return Err(NEEDED.to_owned());
        }
        match Client::open(text) {
            Ok(_) => Ok(Self(Secret(text.to_owned()))),
            Err(error) => Err(format!("{error}; {NEEDED}")),
        }
    }
}

/// The server without secrets: `redis://HOST:PORT/NUMBER`, or `rediss://` if it is over TLS.
impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let info = self.info();
        let number = info.redis_settings().db();
        match info.addr() {
            ConnectionAddr::Tcp(host, port) => write!(f, "redis://{host}:{port}/{number}"),
            ConnectionAddr::TcpTls { host, port, .. } => {
                write!(f, "rediss://{host}:{port}/{number}")
            }
            other => write!(f, "redis://{other}/{number}"),
        }
    }
}

const NEEDED: &str = "a Redis server is named as redis://HOST:PORT, or rediss://HOST:PORT for TLS, such as redis://127.0.0.1:6379";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_a_server_and_hides_its_password() {
        let url: Url = "redis://anna:secret@redis.example.org/3".parse().unwrap();
        assert_eq!(url.to_string(), "redis://redis.example.org:6379/3");
        assert!(!format!("{url:?}").contains("secret"));
        let url: Url = "rediss://:secret@redis.example.org".parse().unwrap();
        assert_eq!(url.to_string(), "rediss://redis.example.org:6379/0");
        for (wrong, why) in [
            ("127.0.0.1:6379", "redis://HOST:PORT"),
            ("http://127.0.0.1", "redis://HOST:PORT"),
            ("redis://127.0.0.1:99999", "redis://HOST:PORT"),
        ] {
            let said = wrong.parse::<Url>().unwrap_err();
            assert!(said.contains(why), "{said}");
        }
    }
}
