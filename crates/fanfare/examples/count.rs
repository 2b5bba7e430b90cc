//! The lesson, finished: one line keeps everyone told how many are here, whoever comes or goes.
//!
//! `cargo run --example count`, then open <http://127.0.0.1:3000> twice (`PORT` changes the port).

use axum::{Router, http::header, response::IntoResponse, routing::get};
use fanfare::{ClientBundle, Config, Io, Result};

#[tokio::main]
async fn main() -> Result<()> {
    let io = Io::with(config());
    io.announce_count("user count", |count| count.sockets);
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

/// The lesson's page.
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
            get(|| async { text("text/javascript", include_str!("public/client.js")) }),
        )
}

fn text(kind: &str, text: &'static str) -> impl IntoResponse {
    (
        [(header::CONTENT_TYPE, format!("{kind}; charset=utf-8"))],
        text,
    )
}
