//! The opening handshake: what makes a request an upgrade, and the answer to its key. RFC 6455 §4.

use data_encoding::BASE64;
use sha1::{Digest, Sha1};

/// Why a request is no WebSocket handshake.
///
/// To be answered with status 400 and this text, which is the one of the reference's library.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeViolation {
    /// `Connection` does not list `upgrade`.
    #[error("Invalid Connection header")]
    Connection,
    /// `Upgrade` does not list `websocket`.
    #[error("Invalid Upgrade header")]
    Upgrade,
    /// `Sec-WebSocket-Key` is not 16 bytes in base64.
    #[error("Missing or invalid Sec-WebSocket-Key header")]
    Key,
    /// `Sec-WebSocket-Version` is not 13.
    #[error("Missing or invalid Sec-WebSocket-Version header")]
    Version,
}

/// Checks the headers of an upgrade request, which `header` looks up by lower-case name, and
/// returns the value for `Sec-WebSocket-Accept`. The method, GET, is the caller's to check.
///
/// # Errors
///
/// The first [`HandshakeViolation`] in the order of its variants.
pub fn check_upgrade<'a>(
    header: impl Fn(&str) -> Option<&'a str>,
) -> Result<String, HandshakeViolation> {
    let lists = |name, token| header(name).is_some_and(|value| has_token(value, token));
    if !lists("connection", "upgrade") {
        return Err(HandshakeViolation::Connection);
    }
    if !lists("upgrade", "websocket") {
        return Err(HandshakeViolation::Upgrade);
    }
    let key = header("sec-websocket-key")
        .map(str::trim_ascii)
        .filter(|key| is_key(key))
        .ok_or(HandshakeViolation::Key)?;
    if header("sec-websocket-version").map(str::trim_ascii) != Some("13") {
        return Err(HandshakeViolation::Version);
    }
    Ok(accept_key(key))
}

/// `Sec-WebSocket-Accept` for a `Sec-WebSocket-Key`, RFC 6455 §4.2.2.
pub fn accept_key(key: &str) -> String {
    let hash = Sha1::new()
        .chain_update(key)
        .chain_update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11")
        .finalize();
    BASE64.encode(&hash)
}

/// A client's `Sec-WebSocket-Key` from 16 random bytes.
pub fn generate_key(random: [u8; 16]) -> String {
    BASE64.encode(&random)
}

fn has_token(list: &str, token: &str) -> bool {
    list.split(',')
        .any(|item| item.trim_ascii().eq_ignore_ascii_case(token))
}

// Bits beyond the 128 are not looked at: some clients leave them set, and the reference's
// library takes their keys.
fn is_key(key: &str) -> bool {
    key.len() == 24
        && key.strip_suffix("==").is_some_and(|digits| {
            digits
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
        })
}
