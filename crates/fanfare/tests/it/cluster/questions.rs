//! What one node asks, all others answer; and who does not is said.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use fanfare::{
    AckError, Admission, BroadcastAckError, ClusterError, Io, Refusal, RemoteSocket, SocketId,
};
use fanfare_testkit::{Client, eventually};

use super::{Hub, Member};

/// Longer than any test.
const LONG: Duration = Duration::from_secs(60);
/// Over before an answer could come that nobody gives.
const SHORT: Duration = Duration::from_millis(50);

fn admit(io: &Io) {
    io.admit(|handshake| async move {
        let name = handshake.auth_json().to_owned();
        Admission::user("ann")
            .with_shared(name)
            .map_err(|wrong| Refusal::new(wrong.to_string()))
    });
}

async fn answer(client: &mut Client, asked: &str, with: &str) {
    let text = client.hear().await;
    let id = text
        .strip_prefix("42")
        .and_then(|rest| rest.strip_suffix(asked));
    let id = id.unwrap_or_else(|| panic!("{text}"));
    client.send(&format!("43{id}{with}")).await;
}

#[tokio::test]
async fn a_broadcast_is_answered_from_every_node() {
    let (_, [a, b, c]) = Hub::of::<3>().await;
    let mut clients = Vec::new();
    for member in [&a, &b, &b, &c] {
        clients.push(member.server.client().await);
    }
    let asked = a.server.io.emit_with_ack::<u8, _>("n?", (), LONG);
    for (n, client) in clients.iter_mut().enumerate() {
        answer(client, r#"["n?",null]"#, &format!("[{n}]")).await;
    }
    let mut answers = asked.await.expect("all answer");
    answers.sort_by_key(|(_, n)| *n);
    let expected: Vec<(String, u8)> = clients
        .iter()
        .zip(0..)
        .map(|(client, n)| (client.id.clone(), n))
        .collect();
    let given: Vec<_> = answers
        .iter()
        .map(|(id, n)| (id.expect("fanfare names everyone").to_string(), *n))
        .collect();
    assert_eq!(given, expected);

    let local = a.server.io.local().emit_with_ack::<u8, _>("n?", (), LONG);
    answer(&mut clients[0], r#"["n?",null]"#, "[7]").await;
    assert_eq!(local.await.expect("it answers").len(), 1);
}

#[tokio::test]
async fn who_does_not_answer_is_named_with_its_reason() {
    let (_, [a, b]) = Hub::of::<2>().await;
    let (mut here, mut leaves, silent) = (
        a.server.client().await,
        b.server.client().await,
        b.server.client().await,
    );
    let asked = a.server.io.emit_with_ack::<u8, _>("n?", (), SHORT);
    answer(&mut here, r#"["n?",null]"#, "[1]").await;
    leaves.hear().await;
    leaves.send("41").await;
    let Err(BroadcastAckError::Missing {
        answers,
        missing,
        silent_nodes,
    }) = asked.await
    else {
        panic!("two did not answer");
    };
    assert_eq!(answers.len() + missing.len(), 3, "{answers:?} {missing:?}");
    assert_eq!(silent_nodes, 0);
    let why = |id: &str| {
        let is_it = |missed: &Option<SocketId>| missed.is_some_and(|missed| missed.as_str() == id);
        let found = missing.iter().find(|(missed, _)| is_it(missed));
        found.map(|(_, why)| why)
    };
    assert!(matches!(why(&silent.id), Some(AckError::Timeout)));
    assert!(why(&leaves.id).is_some());
}

#[tokio::test]
async fn nodes_that_say_nothing_are_counted() {
    let (hub, [a, b]) = Hub::of::<2>().await;
    let mut here = a.server.client().await;
    b.is_mute.store(true, Ordering::Relaxed);
    for silent in [1, 1] {
        let asked = a.server.io.emit_with_ack::<u8, _>("n?", (), SHORT);
        answer(&mut here, r#"["n?",null]"#, "[1]").await;
        let Err(BroadcastAckError::Missing {
            silent_nodes: 1, ..
        }) = asked.await
        else {
            panic!("{silent} node is silent");
        };
        // In the second turn, nobody knows.
        hub.is_unreachable.store(true, Ordering::Relaxed);
    }
    let Err(ClusterError::Unreachable(why)) = a.server.io.fetch_sockets(SHORT).await else {
        panic!("nobody knows which nodes there are");
    };
    assert_eq!(why, "the hub is closed");
    hub.is_unreachable.store(false, Ordering::Relaxed);
    let Err(ClusterError::Missing {
        answers,
        missing,
        silent,
    }) = a.server.io.fetch_sockets(SHORT).await
    else {
        panic!("a node is silent");
    };
    assert_eq!((answers.len(), missing), (1, 1));
    assert_eq!(*silent, [Arc::from(b.server.io.node())]);
}

/// The socket of a client on the second node, as the first sees it.
async fn remote(a: &Member, b: &Member) -> (RemoteSocket, Client) {
    admit(&b.server.io);
    let mut client = Client::open(b.server.address).await;
    client.join_nsp("/", r#"{"name":"ann"}"#).await;
    b.server.io.join("room");
    let found = a.server.io.to("room").fetch_sockets(LONG).await;
    let mut sockets = found.expect("all nodes answer");
    assert_eq!(sockets.len(), 1);
    (sockets.remove(0), client)
}

#[tokio::test]
async fn sockets_of_all_nodes_are_found() {
    let (_, [a, b]) = Hub::of::<2>().await;
    let here = a.server.client().await;
    let (socket, client) = remote(&a, &b).await;
    let state = socket.state();
    assert_eq!(state.id.to_string(), client.id);
    assert_eq!(state.rooms, ["room"]);
    assert_eq!(state.user.as_deref(), Some("ann"));
    assert_eq!(state.auth["name"], "ann");
    assert!(state.url.starts_with("/socket.io/?EIO=4"), "{}", state.url);
    assert!(state.headers.iter().any(|(name, _)| name == "upgrade"));
    assert_eq!(socket.shared::<String>().unwrap(), r#"{"name":"ann"}"#);
    let all = a.server.io.fetch_sockets(LONG).await.expect("all answer");
    assert_eq!(all.len(), 2);
    let own = a.server.io.local().fetch_sockets(LONG).await.unwrap();
    assert_eq!(own[0].id().to_string(), here.id);
    assert_eq!(own.len(), 1);
}

#[tokio::test]
async fn a_remote_socket_is_acted_on_from_afar() {
    let (_, [a, b]) = Hub::of::<2>().await;
    let (socket, mut client) = remote(&a, &b).await;
    socket.emit("hello", 1);
    client.expect(r#"42["hello",1]"#).await;
    let asked = socket.emit_with_ack::<u8, _>("n?", (), LONG);
    answer(&mut client, r#"["n?",null]"#, "[5]").await;
    assert_eq!(asked.await.unwrap(), 5);
    let asked = socket.emit_with_ack::<u8, _>("n?", (), SHORT);
    assert!(matches!(asked.await, Err(AckError::Timeout)));
    client.hear().await;
    socket.join("other");
    socket.leave("room");
    let rooms = || b.server.io.sockets()[0].rooms();
    eventually("it is in the other room", || rooms() == ["other"]).await;
    socket.disconnect();
    client.expect("41").await;
    let asked = socket.emit_with_ack::<u8, _>("n?", (), LONG);
    assert!(matches!(asked.await, Err(AckError::Disconnected)));
}

#[tokio::test]
async fn nodes_speak_to_each_other() {
    let (_, [a, b, c]) = Hub::of::<3>().await;
    for (n, member) in [&a, &b, &c].into_iter().enumerate() {
        let io = &member.server.io;
        io.on_server_side("add", move |_, m: usize| async move { n + m });
        io.on_server_side("join", |io: Io, room: String| async move {
            io.local().join(room);
        });
    }
    let mut sums = a
        .server
        .io
        .server_side_emit_with_ack::<usize, _>("add", 10, LONG)
        .await
        .expect("both answer");
    sums.sort_unstable();
    assert_eq!(sums, [11, 12]);
    let (_here, _there) = (a.server.client().await, b.server.client().await);
    a.server.io.server_side_emit("join", "room");
    eventually("the other node does it", || {
        b.server.io.to("room").count() == 1
    })
    .await;
    assert_eq!(a.server.io.to("room").count(), 0);
}

#[tokio::test]
async fn a_node_that_can_not_answer_is_missing_at_once() {
    let (_, [a, b, c]) = Hub::of::<3>().await;
    b.server
        .io
        .on_server_side("ask", |_, n: u8| async move { n });
    c.server
        .io
        .on_server_side("ask", |_, _: u8| async move { panic!("on purpose") as u8 });
    let ask = |args: &'static str| {
        a.server
            .io
            .server_side_emit_with_ack::<u8, _>(args, 1, LONG)
    };
    let Err(ClusterError::Missing {
        answers, missing, ..
    }) = ask("ask").await
    else {
        panic!("one handler panics");
    };
    assert_eq!((answers, missing), (vec![1], 1));
    let Err(ClusterError::Missing { missing: 2, .. }) = ask("unknown").await else {
        panic!("nobody handles it");
    };
    let Err(ClusterError::Emit(wrong)) = ask("connection").await else {
        panic!("the name is reserved");
    };
    assert_eq!(wrong.to_string(), "'connection' is a reserved event name");
    let asked = a
        .server
        .io
        .server_side_emit_with_ack::<u8, _>("ask", "text", LONG);
    assert!(matches!(
        asked.await,
        Err(ClusterError::Missing { missing: 2, .. })
    ));
}

#[tokio::test]
async fn who_is_alone_gets_answers_at_once() {
    let io = Io::new();
    assert!(io.fetch_sockets(LONG).await.unwrap().is_empty());
    let answers = io.server_side_emit_with_ack::<u8, _>("n?", (), LONG);
    assert_eq!(answers.await.unwrap(), Vec::<u8>::new());
    let asked = io.emit_with_ack::<u8, _>("n?", (), LONG).await;
    assert_eq!(asked.unwrap(), Vec::<(Option<SocketId>, u8)>::new());
    io.server_side_emit("hello", ());
}
