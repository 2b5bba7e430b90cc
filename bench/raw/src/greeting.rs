//! The opening handshake, RFC 6455 §4.2, for a client that is trusted to mean it.

use std::time::Duration;

use fanfare_proto::websocket::{OpCode, accept_key, encode_frame};

/// Length of the request at the start of `bytes`, its empty line included; `None` while that is still to come.
pub(crate) fn request_bytes(bytes: &[u8]) -> Option<usize> {
    bytes
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .map(|at| at + 4)
}

/// Answers a request to upgrade, and opens the session behind it.
///
/// `None` if the request names no key.
pub(crate) fn answer(request: &[u8], session: usize, ping_interval: Duration) -> Option<Vec<u8>> {
    let accept = accept_key(key(request)?);
    let mut answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    )
    .into_bytes();
    let interval_ms = ping_interval.as_millis();
    let open = format!(
        r#"0{{"sid":"raw-{session}","upgrades":[],"pingInterval":{interval_ms},"pingTimeout":20000,"maxPayload":1000000}}"#
    );
    encode_frame(&mut answer, OpCode::Text, &[open.as_bytes()]);
    Some(answer)
}

fn key(request: &[u8]) -> Option<&str> {
    let request = str::from_utf8(request).ok()?;
    request
        .split("\r\n")
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-key"))
        .map(|(_, key)| key.trim())
}
