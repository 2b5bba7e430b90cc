//! Rooms, and everyone but some.

use std::sync::atomic::{AtomicBool, Ordering};

use fanfare::{Broadcast, Socket};
use fanfare_testkit::{Client, eventually};

use crate::server::Server;

#[tokio::test]
async fn an_event_reaches_whom_it_is_meant_for_once() {
    let crowd = Crowd::of(["ada", "bob", "cyd", "dan"]).await;
    let [ada, bob, cyd, _] = &crowd.sockets[..] else {
        panic!("four sockets")
    };
    for socket in [ada, bob] {
        socket.join("one");
    }
    for socket in [bob, cyd] {
        socket.join("two");
    }
    let io = &crowd.server.io;
    let mut crowd = crowd.clients;
    let everyone = &["ada", "bob", "cyd", "dan"][..];
    io.emit("x", 1);
    check(io, &mut crowd, everyone).await;
    check_sent(io, &mut crowd, &io.to("one"), &["ada", "bob"]).await;
    check_sent(
        io,
        &mut crowd,
        &io.to("one").to("two"),
        &["ada", "bob", "cyd"],
    )
    .await;
    check_sent(io, &mut crowd, &io.to("one").except("two"), &["ada"]).await;
    check_sent(io, &mut crowd, &io.except("one"), &["cyd", "dan"]).await;
    check_sent(io, &mut crowd, &io.except("one").except("two"), &["dan"]).await;
    check_sent(io, &mut crowd, &io.to("nobody"), &[]).await;
    check_sent(io, &mut crowd, &io.to("nobody").to("one"), &["ada", "bob"]).await;
    check_sent(io, &mut crowd, &io.except("nobody"), everyone).await;
    check_sent(io, &mut crowd, &io.to(cyd.id()), &["cyd"]).await;
    check_sent(
        io,
        &mut crowd,
        &io.to("one").to(cyd.id()),
        &["ada", "bob", "cyd"],
    )
    .await;
    check_sent(io, &mut crowd, &io.to("one").except(ada.id()), &["bob"]).await;
    check_sent(io, &mut crowd, &io.except(ada.id()), &["bob", "cyd", "dan"]).await;
    check_sent(io, &mut crowd, &ada.broadcast(), &["bob", "cyd", "dan"]).await;
    check_sent(io, &mut crowd, &ada.to("one"), &["bob"]).await;
    check_sent(io, &mut crowd, &cyd.to("one"), &["ada", "bob"]).await;
    check_sent(io, &mut crowd, &ada.except("two"), &["dan"]).await;
    check_sent(io, &mut crowd, &ada.to(ada.id()), &[]).await;
}

#[tokio::test]
async fn rooms_are_joined_and_left() {
    let crowd = Crowd::of(["ada", "bob"]).await;
    let io = &crowd.server.io;
    let [ada, bob] = &crowd.sockets[..] else {
        panic!("two sockets")
    };
    ada.join("one");
    ada.join("one");
    ada.join("two");
    bob.join("one");
    assert_eq!(ada.rooms(), ["one", "two"]);
    assert_eq!((io.to("one").count(), io.to("two").count()), (2, 1));
    assert_eq!(io.to("one").to("two").count(), 2);
    ada.leave("two");
    ada.leave("two");
    ada.leave("never joined");
    assert_eq!(ada.rooms(), ["one"]);
    assert_eq!((io.to("one").count(), io.to("two").count()), (2, 0));
    assert_eq!(io.to(ada.id()).count(), 1);
    assert_eq!(io.except("one").count(), 0);
}

