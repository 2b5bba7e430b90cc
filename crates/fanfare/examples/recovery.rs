//! Connection state recovery: a page that loses its connection comes back as who it was, and is sent what it
//! missed.
//!
//! `cargo run --example recovery` (`PORT` changes the port), then, in Node or a page:
//!
//! ```js
//! const socket = io('http://127.0.0.1:3000');
//! socket.on('connect', () => console.log(socket.recovered ? 'I am back' : 'I am new'));
//! socket.on('said', text => console.log(text));
//! socket.emit('join', 'kitchen');
//! socket.emit('say', { room: 'kitchen', text: 'hello' });
//! ```

use fanfare::{Ack, Config, Io, Origins, Recovery, Result, Socket};
use serde::Deserialize;

#[derive(Deserialize)]
struct Said {
    room: String,
    text: String,
}

#[tokio::main]
async fn main() -> Result<()> {
    let io = Io::with(Config {
        // Two minutes to come back in; what was said meanwhile is kept, up to 16 MiB.
        recovery: Some(Recovery::default()),
        // No cookie is trusted here, so pages of every origin may connect.
        origins: Origins::Any,
        ..Config::default()
    });
    io.on_connect(|_, socket| async move {
        // Rooms are as they were; only who is new has to be told how to begin.
        if !socket.is_recovered() {
            socket.emit("welcome", "join a room, then say something in it");
        }
    });
    io.on(
        "join",
        |socket: Socket, room: String, ack: Ack| async move {
            socket.join(&room);
            ack.send(());
        },
    );
    io.on("say", |socket: Socket, said: Said, ack: Ack| async move {
        socket.io().to(&said.room).emit("said", &said.text);
        ack.send(());
    });
    let port = std::env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
    io.listen(format!("127.0.0.1:{port}")).await
}
