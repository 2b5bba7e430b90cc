//! Ports: where something can listen that has to be told a number, and can be started there again.

use std::net::TcpListener;

use anyhow::Context as _;

/// A port of 127.0.0.1 where nobody listens.
///
/// It is below those that the system gives to outgoing connections, so that none of hundreds of clients takes it while
/// whoever listens there is being started again.
///
/// # Errors
///
/// If all are taken.
pub(super) fn free_port() -> anyhow::Result<u16> {
    let mut random = fastrand::Rng::new();
    let mut candidates = (0..TRIES).map(|_| random.u16(FIRST..LAST));
    candidates
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .context("no port of this machine is free")
}

const FIRST: u16 = 20_000;
const LAST: u16 = 32_000;
const TRIES: usize = 1_000;