#[tokio::test]
async fn who_is_gone_is_in_no_room_and_joins_none() {
    let mut crowd = Crowd::of(["ada", "bob"]).await;
    let ada = crowd.sockets.remove(0);
    let io = &crowd.server.io;
    ada.join("one");
    crowd.sockets[0].join("one");
    drop(crowd.clients.remove(0));
    eventually("ada is gone", || !ada.is_connected()).await;
    assert_eq!(io.to("one").count(), 1);
    assert_eq!(io.to(ada.id()).count(), 0);
    ada.join("one");
    ada.join("other");
    ada.leave("one");
    assert!(ada.rooms().is_empty());
    assert_eq!((io.to("one").count(), io.to("other").count()), (1, 0));
    assert!(io.socket(ada.id()).is_none());
    // Whoever has her place now is not her.
    let eve = crowd.server.client().await;
    ada.join("one");
    assert_eq!(io.to("one").count(), 1);
    ada.emit("for ada", 1);
    ada.disconnect();
    ada.close();
    assert_eq!(io.count().sockets, 2);
    drop(eve);
}

#[tokio::test]
async fn a_socket_is_found_by_its_id_whatever_rooms_are_called() {
    let crowd = Crowd::of(["ada", "bob", "cyd"]).await;
    let io = &crowd.server.io;
    for impostor in &crowd.sockets {
        for other in &crowd.sockets {
            impostor.join(other.id());
        }
    }
    for socket in &crowd.sockets {
        let found = io.socket(socket.id()).expect("it is connected");
        assert_eq!(found.id(), socket.id());
    }
}

#[tokio::test]
async fn all_sockets_of_a_room_are_disconnected_at_once() {
    let mut crowd = Crowd::of(["ada", "bob", "cyd"]).await;
    crowd.sockets[0].join("out");
    crowd.sockets[2].join("out");
    crowd.server.io.to("out").disconnect();
    assert_eq!(crowd.server.io.count().sockets, 1);
    assert_eq!(crowd.server.io.to("out").count(), 0);
    crowd.server.io.emit("mark", 1);
    crowd.clients[0].1.expect("41").await;
    crowd.clients[1].1.expect(r#"42["mark",1]"#).await;
    crowd.clients[2].1.expect("41").await;
}

#[tokio::test]
async fn whoever_is_chosen_joins_and_leaves_rooms_together() {
    let mut crowd = Crowd::of(["ada", "bob", "cyd", "dan"]).await;
    let io = &crowd.server.io;
    let [ada, bob, ..] = &crowd.sockets[..] else {
        panic!("four sockets")
    };
    ada.join("one");
    bob.join("one");
    bob.join("two");
    io.to("one").except("two").join("three");
    io.except("one").join("three");
    check_rooms(
        &crowd,
        [&["one", "three"], &["one", "two"], &["three"], &["three"]],
    );
    io.to("three").leave("three");
    check_rooms(&crowd, [&["one"], &["one", "two"], &[], &[]]);
    bob.broadcast().join("two");
    ada.to("one").leave("one");
    io.to("nobody").join("five");
    check_rooms(&crowd, [&["one", "two"], &["two"], &["two"], &["two"]]);
    io.join("all");
    io.leave("two");
    check_rooms(&crowd, [&["one", "all"], &["all"], &["all"], &["all"]]);
    assert_eq!((io.to("two").count(), io.to("all").count()), (0, 4));
    let all = ["ada", "bob", "cyd", "dan"];
    check_sent(io, &mut crowd.clients, &io.to("all"), &all).await;
}

#[tokio::test]
async fn whoever_is_chosen_is_found_or_disconnected() {
    let mut crowd = Crowd::of(["ada", "bob", "cyd"]).await;
    let io = &crowd.server.io;
    let [ada, bob, cyd] = &crowd.sockets[..] else {
        panic!("three sockets")
    };
    ada.join("one");
    bob.join("one");
    check_found(&io.to("one"), &[ada, bob]);
    check_found(&io.to("one").to(cyd.id()), &[ada, bob, cyd]);
    check_found(&io.except("one"), &[cyd]);
    check_found(&ada.to("one"), &[bob]);
    check_found(&io.to("nobody"), &[]);
    io.except("one").disconnect();
    check_found(&ada.broadcast(), &[bob]);
    crowd.clients[2].1.expect("41").await;
    io.disconnect();
    assert_eq!(io.count().sockets, 0);
    for (_, client) in &mut crowd.clients[..2] {
        client.expect("41").await;
    }
}

/// While everyone moves from room to room, an event to either reaches all or nobody. Volatile:
/// nobody reads here, and nobody shall be disconnected for that.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn all_who_join_together_hear_the_same() {
    let crowd = Crowd::of(["ada", "bob", "cyd", "dan"]).await;
    let io = &crowd.server.io;
    io.join("left");
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !is_over.load(Ordering::Acquire) {
                    let both = io.to("left").to("right").volatile();
                    assert_eq!(both.emit("x", 1).receivers(), 4);
                    let right = io.to("right").volatile().emit("x", 2).receivers();
                    assert!(right == 0 || right == 4, "{right} of 4");
                }
            });
        }
        for _ in 0..5_000 {
            io.to("left").join("right");
            io.to("right").leave("left");
            io.to("right").join("left");
            io.to("left").leave("right");
        }
        is_over.store(true, Ordering::Release);
    });
}

