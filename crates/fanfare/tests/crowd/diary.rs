//! Diary: which callbacks each socket got, and in which order.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use fanfare::{Io, Socket};
use tokio::task::yield_now;

/// A page for each socket, a line for each callback. Clones are the same diary.
#[derive(Clone, Debug, Default)]
pub(crate) struct Diary(Arc<Mutex<BTreeMap<String, Page>>>);

#[derive(Debug, Default)]
struct Page {
    lines: Vec<String>,
    is_open: bool,
}

/// A callback that runs until this is dropped, by its end or by a panic.
#[must_use]
pub(crate) struct Running {
    diary: Diary,
    id: String,
}

impl Diary {
    /// Notes the connects and disconnects of a namespace. Every second of these callbacks waits,
    /// so that it ends in another task than it began.
    pub(crate) fn keep(&self, io: &Io) {
        let diary = self.clone();
        io.on_connect(move |_, socket| {
            let running = diary.begin(&socket, "connect");
            linger(socket, running)
        });
        let diary = self.clone();
        io.on_disconnect(move |io, socket, reason| {
            let running = diary.begin(
                &socket,
                format!("disconnect: {reason}{}", trace_of(&io, &socket)),
            );
            linger(socket, running)
        });
    }

    /// Notes that a callback begins.
    pub(crate) fn begin(&self, socket: &Socket, callback: impl Into<String>) -> Running {
        let id = socket.id().to_string();
        let mut line = callback.into();
        let mut pages = self.pages();
        let page = pages.entry(id.clone()).or_default();
        if page.is_open {
            line.push_str(", while another ran");
        }
        page.lines.push(line);
        page.is_open = true;
        drop(pages);
        Running {
            diary: self.clone(),
            id,
        }
    }

    /// The callbacks of a socket so far.
    pub(crate) fn of(&self, id: &str) -> Vec<String> {
        self.pages()
            .get(id)
            .map(|page| page.lines.clone())
            .unwrap_or_default()
    }

    /// Everyone who had a callback.
    pub(crate) fn ids(&self) -> BTreeSet<String> {
        self.pages().keys().cloned().collect()
    }

    /// Whether the socket's disconnect callback has come, and is over.
    pub(crate) fn is_closed(&self, id: &str) -> bool {
        self.pages().get(id).is_some_and(Page::is_closed)
    }

    /// Whether this is so for all but those who are present.
    pub(crate) fn is_closed_but_for(&self, is_present: impl Fn(&str) -> bool) -> bool {
        let pages = self.pages();
        let mut absent = pages.iter().filter(|(id, _)| !is_present(id));
        absent.all(|(_, page)| page.is_closed())
    }

    /// Who is present has had its connect callback first, and no disconnect; who is not has had
    /// one of each, first and last. None came while another of the same socket ran.
    ///
    /// # Panics
    ///
    /// If it is not so.
    pub(crate) fn check_pairs(&self, is_present: impl Fn(&str) -> bool) {
        for (id, page) in &*self.pages() {
            let is_whole = page.lines.first().is_some_and(|line| line == "connect")
                && page.count("connect") == 1
                && page.count("disconnect") == usize::from(!is_present(id))
                && (is_present(id) || page.is_closed())
                && !page.lines.iter().any(|line| line.contains(", "));
            assert!(is_whole, "{id}, present: {}: {page:?}", is_present(id));
        }
    }

    fn pages(&self) -> MutexGuard<'_, BTreeMap<String, Page>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Page {
    fn is_closed(&self) -> bool {
        let last = self.lines.last();
        !self.is_open && last.is_some_and(|line| line.starts_with("disconnect"))
    }

    fn count(&self, callback: &str) -> usize {
        let is_it = |line: &&String| line.starts_with(callback);
        self.lines.iter().filter(is_it).count()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(page) = self.diary.pages().get_mut(&self.id) {
            page.is_open = false;
        }
    }
}

/// What is left of a socket that should have left altogether.
fn trace_of(io: &Io, socket: &Socket) -> String {
    let mut trace = String::new();
    if socket.is_connected() {
        trace += ", yet connected";
    }
    if io.socket(socket.id()).is_some() {
        trace += ", yet found by its id";
    }
    if io.to(socket.id()).count() != 0 {
        trace += ", yet a receiver";
    }
    if !socket.rooms().is_empty() {
        trace += ", yet in a room";
    }
    trace
}

async fn linger(socket: Socket, running: Running) {
    if socket.id().as_str().as_bytes()[0].is_multiple_of(2) {
        yield_now().await;
    }
    drop(running);
}
