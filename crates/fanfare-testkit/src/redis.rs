//! A redis-server of a test's own, on a port of its own, which can be stopped, killed and begun again.

use std::{
    env,
    net::{Ipv4Addr, SocketAddr},
    process::{Child, Command, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};

use crate::deadline::{DEADLINE, GLANCE, within};

/// A redis-server that keeps nothing, until it is dropped. The variable `FANFARE_REDIS_SERVER` may name another program than that of this name.
#[derive(Debug)]
pub struct Redis {
    address: SocketAddr,
    /// `None` while it is dead.
    child: Option<Child>,
}

impl Redis {
    /// Starts one, and waits until it answers.
    ///
    /// # Panics
    ///
    /// If there is no `redis-server`, or it does not answer in time.
    pub async fn start() -> Self {
        // Between the choice of a port and the start, somebody else may take it.
        for _ in 0..ATTEMPTS {
            let mut redis = Self {
                address: free_address(),
                child: None,
            };
            if redis.try_start().await {
                return redis;
            }
        }
        panic!("redis-server did not start");
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// Starts it again where it was, with nothing in it.
    ///
    /// # Panics
    ///
    /// If it does not answer in time.
    pub async fn restart(&mut self) {
        self.kill();
        within("redis-server", async {
            while !self.try_start().await {
                sleep(GLANCE).await;
            }
        })
        .await;
    }

    /// Copies `other` from now on; returns when it has all of it.
    ///
    /// # Panics
    ///
    /// If that does not come about in time.
    pub async fn follow(&self, other: &Self) {
        let port = other.address.port().to_string();
        let follows = self.command(&["REPLICAOF", "127.0.0.1", &port]).await;
        assert_eq!(follows, "+OK");
        // It answers early if so many have it.
        let patience = DEADLINE.as_millis().to_string();
        assert_eq!(other.command(&["WAIT", "1", &patience]).await, ":1");
    }

    /// Copies nobody any more, and keeps what it has.
    ///
    /// # Panics
    ///
    /// If it does not answer in time.
    pub async fn follow_nobody(&self) {
        assert_eq!(self.command(&["REPLICAOF", "NO", "ONE"]).await, "+OK");
    }

    /// Kills it.
    ///
    /// # Panics
    ///
    /// If it was not there any more.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("it was started here");
            child.wait().expect("it was started here");
        }
    }

    /// Freezes it: its connections stay, and nothing is answered.
    pub fn freeze(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.signal(Signal::SIGCONT);
    }

    /// Does one command, and returns the first line of its answer.
    ///
    /// # Panics
    ///
    /// If it does not answer in time.
    pub async fn command(&self, words: &[&str]) -> String {
        within("an answer of redis-server", async {
            let mut stream = TcpStream::connect(self.address).await;
            let stream = stream.as_mut().expect("it listens");
            first_line(stream, words).await.expect("it answers")
        })
        .await
    }

    fn signal(&self, signal: Signal) {
        let child = self.child.as_ref().expect("it lives");
        let pid = i32::try_from(child.id()).expect("ids of processes are small");
        kill(Pid::from_raw(pid), signal).expect("it was started here");
    }

    /// Whether it answers, and is the one that was started.
    async fn try_start(&mut self) -> bool {
        let program = env::var_os("FANFARE_REDIS_SERVER");
        let mut child = Command::new(program.unwrap_or_else(|| "redis-server".into()))
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .args(["--port", &self.address.port().to_string()])
            // Who copies it gets a copy at once, rather than when more have asked for one, and does not write it to a
            // file, which would be read at the next start.
            .args(["--repl-diskless-sync", "yes"])
            .args(["--repl-diskless-sync-delay", "0"])
            .args(["--repl-diskless-load", "swapdb"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("redis-server is installed");
        let answers = async {
            loop {
                if let Ok(Some(_)) = child.try_wait() {
                    return false;
                }
                if let Ok(mut stream) = TcpStream::connect(self.address).await {
                    let pong = first_line(&mut stream, &["PING"]).await;
                    return pong.is_some_and(|pong| pong == "+PONG");
                }
                sleep(GLANCE).await;
            }
        };
        let answers = timeout(DEADLINE, answers).await.unwrap_or(false);
        self.child = Some(child);
        if !answers {
            self.kill();
        }
        answers
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

fn free_address() -> SocketAddr {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let listener = listener.expect("a port is free");
    listener.local_addr().expect("it is bound")
}

async fn first_line(stream: &mut TcpStream, words: &[&str]) -> Option<String> {
    let mut command = format!("*{}\r\n", words.len());
    for word in words {
        command.push_str(&format!("${}\r\n{word}\r\n", word.len()));
    }
    stream.write_all(command.as_bytes()).await.ok()?;
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        line.push(stream.read_u8().await.ok()?);
    }
    line.truncate(line.len() - 2);
    String::from_utf8(line).ok()
}

/// How many ports are tried.
const ATTEMPTS: usize = 5;
