//! WebSocket frames as a client sees them, RFC 6455 §5.2: unmasked ones come in, masked ones go out.

use fanfare_proto::websocket::{Header, OpCode, Violation, encode_masked_frame};

/// The first frame of some bytes.
pub(crate) struct Frame<'a> {
    pub(crate) header: Header,
    pub(crate) payload: &'a [u8],
    /// Bytes of the whole frame, its header included.
    pub(crate) frame_bytes: usize,
}

/// Reads the first frame of `bytes`; `None` if it is not complete.
pub(crate) fn first(bytes: &[u8]) -> Result<Option<Frame<'_>>, Violation> {
    let Some((header, header_bytes)) = Header::decode(bytes)? else {
        return Ok(None);
    };
    let frame_bytes = usize::try_from(header.payload_bytes)
        .unwrap_or(usize::MAX)
        .saturating_add(header_bytes);
    let payload = bytes.get(header_bytes..frame_bytes);
    Ok(payload.map(|payload| Frame {
        header,
        payload,
        frame_bytes,
    }))
}

/// One text frame, masked with zeros: the mask that costs nobody anything.
pub(crate) fn text(payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    encode_masked_frame(&mut frame, OpCode::Text, &[payload], [0; 4]);
    frame
}

/// A Close frame without a code, masked likewise: RFC 6455 §7.4.1 has it mean that there is nothing to say.
pub(crate) fn goodbye() -> Vec<u8> {
    let mut frame = Vec::new();
    encode_masked_frame(&mut frame, OpCode::Close, &[], [0; 4]);
    frame
}
