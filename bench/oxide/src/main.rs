//! socketioxide as its makers set it up, with the events of docs/bench.md: `oxide say` or `oxide lesson`.

use std::{env, error::Error, sync::Arc, time::Duration};

use axum::serve::ListenerExt as _;
use serde::{Deserialize, Serialize};
use socketioxide::{
    SocketIo,
    extract::{AckSender, Data, SocketRef, State},
};
use tokio::{net::TcpListener, sync::Mutex};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let builder = SocketIo::builder()
        .with_state(Users::default())
        // Of a burst, all that exceeds its default of 128 packets would be lost.
        .max_buffer_size(200_000);
    let builder = match env::var("PING_INTERVAL") {
        Ok(milliseconds) => builder.ping_interval(Duration::from_millis(milliseconds.parse()?)),
        Err(_) => builder,
    };
    let (layer, io) = builder.build_layer();
    match env::args().nth(1).as_deref() {
        Some("say") => io.ns("/", say),
        Some("lesson") => io.ns("/", lesson),
        _ => return Err("oxide say, or oxide lesson".into()),
    }
    let port = env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
    // Without Nagle's delay, as on Node and on fanfare.
    let listener = TcpListener::bind(format!("127.0.0.1:{port}"))
        .await?
        .tap_io(|stream| stream.set_nodelay(true).unwrap_or_default());
    axum::serve(listener, axum::Router::new().layer(layer)).await?;
    Ok(())
}

/// What is said: a text, as `paced` does, or a number and a text, as `slow` does.
#[derive(Deserialize, Serialize)]
struct Said(
    serde_json::Value,
    #[serde(default, skip_serializing_if = "Option::is_none")] Option<String>,
);

/// Everybody is told what anybody says; and the bench's other events.
async fn say(socket: SocketRef) {
    socket.on("say", async |io: SocketIo, Data(said): Data<Said>| {
        io.emit("say", &said).await.ok();
    });
    socket.on(
        "burst",
        async |io: SocketIo, Data((count, text)): Data<(u32, String)>| {
            for i in 0..count {
                io.emit("say", &(i, &text)).await.ok();
            }
        },
    );
    socket.on("echo", async |Data(text): Data<String>, ack: AckSender| {
        ack.send(&text).ok();
    });
    socket.on(
        "join",
        async |socket: SocketRef, Data(room): Data<String>, ack: AckSender| {
            socket.join(room);
            ack.send("joined").ok();
        },
    );
    socket.on(
        "tell",
        async |io: SocketIo, Data((room, number, text)): Data<(String, u32, String)>| {
            io.to(room).emit("say", &(number, text)).await.ok();
        },
    );
}

/// How many there are. Held until all have been told, so that nobody is told two counts in the wrong order.
#[derive(Clone, Default)]
struct Users(Arc<Mutex<usize>>);

/// The lesson, with its next step: counting down again.
async fn lesson(socket: SocketRef, io: SocketIo, users: State<Users>) {
    socket.on_disconnect(async |io: SocketIo, users: State<Users>| {
        let mut count = users.0.0.lock().await;
        *count -= 1;
        io.emit("user count", &*count).await.ok();
    });
    let mut count = users.0.0.lock().await;
    *count += 1;
    io.emit("user count", &*count).await.ok();
}
