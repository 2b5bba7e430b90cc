//! This is Rust, not JavaScript: the room's server, from the file that runs. It is the lesson's
//! server with its next steps taken: counting down, announcing who came and went, chat.
//!
//! `/_api/server.js` answers with this file.

mod company;
mod endings;

use std::{
    future::{pending, ready},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use fanfare::{Ack, Admission, Handshake, Io, RawArgs, Refusal, Socket};
use tokio::{
    sync::{Mutex as AsyncMutex, Notify},
    time::{sleep, sleep_until},
};

use company::LEASE;

use crate::{
    auth::{COOKIE, Doorkeeper, SessionTag, User},
    broker::Broker,
    clock::now_ms,
    history::History,
    message,
    names::Name,
    nodes::{Neighbours, NodeId, Word},
    people::{Arrival, GRACE, People, Taken},
    person::PersonId,
    store::{Accounts, Draft, Store},
    talk::{TYPING_INTERVAL, Talk},
    wire::{Page, Past, PeoplePage, Tabs, UserChange, Users, Wanted, Writer, Writers, You, refuse},
};

/// Everyone who is here, what they are told, and what they say.
#[derive(Debug)]
pub(crate) struct Room {
    io: Io,
    store: Store,
    doors: Doorkeeper,
    accounts: Arc<dyn Accounts>,
    /// Held while `user`, `users`, `tabs` and `renamed` are emitted, so that what they say agrees.
    people: Mutex<People>,
    /// Somebody may have to leave sooner than [`depart`](Self::depart) knows.
    changed: Notify,
    talk: Talk,
    typing_changed: Notify,
    history: Arc<Mutex<History>>,
    /// Through which the other nodes are reached, if there may be others.
    broker: Option<Broker>,
    /// Taken after the people, never before.
    neighbours: Mutex<Neighbours>,
    roll_wanted: Notify,
    /// Names of guests that other nodes are to be told are free.
    freed: Mutex<Vec<(Name, PersonId)>>,
    /// Held while they are told.
    freeing: AsyncMutex<()>,
    /// How often sessions have been ended. A socket that was admitted before the last time is looked at again.
    endings: AtomicU64,
    /// Tells pages that come back whether it is the same server.
    started: String,
}

impl Room {
    /// Opens the room to sockets with a cookie that stands for somebody.
    pub(crate) fn open(
        io: &Io,
        doors: Doorkeeper,
        store: &Store,
        broker: Option<Broker>,
    ) -> Arc<Self> {
        let room = Arc::new(Self {
            io: io.clone(),
            store: store.clone(),
            doors,
            accounts: store.accounts(),
            people: Mutex::default(),
            changed: Notify::new(),
            talk: Talk::new(store),
            typing_changed: Notify::new(),
            history: Arc::default(),
            broker,
            neighbours: Neighbours::new(NodeId::random()).into(),
            roll_wanted: Notify::new(),
            freed: Mutex::default(),
            freeing: AsyncMutex::default(),
            endings: AtomicU64::new(0),
            started: now_ms().to_string(),
        });

        // The lesson counts in a variable of its own, and at each connection tells everyone:
        //     io.emit('user count', currentUsers);
        // N people who come at once are N²/2 messages then. Here the server counts, and this line
        // stands for that one, and for the same at each disconnection: a newcomer is told at
        // once, everyone else at most four times a second, and of the last change always.
        io.announce_count("user count", |count| count.sockets);
        let history = room.history.clone();
        io.on_count(move |_, count| locked(&history).push(now_ms(), count.sockets));

        let here = room.clone();
        io.admit(move |handshake| {
            let here = here.clone();
            async move { here.admit(&handshake).await }
        });
        let here = room.clone();
        io.on_connect(move |_, socket| {
            let here = here.clone();
            async move { here.come(&socket).await }
        });
        let here = room.clone();
        io.on_disconnect(move |_, socket, _| {
            here.go(&socket);
            ready(())
        });
        room.on_events();
        room.on_nodes();
        room
    }

    /// What pages ask for.
    fn on_events(self: &Arc<Self>) {
        let here = self.clone();
        self.io.on(
            "chat message",
            move |socket: Socket, args: RawArgs, ack: Ack| {
                here.say(&socket, &args, ack);
                ready(())
            },
        );
        let here = self.clone();
        self.io.on(
            "delete message",
            move |socket: Socket, id: i64, ack: Ack| {
                let here = here.clone();
                async move {
                    if let Some(Visitor { person, .. }) = Visitor::here(&socket) {
                        here.talk.delete(&here.io, id, *person, &ack).await;
                    }
                }
            },
        );
        let here = self.clone();
        self.io
            .on("messages", move |_: Socket, wanted: Wanted, ack: Ack| {
                let here = here.clone();
                async move { here.talk.show(wanted, &ack).await }
            });
        let here = self.clone();
        self.io
            .on("people", move |_: Socket, page: Page, ack: Ack| {
                ack.send(PeoplePage::of(&here.people(), page.after, MORE_SHOWN));
                ready(())
            });
        let here = self.clone();
        self.io
            .on("typing", move |socket: Socket, is_typing: bool| {
                if let Some(visitor) = Visitor::here(&socket) {
                    here.type_here(visitor.person, is_typing);
                }
                ready(())
            });
        let here = self.clone();
        self.io
            .on("count history", move |_: Socket, _: RawArgs, ack: Ack| {
                let points = &*locked(&here.history);
                ack.send(Past {
                    now: now_ms(),
                    points,
                });
                ready(())
            });
    }

    /// Does what has to be done from time to time; for as long as it is polled.
    pub(crate) async fn tend(&self, session_life: Duration) {
        tokio::join!(
            self.talk.write(&self.io),
            self.talk.listen(&self.io),
            self.depart(),
            self.keep_company(),
            self.tell_typing(),
            self.end_expired(session_life),
            self.look_again(session_life),
        );
    }

    /// Holds a name for a person who is about to connect. Gives the name as the person has it already,
    /// if they are here.
    ///
    /// # Errors
    ///
    /// [`Taken`] if somebody else has the name.
    pub(crate) async fn reserve(&self, name: &Name, person: PersonId) -> Result<Name, Taken> {
        self.reserve_for(name, person, GRACE).await
    }

    /// Holds a name for a guest while an account is given it; it is to be [released](Self::release) then.
    ///
    /// # Errors
    ///
    /// [`Taken`] if somebody else has the name.
    pub(crate) async fn hold(&self, name: &Name, person: PersonId) -> Result<Name, Taken> {
        self.reserve_for(name, person, LONGEST_WRITE).await
    }

    async fn reserve_for(
        &self,
        name: &Name,
        person: PersonId,
        time: Duration,
    ) -> Result<Name, Taken> {
        let until = Instant::now() + time;
        let reserved = self.people().reserve(name, person, until);
        self.changed.notify_one();
        let reserved = reserved?;
        if let Some(taken) = self.hold_everywhere(&reserved, person, time).await {
            self.people().release(person);
            return Err(Taken(taken));
        }
        Ok(reserved)
    }

    /// Gives a name back that was [reserved](Self::reserve). Who is here keeps it until they leave.
    pub(crate) fn release(&self, name: &Name, person: PersonId) {
        let mut people = self.people();
        people.release(person);
        if people.name_of(person).is_none() {
            self.free_everywhere(name, person);
        }
    }

    /// The person goes by another name from now on, which was reserved by `reservation`.
    pub(crate) fn rename(&self, person: PersonId, name: &Name, reservation: PersonId) {
        let mut people = self.people();
        people.remove(reservation);
        self.free_everywhere(name, reservation);
        self.rename_here(&mut people, person, name);
        let name = name.as_str().to_owned();
        self.tell_nodes(&people, Word::Renamed { person, name });
    }

    fn leave(&self, person: PersonId) {
        self.set_typing(person, false);
        let mut people = self.people();
        let had_pages = 0 < people.pages_here(person);
        // It may be held for somebody who has not come yet.
        if let Some(name) = people.name_of(person) {
            self.free_everywhere(name, person);
        }
        if let Some(name) = people.remove(person) {
            self.tell(person, &name, Change::Left);
            if had_pages {
                self.tell_nodes_pages(&people, person, &name);
            }
        }
    }

    async fn admit(&self, handshake: &Handshake) -> Result<Admission, Refusal> {
        let endings = self.endings.load(Ordering::Acquire);
        let cookies = handshake.header("cookie").unwrap_or_default();
        let found = self.doors.who(cookies).await;
        let (user, session) =
            match found.map_err(|unavailable| Refusal::new(unavailable.to_string()))? {
                Some(found) => found,
                None if handshake.cookie(COOKIE).is_none() => {
                    return Err(Refusal::new("not signed in: open / and enter a name first"));
                }
                None => {
                    return Err(Refusal::new(
                        "not signed in, your session has ended: open / and enter a name",
                    ));
                }
            };
        let name = self.claim(&user).await?;
        Ok(Admission::user(user.id.to_string()).with_data(Visitor {
            person: user.id,
            name,
            session,
            endings,
            is_here: AtomicBool::new(false),
        }))
    }

    /// Holds the user's name, which may have become another's since they signed in.
    async fn claim(&self, user: &User) -> Result<Name, Refusal> {
        let name = self
            .reserve(&user.name, user.id)
            .await
            .map_err(|taken| Refusal::new(format!("{taken}; open / and enter another")))?;
        if user.id.is_account() {
            return Ok(name);
        }
        let failed = match self.accounts.by_name(&name).await {
            Ok(None) => return Ok(name),
            Ok(Some(_)) => {
                format!("the name {name} is taken: an account has it; open / and enter another")
            }
            Err(error) => {
                tracing::warn!(%error, "accounts can't be read");
                "the server can't look up names just now; try again in a moment".to_owned()
            }
        };
        self.release(&name, user.id);
        Err(Refusal::new(failed))
    }

    async fn come(&self, socket: &Socket) {
        let visitor = Visitor::of(socket);
        let hold = self.hold_everywhere(&visitor.name, visitor.person, LEASE);
        if hold.await.is_some() {
            return socket.disconnect();
        }
        socket.join(sockets_of(visitor.session));
        socket.join(pages_of(visitor.person));
        if self.endings.load(Ordering::Acquire) != visitor.endings
            && !self.is_signed_in(socket).await.unwrap_or(false)
        {
            return socket.disconnect();
        }
        let mut people = self.people();
        let connected = people.connect(&visitor.name, visitor.person);
        visitor.is_here.store(connected.is_ok(), Ordering::Release);
        match connected {
            Ok(Arrival::First) => self.tell(visitor.person, &visitor.name, Change::Came),
            Ok(Arrival::Further(1)) => {}
            Ok(Arrival::Further(tabs)) => self.tell_tabs(visitor.person, tabs),
            // Its name was given away since it was admitted.
            Err(Taken(_)) => {
                drop(people);
                return socket.disconnect();
            }
        }
        let name = people.name_of(visitor.person).unwrap_or(&visitor.name);
        self.tell_nodes_pages(&people, visitor.person, name);
        socket.emit(
            "users",
            Users {
                page: PeoplePage::of(&people, None, FIRST_SHOWN),
                total: people.total(),
                you: You {
                    id: visitor.person.to_string(),
                    name: name.as_str(),
                    account: visitor.person.is_account(),
                },
                server: &self.started,
            },
        );
    }

    fn go(&self, socket: &Socket) {
        let Some(Visitor { person, .. }) = Visitor::here(socket) else {
            return;
        };
        let person = *person;
        let mut people = self.people();
        let Some(left) = people.disconnect(person, Instant::now()) else {
            return;
        };
        if let Some(name) = people.name_of(person) {
            self.tell_nodes_pages(&people, person, name);
        }
        match left {
            0 => self.away(person),
            tabs => self.tell_tabs(person, tabs),
        }
    }

    /// Somebody's last page is closed; they leave unless another one opens soon.
    fn away(&self, person: PersonId) {
        self.set_typing(person, false);
        self.changed.notify_one();
    }

    fn say(&self, socket: &Socket, args: &RawArgs, ack: Ack) {
        let said = match message::read(args) {
            Ok(said) => said,
            Err(unsayable) => return refuse(&ack, &unsayable.to_string()),
        };
        let Some(visitor) = Visitor::here(socket) else {
            return;
        };
        self.type_here(visitor.person, false);
        let name = self
            .people()
            .name_of(visitor.person)
            .unwrap_or(&visitor.name)
            .clone();
        let draft = Draft {
            author: visitor.person,
            name,
            text: said.text,
            key: said.key,
        };
        self.talk.say(draft, ack);
    }

    /// A page of this node says whether somebody writes.
    fn type_here(&self, person: PersonId, is_typing: bool) {
        let is_to_be_told = self.talk.is_to_be_told(person, is_typing);
        self.set_typing(person, is_typing);
        if is_to_be_told {
            self.tell_nodes(&self.people(), Word::Typing { person, is_typing });
        }
    }

    fn set_typing(&self, person: PersonId, is_typing: bool) {
        if self.talk.set_typing(person, is_typing) {
            self.typing_changed.notify_one();
        }
    }

    /// Tells everyone of those who have left for good.
    async fn depart(&self) {
        loop {
            let due = self.people().poll_timeout();
            tokio::select! {
                () = self.changed.notified() => {}
                () = reached(due) => {}
            }
            let mut people = self.people();
            while let Some((person, name)) = people.handle_timeout(Instant::now()) {
                self.tell(person, &name, Change::Left);
            }
        }
    }

    /// Tells everyone who is typing, at a rate with a bound; nobody is ever owed more than the last value.
    async fn tell_typing(&self) {
        let mut next = None;
        loop {
            tokio::select! {
                () = self.typing_changed.notified() => {}
                () = reached(next) => {}
            }
            let (writers, until) = self.talk.typing_now();
            next = until;
            self.emit_typing(&writers);
            sleep(TYPING_INTERVAL).await;
        }
    }

    fn emit_typing(&self, writers: &[PersonId]) {
        let people = self.people();
        let named = writers.iter().filter_map(|id| {
            let name = people.name_of(*id)?;
            Some(Writer {
                id: id.to_string(),
                name: name.as_str(),
            })
        });
        let named: Vec<_> = named.take(WRITERS_SHOWN).collect();
        self.io.local().emit_latest(
            "typing",
            Writers {
                people: named,
                total: writers.len(),
            },
        );
    }

    /// Tells everyone that somebody came or left.
    fn tell(&self, person: PersonId, name: &Name, change: Change) {
        if change == Change::Left {
            self.free_everywhere(name, person);
        }
        let name = name.as_str();
        let connected = change == Change::Came;
        let current_users = self.io.count().sockets;
        self.io.local().emit(
            "user",
            UserChange {
                username: name,
                name,
                current_users,
                connected,
                id: person.to_string(),
            },
        );
    }

    fn tell_tabs(&self, person: PersonId, tabs: usize) {
        let id = person.to_string();
        self.io.local().emit("tabs", Tabs { id, tabs });
    }

    fn people(&self) -> MutexGuard<'_, People> {
        locked(&self.people)
    }
}

