//! SocketId: what a socket is called in public.

use std::fmt;

/// A socket's public id: 20 characters, 120 random bits.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct SocketId([u8; 20]);

impl SocketId {
    pub(crate) fn new(random: [u8; 15]) -> Self {
        let mut id = [0; 20];
        data_encoding::BASE64URL.encode_mut(&random, &mut id);
        Self(id)
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        text.as_bytes().try_into().ok().map(Self)
    }

    /// The id as clients know it.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for SocketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl AsRef<str> for SocketId {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Debug for SocketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SocketId({})", self.as_str())
    }
}
