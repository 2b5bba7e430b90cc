//! Something of everything that a client library may be able to do, to try one out.
//!
//! `cargo run --example talkback` (`PORT` changes the port, `RECOVERY=on` turns recovery on), then, in Node or a page:
//!
//! ```js
//! const socket = io('http://127.0.0.1:3000');
//! socket.on('question', (...args) => args.pop()(...args));
//! socket.emit('ask me', { deep: [new Uint8Array([1])] }, answer => console.log(answer));
//! const member = io('http://127.0.0.1:3000/members', { auth: { name: 'Ann', word: 'sesame' } });
//! member.emit('who am I', null, name => console.log(name));
//! ```

use std::time::Duration;

use fanfare::{
    Ack, Admission, Args, Config, Handshake, Io, Origins, RawArgs, Recovery, Refusal, Socket,
};
use serde::Deserialize;

/// How long a client may think about a question.
const PATIENCE: Duration = Duration::from_secs(5);

#[tokio::main]
async fn main() -> fanfare::Result<()> {
    let io = Io::with(Config {
        // No cookie is trusted here, so pages of every origin may connect.
        origins: Origins::Any,
        allow_eio3: true, // clients 2.x are welcome, too
        // It gives each event one more argument, which not every library expects.
        recovery: std::env::var_os("RECOVERY").map(|_| Recovery::default()),
        websocket_compression: Some(64), // so little that most of it is compressed, to try that out
        ..Config::default()
    });
    let members = io.of("/members");
    members.admit(admit);
    members.on(
        "who am I",
        |member: Socket, _: RawArgs, ack: Ack| async move {
            ack.send(member.user());
        },
    );
    for io in [&io, &members] {
        talk_back(io);
    }
    let port = std::env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
    io.listen(format!("127.0.0.1:{port}")).await
}

#[derive(Deserialize)]
struct Member {
    name: String,
    word: String,
}

/// Who knows the word is a member.
async fn admit(handshake: Handshake) -> Result<Admission, Refusal> {
    match handshake.auth::<Member>() {
        Ok(member) if member.word == "sesame" => Ok(Admission::user(member.name)),
        Ok(_) => Err(refusal("wrong word")),
        Err(_) => Err(refusal("name and word are needed")),
    }
}

fn refusal(why: &str) -> Refusal {
    let data = serde_json::json!({ "field": "word" });
    Refusal::new(why).with_data(data).expect("it is JSON")
}

fn talk_back(io: &Io) {
    io.on("echo", |_: Socket, args: RawArgs, ack: Ack| async move {
        ack.send(args);
    });
    io.on("say", |socket: Socket, args: RawArgs| async move {
        socket.emit("said", args);
    });
    // The client is asked what it asks, and is answered what it answers.
    io.on(
        "ask me",
        |socket: Socket, args: RawArgs, ack: Ack| async move {
            let asked = socket.emit_with_ack::<RawArgs, _>("question", args, PATIENCE);
            match asked.await {
                Ok(answer) => ack.send(answer),
                Err(error) => ack.send(format!("no answer: {error}")),
            }
        },
    );
    // Worth nothing later: who is not listening just then never hears it.
    io.on("tick", |socket: Socket, number: u64| async move {
        socket.volatile().emit("tick", number);
    });
    io.on(
        "join",
        |socket: Socket, room: String, ack: Ack| async move {
            socket.join(&room);
            ack.send(socket.rooms());
        },
    );
    io.on(
        "tell",
        |socket: Socket, Args((room, text)): Args<(String, String)>, ack: Ack| async move {
            socket.to(&room).emit("told", text);
            ack.send("told");
        },
    );
    io.on(
        "transport",
        |socket: Socket, _: RawArgs, ack: Ack| async move {
            ack.send(socket.transport().as_str());
        },
    );
    io.on(
        "compresses",
        |socket: Socket, _: RawArgs, ack: Ack| async move {
            let handshake = socket.handshake();
            let offer = handshake.header("sec-websocket-extensions");
            ack.send(offer.is_some_and(|offer| offer.contains("permessage-deflate")));
        },
    );
}
