//! Echo: what a client says comes back, binary data and answers included.
//!
//! `cargo run --example echo` (`PORT` changes the port), then, in Node or a page:
//!
//! ```js
//! const socket = io('http://127.0.0.1:3000');
//! socket.on('message-back', (...args) => console.log(args));
//! socket.emit('message', 1, { two: new Uint8Array([3]) });
//! socket.emit('message-with-ack', 'hello', answer => console.log(answer));
//! ```

use fanfare::{Ack, Config, Io, Origins, RawArgs, Result, Socket};

#[tokio::main]
async fn main() -> Result<()> {
    // No cookie is trusted here, so pages of every origin may connect.
    let io = Io::with(Config {
        origins: Origins::Any,
        allow_eio3: true, // clients 2.x are welcome, too
        ..Config::default()
    });
    io.on("message", |socket: Socket, args: RawArgs| async move {
        socket.emit("message-back", args);
    });
    io.on(
        "message-with-ack",
        |_: Socket, args: RawArgs, ack: Ack| async move {
            ack.send(args);
        },
    );
    let port = std::env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
    io.listen(format!("127.0.0.1:{port}")).await
}
