//! fanfare as the server that `fanfare bench` asks for: the events of docs/bench.md, as a user of fanfare writes them.
#![forbid(unsafe_code)]

use fanfare::{Ack, Args, Config, Io, RawArgs, Socket};

/// A server that says to all what one says, and answers the bench's other events.
pub fn server(config: Config) -> Io {
    let io = Io::with(config);
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
    io.on("echo", |_: Socket, text: String, ack: Ack| async move {
        ack.send(text);
    });
    io.on(
        "join",
        |socket: Socket, room: String, ack: Ack| async move {
            socket.join(room);
            ack.send("joined");
        },
    );
    io.on("held", |socket: Socket, ack: Ack| async move {
        ack.send(socket.io().metrics().longest_hold.as_micros());
    });
    io.on(
        "tell",
        |socket: Socket, Args((room, number, text)): Args<(String, u32, String)>| async move {
            socket.io().to(room).emit("say", Args((number, text)));
        },
    );
    io
}
