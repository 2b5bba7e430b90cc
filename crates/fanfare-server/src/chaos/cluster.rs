//! Cluster: a broker and its nodes, started here or there already.

use std::{
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use fanfare_client::Address;
use tokio::net::TcpStream;

use super::{
    args::{Args, Fault},
    broker::{Broker, Standby},
    ports::free_port,
    process::{Process, Stopped, kill_foreign},
    proxy::Proxy,
};

/// All that a count goes through. What was started here ends when it is dropped.
#[derive(Debug)]
pub(super) struct Cluster {
    nodes: Vec<Node>,
    pub(super) broker: Broker,
    folder: Folder,
}

/// A server.
#[derive(Debug)]
enum Node {
    Own(OwnNode),
    Attached { address: Address, pid: Option<i32> },
}

/// A server that was started here.
#[derive(Debug)]
struct OwnNode {
    port: u16,
    /// None for fanfare's own.
    command: Option<String>,
    redis: String,
    log: PathBuf,
    /// None if its link is neither cut nor led elsewhere.
    link: Option<Proxy>,
    process: Option<Process>,
}

impl Cluster {
    /// Starts what has to be started, and waits until all of it can be reached.
    ///
    /// # Errors
    ///
    /// A sentence about what can't be started or reached.
    pub(super) async fn start(args: &Args, faults: &[Fault]) -> anyhow::Result<Self> {
        let folder = Folder::new()?;
        let standby = match faults.contains(&Fault::Failover) {
            true => Standby::Some,
            false => Standby::None,
        };
        let broker = match args.attach.is_empty() {
            true => Broker::start(&folder.0, standby).await?,
            false => Broker::given(args.redis.as_deref()).await?,
        };
        let mut cluster = Self {
            nodes: Vec::new(),
            broker,
            folder,
        };
        for (number, address) in args.attach.iter().enumerate() {
            cluster.nodes.push(Node::Attached {
                address: address.clone(),
                pid: args.pids.get(number).map(|pid| pid.get()),
            });
        }
        if args.attach.is_empty() {
            for number in 0..args.n_nodes() {
                let node = cluster.new_node(number, args, faults).await?;
                cluster.nodes.push(Node::Own(node));
            }
        }
        for node in 0..cluster.nodes.len() {
            cluster.launch(node)?;
        }
        for node in 0..cluster.nodes.len() {
            cluster.reached(node).await?;
        }
        Ok(cluster)
    }

    async fn new_node(
        &self,
        number: usize,
        args: &Args,
        faults: &[Fault],
    ) -> anyhow::Result<OwnNode> {
        let is_ours = |fault| matches!(fault, &Fault::Cut | &Fault::Failover);
        let broker = self.broker.port().filter(|_| faults.iter().any(is_ours));
        let link = match broker {
            None => None,
            Some(port) => Some(Proxy::start(port).await.context("the proxy has no port")?),
        };
        let redis = link
            .as_ref()
            .map(|link| format!("redis://127.0.0.1:{}", link.port()));
        Ok(OwnNode {
            port: free_port()?,
            command: args.node.clone(),
            redis: redis.unwrap_or_else(|| self.broker.url().to_owned()),
            log: self.folder.0.join(format!("node-{}.log", number + 1)),
            link,
            process: None,
        })
    }

    /// Where the nodes are.
    pub(super) fn addresses(&self) -> anyhow::Result<Vec<Address>> {
        let address = |node: &Node| match node {
            Node::Own(node) => Ok(format!("http://127.0.0.1:{}", node.port).parse()?),
            Node::Attached { address, .. } => Ok(address.clone()),
        };
        self.nodes.iter().map(address).collect()
    }

    /// Whether its nodes were started here.
    pub(super) fn is_own(&self) -> bool {
        self.nodes.iter().all(|node| matches!(node, Node::Own(_)))
    }

    /// Kills a node.
    ///
    /// # Errors
    ///
    /// If it is somebody else's.
    pub(super) fn kill(&mut self, node: usize) -> anyhow::Result<()> {
        match &mut self.nodes[node] {
            Node::Own(node) => node.process = None,
            Node::Attached { pid, .. } => {
                let pid = pid.take().context("its process id is not known")?;
                kill_foreign(pid).with_context(|| format!("process {pid} can't be killed"))?;
            }
        }
        Ok(())
    }

    /// Stops a node until what this returns is dropped.
    ///
    /// # Errors
    ///
    /// If its process is not known.
    pub(super) fn stop(&self, node: usize) -> anyhow::Result<Stopped> {
        match &self.nodes[node] {
            Node::Own(node) => {
                let process = node.process.as_ref().context("it does not run")?;
                Ok(Stopped::process(process))
            }
            Node::Attached { pid, .. } => {
                let pid = pid.context("its process id is not known")?;
                Ok(Stopped::foreign(pid))
            }
        }
    }

    /// Asks a node to end, and waits until it has.
    pub(super) async fn end(&mut self, node: usize) {
        if let Node::Own(node) = &mut self.nodes[node]
            && let Some(mut process) = node.process.take()
        {
            process.end(END_PATIENCE).await;
        }
    }

    /// Starts a node again, and waits until it can be reached.
    ///
    /// # Errors
    ///
    /// If it does not come back.
    pub(super) async fn start_again(&mut self, node: usize) -> anyhow::Result<()> {
        self.launch(node)?;
        self.reached(node).await
    }

    /// The node's link to the broker, if it is ours to cut.
    pub(super) fn link(&self, node: usize) -> Option<&Proxy> {
        match &self.nodes[node] {
            Node::Own(node) => node.link.as_ref(),
            Node::Attached { .. } => None,
        }
    }

    /// The broker's standby takes its place, and all links lead there.
    ///
    /// # Errors
    ///
    /// If there is no standby.
    pub(super) fn fail_over(&mut self) -> anyhow::Result<()> {
        self.broker.fail_over()?;
        let port = self.broker.port().context("it was started here")?;
        for node in 0..self.nodes.len() {
            self.link(node)
                .context("its link is not ours")?
                .lead_to(port);
        }
        Ok(())
    }

    /// Starts everything anew that was started here.
    ///
    /// # Errors
    ///
    /// If something was not, or does not come back.
    pub(super) async fn renew(&mut self) -> anyhow::Result<()> {
        if !self.is_own() {
            bail!("the cluster was not started here, so it is not started anew");
        }
        for node in 0..self.nodes.len() {
            self.kill(node)?;
        }
        self.broker.kill()?;
        self.broker.start_again().await?;
        self.broker.attach().await?;
        for node in 0..self.nodes.len() {
            self.start_again(node).await?;
        }
        Ok(())
    }

    fn launch(&mut self, number: usize) -> anyhow::Result<()> {
        let Node::Own(node) = &mut self.nodes[number] else {
            return Ok(());
        };
        let process = Process::start(&node.start_command()?, &node.log)
            .with_context(|| format!("node {} can't be started", number + 1))?;
        node.process = Some(process);
        Ok(())
    }

    /// Waits until the node takes connections.
    async fn reached(&mut self, number: usize) -> anyhow::Result<()> {
        let deadline = Instant::now() + START_PATIENCE;
        loop {
            let Err(error) = TcpStream::connect(self.nodes[number].authority()).await else {
                return Ok(());
            };
            let node = number + 1;
            match &mut self.nodes[number] {
                Node::Own(own) => {
                    let process = own.process.as_mut().context("it was started")?;
                    if let Some(status) = process.ended() {
                        bail!(
                            "node {node} has ended, {status}; it said:\n{}",
                            process.last_words()
                        );
                    }
                    if deadline < Instant::now() {
                        bail!(
                            "node {node} does not listen; it said:\n{}",
                            process.last_words()
                        );
                    }
                }
                Node::Attached { address, .. } if deadline < Instant::now() => {
                    bail!("no server is reached at {address}: {error}");
                }
                Node::Attached { .. } => {}
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Node {
    fn authority(&self) -> String {
        match self {
            Self::Own(node) => SocketAddr::from(([127, 0, 0, 1], node.port)).to_string(),
            Self::Attached { address, .. } => address.authority(),
        }
    }
}

impl OwnNode {
    fn start_command(&self) -> io::Result<Command> {
        let Some(command) = &self.command else {
            let mut command = Command::new(std::env::current_exe()?);
            let listen = format!("127.0.0.1:{}", self.port);
            command.args(["chaos-node", "--listen", &listen, "--redis", &self.redis]);
            return Ok(command);
        };
        let filled = command
            .replace("{port}", &self.port.to_string())
            .replace("{redis}", &self.redis);
        let mut shell = Command::new("sh");
        // With `exec` no shell is left over, which would end before its node does.
        shell.args(["-c", &format!("exec {filled}")]);
        Ok(shell)
    }
}

/// A folder for what is said by what was started; removed when it is dropped.
#[derive(Debug)]
struct Folder(PathBuf);

impl Folder {
    fn new() -> anyhow::Result<Self> {
        let name = format!("fanfare-chaos-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        make(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(Self(folder))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left over in a folder for what is temporary does no harm.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn make(folder: &Path) -> io::Result<()> {
    match fs::create_dir(folder) {
        // Of an earlier process of the same number.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs::remove_dir_all(folder)?;
            fs::create_dir(folder)
        }
        made => made,
    }
}

const START_PATIENCE: Duration = Duration::from_secs(30);
/// Longer than servers wait for their own clients.
const END_PATIENCE: Duration = Duration::from_secs(15);
