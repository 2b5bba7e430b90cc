//! Counted room: how many are in a room, for an application that asks.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Weak,
        atomic::{AtomicUsize, Ordering},
    },
};

use serde::Serialize;
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

use crate::{
    announce::{Encode, pause},
    book::{Count, Present},
    broadcast::Select,
    cluster::{Census, Counted},
    frame::{self, Encoded},
    io::Io,
    pace::{Pace, Turn},
    ranges::{Keep, LatestKey},
    room_counts::RoomBook,
    server::Server,
};

/// A room that is counted, on all nodes, as long as this or a clone of it is kept. See [`Io::count_room`].
///
/// It keeps its namespace too, as an [`Io`] does.
#[derive(Clone)]
pub struct CountedRoom(Arc<Asking>);

/// Somebody who wants to know.
struct Asking {
    io: Io,
    book: Arc<RoomBook>,
}

/// Why a room is not counted.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CountRoomError {
    /// So many are counted already: [`Limits::max_counted_rooms`](crate::Limits::max_counted_rooms).
    #[error("{0} rooms are counted already")]
    TooMany(usize),
    /// Nobody is in a family of namespaces itself: ask one of its [namespaces](Io::namespaces).
    #[error("a family of namespaces has no rooms")]
    Family,
}

impl Io {
    /// Has a room of the namespace counted: sockets and distinct users, on all nodes. What comes back says how many there
    /// are, and keeps the room counted; a room that nobody counts costs nothing. The room need not be there, and may
    /// end and begin again. The room of a socket's own id is never there.
    ///
    /// In a cluster each node that wants to know has to ask. The others count those of the room that they have as soon as
    /// one node asks, and know nothing of the sum. The first number in a cluster is this node's alone, and says that
    /// it is not [complete](Count::complete). The namespace is counted with its first room.
    ///
    /// # Errors
    ///
    /// [`CountRoomError::TooMany`] if [`Limits::max_counted_rooms`](crate::Limits::max_counted_rooms) others are
    /// counted, [`CountRoomError::Family`] of a [family](Self::of_matching).
    ///
    /// ```
    /// # use std::{collections::HashMap, sync::Mutex};
    /// # use fanfare::{Io, RoomEvent};
    /// # let io = Io::new();
    /// let counted = Mutex::new(HashMap::new());
    /// io.on_room(move |io, room, event| match event {
    ///     RoomEvent::Created => match io.count_room(room) {
    ///         Ok(hall) => {
    ///             hall.announce("here", |count| count.users);
    ///             counted.lock().unwrap().insert(room.to_owned(), hall);
    ///         }
    ///         Err(why) => println!("{room} is not counted: {why}"),
    ///     },
    ///     RoomEvent::Deleted => _ = counted.lock().unwrap().remove(room),
    ///     RoomEvent::Joined(_) | RoomEvent::Left(_) => {}
    /// });
    /// ```
    pub fn count_room(&self, room: impl AsRef<str>) -> Result<CountedRoom, CountRoomError> {
        let namespace = self.namespace();
        if namespace.children().is_some() {
            return Err(CountRoomError::Family);
        }
        let book = namespace.room_book(self.server(), room.as_ref());
        let mut n_asking = book.asking();
        if *n_asking == 0 {
            let max = self.config().limits.max_counted_rooms;
            if !reserve(&self.server().n_counted_rooms, max) {
                return Err(CountRoomError::TooMany(max));
            }
        }
        *n_asking += 1;
        let is_new = *n_asking == 1;
        drop(n_asking);
        if is_new && let Some(adapter) = &self.server().cluster.adapter {
            // It says how many servers do not tell what they have.
            namespace.count_everywhere(self.server());
            adapter.count(Counted::new_room(namespace, book.clone()));
        }
        let io = self.clone();
        Ok(CountedRoom(Arc::new(Asking { io, book })))
    }
}

fn reserve(counter: &AtomicUsize, max: usize) -> bool {
    let one_more = |n| (n < max).then_some(n + 1);
    let reserved = counter.fetch_update(Ordering::AcqRel, Ordering::Acquire, one_more);
    reserved.is_ok()
}

impl CountedRoom {
    /// The room's name.
    pub fn room(&self) -> &str {
        self.0.book.room()
    }

    /// How many sockets and distinct users are in the room, on all nodes. It waits for nothing.
    pub fn count(&self) -> Count {
        self.0.book.count()
    }

