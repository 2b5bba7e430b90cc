//! Port: one that nobody listens at.

use std::{
    hash::{BuildHasher as _, RandomState},
    net::{Ipv4Addr, TcpListener},
};

/// A port of 127.0.0.1 that is free now, and that no outgoing connection takes: it is below those.
///
/// # Panics
///
/// If none is free.
pub fn free_port() -> u16 {
    let mut candidates = (0..1_000_u16).map(|_| {
        let random = RandomState::new().hash_one(());
        FIRST + u16::try_from(random % u64::from(LAST - FIRST)).unwrap_or_default()
    });
    candidates
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .expect("a port is free")
}

const FIRST: u16 = 10_240;
const LAST: u16 = 32_000;
