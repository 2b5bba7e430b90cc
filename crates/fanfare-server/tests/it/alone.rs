//! One node, with all it knows in a file.

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
    Ground::file()
}
