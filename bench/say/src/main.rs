//! Everybody is told what anybody says: what `rawcast --play say` does, as a user of fanfare writes it.

use std::env;

use fanfare::{Args, Io, RawArgs, Result, Socket};

#[tokio::main]
async fn main() -> Result<()> {
    let io = Io::new();
    io.on("say", |socket: Socket, said: RawArgs| async move {
        socket.io().emit("say", said);
    });
    io.on(
        "burst",
        |socket: Socket, Args((count, text)): Args<(u32, String)>| async move {
            for i in 0..count {
                socket.io().emit("say", Args((i, &text)));
            }
        },
    );
    let port = env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
    io.listen(format!("127.0.0.1:{port}")).await
}
