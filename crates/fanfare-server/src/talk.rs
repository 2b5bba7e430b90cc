//! Talk: what people say. Stored before it is announced, announced before it is acknowledged.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use fanfare::{Ack, Io};
use tokio::sync::{
    Mutex as AsyncMutex,
    mpsc::{self, error::TrySendError},
};

use crate::{
    person::PersonId,
    store::{self, Appended, Bell, Draft, Messages, News, Store},
    typing::Typing,
    wire::{Done, Found, Wanted, refuse, refuse_for_now},
};

/// The conversation of a room.
#[derive(Debug)]
pub(crate) struct Talk {
    messages: Arc<dyn Messages>,
    /// Where other nodes store too: what anyone has stored, and the bell for it.
    news: Option<(AsyncMutex<News>, AsyncMutex<Bell>)>,
    drafts: mpsc::Sender<(Draft, Ack)>,
    /// Taken by the one writer, so that ids rise at every reader.
    queue: AsyncMutex<mpsc::Receiver<(Draft, Ack)>>,
    typing: Mutex<Typing>,
}

impl Talk {
    pub(crate) fn new(store: &Store) -> Self {
        let (drafts, queue) = mpsc::channel(MAX_QUEUED);
        Self {
            messages: store.messages(),
            news: store.news().map(|(news, bell)| (news.into(), bell.into())),
            drafts,
            queue: AsyncMutex::new(queue),
            typing: Mutex::default(),
        }
    }

    /// Queues a draft for the writer, who answers it.
    pub(crate) fn say(&self, draft: Draft, ack: Ack) {
        match self.drafts.try_send((draft, ack)) {
            Ok(()) => {}
            Err(TrySendError::Full((_, ack)) | TrySendError::Closed((_, ack))) => {
                refuse_for_now(&ack, "the server has too much to write just now; try again");
            }
        }
    }

    /// Stores what is said, tells everyone, and answers who said it; for as long as it is polled.
    pub(crate) async fn write(&self, io: &Io) {
        let mut queue = self.queue.lock().await;
        let mut batch = Vec::new();
        let mut is_failing = false;
        while queue.recv_many(&mut batch, MAX_BATCH).await != 0 {
            let (drafts, acks): (Vec<_>, Vec<_>) = batch.drain(..).unzip();
            match self.messages.append(&drafts).await {
                Ok(appended) => {
                    is_failing = false;
                    self.announce(io, &appended).await;
                    for (appended, ack) in appended.iter().zip(&acks) {
                        ack.send(Done { id: appended.id() });
                    }
                }
                Err(error) => {
                    // The first of a row: what fails once fails again at each message.
                    if !std::mem::replace(&mut is_failing, true) {
                        tracing::error!(%error, "messages can't be stored; nothing is acknowledged until they can");
                    }
                    let why = match store::is_full(&error) {
                        true => "the message was not stored: the server's disk is full",
                        false => {
                            "the message was not stored: the server's database can't be written just now"
                        }
                    };
                    for ack in &acks {
                        refuse_for_now(ack, why);
                    }
                }
            }
        }
    }

    /// Tells everyone here what is stored on other nodes; for as long as it is polled.
    pub(crate) async fn listen(&self, io: &Io) {
        let Some((news, bell)) = &self.news else {
            return;
        };
        let mut bell = bell.lock().await;
        loop {
            bell.rung().await;
            tell(io, news).await;
        }
    }

    async fn announce(&self, io: &Io, appended: &[Appended]) {
        if let Some((news, _)) = &self.news {
            return tell(io, news).await;
        }
        for appended in appended {
            match appended {
                Appended::New(message) => drop(io.emit("chat message", message)),
                Appended::Known(_) => {}
            }
        }
    }

