//! Throttle: who may try to sign in now. Failed attempts count on all nodes alike, where nodes share a Redis; while it
//! is away, on each by itself.

mod local;
mod shared;

use std::{
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::broker::Broker;
use local::Local;
use shared::Shared;

/// Failed attempts, by address and name.
#[derive(Debug)]
pub(crate) struct Throttle {
    local: Mutex<Local>,
    shared: Option<Shared>,
}

impl Throttle {
    pub(crate) fn new(broker: Option<Broker>) -> Self {
        Self {
            local: Mutex::default(),
            shared: broker.map(Shared::new),
        }
    }

    /// An attempt begins. It counts as failed until it [succeeds](Self::handle_success), so that many at once
    /// are no way round.
    ///
    /// # Errors
    ///
    /// How long this address has to wait before it may try this name again. Nothing is counted then.
    pub(crate) async fn begin(&self, from: IpAddr, name: &str) -> Result<(), Duration> {
        if let Some(shared) = &self.shared {
            match shared.begin(from, name).await {
                Ok(begun) => return begun,
                Err(error) => tracing::warn!(%error, "wrong passwords count on this node alone"),
            }
        }
        let (mut local, now) = (self.local(), Instant::now());
        if let Some(wait) = local.wait(from, name, now) {
            return Err(wait);
        }
        local.handle_attempt(from, name, now);
        Ok(())
    }

    /// The attempt succeeded: earlier failures with this name were slips.
    pub(crate) async fn handle_success(&self, from: IpAddr, name: &str) {
        self.local().handle_success(from, name);
        if let Some(shared) = &self.shared
            && let Err(error) = shared.handle_success(from, name).await
        {
            tracing::warn!(%error, "slips before a success can't be forgiven");
        }
    }

    fn local(&self) -> MutexGuard<'_, Local> {
        self.local.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Those who try: from where, and under which name if it is about one.
type Key = (IpAddr, Option<Box<str>>);

fn keys(from: IpAddr, name: &str) -> [Key; 2] {
    let from = match from.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        // Whoever has one address of such a network has all of them.
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) & !HOST_BITS).into()),
    };
    [(from, Some(name.into())), (from, None)]
}

/// Failures without a pause: of one name from one address, and of all names from one address, behind
/// which there may be many people.
const FREE: [u32; 2] = [5, 50];

/// Of an IPv6 address the half that its network does not fix.
const HOST_BITS: u128 = 0xffff_ffff_ffff_ffff;

/// Doubled with each further failure.
const FIRST_PAUSE: Duration = Duration::from_secs(2);

const MAX_PAUSE: Duration = Duration::from_secs(15 * 60);

/// After this long without another, failures are forgotten.
const FORGET: Duration = Duration::from_secs(60 * 60);
