//! Person: who somebody is, in all their pages.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Names a person. It is no secret: everyone in the room is told.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) enum PersonId {
    /// One who has an account, by its number.
    Account(i64),
    /// One who only gave a name: 64 random bits.
    Guest(u64),
}

impl PersonId {
    /// Somebody who has not been here before.
    pub(crate) fn new_guest() -> Self {
        let bits = getrandom::u64().expect("the system has random bytes");
        Self::Guest(bits)
    }

    pub(crate) fn is_account(self) -> bool {
        matches!(self, Self::Account(_))
    }
}

impl fmt::Display for PersonId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account(number) => write!(f, "a{number}"),
            Self::Guest(bits) => write!(f, "g{bits:016x}"),
        }
    }
}

/// What [`Display`](fmt::Display) makes of a person.
impl FromStr for PersonId {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let id = match text.split_at_checked(1) {
            Some(("a", number)) => number.parse().ok().map(Self::Account),
            Some(("g", bits)) => u64::from_str_radix(bits, 16).ok().map(Self::Guest),
            _ => None,
        };
        id.ok_or("this names nobody")
    }
}

impl Serialize for PersonId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PersonId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_read_as_written() {
        for person in [
            PersonId::Account(1),
            PersonId::Account(i64::MAX),
            PersonId::Guest(0),
            PersonId::Guest(u64::MAX),
        ] {
            assert_eq!(person.to_string().parse(), Ok(person));
        }
        for wrong in ["", "a", "g", "x1", "äa", "ax"] {
            wrong.parse::<PersonId>().unwrap_err();
        }
    }
}
