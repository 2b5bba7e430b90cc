//! One server under load, once: started afresh, pinned, measured, stopped.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use fanfare_daemons::Redis;
use serde_json::Value;

use crate::contestant::{Contestant, Leaving, Program, Setting};
use crate::scenario::Scenario;

/// What all runs have in common.
#[derive(Debug)]
pub(crate) struct Bench {
    scenario: Scenario,
    clients: usize,
    pinning: Pinning,
    /// Where cargo put this program, and the others.
    built: PathBuf,
}

/// Whether server and generator have a core each to themselves.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Pinning {
    /// The server on CPU 0, the generator on CPU 1.
    Apart,
    /// Wherever the system puts them: there is no taskset, or no second core.
    None,
}

impl Bench {
    pub(crate) fn new(scenario: Scenario, clients: usize) -> anyhow::Result<Self> {
        Ok(Self {
            scenario,
            clients,
            pinning: Pinning::possible(),
            built: built()?,
        })
    }

    /// Measures `contestant` once; its report is the generator's.
    ///
    /// # Errors
    ///
    /// If the server does not start, or the generator saw something wrong.
    pub(crate) fn run(&self, contestant: &Contestant) -> anyhow::Result<Value> {
        let address = free_address().context("cannot find a free port")?;
        let redis = self.redis(contestant)?;
        let server = self.start(contestant, address, redis.as_ref())?;
        let output = self
            .generator(contestant, address, server.0.id())
            .output()
            .context("cannot start fanfare-load; `cargo xtask bench` builds it")?;
        if !output.status.success() {
            bail!("{}", String::from_utf8_lossy(&output.stderr).trim_end());
        }
        serde_json::from_slice(&output.stdout).context("fanfare-load printed no report")
    }

