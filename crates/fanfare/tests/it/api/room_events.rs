//! Rooms that begin and end, and who comes and goes, as listeners are told.

use fanfare::{Io, RoomEvent};
use fanfare_testkit::Client;

use crate::{
    notes::{Notes, notes},
    server::Server,
};

fn watch(io: &Io) -> Notes {
    let (pen, notes) = notes();
    io.on_room(move |io, room, event| {
        let nsp = io.nsp();
        pen.note(match event {
            RoomEvent::Created => format!("{nsp} {room} created"),
            RoomEvent::Joined(_) => format!("{nsp} {room} joined"),
            RoomEvent::Left(_) => format!("{nsp} {room} left"),
            RoomEvent::Deleted => format!("{nsp} {room} deleted"),
        });
    });
    notes
}

#[tokio::test]
async fn a_room_begins_with_its_first_member_and_ends_with_its_last() {
    let server = Server::start().await;
    let mut told = watch(&server.io);
    let (ann, _ben) = (server.client().await, server.client().await);
    let sockets = server.io.sockets();
    sockets[0].join("one");
    sockets[0].join("one");
    sockets[1].join("one");
    told.expect(&["/ one created", "/ one joined", "/ one joined"])
        .await;
    sockets[0].leave("one");
    sockets[0].leave("one");
    sockets[1].leave("one");
    told.expect(&["/ one left", "/ one left", "/ one deleted"])
        .await;
    server.io.join("two");
    server.io.to(&ann.id).leave("two");
    told.expect(&[
        "/ two created",
        "/ two joined",
        "/ two joined",
        "/ two left",
    ])
    .await;
    // Who goes leaves every room; the room of an id is told of at no time.
    server.io.to("two").close();
    told.expect(&["/ two left", "/ two deleted"]).await;
    server.io.to("two").join("three");
    drop(ann);
    server.is_deserted().await;
    assert!(told.is_empty());
}

#[tokio::test]
async fn a_listener_that_comes_late_is_told_of_what_is_there_when_it_ends() {
    let server = Server::start().await;
    let (_ann, _ben) = (server.client().await, server.client().await);
    server.io.join("one");
    let mut told = watch(&server.io);
    server.io.leave("one");
    told.expect(&["/ one left", "/ one left", "/ one deleted"])
        .await;
    server.io.join("one");
    told.expect(&["/ one created", "/ one joined", "/ one joined"])
        .await;
}

#[tokio::test]
async fn a_listener_that_panics_is_told_of_the_next_and_families_tell_of_each_namespace() {
    let server = Server::start().await;
    let family = server.io.of_matching(|name| name.starts_with("/game-"));
    family.on_room(|_, _, _| panic!("as the test wants it"));
    let mut told = watch(&family);
    family.on_connect(|_, socket| async move { socket.join("board") });
    for name in ["/game-1", "/game-2"] {
        let mut client = Client::open(server.address).await;
        client.join_nsp(name, "").await;
        let expected = [
            format!("{name} board created"),
            format!("{name} board joined"),
        ];
        told.expect(&[&expected[0], &expected[1]]).await;
        drop(client);
        let expected = [
            format!("{name} board left"),
            format!("{name} board deleted"),
        ];
        told.expect(&[&expected[0], &expected[1]]).await;
    }
}