    /// How many sockets and distinct users are in the room on this node.
    pub fn count_here(&self) -> Present {
        self.0.book.book().count()
    }

    /// Keeps everyone of this node who is in the room told how many there are, as long as the room is counted by this
    /// or a clone: sends `event` with what `shown` makes of the count, at once on the first change, then at most four times a
    /// second (less often where writing to everyone takes longer), sooner once when it stands still, and of the last change always.
    /// Values go out as [`Io::emit_latest`] does it.
    ///
    /// A newcomer is told with the next value. Who is in several rooms is told of each: the event's name or what
    /// `shown` makes should say which it is.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    ///
    /// ```
    /// # use fanfare::{CountRoomError, Io};
    /// # async fn keep(io: Io) -> Result<(), CountRoomError> {
    /// let hall = io.count_room("hall")?;
    /// hall.announce("people in the hall", |count| count.users);
    /// # Ok(())
    /// # }
    /// ```
    pub fn announce<T, F>(&self, event: &str, shown: F)
    where
        T: Serialize,
        F: Fn(Count) -> T + Send + Sync + 'static,
    {
        let server = self.0.io.server();
        let (config, name) = (server.config.clone(), event.to_owned());
        let encode: Encode = Arc::new(move |nsp, trailer, count| {
            frame::event(&config, nsp, None, trailer, &name, shown(count))
        });
        let announcement = Announcement {
            server: Arc::downgrade(server),
            latest: server.take_latest_key(),
            encode,
        };
        let changed = self.0.book.changed();
        tokio::spawn(run(Arc::downgrade(&self.0), announcement, changed));
    }
}

/// One event that carries the count of a room.
struct Announcement {
    server: Weak<Server>,
    /// No other event's while this is there.
    latest: LatestKey,
    encode: Encode,
}

/// Tells those in the room whenever the count has changed, until nobody asks any more.
async fn run(asking: Weak<Asking>, announcement: Announcement, mut changed: watch::Receiver<()>) {
    // Who is there already has not been told.
    changed.mark_changed();
    let mut pace = Pace::default();
    while changed.changed().await.is_ok() {
        let mut has_moved = true;
        loop {
            let Some(asking) = asking.upgrade() else {
                return;
            };
            match pace.turn(Instant::now(), pause(asking.io.server()), has_moved) {
                Turn::Now => {
                    announcement.push(&asking);
                    break;
                }
                Turn::Wait(wait) => {
                    drop(asking);
                    sleep(wait).await;
                }
            }
            has_moved = changed.has_changed().unwrap_or_default();
            changed.mark_unchanged();
        }
    }
}

impl Announcement {
    fn push(&self, asking: &Asking) {
        let Asking { io, book } = asking;
        let (server, namespace) = (io.server(), io.namespace());
        let is_hidden = book.census().is_some_and(Census::is_hidden);
        if book.book().count().sockets == 0 || is_hidden || server.is_closing() {
            return;
        }
        let keep = Keep::Latest(self.latest);
        let trailer = namespace.trailer(keep);
        let encode = || (self.encode)(&namespace.nsp, trailer, book.count());
        let frames = match catch_unwind(AssertUnwindSafe(encode)) {
            Ok(Ok(frames)) => frames,
            Ok(Err(error)) => {
                return tracing::error!(%error, "the count of a room was not announced");
            }
            Err(_) => return tracing::error!("what shows the count of a room panicked"),
        };
        let select = Select {
            rooms: [book.room().clone()].into_iter().collect(),
            ..Select::default()
        };
        let (order, frames) = (namespace.order(), Encoded::plain(&frames));
        drop(namespace.broadcast_in(order, server.shards(), frames, &select, keep));
    }
}

impl Drop for Announcement {
    fn drop(&mut self) {
        if let Some(server) = self.server.upgrade() {
            server.give_latest_key_back(self.latest);
        }
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        let mut n_asking = self.book.asking();
        *n_asking -= 1;
        if *n_asking == 0 {
            let counted = &self.io.server().n_counted_rooms;
            counted.fetch_sub(1, Ordering::AcqRel);
        }
        drop(n_asking);
        // Announcements end, and other nodes may not want to know either.
        self.book.tell_all();
    }
}

impl fmt::Debug for CountedRoom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CountedRoom")
            .field("nsp", &self.0.io.nsp())
            .field("room", &self.room())
            .field("count", &self.count())
            .finish()
    }
}
