//! What `fanfare chaos` is told.

use std::{collections::HashSet, net::SocketAddr, num::NonZeroI32, path::PathBuf, time::Duration};

use anyhow::bail;
use clap::ValueEnum;
use fanfare_client::Address;

use crate::check::{path, seconds};

/// Which cluster is broken, and how.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct Args {
    /// What is done to the cluster, in this order; everything that can be done if none is named
    #[arg(value_name = "FAULT")]
    pub(super) faults: Vec<Fault>,
    /// How often each is done
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub(super) runs: u16,
    /// How many nodes are started
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(2..=64))]
    pub(super) nodes: u16,
    /// How many clients there are, spread over the nodes
    #[arg(long, value_name = "N", default_value_t = 300, value_parser = clap::value_parser!(u16).range(2..=20_000))]
    pub(super) clients: u16,
    /// The command of a node instead of fanfare's own, with {port} and {redis} where they belong
    #[arg(long, value_name = "COMMAND", value_parser = command, conflicts_with = "attach")]
    pub(super) node: Option<String>,
    /// Nodes that run already, separated by commas; nothing is started then
    #[arg(long, value_name = "URLS", value_delimiter = ',')]
    pub(super) attach: Vec<Address>,
    /// The ids of their processes in the same order, which allows `stop`, and `kill` of each but the last
    #[arg(long, value_name = "PIDS", value_delimiter = ',', requires = "attach")]
    pub(super) pids: Vec<NonZeroI32>,
    /// The broker of those nodes, which allows `wipe`; it is emptied only if that is named
    #[arg(long, value_name = "URL", value_parser = broker, requires = "attach")]
    pub(super) redis: Option<String>,
    /// The event that carries the number
    #[arg(long, value_name = "NAME", default_value = "user count")]
    pub(super) event: String,
    /// Where on the nodes Socket.IO answers
    #[arg(long, value_name = "PATH", default_value = "/socket.io/", value_parser = path)]
    pub(super) path: String,
    /// How long the count has to be right before something is done
    #[arg(long, value_name = "SECONDS", default_value = "3", value_parser = seconds)]
    pub(super) settle: Duration,
    /// How long the count has to stay right before it counts as right for good
    #[arg(long, value_name = "SECONDS", default_value = "15", value_parser = seconds)]
    pub(super) stay: Duration,
    /// How long a run waits for the count to be right before it says "never"
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    pub(super) patience: Duration,
    /// How long a node is stopped, or its link to the broker cut
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub(super) pause: Duration,
    /// Chooses where clients go and how long they are away; the same number chooses the same
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub(super) seed: u64,
    /// Write all that was measured to a file, as JSON
    #[arg(long, value_name = "FILE")]
    pub(super) json: Option<PathBuf>,
    /// Write it to a file, as a page with a plot of each run
    #[arg(long, value_name = "FILE")]
    pub(super) html: Option<PathBuf>,
}

/// What is done to a cluster.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, ValueEnum)]
pub(super) enum Fault {
    /// No fault: a tenth more clients join at once
    Join,
    /// No fault: a tenth of the clients leave at once
    Leave,
    /// A node is killed; its clients come back to the others
    Kill,
    /// A node is stopped for ten seconds, and goes on with its clients
    Stop,
    /// The broker is killed, and started again with nothing after two seconds, while clients come and go
    Restart,
    /// The broker forgets everything, while clients come and go
    Wipe,
    /// The broker is killed, and a copy that knows nothing of the last seconds takes its place
    Failover,
    /// A node's link to the broker is silent for ten seconds
    Cut,
    /// Each node in turn is asked to end, and started again
    Rolling,
}

impl Fault {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Join => "join",
            Self::Leave => "leave",
            Self::Kill => "kill",
            Self::Stop => "stop",
            Self::Restart => "restart",
            Self::Wipe => "wipe",
            Self::Failover => "failover",
            Self::Cut => "cut",
            Self::Rolling => "rolling",
        }
    }

    /// Whether it is done to one node.
    pub(super) fn is_of_one_node(self) -> bool {
        match self {
            Self::Kill | Self::Stop | Self::Cut => true,
            Self::Join
            | Self::Leave
            | Self::Restart
            | Self::Wipe
            | Self::Failover
            | Self::Rolling => false,
        }
    }
}

impl Args {
    /// What is done, each with how often.
    ///
    /// # Errors
    ///
    /// A sentence about what can't be done to nodes that were not started here, or what does not fit together.
    pub(super) fn plan(&self) -> anyhow::Result<Vec<(Fault, usize)>> {
        let attached: HashSet<_> = self.attach.iter().map(Address::authority).collect();
        if attached.len() < self.attach.len() {
            bail!("--attach names a node twice");
        }
        if attached.len() == 1 {
            bail!("a cluster has two nodes at least: --attach URL,URL");
        }
        if !self.pids.is_empty() && self.pids.len() != self.attach.len() {
            bail!("--pids needs one id for each node of --attach, in the same order");
        }
        let n_nodes = self.n_nodes();
        if usize::from(self.clients) < n_nodes {
            bail!(
                "there are {n_nodes} nodes: take a client for each at least, --clients {n_nodes}"
            );
        }
        let faults = match self.faults.is_empty() {
            true => self.possible(),
            false => self.faults.clone(),
        };
        faults
            .into_iter()
            .map(|fault| Ok((fault, self.runs_of(fault)?)))
            .collect()
    }

