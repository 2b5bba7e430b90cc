//! Forms on the wire: compressed WebSockets, and MessagePack instead of JSON. All that is said comes back.
//!
//! `cargo run --example forms` (`PORT` changes the port) speaks MessagePack; in Node:
//!
//! ```js
//! import parser from 'socket.io-msgpack-parser';
//! const socket = io('http://127.0.0.1:3000', { parser });
//! socket.emit('echo', { bytes: Buffer.alloc(10_000) }, answer => console.log(answer));
//! ```
//!
//! With `PARSER=json` every client is welcome. Browsers offer compression by themselves; in Node the option
//! `perMessageDeflate: true` does.

use fanfare::{Ack, Config, Io, Origins, Parser, RawArgs, Result, Socket};

#[tokio::main]
async fn main() -> Result<()> {
    let parser = match std::env::var("PARSER").as_deref() {
        Ok("json") => Parser::Json,
        Ok(_) | Err(_) => Parser::MessagePack,
    };
    let io = Io::with(Config {
        parser,
        websocket_compression: Some(1_024), // shorter messages are not worth it
        origins: Origins::Any,              // no cookie is trusted here
        ..Config::default()
    });
    io.on(
        "echo",
        |socket: Socket, args: RawArgs, ack: Ack| async move {
            socket.emit("said", &args);
            ack.send(args);
        },
    );
    let port = std::env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
    io.listen(format!("127.0.0.1:{port}")).await
}
