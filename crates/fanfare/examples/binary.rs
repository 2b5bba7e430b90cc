//! Binary data both ways: a file that somebody shares reaches everyone else in the room.
//!
//! `cargo run --example binary` (`PORT` changes the port), then, in a page, with a file of
//! `<input type=file>`; in Node, with a `Buffer`:
//!
//! ```js
//! const socket = io('http://127.0.0.1:3000');
//! socket.on('file', (from, { name, data }) => console.log(from, name, data.byteLength));
//! socket.emit('join', 'kitchen');
//! socket.emit('share', 'kitchen', { name: file.name, data: file }, answer => console.log(answer));
//! ```

use fanfare::{Ack, Args, Binary, Config, Io, Origins, Result, Socket};
use serde::{Deserialize, Serialize};

/// Largest file. Polling writes three bytes as four characters, and a message of more than
/// 1,000,000 bytes would end the connection: this leaves room for the rest of the event.
const MAX_FILE_BYTES: usize = 700_000;

#[derive(Deserialize, Serialize)]
struct File {
    name: String,
    data: Binary,
}

/// `{ receivers: 2 }` or `{ error: "…" }`.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Answer {
    Receivers(usize),
    Error(String),
}

#[tokio::main]
async fn main() -> Result<()> {
    // No cookie is trusted here, so pages of every origin may connect.
    let io = Io::with(Config {
        origins: Origins::Any,
        ..Config::default()
    });
    io.on(
        "join",
        |socket: Socket, room: String, ack: Ack| async move {
            socket.join(&room);
            ack.send(Answer::Receivers(socket.to(&room).count()));
        },
    );
    io.on(
        "share",
        |socket: Socket, Args((room, file)): Args<(String, File)>, ack: Ack| async move {
            ack.send(share(&socket, &room, &file));
        },
    );
    let port = std::env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
    io.listen(format!("127.0.0.1:{port}")).await
}

fn share(socket: &Socket, room: &str, file: &File) -> Answer {
    let bytes = file.data.0.len();
    if MAX_FILE_BYTES < bytes {
        return Answer::Error(format!(
            "{} has {bytes} bytes, and {MAX_FILE_BYTES} are the most: share a smaller file.",
            file.name
        ));
    }
    let others = socket.to(room);
    others.emit("file", Args((socket.id().as_str(), file)));
    Answer::Receivers(others.count())
}