    /// How many nodes there are.
    pub(super) fn n_nodes(&self) -> usize {
        match self.attach.len() {
            0 => self.nodes.into(),
            attached => attached,
        }
    }

    /// What is done if nothing is named. The broker of others is not emptied unasked, nor are their nodes killed.
    fn possible(&self) -> Vec<Fault> {
        let all = Fault::value_variants().iter().copied();
        all.filter(|fault| match fault {
            Fault::Join | Fault::Leave => true,
            Fault::Stop => self.attach.is_empty() || !self.pids.is_empty(),
            Fault::Kill
            | Fault::Restart
            | Fault::Wipe
            | Fault::Failover
            | Fault::Cut
            | Fault::Rolling => self.attach.is_empty(),
        })
        .collect()
    }

    fn runs_of(&self, fault: Fault) -> anyhow::Result<usize> {
        let runs = usize::from(self.runs);
        if self.attach.is_empty() {
            return Ok(runs);
        }
        let name = fault.name();
        match fault {
            Fault::Join | Fault::Leave => Ok(runs),
            Fault::Wipe if self.redis.is_none() => bail!("wipe needs the broker: --redis URL"),
            Fault::Wipe => Ok(runs),
            Fault::Stop | Fault::Kill if self.pids.is_empty() => {
                bail!("{name} needs the nodes' process ids: --pids")
            }
            Fault::Stop => Ok(runs),
            // They are not started again from here, and one has to be left.
            Fault::Kill if self.faults.last() != Some(&Fault::Kill) => {
                bail!("kill has to be the last fault, since attached nodes are not started again")
            }
            Fault::Kill => Ok(runs.min(self.pids.len() - 1)),
            Fault::Restart | Fault::Failover | Fault::Cut | Fault::Rolling => {
                bail!(
                    "{name} can be done to a cluster that was started here only, without --attach"
                )
            }
        }
    }
}

/// How `fanfare chaos-node` is started: a server that counts, and nothing else.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct NodeArgs {
    /// Where to listen
    #[arg(long, value_name = "ADDR:PORT")]
    pub(super) listen: SocketAddr,
    /// The broker of its cluster
    #[arg(long, value_name = "URL", value_parser = broker)]
    pub(super) redis: String,
}

fn command(text: &str) -> Result<String, &'static str> {
    match text.contains("{port}") && text.contains("{redis}") {
        true => Ok(text.to_owned()),
        false => Err("it needs {port} and {redis}, such as 'node server.js {port} {redis}'"),
    }
}

fn broker(text: &str) -> Result<String, &'static str> {
    redis::Client::open(text)
        .map(|_| text.to_owned())
        .map_err(|_| "an address of Redis is needed, such as redis://127.0.0.1:6379")
}

const EXIT_CODES: &str = "A redis-server of its own and the nodes are started, and ended again; docs/chaos.md tells what is measured.\n\
    Exit code: 0 if the count was right again after everything, 1 if it never was after something, 2 if it could not be measured.";

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn plan(words: &str) -> Result<String, String> {
        let words = ["chaos"].into_iter().chain(words.split_whitespace());
        let line = Line::try_parse_from(words).map_err(|error| error.to_string())?;
        let plan = line.args.plan().map_err(|error| error.to_string())?;
        let written = plan
            .iter()
            .map(|(fault, runs)| format!("{} {runs}", fault.name()));
        Ok(written.collect::<Vec<_>>().join(", "))
    }

    const TWO: &str = "--redis redis://127.0.0.1:1 --attach http://127.0.0.1:2,http://127.0.0.1:3";

    #[test]
    fn everything_that_can_be_done_is_done_unless_something_is_named() {
        for (words, expected) in [
            (
                "",
                "join 3, leave 3, kill 3, stop 3, restart 3, wipe 3, failover 3, cut 3, rolling 3",
            ),
            ("wipe kill --runs 20", "wipe 20, kill 20"),
            (TWO, "join 3, leave 3"),
            (&format!("{TWO} --pids 4,5"), "join 3, leave 3, stop 3"),
            (&format!("{TWO} --pids 4,5 wipe kill"), "wipe 3, kill 1"),
        ] {
            assert_eq!(plan(words).unwrap(), expected, "{words}");
        }
    }

    #[test]
    fn what_can_not_be_done_is_said_with_what_can() {
        for (words, said) in [
            ("explode", "possible values: join"),
            ("--nodes 1", "2..=64"),
            ("--node server.js", "{port} and {redis}"),
            ("--redis 127.0.0.1:1", "redis://127.0.0.1:6379"),
            ("--nodes 5 --clients 4", "--clients 5"),
            ("--redis redis://127.0.0.1:1", "--attach"),
            (
                "--attach http://127.0.0.1:2,http://127.0.0.1:3 wipe",
                "--redis",
            ),
            (&format!("{TWO} kill"), "--pids"),
            (&format!("{TWO} --pids 4"), "one id for each node"),
            (&format!("{TWO} --pids 4,5 kill stop"), "the last fault"),
            (&format!("{TWO} restart"), "without --attach"),
            (&format!("{TWO} failover"), "without --attach"),
            (
                "--redis redis://127.0.0.1:1 --attach http://127.0.0.1:2",
                "two nodes at least",
            ),
        ] {
            let error = plan(words).unwrap_err();
            assert!(error.contains(said), "{words}: {error}");
        }
    }
}
