//! Sockets signed in by the session cookie of the pages, whichever middleware keeps the sessions.
//!
//! `cargo run --example auth`, then open <http://127.0.0.1:3000> twice (`PORT` changes the port).

use std::hash::{BuildHasher, RandomState};

use axum::{Form, Router, extract::State, response::Html, response::Redirect, routing};
use fanfare::{Ack, Admission, ClientBundle, Config, Handshake, Io, Refusal, Socket};
use http::{Request, Response, StatusCode, header};
use tower::{Layer, ServiceExt, service_fn};
use tower_sessions::{MemoryStore, Session, SessionManagerLayer, cookie::SameSite, session};

#[derive(Clone)]
struct App {
    io: Io,
    layer: SessionManagerLayer<MemoryStore>,
    room_key: RandomState,
}

#[tokio::main]
async fn main() -> fanfare::Result<()> {
    // The official browser client, if `cargo xtask serve --lesson` or `npm ci` has fetched it.
    let web = concat!(env!("CARGO_MANIFEST_DIR"), "/../../web");
    let client = ClientBundle::from_dir(format!("{web}/node_modules/socket.io-client/dist")).ok();
    let io = Io::with(Config {
        client,
        ..Config::default()
    });
    let app = App {
        io: io.clone(),
        // The cookie is HttpOnly. It would be Secure, too, if this were served by HTTPS.
        layer: SessionManagerLayer::new(MemoryStore::default())
            .with_same_site(SameSite::Lax)
            .with_secure(false),
        room_key: RandomState::new(),
    };
    let (door, inside) = (app.clone(), app.clone());
    io.admit(move |handshake| admit(door.clone(), handshake));
    io.on_connect(move |_, socket| join(inside.clone(), socket));
    io.on("whoami", |socket: Socket, (), ack: Ack| async move {
        ack.send(socket.user());
    });
    io.announce_count("user count", |count| count.sockets);
    let pages = Router::new()
        .route("/", routing::get(index))
        .route("/login", routing::post(sign_in))
        .route("/logout", routing::post(sign_out))
        .layer(app.layer.clone())
        .with_state(app);
    let port = std::env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
    io.serve(format!("127.0.0.1:{port}"), pages).await
}

/// Asks for a page with the socket's cookie: what it finds behind the layer decides.
async fn admit(app: App, handshake: Handshake) -> Result<Admission, Refusal> {
    let page = service_fn(|request: Request<()>| async move {
        let session = request.extensions().get::<Session>().expect("the layer's");
        let name: Option<String> = session.get("name").await?;
        Ok::<_, session::Error>(Response::new(session.id().zip(name)))
    });
    let cookie = handshake.header("cookie").unwrap_or_default();
    let request = Request::builder().header(header::COOKIE, cookie).body(());
    let request = request.expect("it came as a header");
    let answer = app.layer.layer(page).oneshot(request).await;
    match answer.map(Response::into_body) {
        Ok(Some((id, name))) => Ok(Admission::user(name).with_data(room(&app, Some(id)))),
        Ok(None) => Err(Refusal::new("You are not signed in: sign in at / first.")),
        Err(_) => Err(Refusal::new("No session can be read: try again later.")),
    }
}

/// Asks again: a sign-out since the admission did not find the socket in its room.
async fn join(app: App, socket: Socket) {
    socket.join(socket.data::<String>().expect("admission gave it"));
    if admit(app, socket.handshake()).await.is_err() {
        socket.disconnect();
    }
}

/// The room of a session's sockets. The id is a secret, and the names of rooms are not.
fn room(app: &App, session: Option<session::Id>) -> String {
    format!("session {:016x}", app.room_key.hash_one(session))
}

#[derive(serde::Deserialize)]
struct SignIn {
    username: String,
}

type Answer<T> = Result<T, StatusCode>;

async fn sign_in(app: State<App>, session: Session, form: Form<SignIn>) -> Answer<Redirect> {
    let former = room(&app, session.id());
    // A new id: somebody else may have planted the old one.
    session.cycle_id().await.map_err(unavailable)?;
    let name: String = form.username.chars().take(40).collect();
    session.insert("name", name).await.map_err(unavailable)?;
    app.io.to(former).disconnect();
    Ok(Redirect::to("/"))
}

async fn sign_out(app: State<App>, session: Session) -> Answer<Redirect> {
    let room = room(&app, session.id());
    session.flush().await.map_err(unavailable)?;
    app.io.to(room).disconnect();
    Ok(Redirect::to("/"))
}

async fn index(session: Session) -> Answer<Html<&'static str>> {
    let name: Option<String> = session.get("name").await.map_err(unavailable)?;
    Ok(Html(name.map_or(SIGN_IN, |_| ROOM)))
}

const ROOM: &str = include_str!("public/auth.html");
const SIGN_IN: &str = "<!doctype html><title>Sign in</title><form method=post action=/login>
<label>Name <input name=username required></label> <button>Sign in</button></form>";

fn unavailable(_: session::Error) -> StatusCode {
    StatusCode::SERVICE_UNAVAILABLE
}
