//! A namespace that is not there: which family it is of, and whether it is made.

use std::sync::Arc;

use fanfare_proto::socketio::Nsp;
use tracing::{debug, error};

use super::{Entry, Session, Step};
use crate::{
    admission::{Handshake, Refusal},
    inbox::{self, Place, caught},
    namespace::Namespace,
    namespaces::{Choice, Family, TooManyNamespaces},
};

impl Session {
    /// Asks the families in their order whether the namespace is theirs; the first that agrees has it.
    pub(super) fn choose(self: &Arc<Self>, nsp: Nsp, auth: Option<Arc<str>>, place: Place) {
        let session = self.clone();
        inbox::run(place, async move {
            let handshake = Handshake::new(session.clone(), nsp.clone(), auth.clone());
            let chosen = match session.chosen(&nsp, &handshake).await {
                Some(family) => session.server.child_or_new(&nsp, &family),
                // It may have been made meanwhile.
                None => match session.server.namespaces.get(&nsp) {
                    Some(namespace) => Ok(namespace),
                    None => return session.end_choosing(&nsp, session.unknown_namespace(&nsp)),
                },
            };
            match chosen {
                Ok(namespace) => session.begin_joining(namespace, auth),
                Err(TooManyNamespaces) => {
                    debug!(
                        nsp = nsp.as_str(),
                        "clients have had `max_dynamic_namespaces` made"
                    );
                    let refusal = Refusal::new(
                        "the server has too many namespaces; the limit is `max_dynamic_namespaces`",
                    );
                    session.end_choosing(&nsp, session.refused(&nsp, &refusal));
                }
            }
        });
    }

    async fn chosen(&self, nsp: &Nsp, handshake: &Handshake) -> Option<Arc<Family>> {
        for family in self.server.namespaces.families() {
            let choice = caught(|| async {
                match &family.choice {
                    Choice::ByName(matches) => matches(nsp.as_str()),
                    Choice::ByClient(matches) => matches(handshake.clone()).await,
                }
            });
            match choice.await {
                Ok(true) => return Some(family),
                Ok(false) => {}
                Err(_) => error!(
                    nsp = nsp.as_str(),
                    "what decides about a namespace panicked"
                ),
            }
        }
        None
    }

    fn begin_joining(self: &Arc<Self>, namespace: Arc<Namespace>, auth: Option<Arc<str>>) {
        self.update(|state, steps| {
            let is_it = |entry: &Entry| is_choosing(entry, &namespace.nsp);
            if let Some(at) = state.entries.iter().position(is_it) {
                state.entries[at] = Entry::Joining(namespace.clone());
                steps.push(Step::Admit(namespace, auth));
            }
        });
    }

    /// Tells the client why it can't join, unless it has gone meanwhile.
    fn end_choosing(self: &Arc<Self>, nsp: &Nsp, refusal: Vec<u8>) {
        self.update(|state, steps| {
            let is_it = |entry: &Entry| is_choosing(entry, nsp);
            if let Some(at) = state.entries.iter().position(is_it) {
                state.entries.swap_remove(at);
                steps.push(Step::Send(refusal));
            }
        });
    }
}

fn is_choosing(entry: &Entry, nsp: &Nsp) -> bool {
    matches!(entry, Entry::Choosing(name) if name == nsp)
}
