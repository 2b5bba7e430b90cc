//! ClientBundle: the official browser client, served beside the server.

use std::{collections::HashMap, fmt, io, path::Path, sync::Arc};

use bytes::Bytes;
use tokio::{sync::OnceCell, task::spawn_blocking};

use super::coding::Coding;

/// The files of the official browser client, from the `dist` folder of the npm package
/// `socket.io-client`.
#[derive(Clone)]
pub struct ClientBundle {
    files: Arc<HashMap<&'static str, Arc<ClientFile>>>,
    etag: Arc<str>,
}

/// One of the files, and its compressed forms as far as somebody has asked for them.
pub(super) struct ClientFile {
    plain: Bytes,
    brotli: OnceCell<Bytes>,
    gzip: OnceCell<Bytes>,
    deflate: OnceCell<Bytes>,
    pub(super) content_type: &'static str,
    /// The package's version in quotes, as the official server's `ETag` has it.
    pub(super) etag: Arc<str>,
}

impl ClientBundle {
    /// Reads the files from `dist`. Those that are missing are not served.
    ///
    /// # Errors
    ///
    /// If `socket.io.js` can't be read: this is not the package's folder, or it is not installed.
    pub fn from_dir(dist: impl AsRef<Path>) -> io::Result<Self> {
        let dist = dist.as_ref();
        std::fs::metadata(dist.join(NAMES[0]))?;
        Ok(Self::from_files(NAMES.iter().filter_map(|name| {
            Some((*name, std::fs::read(dist.join(name)).ok()?))
        })))
    }

    /// Takes files that the program has in itself; names that are none of the eight are ignored.
    pub fn from_files<N: AsRef<str>, F: Into<Bytes>>(
        files: impl IntoIterator<Item = (N, F)>,
    ) -> Self {
        let mut known = HashMap::new();
        for (name, file) in files {
            if let Some(name) = NAMES.iter().find(|known| **known == name.as_ref()) {
                known.insert(*name, file.into());
            }
        }
        let etag = format!(
            "\"{}\"",
            known.get(NAMES[0]).and_then(version).unwrap_or_default()
        );
        let etag: Arc<str> = etag.into();
        let files = known.into_iter().map(|(name, plain)| {
            let file = ClientFile::new(name, plain, etag.clone());
            (name, Arc::new(file))
        });
        Self {
            files: Arc::new(files.collect()),
            etag,
        }
    }

    /// The names of the files that a browser may ask for, directly under the server's path.
    pub fn names() -> &'static [&'static str] {
        &NAMES
    }

    pub(super) fn file(&self, name: &str) -> Option<&Arc<ClientFile>> {
        self.files.get(name)
    }
}

impl ClientFile {
    fn new(name: &str, plain: Bytes, etag: Arc<str>) -> Self {
        let content_type = match name.ends_with(".map") {
            true => "application/json; charset=utf-8",
            false => "application/javascript; charset=utf-8",
        };
        Self {
            plain,
            brotli: OnceCell::new(),
            gzip: OnceCell::new(),
            deflate: OnceCell::new(),
            content_type,
            etag,
        }
    }

    pub(super) fn plain(&self) -> Bytes {
        self.plain.clone()
    }

    /// The compressed form, which who asks first has made, in a thread where it keeps nobody waiting; `None` if there is no
    /// such thread, since the runtime ends.
    pub(super) async fn coded(&self, coding: Coding) -> Option<Bytes> {
        let cell = match coding {
            Coding::Brotli => &self.brotli,
            Coding::Gzip => &self.gzip,
            Coding::Deflate => &self.deflate,
        };
        let plain = self.plain.clone();
        let compress = || spawn_blocking(move || coding.compress_whole(&plain).into());
        cell.get_or_try_init(compress).await.ok().cloned()
    }
}

impl fmt::Debug for ClientBundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBundle")
            .field("etag", &self.etag)
            .finish_non_exhaustive()
    }
}

/// The version that the client's own banner names: `Socket.IO v4.8.1`.
fn version(script: &Bytes) -> Option<String> {
    let head = std::str::from_utf8(&script[..script.len().min(BANNER_BYTES)]).ok()?;
    let (_, rest) = head.split_once("Socket.IO v")?;
    let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "-.".contains(c)))?;
    Some(rest[..end].to_owned())
}

const NAMES: [&str; 8] = [
    "socket.io.js",
    "socket.io.js.map",
    "socket.io.min.js",
    "socket.io.min.js.map",
    "socket.io.msgpack.min.js",
    "socket.io.msgpack.min.js.map",
    "socket.io.esm.min.js",
    "socket.io.esm.min.js.map",
];

const BANNER_BYTES: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_etag_is_the_version_of_the_banner() {
        let bundle = ClientBundle::from_files([
            (
                "socket.io.js",
                "/*!\n * Socket.IO v4.8.1\n * (c) somebody\n */",
            ),
            ("../secret", "no"),
        ]);
        assert_eq!(&*bundle.etag, "\"4.8.1\"");
        assert!(bundle.file("../secret").is_none());
    }
}