    /// Has fanfare's server do what `words` say, while callgrind counts its instructions into `profile`.
    ///
    /// # Errors
    ///
    /// If valgrind is not there, the server does not start, or the generator saw something wrong.
    pub(crate) fn run_counted(
        &self,
        words: &[&str],
        environment: Option<(&str, &str)>,
        profile: &Path,
    ) -> anyhow::Result<Value> {
        let address = free_address().context("cannot find a free port")?;
        let child = Command::new("valgrind")
            .args(["--quiet", "--tool=callgrind"])
            .arg(format!("--callgrind-out-file={}", profile.display()))
            .arg(self.built.join("say"))
            .env("PORT", address.port().to_string())
            .envs(environment)
            // So that what is done does not depend on who is first.
            .env("TOKIO_WORKER_THREADS", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .context("cannot start valgrind; Debian's package of that name has it")?;
        let mut server = Stopped(child);
        server.wait_until_it_listens(address)?;
        let mut generator = Command::new(self.built.join("fanfare-load"));
        generator
            .args(words)
            .args(["--address", &address.to_string()]);
        generator.args(["--server-pid", &server.0.id().to_string()]);
        let output = generator.output().context("cannot start fanfare-load")?;
        if !output.status.success() {
            bail!("{}", String::from_utf8_lossy(&output.stderr).trim_end());
        }
        server.end()?;
        serde_json::from_slice(&output.stdout).context("fanfare-load printed no report")
    }

    fn start(
        &self,
        contestant: &Contestant,
        address: SocketAddr,
        redis: Option<&Redis>,
    ) -> anyhow::Result<Stopped> {
        let mut command = match contestant.program {
            Program::Built(name, args) => {
                let mut command = self.pinned(contestant.cpus, self.built.join(name));
                command.args(args);
                command
            }
            Program::Node(script) => {
                let mut command = self.pinned(contestant.cpus, "node");
                command.arg(peers().join(script));
                command
            }
            Program::Bun(script, args) => {
                let mut command = self.pinned(contestant.cpus, bun()?);
                command.arg(peers().join(script)).args(args);
                command
            }
            Program::Oxide(args) => {
                let program = self.built.join("../oxide/release/oxide");
                let mut command = self.pinned(contestant.cpus, program);
                command.args(args);
                command
            }
        };
        let child = command
            .env("PORT", address.port().to_string())
            .envs(self.scenario.environment())
            .envs(contestant.environment)
            .envs(redis.map(|redis| ("REDIS_URL", redis.url())))
            .envs(
                self.certificate(contestant)
                    .map(|file| ("TLS_CERTIFICATE", file)),
            )
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .with_context(|| {
                format!(
                    "cannot start {}; `cargo xtask bench` builds it",
                    contestant.name
                )
            })?;
        let mut server = Stopped(child);
        server.wait_until_it_listens(address)?;
        Ok(server)
    }

    fn generator(&self, contestant: &Contestant, address: SocketAddr, server_pid: u32) -> Command {
        let mut command = self.pinned("1", self.built.join("fanfare-load"));
        command.args(contestant.words.unwrap_or(self.scenario.words()));
        let clients = contestant.clients.unwrap_or(self.clients);
        command.args(["--clients", &clients.to_string()]);
        command.args([
            "--address",
            &address.to_string(),
            "--server-pid",
            &server_pid.to_string(),
        ]);
        if let Some(file) = self.certificate(contestant) {
            command.arg("--tls-certificate").arg(file);
        }
        let is_storm = matches!(self.scenario, Scenario::Storm | Scenario::Count);
        if is_storm && contestant.leaving == Leaving::Counted {
            command.arg("--halve");
        }
        command.stdin(Stdio::null());
        command
    }

    /// Where a server leaves its certificate for the generator, if it has one.
    fn certificate(&self, contestant: &Contestant) -> Option<PathBuf> {
        let is_over_tls = contestant.setting == Setting::OverTls;
        is_over_tls.then(|| self.built.join("bench-certificate.pem"))
    }

    /// A Redis for this run, if the server is to be in a cluster.
    fn redis(&self, contestant: &Contestant) -> anyhow::Result<Option<Redis>> {
        let is_in_cluster = contestant.setting == Setting::InCluster;
        let redis = is_in_cluster.then(Redis::start);
        redis.transpose().context("Redis did not start")
    }

    fn pinned(&self, cpu: &str, program: impl AsRef<OsStr>) -> Command {
        match self.pinning {
            Pinning::Apart => {
                let mut command = Command::new("taskset");
                command.args(["-c", cpu]).arg(program);
                command
            }
            Pinning::None => Command::new(program),
        }
    }
}

impl Pinning {
    pub(crate) fn possible() -> Self {
        let can_pin = Command::new("taskset")
            .args(["-c", "0,1", "true"])
            .status()
            .is_ok_and(|status| status.success());
        let has_two = thread::available_parallelism().is_ok_and(|cores| 2 <= cores.get());
        if can_pin && has_two {
            Self::Apart
        } else {
            Self::None
        }
    }
}

/// A server that is killed when this goes out of scope.
pub(crate) struct Stopped(pub(crate) Child);

impl Stopped {
    pub(crate) fn wait_until_it_listens(&mut self, address: SocketAddr) -> anyhow::Result<()> {
        let deadline = Instant::now() + START_TIMEOUT;
        while TcpStream::connect(address).is_err() {
            if let Some(status) = self.0.try_wait()? {
                bail!("the server ended with {status} before it listened on {address}");
            }
            if deadline < Instant::now() {
                return Err(anyhow!(
                    "the server does not listen on {address} after {START_TIMEOUT:?}"
                ));
            }
            thread::sleep(START_POLL);
        }
        Ok(())
    }
}

impl Stopped {
    /// Asks it to end, and waits until it has.
    fn end(&mut self) -> anyhow::Result<()> {
        let pid = self.0.id().to_string();
        let asked = Command::new("kill").args(["-TERM", &pid]).status()?;
        anyhow::ensure!(asked.success(), "the server could not be asked to end");
        self.0.wait()?;
        Ok(())
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        // Both fail only if it has ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Where cargo put this program, and the others.
pub(crate) fn built() -> anyhow::Result<PathBuf> {
    let this = env::current_exe().context("cannot find this program's own folder")?;
    Ok(this.parent().expect("a program is in a folder").to_owned())
}

/// The folder of other makers' servers.
pub(crate) fn peers() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../peers")
}

/// Bun's own program: the one that npm links is a stub until a script has run, and none is let.
fn bun() -> anyhow::Result<PathBuf> {
    let packages = peers().join("node_modules/@oven");
    let packages = fs::read_dir(packages).context("Bun is not there; `--peers` installs it")?;
    let mut programs = packages
        .flatten()
        .map(|package| package.path().join("bin/bun"));
    programs
        .find(|program| program.exists())
        .context("npm has no Bun for this system")
}

pub(crate) fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

const START_TIMEOUT: Duration = Duration::from_secs(20);
const START_POLL: Duration = Duration::from_millis(20);