    /// Deletes a message of `author`, and tells everyone.
    pub(crate) async fn delete(&self, io: &Io, id: i64, author: PersonId, ack: &Ack) {
        match self.messages.delete(id, author).await {
            Ok(true) => {
                match &self.news {
                    None => drop(io.emit("message deleted", Done { id })),
                    Some((news, _)) => tell(io, news).await,
                }
                ack.send(Done { id });
            }
            Ok(false) => refuse(ack, "there is no message of yours with this id"),
            Err(error) => {
                tracing::warn!(%error, "a message can't be deleted");
                refuse_for_now(
                    ack,
                    "the message was not deleted: the server's database can't be written just now",
                );
            }
        }
    }

    /// Answers with the messages that are wanted.
    pub(crate) async fn show(&self, wanted: Wanted, ack: &Ack) {
        match self.find(wanted).await {
            Ok(found) => ack.send(found),
            Err(error) => {
                tracing::warn!(%error, "messages can't be read");
                refuse_for_now(
                    ack,
                    "the server's database can't be read just now; try again",
                );
            }
        }
    }

    async fn find(&self, wanted: Wanted) -> sqlx::Result<Found> {
        // One more than is shown, to see whether there is more.
        let (mut messages, page, is_forward) = match (wanted.after, wanted.before) {
            (Some(after), _) => (
                self.messages.after(after, CATCH_UP + 1).await?,
                CATCH_UP,
                true,
            ),
            (None, Some(before)) => (self.messages.before(before, PAGE + 1).await?, PAGE, false),
            (None, None) => (self.messages.newest(PAGE + 1).await?, PAGE, false),
        };
        let more = messages.len() > page as usize;
        if more {
            let surplus = if is_forward { messages.len() - 1 } else { 0 };
            messages.remove(surplus);
        }
        let deleted = match wanted.since {
            Some(since) => Some(self.messages.deleted_since(since, MAX_DELETED_TOLD).await?),
            None => None,
        };
        Ok(Found {
            messages,
            more,
            deleted,
        })
    }

    /// Somebody writes, or has stopped. Whether that changes who does.
    pub(crate) fn set_typing(&self, person: PersonId, is_typing: bool) -> bool {
        self.typing().set(person, is_typing, Instant::now())
    }

    /// Whether other nodes have to be told this about somebody: it is new, or what they know will not last.
    pub(crate) fn is_to_be_told(&self, person: PersonId, is_typing: bool) -> bool {
        self.typing().tell(person, is_typing, Instant::now())
    }

    /// Who writes, after those who have fallen silent are forgotten; and when to look again.
    pub(crate) fn typing_now(&self) -> (Vec<PersonId>, Option<Instant>) {
        let mut typing = self.typing();
        typing.handle_timeout(Instant::now());
        (typing.people().collect(), typing.poll_timeout())
    }

    fn typing(&self) -> MutexGuard<'_, Typing> {
        self.typing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells everyone on this node what any node has stored since the last time. Every node reads all that there is, in the
/// order of the ids, so nobody is told of a message before a lower one.
async fn tell(io: &Io, news: &AsyncMutex<News>) {
    let mut news = news.lock().await;
    loop {
        match news.take().await {
            Ok(fresh) if fresh.is_empty() => return,
            Ok(fresh) => {
                for message in &fresh.messages {
                    io.local().emit("chat message", message);
                }
                for id in fresh.deleted {
                    io.local().emit("message deleted", Done { id });
                }
            }
            // The bell rings again, and nothing is passed over.
            Err(_) => return,
        }
    }
}

/// Between two pushes of who is typing: as for the count, the eye takes it for at once.
pub(crate) const TYPING_INTERVAL: Duration = Duration::from_millis(250);

/// Messages of one transaction: one wait for the disk serves them all.
const MAX_BATCH: usize = 256;

/// Messages that wait for the writer: a second's worth of a slow disk.
const MAX_QUEUED: usize = 1_024;

/// Messages of one answer, as a page shows them.
const PAGE: u32 = 50;

/// Messages of one answer to a page that comes back.
const CATCH_UP: u32 = 200;

/// Deletions told to a page that comes back: as many as it may show, with room.
const MAX_DELETED_TOLD: u32 = 1_000;
