//! The lesson: at each connection, everyone is sent the number of connected users.
//!
//! `cargo run --example lesson`, then open <http://127.0.0.1:3000> twice (`PORT` changes the port).
//! This file is what `/_api/server.js` answers: the lesson's server, in Rust.

use std::sync::Mutex;

use axum::{Router, http::header, response::IntoResponse, routing::get};
use fanfare::{ClientBundle, Config, Io, Result};

static COUNTER: Mutex<u64> = Mutex::new(0); // let currentUsers = 0;

#[tokio::main]
#[expect(non_snake_case, reason = "currentUsers is the lesson's own spelling")]
async fn main() -> Result<()> {
    let io = Io::with(config());
    // io.on('connection', socket => {
    io.on_connect(|io, _socket| async move {
        let mut currentUsers = COUNTER.lock().expect("no emit panics");
        *currentUsers += 1; // ++currentUsers;
        io.emit("user count", *currentUsers); // io.emit('user count', currentUsers);
    });
    io.serve(address(), page()).await
}

/// Where to listen: 127.0.0.1, at `PORT` or 3000.
fn address() -> String {
    format!(
        "127.0.0.1:{}",
        std::env::var("PORT").unwrap_or_else(|_| "3000".to_owned())
    )
}

/// The official browser client, if `cargo xtask serve --lesson` or `npm ci` has fetched it.
fn config() -> Config {
    let dist = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../web/node_modules/socket.io-client/dist"
    );
    Config {
        client: ClientBundle::from_dir(dist).ok(),
        allow_eio3: true, // clients 2.x are welcome, too
        ..Config::default()
    }
}

/// The page, and the two files that the lesson's checks read from other pages.
fn page() -> Router {
    Router::new()
        .route(
            "/",
            get(|| async { text("text/html", include_str!("public/index.html")) }),
        )
        .route(
            "/public/style.css",
            get(|| async { text("text/css", include_str!("public/style.css")) }),
        )
        .route(
            "/public/client.js",
            get(|| async {
                (
                    ANYONE,
                    text("text/javascript", include_str!("public/client.js")),
                )
            }),
        )
        .route(
            "/_api/server.js",
            get(|| async { (ANYONE, text("text/plain", include_str!("lesson.rs"))) }),
        )
}

fn text(kind: &str, text: &'static str) -> impl IntoResponse {
    (
        [(header::CONTENT_TYPE, format!("{kind}; charset=utf-8"))],
        text,
    )
}

/// Pages of every origin may read it.
const ANYONE: [(header::HeaderName, &str); 1] = [(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*")];
