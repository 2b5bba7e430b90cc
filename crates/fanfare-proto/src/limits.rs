//! Every bound a peer can run into, in one struct.

/// The bounds on what one peer may send.
///
/// What exceeds a bound is a violation, so each is far above what honest clients need.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Bytes of one polling body and of one WebSocket message, Engine.IO's type digit included.
    /// Told to the client as `maxPayload`. The default is the reference's `maxHttpBufferSize`.
    pub max_payload_bytes: usize,
    /// Frames of one WebSocket message, on top of one for every 64 bytes of it that have arrived.
    ///
    /// An empty frame costs its sender six bytes and us a turn of the parser. Browsers send
    /// one frame a message, and proxies cut at some kilobytes.
    pub max_fragments: usize,
    /// Binary attachments of one Socket.IO packet. The default is the reference's, chosen
    /// after CVE-2026-33151; at most this many times `max_payload_bytes` wait for their packet.
    pub max_attachments: usize,
    /// Bytes of a namespace's name. Names are kept per socket and written to logs.
    pub max_nsp_bytes: usize,
    /// Bytes of an event's name, unescaped. Names are looked up, counted and written to logs.
    pub max_event_name_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_payload_bytes: 1_000_000,
            max_fragments: 128,
            max_attachments: 10,
            max_nsp_bytes: 256,
            max_event_name_bytes: 1_024,
        }
    }
}
