//! Programs of one's own: PostgreSQL, Redis and whatever else a test or a cluster on one machine needs beside it.
//!
//! Each runs at a free port of 127.0.0.1, with its files in a folder of its own. It ends with whoever started it, however
//! that ends: a shell waits at the other end of a pipe, and stops the program when nobody holds ours any more.
//!
//! Only the standard library is used, so that `cargo xtask` builds in a moment.

#![cfg(unix)]
#![forbid(unsafe_code)]

mod daemon;
mod folder;
mod port;
mod postgres;
mod redis;

use std::{
    env, fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    thread::sleep,
    time::{Duration, Instant},
};

pub use daemon::{Daemon, Signal};
pub use folder::Folder;
pub use port::free_port;
pub use postgres::{Careful, Postgres};
pub use redis::Redis;

/// The file that a shell would run for `program`.
pub fn in_path(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    // Where Debian has what only root needs.
    let more = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    env::split_paths(&path)
        .chain(more)
        .map(|folder| folder.join(program))
        .find(|file| is_program(file))
}

fn is_program(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

/// Waits until `is_so`. Whether it came to that in time.
pub fn comes_true(mut is_so: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + DEADLINE;
    while !is_so() {
        if end < Instant::now() {
            return false;
        }
        sleep(GLANCE);
    }
    true
}

/// How long a program may take to start: more than a loaded machine needs.
const DEADLINE: Duration = Duration::from_secs(60);

/// Between two looks.
const GLANCE: Duration = Duration::from_millis(10);
