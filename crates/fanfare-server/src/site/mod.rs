//! The site: what HTTP requests are answered, all but those of Socket.IO.

mod account;
mod entry;
mod files;
mod form;

use std::{net::IpAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::{self, Next},
    response::{Html, IntoResponse, Redirect, Response},
    routing::{get, post},
};
use fanfare_redis::RedisAdapter;
use tokio::time::timeout;

use crate::{
    auth::{AuthSession, COOKIE, Doorkeeper, life},
    origin, pages,
    password::Hasher,
    room::Room,
    store::Accounts,
    throttle::Throttle,
};

/// What answers need.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) room: Arc<Room>,
    pub(crate) doors: Doorkeeper,
    pub(crate) accounts: Arc<dyn Accounts>,
    pub(crate) hasher: Hasher,
    /// Origins besides our own whose pages may send forms.
    pub(crate) origins: Vec<String>,
    /// Whose word on where a request came from is believed, besides this machine's.
    pub(crate) proxies: Vec<IpAddr>,
    pub(crate) session_seconds: u32,
    pub(crate) throttle: Throttle,
    /// What joins this node with others, if it does.
    pub(crate) cluster: Option<Arc<RedisAdapter>>,
}

/// Who balances load over nodes asks this. A node that does not hear the others goes on serving those it has: if Redis
/// is away that are all nodes, and taking them out would help nobody.
async fn health(State(site): State<Arc<Site>>) -> &'static str {
    match &site.cluster {
        Some(cluster) if cluster.is_deaf() => {
            "deaf: Redis is out of reach, or what it sends does not arrive; those who are connected here are served"
        }
        Some(_) | None => "ok",
    }
}

impl Site {
    /// All routes.
    pub(crate) fn router(self) -> Router {
        let site = Arc::new(self);
        let with_session = Router::new()
            .route("/guest", post(entry::enter))
            .route("/register", get(entry::register_page).post(entry::register))
            .route("/login", get(entry::login_page).post(entry::login))
            .route("/logout", post(entry::log_out))
            .route("/chat", get(room_page))
            .route("/account", get(account::page))
            .route("/account/name", post(account::rename))
            .route("/account/password", post(account::change_password))
            .route("/account/delete", post(account::delete))
            .layer(site.doors.layer());
        Router::new()
            .route("/", get(entry::guest_page))
            .merge(with_session)
            .merge(files::router())
            .route("/healthz", get(health))
            .fallback(|| async {
                (
                    StatusCode::NOT_FOUND,
                    "there is nothing here; the room is at /",
                )
            })
            .layer(DefaultBodyLimit::max(MAX_FORM_BYTES))
            .layer(middleware::from_fn_with_state(site.clone(), only_ours))
            .layer(middleware::from_fn(finish))
            .with_state(site)
    }
}

async fn room_page(State(site): State<Arc<Site>>, auth: AuthSession) -> Response {
    if auth.user.is_none() {
        return Redirect::to("/").into_response();
    }
    // A visit makes the session last its full time again.
    auth.session.set_expiry(Some(life(site.session_seconds)));
    page(there(), pages::room())
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

/// The database can't be used just now.
fn unavailable(error: &(dyn std::error::Error + 'static)) -> Response {
    tracing::warn!(error, "a form could not be served");
    UNAVAILABLE.into_response()
}

const UNAVAILABLE: (StatusCode, &str) = (
    StatusCode::SERVICE_UNAVAILABLE,
    "the server's database can't be used just now; try again in a moment",
);

/// Takes forms from pages of ours alone.
async fn only_ours(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    if request.method() == Method::POST && !origin::is_ours(request.headers(), &site.origins) {
        return FOREIGN.into_response();
    }
    next.run(request).await
}

/// Gives each answer a deadline, and the headers that all have.
async fn finish(request: Request, next: Next) -> Response {
    let is_tls = came_by_tls(request.headers());
    // A task of its own: what a form has begun comes to its end, whether or not its sender waits for it.
    let answering = tokio::spawn(next.run(request));
    let mut response = match timeout(MAX_ANSWER_TIME, answering).await {
        Ok(Ok(response)) if response.status() == StatusCode::INTERNAL_SERVER_ERROR => {
            // The layers of sessions give no other reason for it.
            UNAVAILABLE.into_response()
        }
        Ok(Ok(response)) => response,
        Ok(Err(_)) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Err(_) => StatusCode::REQUEST_TIMEOUT.into_response(),
    };
    let headers = response.headers_mut();
    headers.extend(EVERYWHERE.map(|(name, value)| (name, HeaderValue::from_static(value))));
    if is_tls {
        secure_cookie(headers);
    }
    response
}

/// How the browser got here, as far as it says so; whatever stands between may speak TLS for us.
fn came_by_tls(headers: &HeaderMap) -> bool {
    let says = |name: HeaderName, what: &[u8]| {
        headers
            .get(name)
            .is_some_and(|value| value.as_bytes().starts_with(what))
    };
    says(header::ORIGIN, b"https://") || says(FORWARDED_PROTO, b"https")
}

/// Keeps the session's cookie off plain HTTP.
fn secure_cookie(headers: &mut HeaderMap) {
    for cookie in headers
        .iter_mut()
        .filter(|(name, _)| *name == header::SET_COOKIE)
    {
        let (_, cookie) = cookie;
        if let Ok(text) = cookie.to_str()
            && text.starts_with(COOKIE)
            && let Ok(secure) = format!("{text}; Secure").parse()
        {
            *cookie = secure;
        }
    }
}

const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

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

/// Ten thousand characters of any kind, percent-encoded, and some more: they get an answer in the form.
const MAX_FORM_BYTES: usize = 256 * 1024;

/// A form takes a moment to arrive, a password one to be checked, all else is here.
const MAX_ANSWER_TIME: Duration = Duration::from_secs(10);
