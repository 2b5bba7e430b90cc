//! SocketId: what a socket is called in public.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// A socket's public id: 20 characters, 120 random bits.
///
/// It can be kept as text, and read back by [`str::parse`] or serde.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct SocketId([u8; 20]);

impl SocketId {
    pub(crate) fn new(random: [u8; 15]) -> Self {
        let mut id = [0; 20];
        data_encoding::BASE64URL.encode_mut(&random, &mut id);
        Self(id)
    }

    /// The id that `text` is, if a socket can have it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let id: [u8; 20] = text.as_bytes().try_into().ok()?;
        let is_allowed = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        id.iter().all(is_allowed).then_some(Self(id))
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

impl FromStr for SocketId {
    type Err = NoSocketId;

    fn from_str(text: &str) -> Result<Self, NoSocketId> {
        Self::parse(text).ok_or(NoSocketId)
    }
}

impl Serialize for SocketId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for SocketId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

/// A text is no socket's id.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a socket's id has 20 characters, letters, digits, '-' and '_'")]
pub struct NoSocketId;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_as_text_and_as_json() {
        let id = SocketId::new([0xFB; 15]);
        assert_eq!(id.to_string().parse(), Ok(id));
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(json, r#""-_v7-_v7-_v7-_v7-_v7""#);
        assert_eq!(serde_json::from_str::<SocketId>(&json).unwrap(), id);
    }

    #[test]
    fn what_no_socket_is_called_is_no_id() {
        let long = "a".repeat(21);
        for text in [
            "",
            "a",
            &long,
            "aaaaaaaaaaaaaaaaaaa ",
            "aaaaaaaaaaaaaaaaaa\u{e9}",
        ] {
            assert_eq!(text.parse::<SocketId>(), Err(NoSocketId), "{text:?}");
        }
        let error = serde_json::from_str::<SocketId>(r#""ada""#).unwrap_err();
        assert!(error.to_string().contains("20 characters"), "{error}");
    }
}
