//! The key file: what this server signs cookies with, from its first start on.

use std::{
    fs::{File, OpenOptions},
    io::{self, ErrorKind, Read as _, Write as _},
    path::{Path, PathBuf},
};

use cookie::Key;

/// Reads the key, or makes one if there is none.
///
/// # Errors
///
/// [`KeyError`] if the file is there and is no key, or can be neither read nor made.
pub(crate) fn load_or_make(path: &Path) -> Result<Key, KeyError> {
    let failed = |doing| {
        move |source| KeyError::Io {
            doing,
            path: path.to_owned(),
            source,
        }
    };
    match create(path) {
        Ok(mut file) => {
            let mut bytes = [0; KEY_BYTES];
            getrandom::fill(&mut bytes).expect("the system has random bytes");
            file.write_all(&bytes).map_err(failed("written"))?;
            Ok(Key::from(&bytes))
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let file = File::open(path).map_err(failed("read"))?;
            let mut bytes = Vec::new();
            // Somebody may have named a device, or a film.
            file.take(MAX_BYTES)
                .read_to_end(&mut bytes)
                .map_err(failed("read"))?;
            Key::try_from(&bytes[..]).map_err(|_| KeyError::Short {
                path: path.to_owned(),
                bytes: bytes.len(),
            })
        }
        Err(error) => Err(failed("made")(error)),
    }
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyError {
    /// The system refused.
    #[error("the key file {} can't be {doing}: {source}", path.display())]
    Io {
        doing: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    /// Whatever the file is, it is too short for a key.
    #[error(
        "the key file {} has {bytes} bytes, and a key has at least {KEY_BYTES}; \
         without the file, the next start makes a new one, and everybody has to sign in again",
        path.display()
    )]
    Short { path: PathBuf, bytes: usize },
}

/// Makes a file that its owner alone can read.
fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

const KEY_BYTES: usize = 64;
const MAX_BYTES: u64 = 4096;
