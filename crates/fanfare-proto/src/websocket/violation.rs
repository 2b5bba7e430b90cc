//! What a peer may not do on a WebSocket, and the close code that tells it.

use super::CloseCode;

/// A way in which the peer broke RFC 6455.
///
/// After one, the connection is to be failed (RFC 6455 §7.1.7): what follows in the stream
/// can no longer be told apart.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// RSV1, RSV2 or RSV3 is set where no extension that was agreed on has it (§5.2).
    #[error("a reserved bit is set")]
    ReservedBits,
    /// The opcode is one of 3–7 or 11–15 (§5.2).
    #[error("the opcode is reserved")]
    ReservedOpCode,
    /// A client's frame is not masked (§5.1).
    #[error("a client's frame is not masked")]
    NotMasked,
    /// A server's frame is masked (§5.1).
    #[error("a server's frame is masked")]
    Masked,
    /// The 64-bit length has its top bit set (§5.2).
    #[error("the top bit of the length is set")]
    LengthTopBit,
    /// A Close, Ping or Pong came in more than one frame (§5.5).
    #[error("a control frame is fragmented")]
    FragmentedControl,
    /// A Close, Ping or Pong carries more than 125 bytes (§5.5).
    #[error("a control frame is longer than 125 bytes")]
    ControlTooLong,
    /// A Continuation came with no message begun (§5.4).
    #[error("a continuation without a beginning")]
    UnexpectedContinuation,
    /// A Text or Binary came before the last message was finished (§5.4).
    #[error("a new message before the last one was finished")]
    ExpectedContinuation,
    /// A Close of one byte: half a code (§5.5.1).
    #[error("a close frame of one byte")]
    TruncatedCloseCode,
    /// A close code that may not be sent (§7.4).
    #[error("a close code that may not be sent")]
    BadCloseCode,
    /// Text, or the reason of a Close, is not UTF-8 (§8.1).
    #[error("text is not UTF-8")]
    InvalidUtf8,
    /// A compressed message is no DEFLATE (RFC 7692 §7.2.2).
    #[error("message is not DEFLATE")]
    InvalidDeflate,
    /// A message longer than [`Limits::max_payload_bytes`](crate::Limits::max_payload_bytes).
    #[error("message is too big")]
    MessageTooBig,
    /// A message cut in more pieces than [`Limits::max_fragments`](crate::Limits::max_fragments) allows.
    #[error("message has too many fragments")]
    TooManyFragments,
}

impl Violation {
    /// The code to fail the connection with.
    pub fn close_code(self) -> CloseCode {
        match self {
            Self::ReservedBits
            | Self::ReservedOpCode
            | Self::NotMasked
            | Self::Masked
            | Self::LengthTopBit
            | Self::FragmentedControl
            | Self::ControlTooLong
            | Self::UnexpectedContinuation
            | Self::ExpectedContinuation
            | Self::TruncatedCloseCode
            | Self::BadCloseCode => CloseCode::PROTOCOL_ERROR,
            Self::InvalidUtf8 | Self::InvalidDeflate => CloseCode::INVALID_PAYLOAD,
            Self::MessageTooBig => CloseCode::MESSAGE_TOO_BIG,
            Self::TooManyFragments => CloseCode::POLICY_VIOLATION,
        }
    }
}
