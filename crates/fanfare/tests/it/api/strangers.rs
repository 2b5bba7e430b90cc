//! What is sent to one socket reaches nobody else, however fast places change hands.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use fanfare::Io;
use fanfare_testkit::{Client, Heard, Random, within};
use tokio::task::{JoinSet, yield_now};

use crate::server::Server;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_hears_what_was_meant_for_who_had_the_place_before() {
    let server = Server::start().await;
    server.io.on_connect(|io, socket| async move {
        socket.join(format!("room of {}", socket.id()));
        socket.emit("you", socket.id().as_str());
        io.to(socket.id()).emit("you", socket.id().as_str());
    });
    let is_over = Arc::new(AtomicBool::new(false));
    let gossip = tokio::spawn(gossip(server.io.clone(), is_over.clone()));
    let mut clients = JoinSet::new();
    for seed in 0..8 {
        clients.spawn(come_and_go(server.address, Random::new(seed)));
    }
    let visits: usize = within("all visits", clients.join_all())
        .await
        .into_iter()
        .sum();
    is_over.store(true, Ordering::Relaxed);
    within("the end of the gossip", gossip)
        .await
        .expect("no panic");
    assert!(100 < visits, "{visits}");
    server.is_deserted().await;
}

/// Tells each socket its own id, by whatever way, again and again.
async fn gossip(io: Io, is_over: Arc<AtomicBool>) {
    while !is_over.load(Ordering::Relaxed) {
        for socket in io.sockets() {
            let id = socket.id();
            socket.emit("you", id.as_str());
            io.to(id).emit_latest("you", id.as_str());
            io.to(format!("room of {id}")).emit("you", id.as_str());
        }
        yield_now().await;
    }
}

async fn come_and_go(address: std::net::SocketAddr, mut random: Random) -> usize {
    let end = Instant::now() + Duration::from_secs(1);
    let mut visits = 0;
    while Instant::now() < end {
        let mut client = Client::join(address).await;
        let mine = format!(r#"42["you","{}"]"#, client.id);
        for _ in 0..random.below(20) {
            let heard = within("gossip", client.hear_any()).await;
            assert_eq!(heard, Heard::Text(mine.clone()));
        }
        match random.below(3) {
            0 => client.reset(),
            1 => client.send("41").await,
            _ => {}
        }
        visits += 1;
    }
    visits
}
