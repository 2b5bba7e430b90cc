//! The opening handshake.

use fanfare_proto::websocket::{HandshakeViolation, accept_key, check_upgrade, generate_key};

/// The request of RFC 6455 §1.3.
const UPGRADE: [(&str, &str); 4] = [
    ("upgrade", "websocket"),
    ("connection", "Upgrade"),
    ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ("sec-websocket-version", "13"),
];

#[track_caller]
fn check_handshake(name: &str, value: Option<&str>, expected: Result<(), HandshakeViolation>) {
    let actual = check_upgrade(|header| {
        if header == name {
            return value;
        }
        UPGRADE
            .iter()
            .find(|(name, _)| *name == header)
            .map(|(_, value)| *value)
    });
    let expected = expected.map(|()| "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=".to_owned());
    assert_eq!(actual, expected, "{name}: {value:?}");
}

#[test]
fn the_rfc_s_handshake_is_answered() {
    assert_eq!(
        accept_key("dGhlIHNhbXBsZSBub25jZQ=="),
        "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    );
    assert_eq!(
        generate_key(*b"the sample nonce"),
        "dGhlIHNhbXBsZSBub25jZQ=="
    );
    check_handshake("upgrade", Some("WebSocket"), Ok(()));
    check_handshake("connection", Some("keep-alive, upgrade"), Ok(()));
    check_handshake(
        "sec-websocket-key",
        Some(" dGhlIHNhbXBsZSBub25jZQ=="),
        Ok(()),
    );
}

#[test]
fn a_handshake_without_one_of_its_headers_is_refused() {
    for value in [None, Some(""), Some("keep-alive"), Some("upgrades")] {
        check_handshake("connection", value, Err(HandshakeViolation::Connection));
    }
    for value in [None, Some(""), Some("h2c"), Some("websocket2")] {
        check_handshake("upgrade", value, Err(HandshakeViolation::Upgrade));
    }
    for value in [None, Some(""), Some("8"), Some("14"), Some("13, 8")] {
        check_handshake(
            "sec-websocket-version",
            value,
            Err(HandshakeViolation::Version),
        );
    }
    for value in [
        None,
        Some(""),
        Some("dGhlIHNhbXBsZSBub25jZQ="),
        Some("dGhlIHNhbXBsZSBub25jZQAA"),
        Some("dGhlIHNhbXBsZSBub25j!Q=="),
        Some("dGhlIHNhbXBsZSBub25jZSBhbmQgbW9yZQ=="),
    ] {
        check_handshake("sec-websocket-key", value, Err(HandshakeViolation::Key));
    }
}
