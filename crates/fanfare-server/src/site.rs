//! The site: what HTTP requests are answered, all but those of Socket.IO.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use axum::{
    Form, Router,
    extract::{DefaultBodyLimit, Path, Request, State, rejection::FormRejection},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{AppendHeaders, Html, IntoResponse, Redirect, Response},
    routing::{get, post},
};
use serde::Deserialize;
use tokio::time::timeout;

use crate::{
    names::Name,
    origin, pages,
    room::Room,
    session::{self, Scheme, Session, Sessions},
};

/// What answers need.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) room: Arc<Room>,
    pub(crate) sessions: Arc<Sessions>,
    /// Origins besides our own whose pages may send forms.
    pub(crate) origins: Vec<String>,
}

impl Site {
    /// All routes.
    pub(crate) fn router(self) -> Router {
        Router::new()
            .route("/", get(sign_in_page))
            .route("/guest", post(sign_in))
            .route("/chat", get(room_page))
            .route("/logout", post(sign_out))
            .route("/assets/{name}", get(asset))
            .route("/public/client.js", get(client_js))
            .route("/_api/server.js", get(server_js))
            .route("/healthz", get(|| async { "ok" }))
            .fallback(|| async {
                (
                    StatusCode::NOT_FOUND,
                    "there is nothing here; the room is at /",
                )
            })
            .layer(DefaultBodyLimit::max(MAX_FORM_BYTES))
            .layer(middleware::from_fn(finish))
            .with_state(Arc::new(self))
    }

    fn session(&self, headers: &HeaderMap) -> Option<Session> {
        let cookies = headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|cookies| cookies.to_str().ok());
        let cookie = cookies.into_iter().find_map(session::cookie_in)?;
        self.sessions.read(cookie, SystemTime::now()).ok()
    }

    /// Begins a session, or goes on with the browser's own. Its cookie, or why not.
    fn sign_in(&self, typed: &str, headers: &HeaderMap) -> Result<String, String> {
        let name = Name::parse(typed).map_err(|unfit| unfit.to_string())?;
        let now = SystemTime::now();
        let old = self.session(headers);
        let session = match &old {
            Some(old) if old.name.key() == name.key() => old.renewed(name, now),
            _ => Session::new(name, now),
        };
        let name = self
            .room
            .reserve(&session.name, session.id)
            .map_err(|taken| taken.to_string())?;
        if let Some(old) = old.filter(|old| old.id != session.id) {
            self.room.sign_out(&old);
        }
        Ok(self
            .sessions
            .cookie(&session.renewed(name, now), scheme(headers)))
    }
}

#[derive(Deserialize)]
struct Guest {
    #[serde(default)]
    username: String,
}

async fn sign_in_page() -> Response {
    page(there(), pages::sign_in("", ""))
}

async fn sign_in(
    State(site): State<Arc<Site>>,
    headers: HeaderMap,
    form: Result<Form<Guest>, FormRejection>,
) -> Response {
    if !origin::is_ours(&headers, &site.origins) {
        return FOREIGN.into_response();
    }
    let typed = match form {
        Ok(Form(Guest { username })) => username,
        Err(rejection) => {
            let status = rejection.status();
            return page(status, pages::sign_in("", &wrong_form(status)));
        }
    };
    match site.sign_in(&typed, &headers) {
        Ok(cookie) => (
            AppendHeaders([(header::SET_COOKIE, cookie)]),
            Redirect::to("/chat"),
        )
            .into_response(),
        Err(wrong) => page(
            StatusCode::UNPROCESSABLE_ENTITY,
            pages::sign_in(&typed, &wrong),
        ),
    }
}

async fn room_page(State(site): State<Arc<Site>>, headers: HeaderMap) -> Response {
    match site.session(&headers) {
        Some(_) => page(there(), pages::room()),
        None => Redirect::to("/").into_response(),
    }
}

async fn sign_out(State(site): State<Arc<Site>>, headers: HeaderMap) -> Response {
    if !origin::is_ours(&headers, &site.origins) {
        return FOREIGN.into_response();
    }
    if let Some(session) = site.session(&headers) {
        site.room.sign_out(&session);
    }
    (
        AppendHeaders([(header::SET_COOKIE, session::removal())]),
        Redirect::to("/"),
    )
        .into_response()
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
        include_str!("../../../web/static/public/client.js"),
    )
}

async fn server_js() -> impl IntoResponse {
    (public("text/plain; charset=utf-8"), include_str!("room.rs"))
}

/// The headers of what pages of every origin may read.
fn public(kind: &'static str) -> [(HeaderName, &'static str); 3] {
    [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "no-cache"),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
    ]
}

fn page(status: StatusCode, html: impl Into<String>) -> Response {
    (
        status,
        [(header::CACHE_CONTROL, "no-store")],
        Html(html.into()),
    )
        .into_response()
}

/// The status of a page that has nothing to complain about.
fn there() -> StatusCode {
    if pages::are_there() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    }
}

fn wrong_form(status: StatusCode) -> String {
    match status {
        StatusCode::PAYLOAD_TOO_LARGE => "this is far longer than any name",
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            "the form has to come as application/x-www-form-urlencoded"
        }
        _ => "the form has to have one field, username, in UTF-8",
    }
    .to_owned()
}

/// How the browser got here, as far as it says so; whatever stands between may speak TLS for us.
fn scheme(headers: &HeaderMap) -> Scheme {
    let origin = headers.get(header::ORIGIN).map(|origin| origin.as_bytes());
    if origin.is_some_and(|origin| origin.starts_with(b"https://")) {
        Scheme::Https
    } else {
        Scheme::Http
    }
}

/// Gives each answer a deadline, and the headers that all have.
async fn finish(request: Request, next: Next) -> Response {
    let mut response = match timeout(MAX_ANSWER_TIME, next.run(request)).await {
        Ok(response) => response,
        Err(_) => StatusCode::REQUEST_TIMEOUT.into_response(),
    };
    response
        .headers_mut()
        .extend(EVERYWHERE.map(|(name, value)| (name, HeaderValue::from_static(value))));
    response
}

/// The page loads what this server has, and nothing else; nobody frames it. A page's address, without
/// which browsers hide a form's origin, is told to this server alone.
const EVERYWHERE: [(HeaderName, &str); 3] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (header::REFERRER_POLICY, "same-origin"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
];

const FOREIGN: (StatusCode, &str) = (
    StatusCode::FORBIDDEN,
    "this form was sent from a page of another site, which may not sign anybody in or out here",
);

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// Ten thousand characters of any kind, percent-encoded, and some more: they get an answer in the form.
const MAX_FORM_BYTES: usize = 256 * 1024;

/// A form takes a moment to arrive, all else is here.
const MAX_ANSWER_TIME: Duration = Duration::from_secs(10);
