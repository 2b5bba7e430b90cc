//! Why a WebSocket closes: codes and Close frames, RFC 6455 §5.5.1 and §7.4.

use super::Violation;

/// What a Close frame says, if it says anything.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CloseFrame {
    /// Why, for programs.
    pub code: CloseCode,
    /// Why, for people; at most 123 bytes arrive.
    pub reason: String,
}

impl CloseFrame {
    /// Reads the unmasked payload of a Close frame; `None` when it is empty.
    ///
    /// # Errors
    ///
    /// [`Violation::TruncatedCloseCode`], [`Violation::BadCloseCode`], [`Violation::InvalidUtf8`].
    pub fn decode(payload: &[u8]) -> Result<Option<Self>, Violation> {
        let (code, reason) = match payload {
            [] => return Ok(None),
            [_] => return Err(Violation::TruncatedCloseCode),
            [high, low, reason @ ..] => (CloseCode(u16::from_be_bytes([*high, *low])), reason),
        };
        if !code.is_allowed_on_wire() {
            return Err(Violation::BadCloseCode);
        }
        let reason = str::from_utf8(reason).map_err(|_| Violation::InvalidUtf8)?;
        Ok(Some(Self {
            code,
            reason: reason.to_owned(),
        }))
    }

    /// Appends the payload of a Close frame. A reason that would not fit is cut, between characters.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut end = self.reason.len().min(MAX_REASON_BYTES);
        while !self.reason.is_char_boundary(end) {
            end -= 1;
        }
        out.extend_from_slice(&self.code.0.to_be_bytes());
        out.extend_from_slice(&self.reason.as_bytes()[..end]);
    }
}

/// A number that says why a WebSocket closes, RFC 6455 §7.4.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct CloseCode(pub u16);

impl CloseCode {
    /// The purpose of the connection is fulfilled.
    pub const NORMAL: Self = Self(1000);
    /// The server goes down, or the browser left the page.
    pub const GOING_AWAY: Self = Self(1001);
    /// The peer broke the protocol.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// A kind of data that the endpoint does not take.
    pub const UNSUPPORTED_DATA: Self = Self(1003);
    /// No code was sent. Means an empty Close frame, and never goes on the wire.
    pub const NO_STATUS: Self = Self(1005);
    /// The connection ended without a Close frame. Never goes on the wire.
    pub const ABNORMAL: Self = Self(1006);
    /// Text that is not UTF-8.
    pub const INVALID_PAYLOAD: Self = Self(1007);
    /// A message against the endpoint's policy.
    pub const POLICY_VIOLATION: Self = Self(1008);
    /// A message too big to take.
    pub const MESSAGE_TOO_BIG: Self = Self(1009);
    /// The server could not do what was asked.
    pub const INTERNAL_ERROR: Self = Self(1011);

    /// Whether the code may stand in a Close frame.
    ///
    /// Those are the registered codes but 1004, 1005, 1006 and 1015, and 3000–4999, which
    /// belong to libraries and applications.
    pub fn is_allowed_on_wire(self) -> bool {
        matches!(self.0, 1000..=1003 | 1007..=1014 | 3000..=4999)
    }
}

/// What a control frame holds, less the code.
const MAX_REASON_BYTES: usize = 125 - 2;
