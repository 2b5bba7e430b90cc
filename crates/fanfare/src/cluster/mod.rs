//! Cluster: what a server and the other nodes of its cluster tell and ask each other.
//!
//! ```text
//! operations -> under the namespace's order: local sockets, then Adapter::publish -> the other nodes
//! Adapter -> Node::receive -> inbound: local sockets, and replies
//! Adapter -> Node::receive_reply -> asking: whoever waits
//! ```

mod asking;
mod count;
mod inbound;
mod message;
mod questions;
mod remote;

use std::{
    fmt,
    sync::{Arc, Weak},
};

pub(crate) use asking::{Asker, Asking};
pub(crate) use count::Census;
pub use count::{Counted, Elsewhere, Held, WhenUnreachable};
pub use message::{Answer, AskId, Manner, Message, Question, Reply, SocketState, Targets, Worth};
pub use remote::RemoteSocket;

use fanfare_proto::socketio::Nsp;
use tokio::sync::Notify;

use crate::{handler::BoxFuture, server::Server};

/// Connects a server with the other nodes of its cluster: carries messages, and knows how many nodes there are.
/// What the messages mean is the server's business.
///
/// A server without one is alone. See [`Config::adapter`](crate::Config::adapter).
pub trait Adapter: fmt::Debug + Send + Sync + 'static {
    /// The server is there: what other nodes send goes to `node` from now on. Called once, before all else,
    /// in the runtime in which the server was made.
    fn start(&self, node: Node);

    /// The server has a namespace or a family of this name from now on: what other nodes say in it is to reach
    /// this one. Comes once more for each that is made while another of the name is not yet removed.
    ///
    /// Called under locks of the server: it must not block, nor call the server back.
    fn add_namespace(&self, nsp: &str) {
        _ = nsp;
    }

    /// A namespace of this name has ended.
    ///
    /// Called under locks of the server: it must not block, nor call the server back.
    fn remove_namespace(&self, nsp: &str) {
        _ = nsp;
    }

    /// Waits until what other nodes say in a namespace reaches this one, or that can't be hoped for. Nobody is let
    /// into the namespace before. `None` if there is nothing to wait for.
    fn listening(&self, nsp: &str) -> Option<BoxFuture<()>> {
        _ = nsp;
        None
    }

    /// Sends a message to all other nodes, behind all that it was given before.
    ///
    /// Called under the lock that orders a namespace's broadcasts: it must not block, nor call the server back.
    fn publish(&self, message: Message);

    /// Sends a reply to the node that asked, [`AskId::node`].
    fn reply(&self, reply: Reply);

    /// How many other nodes have a namespace, whose replies are waited for.
    ///
    /// # Errors
    ///
    /// Says why nobody knows, such as a broker that is away.
    fn others(&self, nsp: &str) -> BoxFuture<Result<usize, String>>;

    /// Names of other nodes of the cluster, [`Node::id`], as far as their replies have [`Reply::from`]. Asked for when some do not
    /// answer: those that do are not among who is missing.
    fn names(&self) -> BoxFuture<Vec<Arc<str>>> {
        Box::pin(async { Vec::new() })
    }

    /// From now on the server wants to know how many are in a namespace, or in a room, of all nodes. Called once for each
    /// namespace, and for a room whenever the application begins to ask for it, from anywhere: it must not block, nor
    /// call the server back.
    ///
    /// An adapter that does nothing with it leaves the server with what it has itself, which it says is not all, and
    /// tells nobody which users come and leave.
    fn count(&self, counted: Counted) {
        drop(counted);
    }

    /// The server has shut down. What has been published should still go out.
    fn close(&self) -> BoxFuture<()> {
        Box::pin(async {})
    }
}

/// A server, as its [`Adapter`] sees it. Keeping one keeps no server.
#[derive(Clone)]
pub struct Node {
    server: Weak<Server>,
    id: Arc<str>,
}

impl Node {
    pub(crate) fn new(server: &Arc<Server>) -> Self {
        Self {
            server: Arc::downgrade(server),
            id: server.cluster.node().clone(),
        }
    }

    /// What the node is called in its cluster: 20 random characters, of each server its own.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The namespace of this name, counted: somebody else in the cluster wants to know. `None` if this node has none.
    pub fn counted(&self, nsp: &str) -> Option<Counted> {
        let server = self.server.upgrade()?;
        let namespace = server.namespaces.get(&Nsp::parse(nsp).ok()?)?;
        // The adapter is told by the return, not by a call.
        let is_new = namespace.begin_census(|| Census::new(&server.cluster.count_changed));
        is_new.then(|| Counted::new(&namespace))
    }

    /// The room of this name, counted: somebody else in the cluster wants to know. `None` if this node has no such
    /// namespace. It is counted here as long as this is kept.
    pub fn counted_room(&self, nsp: &str, room: &str) -> Option<Counted> {
        let server = self.server.upgrade()?;
        let namespace = server.namespaces.get(&Nsp::parse(nsp).ok()?)?;
        let book = namespace.room_book(&server, room);
        Some(Counted::new_room(&namespace, book))
    }

    /// Told whenever what this node has of something [counted](Counted) changes.
    pub fn count_changed(&self) -> Option<Arc<Notify>> {
        Some(self.server.upgrade()?.cluster.count_changed.clone())
    }

    /// Another node has sent this. Ignored once the server is gone.
    pub fn receive(&self, message: Message) {
        if let Some(server) = self.server.upgrade() {
            inbound::receive(&server, message);
        }
    }

    /// Another node has replied. Ignored when nobody waits any more.
    pub fn receive_reply(&self, reply: Reply) {
        if let Some(server) = self.server.upgrade() {
            server.cluster.hear(reply);
        }
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// Why not all nodes of a cluster have answered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClusterError<T> {
    /// Not every node answered in time.
    #[error("{missing} of the other nodes gave no answer{}", listed(.silent))]
    Missing {
        /// The answers that came.
        answers: Vec<T>,
        /// How many nodes gave none.
        missing: usize,
        /// Which of them have names, [`Io::node`](crate::Io::node) there: nodes of fanfare's. Those of other makers have none that
        /// others can see.
        silent: Vec<Arc<str>>,
    },
    /// The adapter does not know which nodes there are.
    #[error("the cluster is out of reach: {0}")]
    Unreachable(String),
    /// The event could not be sent.
    #[error(transparent)]
    Emit(#[from] crate::EmitError),
}

/// What follows in a sentence.
fn listed(silent: &[Arc<str>]) -> String {
    match silent {
        [] => String::new(),
        silent => format!(": {}", silent.join(", ")),
    }
}
