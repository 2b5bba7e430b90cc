//! Url: where a PostgreSQL server is, and who we are there.

use std::{fmt, str::FromStr as _};

use sqlx::postgres::PgConnectOptions;

use crate::store::Secret;

/// `postgres://USER:PASSWORD@HOST/NAME`, which has been read once. Neither `Debug` nor `Display` shows the password.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Url(Secret<String>);

impl Url {
    /// Reads it, if it is of this kind.
    pub(crate) fn parse(text: &str) -> Option<Result<Self, String>> {
        let rest = ["postgres://", "postgresql://"]
            .into_iter()
            .find_map(|scheme| text.strip_prefix(scheme))?;
        let checked = PgConnectOptions::from_str(text)
            .map_err(|error| match error {
                sqlx::Error::Configuration(why) => why.to_string(),
                error => error.to_string(),
            })
            .and_then(|options| check(rest, &options));
        Some(match checked {
            Ok(()) => Ok(Self(Secret(text.to_owned()))),
            Err(why) => Err(format!(
                "{why}; a database of PostgreSQL is named as postgres://USER:PASSWORD@HOST/NAME"
            )),
        })
    }

    pub(super) fn options(&self) -> PgConnectOptions {
        PgConnectOptions::from_str(&self.0.0).expect("it has been read before")
    }
}

/// What would be read, and not be what was meant.
fn check(rest: &str, options: &PgConnectOptions) -> Result<(), String> {
    if options.get_database().is_none_or(str::is_empty) {
        return Err("this names no database".to_owned());
    }
    let query = rest.split_once('?').map_or("", |(_, query)| query);
    let mut names = query.split('&').filter(|pair| !pair.is_empty());
    let unknown = names
        .by_ref()
        .map(|pair| pair.split('=').next().unwrap_or_default())
        .find(|name| !PARAMETERS.contains(name) && !name.starts_with("options["));
    match unknown {
        Some(name) => Err(format!("'{name}' is no parameter of a connection")),
        None => Ok(()),
    }
}

/// The server without secrets: `postgres://USER@HOST:PORT/NAME`.
impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options = self.options();
        let user = options.get_username();
        let name = options.get_database().unwrap_or_default();
        match options.get_socket() {
            Some(socket) => write!(f, "postgres://{user}@/{name}?host={}", socket.display()),
            None => {
                let (host, port) = (options.get_host(), options.get_port());
                write!(f, "postgres://{user}@{host}:{port}/{name}")
            }
        }
    }
}

const PARAMETERS: [&str; 12] = [
    "sslmode",
    "ssl-mode",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
    "statement-cache-capacity",
    "sslrootcert",
];
