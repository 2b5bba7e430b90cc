//! Lane: what waits to be published, in order and bounded in bytes.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use fanfare::{Answer, Message, Question, RawArgs, Reply, SocketState, Targets};
use tokio::sync::Notify;
use tracing::warn;

/// What waits to be published. Putting something in never blocks: when it is full, the oldest makes room.
#[derive(Debug)]
pub(crate) struct Lane {
    queue: Mutex<Queue>,
    /// There is something, or there will be nothing more.
    stirred: Notify,
    /// All has been taken and is done with.
    emptied: Notify,
    max_bytes: usize,
}

/// One thing to be published.
#[derive(Debug)]
pub(crate) enum Parcel {
    Message(Message),
    Reply(Reply),
}

#[derive(Debug, Default)]
struct Queue {
    parcels: VecDeque<(Parcel, usize)>,
    bytes: usize,
    /// How many have been taken and are not done with.
    taken: usize,
    dropped: Dropped,
    /// How many had been dropped when something was last taken.
    told: u64,
    is_closed: bool,
}

/// What the lane has dropped.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Dropped {
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
}

impl Lane {
    pub(crate) fn new(max_bytes: usize) -> Self {
        Self {
            queue: Mutex::default(),
            stirred: Notify::new(),
            emptied: Notify::new(),
            max_bytes,
        }
    }

    /// Adds something behind all that waits, unless the lane is closed.
    pub(crate) fn push(&self, parcel: Parcel) {
        let bytes = parcel.size();
        let mut queue = self.lock();
        if queue.is_closed {
            return;
        }
        queue.bytes += bytes;
        queue.parcels.push_back((parcel, bytes));
        while self.max_bytes < queue.bytes
            && let Some((_, bytes)) = queue.parcels.pop_front()
        {
            queue.bytes -= bytes;
            queue.drop_one(bytes);
        }
        drop(queue);
        self.stirred.notify_one();
    }

    /// Waits until there is something to take. Returns `None` once the lane is closed and empty.
    pub(crate) async fn wait(&self) -> Option<()> {
        loop {
            {
                let queue = self.lock();
                match (queue.parcels.is_empty(), queue.is_closed) {
                    (false, _) => return Some(()),
                    (true, true) => return None,
                    (true, false) => {}
                }
            }
            self.stirred.notified().await;
        }
    }

    /// Takes the oldest that wait: so many at most, and of so many bytes, but one at least.
    pub(crate) fn take(&self, max: usize, max_bytes: usize) -> Vec<Parcel> {
        let mut queue = self.lock();
        let (mut taken, mut taken_bytes) = (Vec::new(), 0);
        while taken.len() < max
            && let Some((_, bytes)) = queue.parcels.front()
            && (taken.is_empty() || taken_bytes + bytes <= max_bytes)
            && let Some((parcel, bytes)) = queue.parcels.pop_front()
        {
            queue.bytes -= bytes;
            taken_bytes += bytes;
            taken.push(parcel);
        }
        queue.taken += taken.len();
        let dropped = queue.dropped.messages - queue.told;
        queue.told = queue.dropped.messages;
        if 0 < dropped {
            warn!(dropped, "what waited for the cluster too long was dropped");
        }
        taken
    }

    /// So many of those that were taken are done with.
    pub(crate) fn done(&self, n: usize) {
        let mut queue = self.lock();
        queue.taken -= n;
        if queue.is_done() {
            self.emptied.notify_waiters();
        }
    }

    /// Takes in nothing more.
    pub(crate) fn close(&self) {
        self.lock().is_closed = true;
        self.stirred.notify_one();
    }

    /// Waits until all that was put in is done with.
    pub(crate) async fn flushed(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.lock().is_done() {
                return;
            }
            emptied.await;
        }
    }

    /// What has been dropped since the beginning.
    pub(crate) fn dropped(&self) -> Dropped {
        self.lock().dropped
    }

    /// Bytes that wait.
    pub(crate) fn bytes(&self) -> usize {
        self.lock().bytes
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn is_done(&self) -> bool {
        self.parcels.is_empty() && self.taken == 0
    }

    fn drop_one(&mut self, bytes: usize) {
        if self.dropped.messages == self.told {
            warn!("more waits for the cluster than `max_backlog_bytes`: the oldest is dropped");
        }
        self.dropped.messages += 1;
        self.dropped.bytes += bytes as u64;
    }
}

