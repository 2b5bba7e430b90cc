//! Who is gone leaves nothing in memory, however it went.

use std::{future::pending, sync::Arc, time::Duration};

use fanfare::{Admission, Config, Socket};
use fanfare_testkit::{Client, WebSocket, eventually, frame};

use crate::server::{self, Server};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_admission_gave_is_freed_when_the_socket_is_gone() {
    let data = Arc::new(());
    let server = admitting(&data, server::fast()).await;
    for _ in 0..3 {
        let mut left = server.client().await;
        left.send("41").await;
        server.client().await.reset();
        let mut broken = server.client().await;
        broken.send("4x").await;
        let mut half = server.client().await;
        half.send(r#"451-["a",{"_placeholder":true,"num":0}]"#)
            .await;
        half.websocket
            .send_bytes(&frame::piece(2, &[1; 1_000]))
            .await;
        let polling = server.polling().await;
        polling.join().await;
        let upgraded = server.polling().await;
        upgraded.join().await;
        let mut websocket = WebSocket::open(server.address, &upgraded.upgrade_target()).await;
        websocket.send("5").await;
        let asked = server.io.emit("ask", 1);
        drop((left, broken, half, websocket, asked));
    }
    server.is_deserted().await;
    is_freed(&data).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn questions_and_answers_that_never_come_keep_nobody_alive() {
    let data = Arc::new(());
    let server = admitting(&data, Config::default()).await;
    server.io.on_connect(|_, socket| async move {
        tokio::spawn(socket.emit_with_ack::<u8, _>("ask", 1, Duration::from_secs(3600)));
    });
    let mut client = server.client().await;
    client.hear().await;
    drop(client);
    server.is_deserted().await;
    is_freed(&data).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_never_ends_keeps_its_own_socket_only() {
    let data = Arc::new(());
    let server = admitting(&data, Config::default()).await;
    server.io.on("hang", |_: Socket| pending());
    let mut hanging = server.client().await;
    hanging.send(r#"42["hang"]"#).await;
    let others: Vec<Client> = vec![server.client().await, server.client().await];
    drop((hanging, others));
    server.is_deserted().await;
    eventually("the others are freed", || Arc::strong_count(&data) <= 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_has_shut_down_is_freed() {
    let data = Arc::new(());
    let server = admitting(&data, server::brisk()).await;
    server.io.announce_count("users", |count| count.sockets);
    let client = server.client().await;
    server.io.shutdown().await;
    drop(client);
    is_freed(&data).await;
    drop(server);
    eventually("its handlers are freed", || Arc::strong_count(&data) == 1).await;
}

async fn admitting(data: &Arc<()>, config: Config) -> Server {
    let server = Server::with(config).await;
    let data = data.clone();
    server.io.admit(move |_| {
        let data = data.clone();
        async move { Ok(Admission::anonymous().with_data(data)) }
    });
    server
}

/// The test and the hook hold it, and nobody else.
async fn is_freed(data: &Arc<()>) {
    eventually("the data is freed", || Arc::strong_count(data) == 2).await;
}
