//! What one node asks, all others answer, through Redis.

use std::time::Duration;

use fanfare::{AckError, Admission, Args, ClusterError};
use fanfare_testkit::{Client, Redis};

use crate::node::Node;

/// Longer than any test.
const LONG: Duration = Duration::from_secs(60);
/// Over before an answer could come that nobody gives.
const SHORT: Duration = Duration::from_millis(300);

pub(crate) async fn answer(client: &mut Client, asked: &str, with: &str) {
    let text = client.hear().await;
    let id = text
        .strip_prefix("42")
        .and_then(|rest| rest.strip_suffix(asked));
    let id = id.unwrap_or_else(|| panic!("{text}"));
    client.send(&format!("43{id}{with}")).await;
}

#[tokio::test]
async fn a_broadcast_is_answered_from_every_node_with_all_arguments() {
    let redis = Redis::start().await;
    let [a, b, c] = Node::start_all::<3>(&redis).await;
    let mut clients = Vec::new();
    for node in [&a, &b, &b, &c] {
        clients.push(node.client().await);
    }
    let asked = a.io.emit_with_ack::<Args<(u8, String)>, _>("n?", (), LONG);
    for (n, client) in clients.iter_mut().enumerate() {
        answer(client, r#"["n?",null]"#, &format!(r#"[{n},"x"]"#)).await;
    }
    let mut answers: Vec<_> = asked
        .await
        .expect("all answer")
        .into_iter()
        .map(|(id, Args((n, _)))| (n, id.expect("fanfare names everyone").to_string()))
        .collect();
    answers.sort_unstable();
    let ids = clients.iter().map(|client| client.id.clone());
    assert_eq!(answers, (0..).zip(ids).collect::<Vec<_>>());
}

#[tokio::test]
async fn sockets_of_all_nodes_are_found_and_acted_on() {
    let redis = Redis::start().await;
    let [a, b] = Node::start_all::<2>(&redis).await;
    b.io.admit(|_| async { Ok(Admission::user("ann").with_shared(7).expect("a number")) });
    let (_here, mut there) = (a.client().await, b.client().await);
    b.io.local().join("room");
    let all = a.io.fetch_sockets(LONG).await.expect("all answer");
    assert_eq!(all.len(), 2);
    let found = a.io.to("room").fetch_sockets(LONG).await;
    let [socket] = &found.expect("all answer")[..] else {
        panic!("there is one");
    };
    let state = socket.state();
    assert_eq!(state.id.to_string(), there.id);
    assert_eq!(state.rooms, ["room"]);
    assert_eq!(state.user.as_deref(), Some("ann"));
    assert_eq!(socket.shared::<u8>().unwrap(), 7);
    assert!(state.url.starts_with("/socket.io/?EIO=4"), "{}", state.url);
    let asked = socket.emit_with_ack::<u8, _>("n?", (), LONG);
    answer(&mut there, r#"["n?",null]"#, "[5]").await;
    assert_eq!(asked.await.unwrap(), 5);
    socket.disconnect();
    there.expect("41").await;
    let asked = socket.emit_with_ack::<u8, _>("n?", (), LONG);
    assert!(matches!(asked.await, Err(AckError::Disconnected)));
}

#[tokio::test]
async fn nodes_speak_to_each_other() {
    let redis = Redis::start().await;
    let [a, b, c] = Node::start_all::<3>(&redis).await;
    for (n, node) in [&a, &b, &c].into_iter().enumerate() {
        node.io
            .on_server_side("add", move |_, m: usize| async move { n + m });
    }
    let asked = a.io.server_side_emit_with_ack::<usize, _>("add", 10, LONG);
    let mut sums = asked.await.expect("both answer");
    sums.sort_unstable();
    assert_eq!(sums, [11, 12]);
    let asked = a.io.server_side_emit_with_ack::<u8, _>("other", (), LONG);
    let Err(ClusterError::Missing { missing: 2, .. }) = asked.await else {
        panic!("nobody handles it");
    };
}

#[tokio::test]
async fn a_node_that_has_gone_is_not_waited_for() {
    let redis = Redis::start().await;
    let [a, b] = Node::start_all::<2>(&redis).await;
    let mut there = b.client().await;
    let leaves = async move {
        there.closed().await;
        drop(there);
    };
    tokio::join!(b.io.shutdown(), leaves);
    assert_eq!(
        a.io.fetch_sockets(LONG).await.expect("it is alone").len(),
        0
    );
}

#[tokio::test]
async fn what_cannot_be_asked_is_said() {
    let mut redis = Redis::start().await;
    let [a, _b] = Node::start_all::<2>(&redis).await;
    redis.kill();
    let Err(wrong) = a.io.fetch_sockets(SHORT).await else {
        panic!("Redis is dead");
    };
    assert!(matches!(wrong, ClusterError::Unreachable(_)), "{wrong}");
}
