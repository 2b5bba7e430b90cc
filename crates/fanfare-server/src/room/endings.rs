//! Endings: whose session is over, and what becomes of its sockets, on all nodes.

use std::{collections::HashMap, sync::atomic::Ordering, time::Duration};

use fanfare::Socket;
use tokio::time::sleep;

use super::{Room, Visitor, pages_of, sockets_of};
use crate::{
    auth::{SessionTag, Unavailable},
    nodes::{ENDED, Ended},
    person::PersonId,
};

impl Room {
    /// A session has ended: its sockets are disconnected. A guest has no other, and leaves at once.
    pub(crate) fn end_session(&self, session: SessionTag, person: PersonId) {
        let guest = (!person.is_account()).then_some(person);
        self.end(Ended::Session { session, guest });
    }

    /// All sessions of a person have ended but `session`.
    pub(crate) fn end_other_sessions(&self, person: PersonId, session: SessionTag) {
        self.end(Ended::Others {
            person,
            but: session,
        });
    }

    /// The person is one no longer: all their sockets are disconnected, and they leave at once.
    pub(crate) fn end_person(&self, person: PersonId) {
        self.end(Ended::Person { person });
    }

    /// Disconnects sockets of sessions that the database has ended already, on all nodes.
    fn end(&self, ended: Ended) {
        self.end_here(ended);
        self.io.server_side_emit(ENDED, ended);
    }

    /// The same, on this node. Who connects from now on finds what the database knows; who was admitted
    /// before has joined its room, or looks again when it does.
    pub(super) fn end_here(&self, ended: Ended) {
        self.endings.fetch_add(1, Ordering::AcqRel);
        match ended {
            Ended::Session { session, guest } => {
                self.io.to(sockets_of(session)).local().disconnect();
                guest.into_iter().for_each(|guest| self.leave(guest));
            }
            Ended::Others { person, but } => {
                let sockets = self.io.to(pages_of(person)).local();
                sockets.except(sockets_of(but)).disconnect();
            }
            Ended::Person { person } => {
                self.io.to(pages_of(person)).local().disconnect();
                self.leave(person);
            }
        }
    }

    /// Whether the session that the socket was admitted with is still somebody's.
    pub(super) async fn is_signed_in(&self, socket: &Socket) -> Result<bool, Unavailable> {
        let cookies = socket
            .handshake()
            .header("cookie")
            .unwrap_or_default()
            .to_owned();
        let found = self.doors.who(&cookies).await?;
        Ok(found.is_some_and(|(user, session)| {
            let visitor = Visitor::of(socket);
            (user.id, session) == (visitor.person, visitor.session)
        }))
    }

    /// Disconnects the sockets of sessions that have expired.
    pub(super) async fn end_expired(&self, session_life: Duration) {
        loop {
            sleep((session_life / 2).min(EXPIRY_INTERVAL)).await;
            match self.store.take_expired_sessions().await {
                Ok(expired) => {
                    for session in expired.iter().filter_map(|id| self.doors.tag_of(id)) {
                        self.end(Ended::Session {
                            session,
                            guest: None,
                        });
                    }
                }
                Err(error) => tracing::warn!(%error, "expired sessions can't be ended"),
            }
        }
    }

    /// Disconnects the sockets of sessions that have ended without a word: they have expired where sessions are kept, or
    /// the word of another node was lost.
    pub(super) async fn look_again(&self, session_life: Duration) {
        if !self.store.has_other_nodes() {
            return;
        }
        loop {
            sleep((session_life / 2).min(EXPIRY_INTERVAL)).await;
            let mut sessions = HashMap::new();
            for socket in self.io.sockets() {
                sessions.insert(Visitor::of(&socket).session, socket);
            }
            for (session, socket) in sessions {
                match self.is_signed_in(&socket).await {
                    Ok(true) => {}
                    Ok(false) => self.io.to(sockets_of(session)).local().disconnect(),
                    // Nobody knows just now, so everyone stays.
                    Err(Unavailable) => break,
                }
            }
        }
    }
}

/// Between two looks for sessions that have expired.
const EXPIRY_INTERVAL: Duration = Duration::from_secs(60);