#[tokio::test]
async fn the_connect_handler_can_join_rooms_and_the_newcomer_hears_itself() {
    let server = Server::start().await;
    server.io.on_connect(|io, socket| async move {
        socket.join("here");
        io.to("here").emit("came", 1);
    });
    let mut ada = server.client().await;
    ada.expect(r#"42["came",1]"#).await;
    let mut bob = server.client().await;
    bob.expect(r#"42["came",1]"#).await;
    ada.expect(r#"42["came",1]"#).await;
}

struct Crowd {
    server: Server,
    clients: Vec<(&'static str, Client)>,
    sockets: Vec<Socket>,
}

impl Crowd {
    async fn of<const N: usize>(names: [&'static str; N]) -> Self {
        let server = Server::start().await;
        let (mut clients, mut sockets) = (Vec::new(), Vec::new());
        for name in names {
            let client = server.client().await;
            let socket = server
                .io
                .sockets()
                .into_iter()
                .find(|it| it.id().as_str() == client.id);
            sockets.push(socket.expect("the client has joined"));
            clients.push((name, client));
        }
        Self {
            server,
            clients,
            sockets,
        }
    }
}

#[track_caller]
fn check_rooms<const N: usize>(crowd: &Crowd, expected: [&[&str]; N]) {
    let rooms: Vec<_> = crowd.sockets.iter().map(Socket::rooms).collect();
    assert_eq!(rooms, expected);
}

#[track_caller]
fn check_found(chosen: &Broadcast, expected: &[&Socket]) {
    let mut found: Vec<_> = chosen
        .sockets()
        .iter()
        .map(|it| it.id().to_string())
        .collect();
    let mut expected: Vec<_> = expected.iter().map(|it| it.id().to_string()).collect();
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected);
}

async fn check_sent(
    io: &fanfare::Io,
    crowd: &mut [(&str, Client)],
    broadcast: &Broadcast,
    expected: &[&str],
) {
    assert_eq!(broadcast.count(), expected.len());
    assert_eq!(broadcast.emit("x", 1).receivers(), expected.len());
    check(io, crowd, expected).await;
    broadcast.emit_latest("x", 1);
    check(io, crowd, expected).await;
}

/// Who heard `x`, once, before the mark that everyone hears.
async fn check(io: &fanfare::Io, crowd: &mut [(&str, Client)], expected: &[&str]) {
    io.emit("mark", 0);
    let mut heard = Vec::new();
    for (name, client) in crowd {
        loop {
            match &*client.hear().await {
                r#"42["x",1]"# => heard.push(*name),
                mark => break assert_eq!(mark, r#"42["mark",0]"#),
            }
        }
    }
    assert_eq!(heard, expected);
}
