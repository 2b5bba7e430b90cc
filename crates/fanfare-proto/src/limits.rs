//! Every bound a peer can run into, in one struct.

/// The bounds on what a peer may send.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of one polling body, and of one WebSocket message.
    pub max_payload_bytes: usize,
}
