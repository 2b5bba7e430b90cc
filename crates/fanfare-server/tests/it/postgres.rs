//! The same, with PostgreSQL and Redis in the place of the file: a node can't be told from one that is alone.

#[path = "accounts.rs"]
mod accounts;
#[path = "messages.rs"]
mod messages;
#[path = "pages.rs"]
mod pages;
#[path = "room.rs"]
mod room;

use crate::server::Ground;

fn ground() -> Ground {
    Ground::shared()
}
