//! A chat on socketioxide, as docs/migrating-from-socketioxide.md starts from it: two namespaces, rooms, middleware, answers both ways.

use std::{
    collections::HashMap,
    error::Error,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::StreamExt;
use serde::Deserialize;
use serde_json::{Value, json};
use socketioxide::{
    SocketIo,
    extract::{AckSender, Data, Extension, SocketRef, State, TryData},
    handler::ConnectHandler,
};
use tokio::{net::TcpListener, time::sleep};

const PATIENCE: Duration = Duration::from_secs(2);
const MAX_TEXT: usize = 200;

/// People may have several pages open, so they are counted by their names.
#[derive(Clone, Default)]
struct Online(Arc<Mutex<Pages>>);

#[derive(Default)]
struct Pages {
    by_name: HashMap<String, usize>,
    is_telling: bool,
}

#[derive(Clone)]
struct Name(String);

#[derive(Deserialize)]
struct Auth {
    name: String,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let builder = SocketIo::builder().with_state(Online::default());
    let (layer, io) = builder.build_layer();
    io.ns("/board", async || {});
    io.ns("/chat", came.with(admit));
    let port = std::env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    axum::serve(listener, axum::Router::new().layer(layer)).await?;
    Ok(())
}

/// Who comes says a name.
async fn admit(socket: SocketRef, TryData(auth): TryData<Auth>) -> Result<(), &'static str> {
    match auth {
        Ok(Auth { name }) if !name.is_empty() => {
            socket.extensions.insert(Name(name));
            Ok(())
        }
        _ => Err("a name is needed"),
    }
}

async fn came(
    io: SocketIo,
    socket: SocketRef,
    State(online): State<Online>,
    name: Extension<Name>,
) {
    let Extension(Name(name)) = name;
    socket.on("enter", enter);
    socket.on("leave", leave);
    socket.on("say", say);
    socket.on("vote", vote);
    socket.on("quiz", quiz);
    socket.on_disconnect(left);
    online.change(&name, 1);
    socket.emit("online", &[online.shown(&io)]).ok();
    socket.emit("welcome", &name).ok();
    socket.broadcast().emit("came", &name).await.ok();
    online.tell(&io);
}

// The rooms are asked for at once: where the transport closes before the future runs, its
// socket is in none any more.
fn left(
    io: SocketIo,
    socket: SocketRef,
    State(online): State<Online>,
    Extension(Name(name)): Extension<Name>,
) -> impl Future<Output = ()> {
    let rooms = socket.rooms();
    async move {
        for room in rooms {
            let left = json!({ "room": room, "name": name });
            socket.to(room).emit("left", &left).await.ok();
        }
        online.change(&name, -1);
        online.tell(&io);
    }
}

impl Online {
    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, name: &str, change: isize) {
        let pages = &mut self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .by_name;
        let left = pages.entry(name.to_owned()).or_default();
        *left = left.saturating_add_signed(change);
        pages.retain(|_, left| 0 < *left);
    }

    fn shown(&self, io: &SocketIo) -> (usize, usize) {
        let sockets = io.of("/chat").map_or(0, |chat| chat.sockets().len());
        (sockets, self.pages().by_name.len())
    }

    /// A crowd that comes at once is told of at most four times a second.
    fn tell(&self, io: &SocketIo) {
        if std::mem::replace(&mut self.pages().is_telling, true) {
            return;
        }
        let (online, io) = (self.clone(), io.clone());
        tokio::spawn(async move {
            sleep(Duration::from_millis(250)).await;
            online.pages().is_telling = false;
            if let Some(chat) = io.of("/chat") {
                chat.emit("online", &[online.shown(&io)]).await.ok();
            }
        });
    }
}

async fn enter(
    socket: SocketRef,
    Data(room): Data<String>,
    ack: AckSender,
    Extension(Name(name)): Extension<Name>,
) {
    socket.join(room.clone());
    let entered = json!({ "room": room, "name": name });
    socket.to(room.clone()).emit("entered", &entered).await.ok();
    let members = socket.within(room).sockets();
    let names = members.iter().filter_map(|member| member.extensions.get());
    let mut names: Vec<_> = names.map(|Name(name)| name).collect();
    names.sort();
    ack.send(&[names]).ok();
}

async fn leave(
    socket: SocketRef,
    Data(room): Data<String>,
    ack: AckSender,
    Extension(Name(name)): Extension<Name>,
) {
    socket.leave(room.clone());
    let left = json!({ "room": room, "name": name });
    socket.within(room).emit("left", &left).await.ok();
    ack.send("gone").ok();
}

async fn say(
    io: SocketIo,
    socket: SocketRef,
    Data(mut said): Data<Value>,
    ack: AckSender,
    Extension(Name(name)): Extension<Name>,
) {
    // Nobody is told of what is too long.
    if MAX_TEXT < said["text"].as_str().map_or(0, str::len) {
        return;
    }
    let room = said["room"].as_str().unwrap_or_default().to_owned();
    if !socket.rooms().iter().any(|entered| **entered == room) {
        ack.send(&json!({ "error": "enter first" })).ok();
        return;
    }
    said["name"] = name.into();
    socket.within(room).emit("said", &said).await.ok();
    if let Some(board) = io.of("/board") {
        board.emit("said", &said).await.ok();
    }
    ack.send(&json!({ "ok": true })).ok();
}

/// Everyone else in the room has a vote.
async fn vote(socket: SocketRef, Data((room, question)): Data<(String, String)>, ack: AckSender) {
    let others = socket.to(room).timeout(PATIENCE);
    let Ok(votes) = others
        .emit_with_ack::<_, Value>("question", &question)
        .await
    else {
        return;
    };
    let votes = votes.filter_map(async |(_, vote)| vote.ok());
    let votes: Vec<_> = votes.collect().await;
    let yes = votes.iter().filter(|vote| **vote == true).count();
    ack.send(&(yes, votes.len())).ok();
}

/// One question to the one who asks for it.
async fn quiz(socket: SocketRef, ack: AckSender) {
    let asker = socket.timeout(PATIENCE);
    let is_right = match asker.emit_with_ack::<_, Value>("question", "6 × 7?") {
        Ok(answer) => answer.await.is_ok_and(|said| said == 42),
        Err(_) => false,
    };
    ack.send(&is_right).ok();
}
