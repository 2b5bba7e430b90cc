//! Passwords: which ones are good enough, and how they are kept.

use std::sync::{Arc, LazyLock};

use tokio::{sync::Semaphore, task::spawn_blocking};

use crate::{names::Name, wording::Grouped};

/// A password that was chosen and may be kept. It is shown nowhere.
pub(crate) struct Password(String);

impl Password {
    /// Takes what somebody of this `name` has chosen.
    ///
    /// # Errors
    ///
    /// [`Unfit`] names the rule that it breaks.
    pub(crate) fn choose(typed: String, name: &Name) -> Result<Self, Unfit> {
        let length = typed.chars().count();
        if !(MIN_LENGTH..=MAX_LENGTH).contains(&length) {
            return Err(Unfit::Length(length));
        }
        if Name::parse(&typed).is_ok_and(|typed| typed.key() == name.key()) {
            return Err(Unfit::Name);
        }
        Ok(Self(typed))
    }
}

/// Why something typed is no password.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum Unfit {
    /// It has too few characters, or too many.
    #[error("a password has {MIN_LENGTH} to {MAX_LENGTH} characters; this one has {}", Grouped(*.0))]
    Length(usize),
    /// It is what everyone sees.
    #[error("a password must not be your name")]
    Name,
}

/// Hashes and verifies: argon2id, off the runtime's threads, few at a time.
#[derive(Clone, Debug)]
pub(crate) struct Hasher {
    /// Taken by work that waits or runs.
    places: Arc<Semaphore>,
    /// Taken by work that runs, to its end, whether or not anybody still waits for it.
    permits: Arc<Semaphore>,
}

/// More passwords wait than will be checked in a bearable time.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("too many passwords wait to be checked; try again in a moment")]
pub(crate) struct Busy;

impl Hasher {
    pub(crate) fn new() -> Self {
        Self {
            places: Arc::new(Semaphore::new(MAX_WAITING)),
            permits: Arc::new(Semaphore::new(AT_A_TIME)),
        }
    }

    /// What is kept of a password, in the PHC string format.
    ///
    /// # Errors
    ///
    /// [`Busy`]; the same for verifying.
    pub(crate) async fn hash(&self, password: Password) -> Result<String, Busy> {
        self.run(move || password_auth::generate_hash(password.0))
            .await
    }

    /// Whether `typed` is the password that `hash` was made from. Without a hash it takes the same
    /// time and is not.
    pub(crate) async fn verify(&self, typed: String, hash: Option<String>) -> Result<bool, Busy> {
        // Nobody can have chosen it.
        if MAX_LENGTH < typed.chars().count() {
            return Ok(false);
        }
        self.run(move || {
            let known = hash.is_some();
            let hash = hash.as_deref().unwrap_or(&NOBODYS);
            password_auth::verify_password(typed, hash).is_ok() && known
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Busy> {
        let place = self.places.clone().try_acquire_owned().map_err(|_| Busy)?;
        let permit = self.permits.clone().acquire_owned().await;
        let permit = permit.expect("it is never closed");
        let running = spawn_blocking(move || {
            let _held = (place, permit);
            work()
        });
        // It is only cut off when the whole program ends.
        running.await.map_err(|_| Busy)
    }
}

/// The hash of a password that nobody has.
static NOBODYS: LazyLock<String> = LazyLock::new(|| {
    let mut random = [0; 16];
    getrandom::fill(&mut random).expect("the system has random bytes");
    password_auth::generate_hash(random)
});

/// Before the first comparison, so that it takes no longer than others.
pub(crate) fn prepare() {
    LazyLock::force(&NOBODYS);
}

/// As many as can be guessed at a rate that throttling leaves, with room.
const MIN_LENGTH: usize = 10;

/// A sentence fits; what takes long to hash does not.
const MAX_LENGTH: usize = 128;

/// Each takes 19 MiB and a processor.
const AT_A_TIME: usize = 2;

/// Work that waits or runs: a few seconds of it.
const MAX_WAITING: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(typed: &str, expected: &str) {
        let name = Name::parse("Anna Straße").unwrap();
        let actual = match Password::choose(typed.to_owned(), &name) {
            Ok(_) => "good".to_owned(),
            Err(unfit) => unfit.to_string(),
        };
        assert_eq!(actual, expected, "{typed:?}");
    }

    #[test]
    fn a_password_has_a_length_and_is_not_the_name() {
        check("0123456789", "good");
        check("ÄÖÜäöüß€😀 ", "good");
        check(&"x".repeat(128), "good");
        check(
            "012345678",
            "a password has 10 to 128 characters; this one has 9",
        );
        check("", "a password has 10 to 128 characters; this one has 0");
        check(
            &"x".repeat(1_000_000),
            "a password has 10 to 128 characters; this one has 1,000,000",
        );
        check("ANNA  STRASSE", "a password must not be your name");
    }

    #[tokio::test]
    async fn only_the_same_password_is_the_same() {
        let name = Name::parse("Anna").unwrap();
        let hasher = Hasher::new();
        let hash = hasher
            .hash(Password::choose("correct horse".to_owned(), &name).unwrap())
            .await
            .unwrap();
        assert!(hash.starts_with("$argon2id$"), "{hash}");
        assert!(
            hasher
                .verify("correct horse".to_owned(), Some(hash.clone()))
                .await
                .unwrap()
        );
        assert!(
            !hasher
                .verify("correct horse ".to_owned(), Some(hash))
                .await
                .unwrap()
        );
        assert!(
            !hasher
                .verify("correct horse".to_owned(), None)
                .await
                .unwrap()
        );
    }
}