impl Parcel {
    /// About how many bytes it takes while it waits.
    fn size(&self) -> usize {
        let inside = match self {
            Self::Message(Message::Emit {
                to, event, args, ..
            }) => of_targets(to) + event.len() + of_args(args),
            Self::Message(Message::Join { of, room, .. } | Message::Leave { of, room, .. }) => {
                of_targets(of) + room.len()
            }
            Self::Message(Message::Disconnect { of, .. }) => of_targets(of),
            Self::Message(Message::ServerSide { event, args, .. }) => event.len() + of_args(args),
            Self::Message(Message::Ask { question, .. }) => of_question(question),
            Self::Message(_) => 0,
            Self::Reply(reply) => of_answer(&reply.answer),
        };
        OVERHEAD + inside
    }
}

fn of_targets(Targets { rooms, except }: &Targets) -> usize {
    rooms
        .iter()
        .chain(except)
        .map(|room| room.len() + PER_ITEM)
        .sum()
}

fn of_args(args: &RawArgs) -> usize {
    let attachments = args.attachments.iter();
    args.json.len() + attachments.map(|data| data.len() + PER_ITEM).sum::<usize>()
}

fn of_question(question: &Question) -> usize {
    match question {
        Question::Sockets(of) => of_targets(of),
        Question::Emit {
            to, event, args, ..
        } => of_targets(to) + event.len() + of_args(args),
        Question::ServerSide { event, args } => event.len() + of_args(args),
        _ => 0,
    }
}

fn of_answer(answer: &Answer) -> usize {
    match answer {
        Answer::Sockets(states) => states.iter().map(of_state).sum(),
        Answer::Rooms(rooms) => rooms.iter().map(|room| room.len() + PER_ITEM).sum(),
        Answer::Asked(ids) => ids.len() * PER_ITEM,
        Answer::Acked(_, args) | Answer::ServerSide(Some(args)) => of_args(args),
        _ => 0,
    }
}

fn of_state(state: &SocketState) -> usize {
    let headers = state.headers.iter();
    let headers: usize = headers
        .map(|(name, value)| name.len() + value.len() + PER_ITEM)
        .sum();
    let rooms: usize = state.rooms.iter().map(|room| room.len() + PER_ITEM).sum();
    // Values are few, and not measured.
    OVERHEAD + headers + rooms + state.url.len()
}

/// What a parcel takes beside what it carries.
const OVERHEAD: usize = 256;

/// What a text or a buffer takes beside its bytes.
const PER_ITEM: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn parcel(event: &str) -> Parcel {
        Parcel::Message(Message::ServerSide {
            nsp: "/".to_owned(),
            event: event.to_owned(),
            args: RawArgs::default(),
        })
    }

    fn events(parcels: Vec<Parcel>) -> Vec<String> {
        let event = |parcel| match parcel {
            Parcel::Message(Message::ServerSide { event, .. }) => event,
            other => panic!("{other:?}"),
        };
        parcels.into_iter().map(event).collect()
    }

    #[test]
    fn the_oldest_makes_room_and_is_counted() {
        let lane = Lane::new(3 * (OVERHEAD + 1));
        for event in ["a", "b", "c", "d", "e"] {
            lane.push(parcel(event));
        }
        let bytes = 2 * (OVERHEAD as u64 + 1);
        let dropped = Dropped { messages: 2, bytes };
        assert_eq!(lane.dropped(), dropped);
        assert_eq!(events(lane.take(2, usize::MAX)), ["c", "d"]);
        assert_eq!(lane.bytes(), OVERHEAD + 1);
        lane.push(parcel(&"x".repeat(4 * OVERHEAD)));
        assert_eq!(lane.bytes(), 0);
        assert_eq!(lane.dropped().messages, 4);
    }

    #[test]
    fn one_is_taken_however_large_it_is() {
        let lane = Lane::new(usize::MAX);
        for event in ["a", "b", "c"] {
            lane.push(parcel(event));
        }
        assert_eq!(events(lane.take(9, 1)), ["a"]);
        assert_eq!(events(lane.take(9, 2 * (OVERHEAD + 1))), ["b", "c"]);
    }

    #[tokio::test]
    async fn a_closed_lane_is_flushed_and_ends() {
        let lane = Lane::new(usize::MAX);
        lane.push(parcel("a"));
        lane.close();
        lane.push(parcel("b"));
        assert_eq!(lane.wait().await, Some(()));
        assert_eq!(events(lane.take(9, usize::MAX)), ["a"]);
        assert_eq!(lane.wait().await, None);
        let flushed = async {
            tokio::join!(lane.flushed(), async { lane.done(1) });
        };
        flushed.await;
    }
}
