//! Redis: a server of one's own, which keeps nothing on disk.

use std::{
    io::{self, Read as _, Write as _},
    net::{Ipv4Addr, TcpStream},
    sync::OnceLock,
    time::Duration,
};

use crate::{Daemon, Folder, Signal, comes_true, free_port, in_path};

/// A running Redis, or Valkey.
#[derive(Debug)]
pub struct Redis {
    port: u16,
    daemon: Option<Daemon>,
}

impl Redis {
    /// One that all tests of this process share; it ends with the process.
    ///
    /// # Panics
    ///
    /// If it can't be started, and says what is missing.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Redis> = OnceLock::new();
        SHARED.get_or_init(|| Self::start().unwrap_or_else(|error| panic!("{error}")))
    }

    /// Starts an empty one.
    ///
    /// # Errors
    ///
    /// A sentence that says what is missing, or what the server said.
    pub fn start() -> io::Result<Self> {
        let mut redis = Self {
            port: free_port(),
            daemon: None,
        };
        redis.resume()?;
        Ok(redis)
    }

    /// Ends it; what it knew is gone.
    pub fn pause(&mut self) {
        self.daemon = None;
    }

    /// Starts it again, empty, at the same port.
    ///
    /// # Errors
    ///
    /// A sentence that says what is missing, or what the server said.
    pub fn resume(&mut self) -> io::Result<()> {
        let program = in_path("redis-server")
            .or_else(|| in_path("valkey-server"))
            .ok_or_else(|| io::Error::other(MISSING))?;
        let port = self.port.to_string();
        let words = [
            "--bind",
            "127.0.0.1",
            "--port",
            &port,
            "--save",
            "",
            "--appendonly",
            "no",
        ];
        let words = words.map(str::to_owned);
        let daemon = Daemon::start(&program, &words, Folder::new("redis")?, Signal::Terminate)?;
        let is_ready = comes_true(|| is_ready(self.port).unwrap_or(false));
        let log = daemon.log();
        self.daemon = Some(daemon);
        match is_ready {
            true => Ok(()),
            false => Err(io::Error::other(format!("Redis did not start: {log}"))),
        }
    }

    /// The program that runs, unless it is [paused](Self::pause).
    pub fn daemon(&self) -> Option<&Daemon> {
        self.daemon.as_ref()
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }
}

fn is_ready(port: u16) -> io::Result<bool> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    stream.write_all(b"PING\r\n")?;
    let mut answer = [0; 7];
    stream.read_exact(&mut answer)?;
    Ok(&answer == b"+PONG\r\n")
}

const MISSING: &str =
    "there is no redis-server or valkey-server in PATH: on Debian `apt-get install redis-server`";
