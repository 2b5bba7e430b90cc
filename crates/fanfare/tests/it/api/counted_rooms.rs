//! Counted rooms: how many are in them, who is told, and that nobody counts more than is wanted.

use std::collections::HashMap;

use fanfare::{
    Admission, Config, Count, CountRoomError, CountedRoom, EmptyNamespaces, Limits, Socket,
};
use fanfare_testkit::{Client, eventually};

use crate::server::Server;

/// A server whose clients say in which room they want to be, and who they are.
async fn server() -> Server {
    let server = Server::start().await;
    server.io.admit(|handshake| async move {
        let auth: HashMap<String, String> = handshake.auth().unwrap_or_default();
        let name = auth.get("name");
        Ok(name.map_or_else(Admission::anonymous, Admission::user))
    });
    server
        .io
        .on("join", |socket: Socket, room: String| async move {
            socket.join(room);
        });
    server
}

/// A client that joins a room, if it names one.
async fn come(server: &Server, name: Option<&str>, room: Option<&str>) -> Client {
    let mut client = Client::open(server.address).await;
    let auth = name.map_or(String::new(), |name| format!(r#"{{"name":{name:?}}}"#));
    client.join_nsp("/", &auth).await;
    if let Some(room) = room {
        client.send(&format!(r#"42["join",{room:?}]"#)).await;
    }
    client
}

async fn is_right(counted: &CountedRoom, sockets: u64, users: u64) {
    let what = format!("{sockets} sockets and {users} users");
    eventually(&what, || counted.count() == Count::alone(sockets, users)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_room_has_its_sockets_and_users_whenever_they_came() {
    let server = server().await;
    let ada = come(&server, Some("ada"), Some("hall")).await;
    let _bob = come(&server, Some("bob"), None).await;
    let nobody = come(&server, None, Some("hall")).await;
    eventually("two are in", || server.io.to("hall").count() == 2).await;
    let hall = server.io.count_room("hall").expect("there is room");
    is_right(&hall, 2, 2).await;
    // Those who were there before somebody counted, and who comes after that.
    server.io.join("hall");
    is_right(&hall, 3, 3).await;
    let again = come(&server, Some("ada"), Some("hall")).await;
    let elsewhere = come(&server, Some("eve"), Some("yard")).await;
    is_right(&hall, 4, 3).await;
    server.io.to(&ada.id).leave("hall");
    is_right(&hall, 3, 3).await;
    drop(again);
    is_right(&hall, 2, 2).await;
    drop((ada, nobody, elsewhere));
    is_right(&hall, 1, 1).await;
    server.io.leave("hall");
    is_right(&hall, 0, 0).await;
    // It begins again.
    server.io.join("hall");
    is_right(&hall, 1, 1).await;
    assert_eq!(hall.count_here().users, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_count_of_a_room_is_that_of_its_sockets_after_any_storm() {
    let server = server().await;
    let mut clients = Vec::new();
    for number in 0..24 {
        let name = format!("user {}", number % 5);
        clients.push(come(&server, Some(&name), None).await);
    }
    let sockets = server.io.sockets();
    let storm = |at: usize| {
        let (io, sockets) = (server.io.clone(), sockets.clone());
        tokio::task::spawn_blocking(move || {
            for round in 0..200 {
                let socket = &sockets[(at * 7 + round) % sockets.len()];
                match (round + at) % 5 {
                    0 | 1 => socket.join("hall"),
                    2 => socket.leave("hall"),
                    3 => io.to(socket.id()).join("hall"),
                    _ => io.to(socket.id()).leave("hall"),
                }
            }
        })
    };
    let storms: Vec<_> = (0..4).map(storm).collect();
    // It begins in the midst of it.
    let hall = server.io.count_room("hall").expect("there is room");
    for storm in storms {
        storm.await.expect("it does not panic");
    }
    let there = server.io.to("hall").sockets();
    let mut users: Vec<_> = there.iter().filter_map(Socket::user).collect();
    users.sort_unstable();
    users.dedup();
    let expected = Count::alone(there.len() as u64, users.len() as u64);
    assert_eq!(hall.count(), expected);
    drop(clients);
    is_right(&hall, 0, 0).await;
}

#[tokio::test]
async fn so_many_rooms_are_counted_and_only_while_somebody_asks() {
    let server = Server::with(Config {
        limits: Limits {
            max_counted_rooms: 2,
            ..Limits::default()
        },
        ..Config::default()
    })
    .await;
    let one = server.io.count_room("one").expect("there is room");
    let same = server.io.count_room("one").expect("it is counted already");
    let two = server.io.of("/chat").count_room("two");
    let refused = server.io.count_room("three").map(drop);
    assert_eq!(refused, Err(CountRoomError::TooMany(2)));
    drop(one);
    let refused = server.io.count_room("three").map(drop);
    assert_eq!(refused, Err(CountRoomError::TooMany(2)));
    drop(same);
    assert!(server.io.count_room("three").is_ok());
    assert_eq!(two.expect("there is room").room(), "two");
    let family = server.io.of_matching(|name| name.starts_with("/game"));
    let refused = family.count_room("board").map(drop);
    assert_eq!(refused, Err(CountRoomError::Family));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_in_a_room_are_told_how_many_they_are() {
    let server = server().await;
    let mut outside = come(&server, None, Some("yard")).await;
    let hall = server.io.count_room("hall").expect("there is room");
    hall.announce("in the hall", |count| count.users);
    let mut ada = come(&server, Some("ada"), Some("hall")).await;
    ada.expect(r#"42["in the hall",1]"#).await;
    let mut bob = come(&server, Some("bob"), Some("hall")).await;
    bob.expect(r#"42["in the hall",2]"#).await;
    ada.expect(r#"42["in the hall",2]"#).await;
    drop(bob);
    ada.expect(r#"42["in the hall",1]"#).await;
    drop(hall);
    // Nobody asks, so nobody is told.
    let hall = server.io.count_room("hall").expect("there is room");
    let mut eve = come(&server, Some("eve"), Some("hall")).await;
    is_right(&hall, 2, 2).await;
    hall.announce("here", |count| count.sockets);
    ada.expect(r#"42["here",2]"#).await;
    eve.expect(r#"42["here",2]"#).await;
    server.io.emit("mark", 1);
    outside.expect(r#"42["mark",1]"#).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_room_is_counted_as_long_as_its_namespace_is_there() {
    let server = Server::with(Config {
        empty_namespaces: EmptyNamespaces::End,
        ..Config::default()
    })
    .await;
    let games = server.io.of_matching(|name| name.starts_with("/game"));
    games.on_connect(|_, socket| async move { socket.join("board") });
    let mut client = Client::open(server.address).await;
    client.join_nsp("/game", "").await;
    let game = games.namespaces().remove(0);
    let board = game.count_room("board").expect("there is room");
    is_right(&board, 1, 1).await;
    drop((client, game));
    is_right(&board, 0, 0).await;
    assert_eq!(games.namespaces().len(), 1, "who counts a room keeps it");
    drop(board);
    eventually("it has ended", || games.namespaces().is_empty()).await;
}
