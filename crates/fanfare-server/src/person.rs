//! Person: who somebody is, in all their pages.

use std::fmt;

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
