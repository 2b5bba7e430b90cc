//! Wire: what the room's events and answers look like. docs/room.md lists them.

use fanfare::Ack;
use serde::{Deserialize, Serialize};

use crate::{
    history::History,
    people::{People, Present},
    store::Message,
};

/// `user`: somebody came or left. The name stands under both names that the lesson's editions have for it.
#[derive(Serialize)]
pub(crate) struct UserChange<'a> {
    pub(crate) username: &'a str,
    pub(crate) name: &'a str,
    #[serde(rename = "currentUsers")]
    pub(crate) current_users: u64,
    pub(crate) connected: bool,
    pub(crate) id: String,
}

/// `users`: who is here, for a newcomer; from then on it is told of changes.
#[derive(Serialize)]
pub(crate) struct Users<'a> {
    #[serde(flatten)]
    pub(crate) page: PeoplePage<'a>,
    pub(crate) total: usize,
    pub(crate) you: You<'a>,
    pub(crate) server: &'a str,
}

#[derive(Serialize)]
pub(crate) struct You<'a> {
    pub(crate) id: String,
    pub(crate) name: &'a str,
    pub(crate) account: bool,
}

/// `people`, what is asked: those after this one.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Page {
    pub(crate) after: Option<u64>,
}

/// Some of those who are here, and where to go on.
#[derive(Serialize)]
pub(crate) struct PeoplePage<'a> {
    pub(crate) people: Vec<Listed<'a>>,
    pub(crate) next: Option<u64>,
}

#[derive(Serialize)]
pub(crate) struct Listed<'a> {
    pub(crate) id: String,
    pub(crate) name: &'a str,
    pub(crate) tabs: usize,
}

impl<'a> PeoplePage<'a> {
    pub(crate) fn of(people: &'a People, after: Option<u64>, limit: usize) -> Self {
        let mut present = people.after(after);
        let shown: Vec<Present<'_>> = present.by_ref().take(limit).collect();
        let next = present.next().and(shown.last()).map(|last| last.arrival);
        let listed = |present: &Present<'a>| Listed {
            id: present.id.to_string(),
            name: present.name.as_str(),
            // Somebody whose page is being reloaded.
            tabs: present.pages.max(1),
        };
        Self {
            people: shown.iter().map(listed).collect(),
            next,
        }
    }
}

/// `tabs`: somebody has so many pages now.
#[derive(Serialize)]
pub(crate) struct Tabs {
    pub(crate) id: String,
    pub(crate) tabs: usize,
}

/// `renamed`: somebody goes by this name now.
#[derive(Serialize)]
pub(crate) struct Renamed<'a> {
    pub(crate) id: String,
    pub(crate) name: &'a str,
}

/// `typing`: who writes something just now.
#[derive(Serialize)]
pub(crate) struct Writers<'a> {
    pub(crate) people: Vec<Writer<'a>>,
    pub(crate) total: usize,
}

#[derive(Serialize)]
pub(crate) struct Writer<'a> {
    pub(crate) id: String,
    pub(crate) name: &'a str,
}

/// `count history`, the answer.
#[derive(Serialize)]
pub(crate) struct Past<'a> {
    pub(crate) now: i64,
    pub(crate) points: &'a History,
}

/// Which messages a page wants: the newest, those before one, or those after one.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Wanted {
    pub(crate) before: Option<i64>,
    pub(crate) after: Option<i64>,
    /// The oldest one that the page shows: it is told which have been deleted since.
    pub(crate) since: Option<i64>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Found {
    pub(crate) messages: Vec<Message>,
    /// Whether there are more in the same direction.
    pub(crate) more: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) deleted: Option<Vec<i64>>,
}

/// The answer to something that was done.
#[derive(Debug, Serialize)]
pub(crate) struct Done {
    pub(crate) id: i64,
}

/// The answer to something that was not.
#[derive(Debug, Serialize)]
pub(crate) struct Refused<'a> {
    pub(crate) error: &'a str,
    /// Whether the same may succeed later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) retry: Option<bool>,
}

/// Answers that something can't be done.
pub(crate) fn refuse(ack: &Ack, error: &str) {
    ack.send(Refused { error, retry: None });
}

/// Answers that something can't be done just now: the same may succeed later.
pub(crate) fn refuse_for_now(ack: &Ack, error: &str) {
    ack.send(Refused {
        error,
        retry: Some(true),
    });
}
