//! Folder: where a program has its files.

use std::{
    env, fs,
    hash::{BuildHasher as _, RandomState},
    io,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, chown},
    path::{Path, PathBuf},
};

/// A new folder for temporary files that only its owner can look into. It is not removed with this value, but by the
/// [`Daemon`](crate::Daemon) that is given it.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
    user: Option<u32>,
}

impl Folder {
    /// Makes it.
    ///
    /// # Errors
    ///
    /// If it can't be made.
    pub fn new(name: &str) -> io::Result<Self> {
        let random = RandomState::new().hash_one(name);
        let path = env::temp_dir().join(format!("fanfare-{name}-{random:016x}"));
        fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self { path, user: None })
    }

    /// The same, for a program that refuses to run as root: if that is who we are, the folder is nobody's.
    ///
    /// # Errors
    ///
    /// If it can't be made.
    pub fn unprivileged(name: &str) -> io::Result<Self> {
        let mut folder = Self::new(name)?;
        if fs::metadata(&folder.path)?.uid() == 0 {
            chown(&folder.path, Some(NOBODY), Some(NOBODY))?;
            folder.user = Some(NOBODY);
        }
        Ok(folder)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// As whom programs run that have their files here, if not as ourselves.
    pub fn user(&self) -> Option<u32> {
        self.user
    }
}

/// Of all systems the user without rights.
const NOBODY: u32 = 65_534;
