//! The programs of Debian's that nodes share: PostgreSQL, Redis, and what stands before them.

use std::path::PathBuf;

use fanfare_daemons::{Postgres, in_path};

use crate::chromium::Place;
use crate::debian;
use crate::needs::Missing;

/// One of them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Program {
    Postgres,
    Redis,
    Haproxy,
}

impl Program {
    /// Finds it, or installs it where that is allowed.
    ///
    /// # Errors
    ///
    /// [`Missing`] if there is none.
    pub(crate) fn find(self, why: &str, place: Place) -> Result<PathBuf, Missing> {
        if let Some(found) = self.on_this_machine() {
            return Ok(found);
        }
        debian::install(self.package(), why, place);
        self.on_this_machine().ok_or_else(|| self.missing())
    }

    fn on_this_machine(self) -> Option<PathBuf> {
        match self {
            Self::Postgres => Postgres::find(),
            Self::Redis => in_path("redis-server").or_else(|| in_path("valkey-server")),
            Self::Haproxy => in_path("haproxy"),
        }
    }

    fn package(self) -> &'static str {
        match self {
            Self::Postgres => "postgresql",
            Self::Redis => "redis-server",
            Self::Haproxy => "haproxy",
        }
    }

    fn missing(self) -> Missing {
        let (what, how) = match self {
            Self::Postgres => ("no PostgreSQL", "on Debian `apt-get install postgresql`"),
            Self::Redis => (
                "no redis-server or valkey-server in PATH",
                "on Debian `apt-get install redis-server`",
            ),
            Self::Haproxy => ("no haproxy in PATH", "on Debian `apt-get install haproxy`"),
        };
        Missing {
            what: what.to_owned(),
            how,
        }
    }
}
