//! The name of a namespace.

use std::borrow::Borrow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

/// A valid name of a namespace: begins with `/` and has no `,`. Cheap to clone.
///
/// The default is the main namespace, `/`.
#[derive(Clone, Default, Eq)]
pub struct Nsp(
    /// Invariant: `None` for `/`, and never `Some("/")`.
    Option<Arc<str>>,
);

impl Nsp {
    /// The main namespace, `/`.
    pub const fn main() -> Self {
        Self(None)
    }

    /// Checks a name.
    ///
    /// # Errors
    ///
    /// [`InvalidNsp`] when it does not begin with `/`, or holds a `,`.
    pub fn parse(name: &str) -> Result<Self, InvalidNsp> {
        if !name.starts_with('/') || name.contains(',') {
            return Err(InvalidNsp);
        }
        Ok(Self::from_valid(name))
    }

    /// As it stands on the wire and in programs.
    pub fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or("/")
    }

    /// Whether this is `/`, which packets leave out.
    pub fn is_main(&self) -> bool {
        self.0.is_none()
    }

    /// Takes a name that is known to begin with `/` and to have no `,`.
    pub(super) fn from_valid(name: &str) -> Self {
        match name {
            "/" => Self::main(),
            name => Self(Some(name.into())),
        }
    }
}

impl FromStr for Nsp {
    type Err = InvalidNsp;

    fn from_str(name: &str) -> Result<Self, InvalidNsp> {
        Self::parse(name)
    }
}

impl PartialEq for Nsp {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Ord for Nsp {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl PartialOrd for Nsp {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

// Maps keyed by Nsp are looked up by &str, so both have to hash alike.
impl Hash for Nsp {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl Borrow<str> for Nsp {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Debug for Nsp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Nsp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A name that cannot stand in a packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a namespace begins with '/' and has no ','")]
pub struct InvalidNsp;
