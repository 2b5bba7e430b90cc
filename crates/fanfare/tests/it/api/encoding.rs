//! How often what is emitted is encoded.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use serde::{Serialize, Serializer};

use crate::server::Server;

/// A value that counts how often it is written.
struct Counted(Arc<AtomicUsize>);

impl Serialize for Counted {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.0.fetch_add(1, Ordering::Relaxed);
        to.serialize_str("counted")
    }
}

#[tokio::test]
async fn a_broadcast_is_encoded_once_however_many_hear_it() {
    let server = Server::start().await;
    let n_encoded = Arc::new(AtomicUsize::new(0));
    let counted = || Counted(n_encoded.clone());
    let mut clients = Vec::new();
    for _ in 0..8 {
        clients.push(server.client().await);
    }
    let polling = server.polling().await;
    polling.join().await;
    for socket in server.io.sockets() {
        socket.join("room");
    }
    for n in 1..=2 {
        match n {
            1 => assert_eq!(server.io.emit("x", counted()).receivers(), 9),
            _ => assert_eq!(server.io.to("room").emit("x", counted()).receivers(), 9),
        }
        assert_eq!(n_encoded.load(Ordering::Relaxed), n);
        for client in &mut clients {
            client.expect(r#"42["x","counted"]"#).await;
        }
        assert_eq!(polling.receive().await, r#"42["x","counted"]"#);
    }
    assert_eq!(n_encoded.load(Ordering::Relaxed), 2);
}
