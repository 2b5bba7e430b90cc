//! What one node emits, and does to rooms, reaches the sockets of all.

use std::sync::atomic::Ordering;

use fanfare::{Binary, Config};
use fanfare_testkit::{Client, eventually};

use super::{Hub, Member};

/// A client on each of two nodes.
async fn two() -> ([Member; 2], Client, Client) {
    let (_, members) = Hub::of::<2>().await;
    let here = members[0].server.client().await;
    let there = members[1].server.client().await;
    (members, here, there)
}

#[tokio::test]
async fn everyone_on_every_node_gets_an_event_once() {
    let ([a, b], mut here, mut there) = two().await;
    let emitted = a.server.io.emit("all", Binary::from(vec![1, 2]));
    assert_eq!(emitted.receivers(), 1);
    a.server.io.emit_latest("latest", 1);
    a.server.io.volatile().emit("now", 2);
    for client in [&mut here, &mut there] {
        client
            .expect(r#"451-["all",{"_placeholder":true,"num":0}]"#)
            .await;
        client.expect_binary(&[1, 2]).await;
        client.expect(r#"42["latest",1]"#).await;
        client.expect(r#"42["now",2]"#).await;
    }
    b.server.io.emit("back", 3);
    for client in [&mut here, &mut there] {
        client.expect(r#"42["back",3]"#).await;
    }
}

#[tokio::test]
async fn one_nodes_events_arrive_in_its_order() {
    let ([a, _b], mut here, mut there) = two().await;
    let emitters: Vec<_> = (0..4)
        .map(|emitter| {
            let io = a.server.io.clone();
            std::thread::spawn(move || {
                for n in 0..50 {
                    io.emit("n", (emitter, n));
                }
            })
        })
        .collect();
    for emitter in emitters {
        emitter.join().expect("it does not panic");
    }
    for _ in 0..200 {
        let event = here.hear().await;
        there.expect(&event).await;
    }
}

#[tokio::test]
async fn a_room_has_members_on_every_node() {
    let ([a, b], mut here, mut there) = two().await;
    a.server.io.join("room");
    eventually("both are in it", || b.server.io.to("room").count() == 1).await;
    b.server.io.to("room").emit("in", 1);
    for client in [&mut here, &mut there] {
        client.expect(r#"42["in",1]"#).await;
    }
    b.server.io.to(&here.id).leave("room");
    eventually("one has left", || a.server.io.to("room").count() == 0).await;
    a.server.io.to("room").emit("in", 2);
    there.expect(r#"42["in",2]"#).await;
    a.server.io.except("room").emit("out", 3);
    here.expect(r#"42["out",3]"#).await;

    let speaker = b.server.io.sockets().remove(0);
    speaker.broadcast().emit("others", 4);
    here.expect(r#"42["others",4]"#).await;
    b.server.io.emit("end", ());
    there.expect(r#"42["end",null]"#).await;
}

#[tokio::test]
async fn what_is_local_stays_here() {
    let ([a, b], mut here, mut there) = two().await;
    a.server.io.local().emit("local", 1);
    a.server.io.to(&there.id).local().emit("local", 2);
    a.server.io.local().join("room");
    a.server.io.emit("end", ());
    here.expect(r#"42["local",1]"#).await;
    here.expect(r#"42["end",null]"#).await;
    there.expect(r#"42["end",null]"#).await;
    assert_eq!(a.server.io.to("room").count(), 1);
    assert_eq!(b.server.io.to("room").count(), 0);
}

#[tokio::test]
async fn sockets_of_other_nodes_are_disconnected() {
    let ([a, b], mut here, mut there) = two().await;
    a.server.io.of("/second");
    b.server.io.of("/second");
    there.join_nsp("/second", "").await;
    let room = there.id.clone();
    a.server.io.of("/second").to(room).disconnect();
    there.expect("41/second,").await;
    a.server.io.to("nobody").close();
    b.server.io.disconnect();
    here.expect("41").await;
    there.expect("41").await;
    let mut again = b.server.client().await;
    a.server.io.to(&again.id).close();
    assert_eq!(again.closed().await, ["41"]);
    eventually("it is gone", || b.server.io.count().sockets == 0).await;
}

#[tokio::test]
async fn namespaces_and_families_are_the_same_on_every_node() {
    let (_, [a, b]) = Hub::of::<2>().await;
    let (games, _also) = (
        a.server.io.of_matching(|name| name.starts_with("/game-")),
        b.server.io.of_matching(|name| name.starts_with("/game-")),
    );
    b.server.io.of("/only-there");
    let mut client = Client::open(b.server.address).await;
    client.join_nsp("/game-1", "").await;
    client.join_nsp("/only-there", "").await;
    // This node has no namespace of this name, yet its family speaks to it.
    games.emit("news", 1);
    client.expect(r#"42/game-1,["news",1]"#).await;
    games.to("lobby").emit("news", 2);
    games.join("lobby");
    games.to("lobby").emit("news", 3);
    client.expect(r#"42/game-1,["news",3]"#).await;
    a.server.io.of("/only-there").emit("here", ());
    client.expect(r#"42/only-there,["here",null]"#).await;
    a.server.io.of("/only-here").emit("nobody", ());
    games.disconnect();
    client.expect("41/game-1,").await;
}

#[tokio::test]
async fn a_node_that_is_cut_off_serves_its_own() {
    let ([a, b], mut here, mut there) = two().await;
    a.is_mute.store(true, Ordering::Relaxed);
    a.server.io.emit("mine", 1);
    here.expect(r#"42["mine",1]"#).await;
    b.server.io.emit("yours", 2);
    for client in [&mut here, &mut there] {
        client.expect(r#"42["yours",2]"#).await;
    }
}

#[tokio::test]
async fn what_a_node_that_is_gone_is_sent_is_lost_without_a_word() {
    let (hub, [a]) = Hub::of::<1>().await;
    let gone = hub.node(Config::default()).await;
    gone.server.io.shutdown().await;
    drop(gone);
    let mut here = a.server.client().await;
    a.server.io.emit("still", 1);
    here.expect(r#"42["still",1]"#).await;
}
