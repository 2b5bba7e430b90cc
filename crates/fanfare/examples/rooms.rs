//! Rooms: who joins one hears what is said there, and how many are in it.
//!
//! `cargo run --example rooms` (`PORT` changes the port), then, in Node or a page:
//!
//! ```js
//! const socket = io('http://127.0.0.1:3000');
//! socket.on('said', ({ room, text }) => console.log(room, text));
//! socket.on('members', ({ room, members }) => console.log(room, members));
//! socket.emit('join', 'kitchen', members => socket.emit('say', { room: 'kitchen', text: 'hello' }));
//! ```

use fanfare::{Ack, Config, Io, Origins, Result, Socket};
use serde::{Deserialize, Serialize};

#[derive(Deserialize, Serialize)]
struct Said {
    room: String,
    text: String,
}

#[derive(Serialize)]
struct Members {
    members: usize,
    room: String,
}

#[tokio::main]
async fn main() -> Result<()> {
    // No cookie is trusted here, so pages of every origin may connect.
    let io = Io::with(Config {
        origins: Origins::Any,
        allow_eio3: true, // clients 2.x are welcome, too
        ..Config::default()
    });
    io.on(
        "join",
        |socket: Socket, room: String, ack: Ack| async move {
            socket.join(&room);
            ack.send(tell_members(&socket, room));
        },
    );
    io.on(
        "leave",
        |socket: Socket, room: String, ack: Ack| async move {
            socket.leave(&room);
            ack.send(tell_members(&socket, room));
        },
    );
    // Everyone in the room but the one who says it.
    io.on("say", |socket: Socket, said: Said| async move {
        socket.to(&said.room).emit("said", &said);
    });
    let port = std::env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
    io.listen(format!("127.0.0.1:{port}")).await
}

/// Tells everyone in `room` how many they are now.
fn tell_members(socket: &Socket, room: String) -> usize {
    let here = socket.io().to(&room);
    let members = here.count();
    here.emit("members", Members { members, room });
    members
}
