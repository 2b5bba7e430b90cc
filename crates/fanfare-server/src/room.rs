//! This is Rust, not JavaScript: the room's server, from the file that runs. It is the lesson's
//! server with its next steps taken: counting down, announcing who came and went, chat.
//!
//! `/_api/server.js` answers with this file.

use std::{
    future::{pending, ready},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use fanfare::{Ack, Admission, Handshake, Io, RawArgs, Refusal, Socket};
use serde::Serialize;
use tokio::{sync::Notify, time::sleep_until};

use crate::{
    message,
    names::Name,
    people::{Arrival, People, Taken},
    session::{COOKIE, Session, SessionId, Sessions},
};

/// Everyone who is here, what they are told, and what they say.
#[derive(Debug)]
pub(crate) struct Room {
    io: Io,
    sessions: Arc<Sessions>,
    /// Held while `user` and `users` are emitted, so that what they say agrees.
    people: Mutex<People>,
    /// Somebody may have to leave sooner than [`depart`](Self::depart) knows.
    changed: Notify,
    /// The id of the last message; held while it is emitted, so that ids rise at every reader.
    last_message: Mutex<u64>,
}

impl Room {
    /// Opens the room to sockets with a cookie of one of the `sessions`.
    pub(crate) fn open(io: &Io, sessions: Arc<Sessions>) -> Arc<Self> {
        let room = Arc::new(Self {
            io: io.clone(),
            sessions,
            people: Mutex::default(),
            changed: Notify::new(),
            last_message: Mutex::default(),
        });

        // The lesson counts in a variable of its own, and at each connection tells everyone:
        //     io.emit('user count', currentUsers);
        // N people who come at once are N²/2 messages then. Here the server counts, and this line
        // stands for that one, and for the same at each disconnection: a newcomer is told at
        // once, everyone else at most four times a second, and of the last change always.
        io.announce_count("user count", |count| count.sockets);

        let here = room.clone();
        io.admit(move |handshake| ready(here.admit(&handshake)));
        let here = room.clone();
        io.on_connect(move |_, socket| {
            here.come(&socket);
            ready(())
        });
        let here = room.clone();
        io.on_disconnect(move |_, socket, _| {
            here.go(&socket);
            ready(())
        });
        let here = room.clone();
        io.on(
            "chat message",
            move |socket: Socket, args: RawArgs, ack: Ack| {
                here.say(&socket, &args, &ack);
                ready(())
            },
        );
        room
    }

    /// Tells everyone of those who have left for good, for as long as it is polled.
    pub(crate) async fn depart(&self) {
        loop {
            let due = self.people().poll_timeout();
            tokio::select! {
                () = self.changed.notified() => {}
                () = reached(due) => {}
            }
            let mut people = self.people();
            while let Some(name) = people.handle_timeout(Instant::now()) {
                self.tell(&name, Change::Left);
            }
        }
    }

    /// Holds a name for a session that is about to connect. Gives the name as the session has it
    /// already, if it is here.
    ///
    /// # Errors
    ///
    /// [`Taken`] if somebody else has the name.
    pub(crate) fn reserve(&self, name: &Name, session: SessionId) -> Result<Name, Taken> {
        let reserved = self.people().reserve(name, session, Instant::now());
        self.changed.notify_one();
        reserved
    }

    /// Ends a session: its sockets are disconnected, its cookie is worth nothing any more, and
    /// its person leaves at once.
    pub(crate) fn sign_out(&self, session: &Session) {
        self.sessions.end(session.id, SystemTime::now());
        // Whoever connects from now on finds the session ended, and whoever has is in this room.
        self.io.to(sockets_of(session.id)).disconnect();
        let mut people = self.people();
        if let Some(name) = people.remove(&session.name, session.id) {
            self.tell(&name, Change::Left);
        }
    }

    fn admit(&self, handshake: &Handshake) -> Result<Admission, Refusal> {
        let Some(cookie) = handshake.cookie(COOKIE) else {
            return Err(Refusal::new("not signed in: open / and enter a name first"));
        };
        let session = self
            .sessions
            .read(cookie, SystemTime::now())
            .map_err(|invalid| {
                Refusal::new(format!("not signed in, {invalid}: open / and enter a name"))
            })?;
        let name = self
            .reserve(&session.name, session.id)
            .map_err(|taken| Refusal::new(format!("{taken}; open / and enter another")))?;
        Ok(Admission::user(name.key()).with_data(Guest {
            name,
            session: session.id,
        }))
    }

    fn come(&self, socket: &Socket) {
        let guest = Guest::of(socket);
        socket.join(sockets_of(guest.session));
        let mut people = self.people();
        let arrival = match self.sessions.is_ended(guest.session) {
            true => None,
            false => people.connect(&guest.name, guest.session).ok(),
        };
        match arrival {
            Some(Arrival::First) => self.tell(&guest.name, Change::Came),
            Some(Arrival::Further) => {}
            // Signed out, or its name given away, since it was admitted.
            None => {
                drop(people);
                return socket.disconnect();
            }
        }
        socket.emit(
            "users",
            Users {
                people: people.names().take(NAMES_SHOWN).map(Name::as_str).collect(),
                total: people.total(),
                you: guest.name.as_str(),
            },
        );
    }

    fn go(&self, socket: &Socket) {
        let guest = Guest::of(socket);
        self.people()
            .disconnect(&guest.name, guest.session, Instant::now());
        self.changed.notify_one();
    }

    fn say(&self, socket: &Socket, args: &RawArgs, ack: &Ack) {
        let text = match message::read(args) {
            Ok(text) => text,
            Err(unsayable) => {
                return ack.send(Refused {
                    error: unsayable.to_string(),
                });
            }
        };
        let name = Guest::of(socket).name.as_str();
        let mut last = self
            .last_message
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *last += 1;
        self.io.emit(
            "chat message",
            Message {
                username: name,
                name,
                message: &text,
                id: *last,
                at: now_ms(),
            },
        );
        ack.send(Sent { id: *last });
    }

    /// Tells everyone that somebody came or left.
    fn tell(&self, name: &Name, change: Change) {
        let name = name.as_str();
        let connected = change == Change::Came;
        let current_users = self.io.count().sockets;
        self.io.emit(
            "user",
            User {
                username: name,
                name,
                current_users,
                connected,
            },
        );
    }

    fn people(&self) -> MutexGuard<'_, People> {
        self.people.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whose socket it is.
#[derive(Debug)]
struct Guest {
    name: Name,
    session: SessionId,
}

impl Guest {
    fn of(socket: &Socket) -> &Self {
        socket.data().expect("nobody is admitted without")
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Change {
    Came,
    Left,
}

/// `user`: somebody came or left. The name stands under both names that the lesson's editions have for it.
#[derive(Serialize)]
struct User<'a> {
    username: &'a str,
    name: &'a str,
    #[serde(rename = "currentUsers")]
    current_users: u64,
    connected: bool,
}

/// `users`: who is here, for a newcomer; from then on it is told of changes.
#[derive(Serialize)]
struct Users<'a> {
    people: Vec<&'a str>,
    total: usize,
    you: &'a str,
}

/// `chat message`, as everyone gets it.
#[derive(Serialize)]
struct Message<'a> {
    username: &'a str,
    name: &'a str,
    message: &'a str,
    id: u64,
    /// Milliseconds since 1970.
    at: u64,
}

/// The answer to a message that everyone gets.
#[derive(Serialize)]
struct Sent {
    id: u64,
}

/// The answer to one that nobody gets.
#[derive(Serialize)]
struct Refused {
    error: String,
}

/// Waits until `due`; for ever if it is never.
async fn reached(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due.into()).await,
        None => pending().await,
    }
}

/// The Socket.IO room of a session's sockets.
fn sockets_of(session: SessionId) -> String {
    format!("session {session}")
}

fn now_ms() -> u64 {
    let since_1970 = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX)
}

/// Names that a newcomer is told; of the rest it learns the number.
const NAMES_SHOWN: usize = 50;
