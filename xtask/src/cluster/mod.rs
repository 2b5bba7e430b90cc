//! `cargo xtask cluster`: the room on several nodes, with all that it needs, on this machine.

mod balancer;

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use fanfare_daemons::{Careful, Daemon, Folder, Postgres, Redis, Signal, comes_true};

use crate::checkout::{self, Checkout};
use crate::chromium::Place;
use crate::daemons::Program;
use crate::{cargo, needs, setup, step};

/// Between two looks at what runs.
const GLANCE: Duration = Duration::from_millis(500);

/// What is started.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Plan {
    pub(crate) listen: SocketAddr,
    pub(crate) nodes: u16,
}

/// Sets up what is missing, starts everything, and ends it at Ctrl-C.
///
/// # Errors
///
/// If a step fails, or something does not start.
pub(crate) fn run(checkout: &Checkout, plan: Plan) -> Result<ExitCode> {
    let mut missing = needs::missing(checkout);
    let mut found = |program: Program| {
        let found = program.find("A cluster needs", Place::here());
        found.map_err(|lacks| missing.push(lacks)).ok()
    };
    let (_, _, haproxy) = (
        found(Program::Postgres),
        found(Program::Redis),
        found(Program::Haproxy),
    );
    let Some(haproxy) = haproxy.filter(|_| missing.is_empty()) else {
        eprintln!("Missing on this machine:");
        for missing in missing {
            eprintln!("  {missing}");
        }
        return Ok(ExitCode::FAILURE);
    };
    needs::free(plan.listen, "cluster")?;
    setup::packages(&checkout.web())?;
    setup::page(checkout)?;
    let mut build = cargo::command(checkout);
    build.args(["build", "--release", "--package", "fanfare-server"]);
    step::run("build", &mut build)?;

    let (interrupt, interrupted) = mpsc::channel();
    ctrlc::set_handler(move || {
        // A second one is told to nobody: all is being ended.
        let _ = interrupt.send(());
    })
    .context("signals can't be handled")?;
    let cluster = Cluster::start(&checkout::built("release")?, &haproxy, plan)?;
    cluster.introduce()?;
    cluster.watch(&interrupted);
    println!("\nEnding it all …");
    cluster.end();
    Ok(ExitCode::SUCCESS)
}

/// All that runs.
struct Cluster {
    url: String,
    balancer: Daemon,
    nodes: Vec<Node>,
    redis: Redis,
    postgres: Postgres,
}

/// One server.
struct Node {
    name: String,
    address: SocketAddr,
    daemon: Daemon,
}

impl Cluster {
    fn start(built: &Path, haproxy: &Path, plan: Plan) -> Result<Self> {
        println!("starting …");
        let postgres = Postgres::start(Careful::Yes)?;
        let redis = Redis::start()?;
        let database = postgres.new_database()?;
        let mut nodes = Vec::new();
        for number in 1..=plan.nodes {
            let name = format!("node{number}");
            nodes.push(Node::start(built, name, &database, &redis.url())?);
        }
        let balancer = balancer::start(haproxy, plan.listen, &nodes)?;
        Ok(Self {
            url: format!("http://{}", plan.listen),
            balancer,
            nodes,
            redis,
            postgres,
        })
    }

    /// Says what runs, and where its files are.
    fn introduce(&self) -> Result<()> {
        let place = |daemon: Option<&Daemon>| {
            let folder = daemon.map(|daemon| daemon.folder().path().display().to_string());
            folder.unwrap_or_default()
        };
        let mut text = format!(
            "\nOpen {}\n\nA browser stays on the node that it came to first; another browser, or a private window, comes to \
             the next one.\nEach program has its files and its log in a folder of its own:\n\n",
            self.url
        );
        let mut line = |name: &str, what: &str, folder: &str| {
            text += &format!("{name:<12}{what:<40}{folder}\n");
        };
        for node in &self.nodes {
            let folder = place(Some(&node.daemon));
            let id = node.daemon.id().unwrap_or_default();
            line(
                &node.name,
                &format!("http://{}, process {id}", node.address),
                &folder,
            );
        }
        line("haproxy", &self.url, &place(Some(&self.balancer)));
        let folder = place(self.redis.daemon());
        line("Redis", &self.redis.url(), &folder);
        let folder = place(self.postgres.daemon());
        line("PostgreSQL", "accounts and messages", &folder);
        text += "\n`kill -9` of a node's process shows how the others go on. Ctrl-C ends all of them, and removes these folders.\n";
        io::stdout().write_all(text.as_bytes())?;
        Ok(())
    }

    /// Says which programs end by themselves, until Ctrl-C.
    fn watch(&self, interrupted: &mpsc::Receiver<()>) {
        let nodes = self.nodes.iter().map(|node| (&*node.name, &node.daemon));
        let others = [
            ("haproxy", Some(&self.balancer)),
            ("Redis", self.redis.daemon()),
            ("PostgreSQL", self.postgres.daemon()),
        ];
        let others = others.map(|(name, daemon)| daemon.map(|daemon| (name, daemon)));
        let mut running: Vec<_> = nodes.chain(others.into_iter().flatten()).collect();
        while interrupted.recv_timeout(GLANCE) == Err(mpsc::RecvTimeoutError::Timeout) {
            running.retain(|(name, daemon)| match daemon.ended() {
                None => true,
                Some(status) => {
                    let folder = daemon.folder().path().display();
                    println!(
                        "{name} has ended, with status {status}; what it said is in {folder}/log"
                    );
                    false
                }
            });
        }
    }

    /// First those that need others.
    fn end(self) {
        drop(self.balancer);
        drop(self.nodes);
        drop(self.redis);
        drop(self.postgres);
    }
}

impl Node {
    fn start(built: &Path, name: String, database: &str, redis: &str) -> Result<Self> {
        let words = ["serve", "--listen", "127.0.0.1:0"];
        let words = [&words[..], &["--database", database, "--redis", redis]].concat();
        let words: Vec<String> = words.into_iter().map(str::to_owned).collect();
        let folder = Folder::new(&name)?;
        let daemon = Daemon::start(&built.join("fanfare"), &words, folder, Signal::Terminate)?;
        let mut address = None;
        comes_true(|| {
            let log = daemon.log();
            address = listening(&log);
            address.is_some() || log.contains("error:")
        });
        match address {
            Some(address) => Ok(Self {
                name,
                address,
                daemon,
            }),
            None => Err(anyhow!("{name} did not start: {}", daemon.log())),
        }
    }
}

/// Where a node says that it listens.
fn listening(log: &str) -> Option<SocketAddr> {
    log.lines()
        .find_map(|line| line.strip_prefix("listening on http://"))?
        .trim()
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_says_where_it_listens() {
        let log = "INFO something\nlistening on http://127.0.0.1:4000\n\nOpen it\n";
        assert_eq!(listening(log), Some("127.0.0.1:4000".parse().unwrap()));
        assert_eq!(listening("error: no"), None);
    }
}
