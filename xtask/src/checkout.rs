//! Where things are in the working tree.

use std::path::{Path, PathBuf};
use std::{env, io};

/// The working tree that this xtask was built from.
#[derive(Debug)]
pub(crate) struct Checkout {
    root: PathBuf,
}

impl Checkout {
    pub(crate) fn here() -> Self {
        let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = xtask.parent().expect("xtask is a folder of the workspace");
        Self { root: root.into() }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The room's page.
    pub(crate) fn web(&self) -> PathBuf {
        self.root.join("web")
    }

    /// The tests by other makers' clients.
    pub(crate) fn conformance(&self) -> PathBuf {
        self.root.join("conformance")
    }
}

/// The folder into which cargo puts what it builds with `profile` ("debug", "release").
///
/// Read off our own place in it, which takes `CARGO_TARGET_DIR` and every configuration file into account.
///
/// # Errors
///
/// If the system does not tell where this program is.
pub(crate) fn built(profile: &str) -> io::Result<PathBuf> {
    Ok(target()?.join(profile))
}

/// The folder of all that is built or set up.
///
/// # Errors
///
/// If the system does not tell where this program is.
pub(crate) fn target() -> io::Result<PathBuf> {
    let xtask = env::current_exe()?;
    let target = xtask
        .ancestors()
        .nth(2)
        .expect("cargo built it two folders down");
    Ok(target.into())
}
