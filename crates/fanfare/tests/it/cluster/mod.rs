//! Several servers with an adapter between them that is a queue in memory: what any cluster is held to.

mod counts;
mod emits;
mod questions;
mod told;
mod unnamed;

use std::sync::{
    Arc, Mutex, OnceLock, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use fanfare::{Adapter, BoxFuture, Config, Message, Node, Reply};
use tokio::sync::mpsc;

use crate::server::Server;

/// Where all nodes meet.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    nodes: Mutex<Vec<(Node, mpsc::UnboundedSender<Parcel>)>>,
    /// Nobody can say how many nodes there are.
    pub(crate) is_unreachable: AtomicBool,
}

#[derive(Debug)]
enum Parcel {
    Message(Message),
    Reply(Reply),
}

/// One node's way to the hub.
#[derive(Debug)]
struct Wire {
    hub: Arc<Hub>,
    node: OnceLock<Node>,
    /// It hears, and says nothing any more.
    is_mute: Arc<AtomicBool>,
}

/// A node of the cluster.
pub(crate) struct Member {
    pub(crate) server: Server,
    pub(crate) is_mute: Arc<AtomicBool>,
}

impl Hub {
    /// A cluster of so many nodes.
    pub(crate) async fn of<const N: usize>() -> (Arc<Self>, [Member; N]) {
        let hub = Arc::<Self>::default();
        let mut members = Vec::new();
        for _ in 0..N {
            members.push(hub.node(Config::default()).await);
        }
        let members = members.try_into().unwrap_or_else(|_| unreachable!());
        (hub, members)
    }

    /// A further node.
    pub(crate) async fn node(self: &Arc<Self>, config: Config) -> Member {
        let is_mute = Arc::<AtomicBool>::default();
        let server = Server::with(Config {
            adapter: Some(Arc::new(Wire {
                hub: self.clone(),
                node: OnceLock::new(),
                is_mute: is_mute.clone(),
            })),
            ..config
        })
        .await;
        Member { server, is_mute }
    }

    fn send(&self, to: impl Fn(&Node) -> bool, parcel: impl Fn() -> Parcel) {
        let nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        for (_, queue) in nodes.iter().filter(|(node, _)| to(node)) {
            // The node's runtime may have ended with its test.
            let _ = queue.send(parcel());
        }
    }
}

impl Wire {
    fn id(&self) -> &str {
        self.node.get().expect("it has started").id()
    }
}

impl Adapter for Wire {
    fn start(&self, node: Node) {
        let (queue, mut parcels) = mpsc::unbounded_channel();
        let hears = node.clone();
        tokio::spawn(async move {
            while let Some(parcel) = parcels.recv().await {
                match parcel {
                    Parcel::Message(message) => hears.receive(message),
                    Parcel::Reply(reply) => hears.receive_reply(reply),
                }
            }
        });
        let mut nodes = self
            .hub
            .nodes
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        nodes.push((node.clone(), queue));
        self.node.set(node).expect("it starts once");
    }

    fn publish(&self, message: Message) {
        if !self.is_mute.load(Ordering::Relaxed) {
            let others = |node: &Node| node.id() != self.id();
            self.hub.send(others, || Parcel::Message(message.clone()));
        }
    }

    fn reply(&self, reply: Reply) {
        if !self.is_mute.load(Ordering::Relaxed) {
            let asker = |node: &Node| node.id() == &*reply.to.node;
            self.hub.send(asker, || Parcel::Reply(reply.clone()));
        }
    }

    fn names(&self) -> BoxFuture<Vec<Arc<str>>> {
        let nodes = self.hub.nodes.lock();
        let nodes = nodes.unwrap_or_else(PoisonError::into_inner);
        let others = nodes.iter().filter(|(node, _)| node.id() != self.id());
        let names = others.map(|(node, _)| node.id().into()).collect();
        Box::pin(async { names })
    }

    fn others(&self, _: &str) -> BoxFuture<Result<usize, String>> {
        let nodes = self.hub.nodes.lock();
        let others = nodes.unwrap_or_else(PoisonError::into_inner).len() - 1;
        let answer = match self.hub.is_unreachable.load(Ordering::Relaxed) {
            true => Err("the hub is closed".to_owned()),
            false => Ok(others),
        };
        Box::pin(async { answer })
    }
}
