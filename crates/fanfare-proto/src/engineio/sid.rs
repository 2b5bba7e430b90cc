//! The session's id.

use std::fmt;

use data_encoding::BASE64URL;

/// Names one session to its client, in the `sid` query parameter.
///
/// Whoever knows a `Sid` can speak for its client, so it is shown to nobody else:
/// `Debug` prints a prefix, and there is no `Display`.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Sid([u8; Self::LEN]);

impl Sid {
    /// Length on the wire, in characters. Other makers' tools tell ids from rooms by it.
    pub const LEN: usize = 20;

    /// Random bytes that one is made of.
    pub const N_RANDOM_BYTES: usize = 15;

    /// The id made of `random`, all of which must come from the operating system: there is no counter in it.
    pub fn new(random: [u8; Self::N_RANDOM_BYTES]) -> Self {
        let mut text = [0; Self::LEN];
        BASE64URL.encode_mut(&random, &mut text);
        Self(text)
    }

    /// The id that `text` is, if it can be one of ours.
    pub fn parse(text: &str) -> Option<Self> {
        let text: [u8; Self::LEN] = text.as_bytes().try_into().ok()?;
        text.iter()
            .all(|&byte| is_sid_byte(byte))
            .then_some(Self(text))
    }

    /// The id as it goes on the wire; it needs no escaping in a query.
    #[expect(
        clippy::missing_panics_doc,
        reason = "every constructor admits ASCII only"
    )]
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).expect("a sid is made of ASCII only")
    }
}

impl fmt::Debug for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sid({})", Prefix(self.as_str()))
    }
}

/// Shows enough of a secret id to tell two apart in a log, and too little to use it.
pub(super) struct Prefix<'a>(pub(super) &'a str);

impl fmt::Display for Prefix<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .chars()
            .take(PREFIX_CHARS)
            .try_for_each(|c| write!(f, "{}", c.escape_default()))?;
        f.write_str("…")
    }
}

fn is_sid_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

const PREFIX_CHARS: usize = 4;
