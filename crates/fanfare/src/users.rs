//! Users: who comes to a namespace with a first socket, and leaves it with the last, told to whoever listens.

use std::sync::Arc;

use crate::{
    io::Io,
    namespace::Namespace,
    server::Server,
    socket::Socket,
    untold::{Listener, Tell, Untold},
};

/// What a user does; see [`Io::on_user`].
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum UserEvent {
    /// The user's first socket is there: there was none, on any node.
    Came,
    /// The user's last socket has gone: there is none, on any node.
    Left,
}

pub(crate) type OnUser = Arc<dyn Fn(Io, &str, UserEvent) + Send + Sync>;

/// A user, and what happened.
pub(crate) type UserNews = (Box<str>, UserEvent);

impl Tell for UserNews {
    fn untold(namespace: &Namespace) -> Option<&Untold<Self>> {
        namespace.user_watch()
    }

    fn listeners(io: &Io) -> Vec<Listener<Self>> {
        let listeners = io
            .namespace()
            .with_handlers(|handlers| handlers.users.clone());
        let tell = |listener: OnUser| -> Listener<Self> {
            Box::new(move |io, (user, event)| listener(io, user, *event))
        };
        listeners.into_iter().map(tell).collect()
    }
}

impl Namespace {
    /// Has it told from here on who comes and who leaves.
    pub(crate) fn watch_users(self: &Arc<Self>, server: &Arc<Server>) {
        self.user_watch
            .get_or_init(Untold::default)
            .start(server, self);
    }

    /// A user has come or left: on all nodes, as who counts them all says, or on this one if it is alone.
    pub(crate) fn tell_user(&self, user: &str, event: UserEvent) {
        if let Some(watch) = self.user_watch() {
            watch.push((user.into(), event));
        }
    }

    /// A user's first socket on this node has come, or the last one gone; that is news if there are no other nodes.
    pub(crate) fn tell_own_user(&self, socket: &Socket, is_edge: bool, event: UserEvent) {
        if let Some(user) = socket.user()
            && is_edge
            && socket.session().server.cluster.adapter.is_none()
        {
            self.tell_user(user, event);
        }
    }
}
