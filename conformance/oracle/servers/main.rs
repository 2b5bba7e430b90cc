//! fanfare, as `reference.mjs` is Node's: the same setups, and in each the same handlers.
//!
//! It prints what the application is told, a line of JSON each, and then where each setup listens.

mod handlers;
mod setups;

use std::{
    collections::BTreeMap,
    io::{Write as _, stdout},
};

use axum::Router;
use fanfare::{Io, Result};
use serde::Serialize;
use serde_json::json;

#[tokio::main]
async fn main() -> Result<()> {
    let mut urls = BTreeMap::new();
    for (name, config) in setups::all() {
        let io = Io::with(config);
        handlers::register(&io);
        let listener = io.bind("127.0.0.1:0").await?;
        urls.insert(name, format!("http://{}", listener.local_addr()));
        tokio::spawn(listener.serve(Router::new()));
    }
    print(&json!({ "listening": urls }));
    std::future::pending().await
}

/// Says what the application was told, of whom `tag` names.
fn saw(tag: &str, what: impl Serialize) {
    print(&json!({ "tag": tag, "saw": what }));
}

fn print(line: &serde_json::Value) {
    // Whoever reads it has gone: there is nobody to tell, and we are ended soon.
    let _ = writeln!(stdout(), "{line}");
}
