//! A node that can be frozen, as by SIGSTOP: its connections stay, and it answers nothing.

use std::{sync::mpsc, thread};

use fanfare_testkit::Redis;
use tokio::{runtime, sync::oneshot};

use crate::node::Node;

/// A node in a thread of its own, which is all that it runs on.
pub(crate) struct Freezing {
    pub(crate) node: Node,
    runtime: runtime::Handle,
    /// Ends the thread when it is dropped.
    _end: oneshot::Sender<()>,
}

/// While there is one, the node is frozen.
pub(crate) struct Frozen {
    _thaw: mpsc::Sender<()>,
}

impl Freezing {
    pub(crate) async fn start(redis: &Redis) -> Self {
        let url = redis.url();
        let (end, ended) = oneshot::channel::<()>();
        let (tell, told) = oneshot::channel();
        thread::spawn(move || {
            let runtime = runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime can be made").block_on(async {
                let node = Node::start_at(&url).await;
                let _ = tell.send((node, runtime::Handle::current()));
                let _ = ended.await;
            });
        });
        let (node, runtime) = told.await.expect("the node starts");
        Self {
            node,
            runtime,
            _end: end,
        }
    }

    /// Freezes it: when this returns, it does nothing any more.
    pub(crate) async fn freeze(&self) -> Frozen {
        let (thaw, thawed) = mpsc::channel::<()>();
        let (tell, told) = oneshot::channel();
        self.runtime.spawn(async move {
            let _ = tell.send(());
            // Blocks the only thread, on purpose, until the other end is dropped.
            let _ = thawed.recv();
        });
        told.await.expect("the node lives");
        Frozen { _thaw: thaw }
    }
}