/// Whose socket it is.
#[derive(Debug)]
struct Visitor {
    person: PersonId,
    /// As it was when the socket was admitted.
    name: Name,
    session: SessionTag,
    /// How many sessions had ended by then.
    endings: u64,
    /// Whether it has been let in for good: its session had not ended meanwhile.
    is_here: AtomicBool,
}

impl Visitor {
    fn of(socket: &Socket) -> &Self {
        socket.data().expect("nobody is admitted without")
    }

    fn here(socket: &Socket) -> Option<&Self> {
        Some(Self::of(socket)).filter(|visitor| visitor.is_here.load(Ordering::Acquire))
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Change {
    Came,
    Left,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits until `due`; for ever if it is never.
async fn reached(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due.into()).await,
        None => pending().await,
    }
}

/// The Socket.IO room of a session's sockets.
fn sockets_of(session: SessionTag) -> String {
    format!("session {session}")
}

/// The Socket.IO room of a person's sockets.
fn pages_of(person: PersonId) -> String {
    format!("person {person}")
}

/// Longer than any write to the database may wait.
const LONGEST_WRITE: Duration = Duration::from_secs(60);

/// People that a newcomer is told of; of the rest it learns the number.
const FIRST_SHOWN: usize = 50;

/// People that one answer tells of.
const MORE_SHOWN: usize = 100;

/// Of those who write, as many as fit into a line.
const WRITERS_SHOWN: usize = 4;

#[cfg(test)]
mod tests;
