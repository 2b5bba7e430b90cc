//! Files: what the page loads, and the two that the lesson's checks read.

use std::sync::Arc;

use axum::{
    Router,
    extract::Path,
    http::{HeaderName, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};

use super::Site;
use crate::pages;

pub(super) fn router() -> Router<Arc<Site>> {
    Router::new()
        .route("/assets/{name}", get(asset))
        .route("/public/client.js", get(client_js))
        .route("/_api/server.js", get(server_js))
}

async fn asset(Path(name): Path<String>) -> Response {
    let Some(bytes) = pages::file(&format!("assets/{name}")) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let kind = match name.rsplit_once('.') {
        Some((_, "js")) => JAVASCRIPT,
        Some((_, "css")) => "text/css; charset=utf-8",
        Some((_, "svg")) => "image/svg+xml",
        _ => "application/octet-stream",
    };
    // The name changes with the content.
    (
        [
            (header::CONTENT_TYPE, kind),
            (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
        ],
        bytes,
    )
        .into_response()
}

async fn client_js() -> impl IntoResponse {
    (
        public(JAVASCRIPT),
        include_str!("../../../../web/static/public/client.js"),
    )
}

async fn server_js() -> impl IntoResponse {
    (
        public("text/plain; charset=utf-8"),
        include_str!("../room/mod.rs"),
    )
}

/// The headers of what pages of every origin may read.
fn public(kind: &'static str) -> [(HeaderName, &'static str); 3] {
    [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "no-cache"),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
    ]
}

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
