//! Users: who comes to a namespace with a first socket, and leaves it with the last, told to whoever listens.

use std::sync::Arc;

use crate::{
    io::Io,
    namespace::Namespace,
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
