//! Database: where it is, as the command line names it.

use std::{path::PathBuf, str::FromStr};

use super::postgres::Url;

/// Where the database is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Database {
    /// A file; made if there is none.
    File(PathBuf),
    /// Nowhere but here: it is gone when the program ends.
    Memory,
    /// A PostgreSQL server's, which several nodes may share.
    Postgres(Url),
}

impl FromStr for Database {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(url) = Url::parse(text) {
            return url.map(Self::Postgres);
        }
        let rest = text.strip_prefix("sqlite:").ok_or(NO_DATABASE)?;
        match rest.strip_prefix("//").unwrap_or(rest) {
            ":memory:" => Ok(Self::Memory),
            "" => Err(NO_DATABASE.to_owned()),
            path => Ok(Self::File(path.into())),
        }
    }
}

const NO_DATABASE: &str = "a database is needed as sqlite://PATH, such as sqlite://./fanfare.db, as sqlite::memory:, \
                           or as postgres://USER:PASSWORD@HOST/NAME";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_named_by_its_url() {
        let file = |path: &str| Ok(Database::File(path.into()));
        assert_eq!("sqlite://./fanfare.db".parse(), file("./fanfare.db"));
        assert_eq!(
            "sqlite:///var/lib/fanfare.db".parse(),
            file("/var/lib/fanfare.db")
        );
        assert_eq!("sqlite:fanfare.db".parse(), file("fanfare.db"));
        assert_eq!("sqlite::memory:".parse(), Ok(Database::Memory));
        for wrong in [
            "",
            "fanfare.db",
            "sqlite:",
            "sqlite://",
            "mysql://localhost/fanfare",
        ] {
            assert_eq!(wrong.parse::<Database>(), Err(NO_DATABASE.to_owned()));
        }
    }

    #[track_caller]
    fn check_refused(url: &str, why: &str) {
        let said = url.parse::<Database>().unwrap_err();
        assert!(said.contains(why), "{said}");
        assert!(
            said.contains("postgres://USER:PASSWORD@HOST/NAME"),
            "{said}"
        );
    }

    #[test]
    fn a_postgres_url_names_a_database_and_hides_its_password() {
        for url in [
            "postgres://anna:secret@db.example.org:5433/fanfare",
            "postgresql://anna:secret@db.example.org:5433/fanfare?application_name=x",
        ] {
            let database: Database = url.parse().unwrap();
            let Database::Postgres(url) = &database else {
                panic!("{database:?}");
            };
            assert_eq!(
                url.to_string(),
                "postgres://anna@db.example.org:5433/fanfare"
            );
            assert!(!format!("{database:?}").contains("secret"), "{database:?}");
        }
        check_refused("postgres://anna@localhost", "names no database");
        check_refused("postgres://anna@localhost/", "names no database");
        check_refused("postgres://localhost:99999/fanfare", "invalid port");
        check_refused("postgres://localhost/fanfare?sslmode=maybe", "maybe");
        check_refused("postgres://localhost/fanfare?colour=red", "'colour'");
    }
}
