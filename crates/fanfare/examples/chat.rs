//! A chat on fanfare, as docs/migrating-from-node.md ends with it: two namespaces, rooms, middleware, answers both ways, recovery.
//! `cargo run --example chat` (`PORT` changes the port).

use std::time::Duration;

use fanfare::{
    Ack, Admission, Args, BroadcastAckError, Config, Handshake, Io, Origins, RawArgs, Recovery,
    Refusal, Socket,
};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(2);
const MAX_TEXT: usize = 200;

#[tokio::main]
async fn main() -> fanfare::Result<()> {
    let io = Io::with(Config {
        recovery: Some(Recovery::default()),
        origins: Origins::Any,
        ..Config::default()
    });
    io.of("/board");
    let chat = io.of("/chat");
    chat.admit(admit);
    chat.use_event(check);
    // At most four times a second; users are counted by the name that admission gives.
    chat.announce_count("online", |count| (count.sockets, count.users));
    chat.on_connect(came);
    chat.on_disconnecting(|chat, socket, _, rooms| async move {
        for room in rooms {
            chat.to(&room).emit("left", who(&socket, &room));
        }
    });
    chat.on("enter", enter);
    chat.on("leave", leave);
    chat.on("say", say);
    chat.on("vote", vote);
    chat.on("quiz", quiz);
    let port = std::env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
    io.listen(format!("127.0.0.1:{port}")).await
}

/// Who comes says a name.
async fn admit(handshake: Handshake) -> Result<Admission, Refusal> {
    match handshake.auth::<Value>().unwrap_or_default()["name"].as_str() {
        Some(name) if !name.is_empty() => Ok(Admission::user(name)),
        _ => Err(Refusal::new("a name is needed")),
    }
}

/// A client that wants an answer is told of what is too long.
async fn check(_: Socket, event: String, args: RawArgs) -> Result<(), Refusal> {
    let said: Value = args.read().unwrap_or_default();
    let length = said["text"].as_str().map_or(0, str::len);
    if event == "say" && MAX_TEXT < length {
        return Err(Refusal::new("too long"));
    }
    Ok(())
}

async fn came(_: Io, socket: Socket) {
    if !socket.is_recovered() {
        socket.emit("welcome", socket.user());
        socket.broadcast().emit("came", socket.user());
    }
}

fn who(socket: &Socket, room: &str) -> Value {
    json!({ "room": room, "name": socket.user() })
}

async fn enter(socket: Socket, room: String, ack: Ack) {
    socket.join(&room);
    socket.to(&room).emit("entered", who(&socket, &room));
    let members = socket.io().to(&room).sockets();
    let mut names: Vec<_> = members.iter().map(Socket::user).collect();
    names.sort();
    ack.send(names);
}

async fn leave(socket: Socket, room: String, ack: Ack) {
    socket.leave(&room);
    socket.io().to(&room).emit("left", who(&socket, &room));
    ack.send("gone");
}

async fn say(socket: Socket, mut said: Value, ack: Ack) {
    let room = said["room"].as_str().unwrap_or_default().to_owned();
    if !socket.rooms().contains(&room) {
        return ack.send(json!({ "error": "enter first" }));
    }
    said["name"] = socket.user().into();
    socket.io().to(&room).emit("said", &said);
    socket.io().of("/board").emit("said", &said);
    ack.send(json!({ "ok": true }));
}

/// Everyone else in the room has a vote.
async fn vote(socket: Socket, Args((room, question)): Args<(String, String)>, ack: Ack) {
    let others = socket.to(&room);
    let asked = others.emit_with_ack::<Value, _>("question", question, PATIENCE);
    let votes = match asked.await {
        Ok(votes) | Err(BroadcastAckError::Missing { answers: votes, .. }) => votes,
        Err(_) => Vec::new(),
    };
    let yes = votes.iter().filter(|(_, vote)| *vote == true).count();
    ack.send(Args((yes, votes.len())));
}

/// One question to the one who asks for it.
async fn quiz(socket: Socket, _: RawArgs, ack: Ack) {
    let asked = socket.emit_with_ack::<Value, _>("question", "6 × 7?", PATIENCE);
    ack.send(asked.await.is_ok_and(|said| said == 42));
}
