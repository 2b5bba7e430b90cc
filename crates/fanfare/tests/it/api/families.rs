//! Families of namespaces: made when a client first asks, alike from then on.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use fanfare::{
    Ack, BroadcastAckError, Config, Count, EmptyNamespaces, Io, Limits, Recovery, Refusal, Socket,
};
use fanfare_testkit::{Client, eventually};
use tokio::sync::Semaphore;

use crate::{
    notes::{Notes, notes},
    server::Server,
};

const INVALID: &str = r#"{"message":"Invalid namespace"}"#;

fn is_game(name: &str) -> bool {
    name.starts_with("/game-")
}

fn cleaning() -> Config {
    Config {
        empty_namespaces: EmptyNamespaces::End,
        ..Config::default()
    }
}

/// Notes each namespace that is made.
fn noted(io: &Io) -> Notes {
    let (pen, notes) = notes();
    io.on_new_namespace(move |io| pen.note(io.nsp()));
    notes
}

async fn refused(client: &mut Client, nsp: &str) {
    client.send(&format!("40{nsp},")).await;
    client.expect(&format!("44{nsp},{INVALID}")).await;
}

#[tokio::test]
async fn a_client_has_its_namespace_made() {
    let server = Server::start().await;
    let mut made = noted(&server.io);
    let games = server.io.of_matching(is_game);
    games.announce_count("players", |count| count.sockets);
    games.use_connect(|handshake| async move {
        match handshake.auth_json() {
            "{}" => Ok(()),
            _ => Err(Refusal::new("no")),
        }
    });
    games.on("where", |socket: Socket, ack: Ack| async move {
        ack.send(socket.nsp());
    });
    let mut client = Client::open(server.address).await;
    refused(&mut client, "/play-1").await;
    client.join_nsp("/game-1", "").await;
    client.expect(r#"42/game-1,["players",1]"#).await;
    client.send(r#"42/game-1,7["where"]"#).await;
    client.expect(r#"43/game-1,7["/game-1"]"#).await;
    client.send(r#"40/game-2,{"a":1}"#).await;
    client.expect(r#"44/game-2,{"message":"no"}"#).await;
    made.expect(&["/game-1", "/game-2"]).await;

    let mut other = Client::open(server.address).await;
    other.join_nsp("/game-1", "").await;
    other.expect(r#"42/game-1,["players",2]"#).await;
    assert_eq!(server.io.of("/game-1").count().sockets, 2);
    assert_eq!(server.io.count().sockets, 0);
    assert!(made.is_empty());
}

#[tokio::test]
async fn a_family_is_spoken_to_as_one() {
    let server = Server::start().await;
    let games = server.io.of_matching(is_game);
    let (mut ann, mut ben) = (
        Client::open(server.address).await,
        Client::open(server.address).await,
    );
    ann.join_nsp("/game-1", "").await;
    ben.join_nsp("/game-2", "").await;
    let both = Count::alone(2, 2);
    assert_eq!(games.count(), both);
    assert_eq!(games.sockets().len(), 2);
    assert_eq!(games.emit("news", 1).receivers(), 2);
    ann.expect(r#"42/game-1,["news",1]"#).await;
    ben.expect(r#"42/game-2,["news",1]"#).await;
    games.to(&ben.id).join("losers");
    assert_eq!(games.to("losers").emit("lost", ()).receivers(), 1);
    ben.expect(r#"42/game-2,["lost",null]"#).await;

    let asked = games.emit_with_ack::<u8, _>("ready?", (), Duration::from_secs(60));
    for (client, nsp) in [(&mut ann, "/game-1"), (&mut ben, "/game-2")] {
        client.expect(&format!(r#"42{nsp},0["ready?",null]"#)).await;
        client.send(&format!("43{nsp},0[5]")).await;
    }
    let answers = asked.await.expect("both answer");
    assert_eq!(answers.iter().map(|(_, n)| *n).collect::<Vec<_>>(), [5, 5]);

    let asked = games.emit_with_ack::<u8, _>("ready?", (), Duration::from_secs(60));
    games.disconnect();
    let Err(BroadcastAckError::Missing { missing, .. }) = asked.await else {
        panic!("nobody is there to answer");
    };
    assert_eq!(missing.len(), 2);
    ann.expect(r#"42/game-1,1["ready?",null]"#).await;
    ann.expect("41/game-1,").await;
    assert_eq!(games.count(), Count::alone(0, 0));
}

#[tokio::test]
async fn the_first_family_that_agrees_has_it_and_a_namespace_that_is_there_comes_first() {
    let server = Server::start().await;
    for (number, prefix) in ["/a", "/", "/ab"].into_iter().enumerate() {
        let family = server.io.of_matching(move |name| name.starts_with(prefix));
        family.on_connect(move |_, socket| async move { socket.emit("family", number) });
    }
    let own = server.io.of("/abc");
    own.on_connect(|_, socket| async move { socket.emit("own", true) });
    let mut client = Client::open(server.address).await;
    client.join_nsp("/ab", "").await;
    client.expect(r#"42/ab,["family",0]"#).await;
    client.join_nsp("/b", "").await;
    client.expect(r#"42/b,["family",1]"#).await;
    // Its name is the first family's, so it has its handlers too.
    client.join_nsp("/abc", "").await;
    client.expect(r#"42/abc,["family",0]"#).await;
    client.expect(r#"42/abc,["own",true]"#).await;
}

/// A family that lets in who says `"yes"`, each once a permit is given.
fn gated(io: &Io) -> Arc<Semaphore> {
    let gate = Arc::new(Semaphore::new(0));
    let opened = gate.clone();
    io.of_matching_async(move |handshake| {
        let gate = gate.clone();
        async move {
            gate.acquire().await.expect("it is never closed").forget();
            handshake.auth_json().contains("yes")
        }
    });
    opened
}

#[tokio::test]
async fn a_predicate_sees_the_client_and_may_take_its_time() {
    let server = Server::start().await;
    let (gate, mut made) = (gated(&server.io), noted(&server.io));
    let (mut ann, mut ben) = (
        Client::open(server.address).await,
        Client::open(server.address).await,
    );
    ann.send(r#"40/x,{"let me in":"no"}"#).await;
    gate.add_permits(1);
    ann.expect(&format!("44/x,{INVALID}")).await;
    // Both are decided on at the same time, and come into the same one.
    for client in [&mut ann, &mut ben] {
        client.send(r#"40/x,{"let me in":"yes"}"#).await;
    }
    gate.add_permits(2);
    for client in [&mut ann, &mut ben] {
        assert!(client.hear().await.starts_with(r#"40/x,{"sid""#));
    }
    assert_eq!(server.io.of("/x").count().sockets, 2);
    made.expect(&["/x"]).await;
    assert!(made.is_empty());
}

#[tokio::test]
async fn who_is_being_decided_on_is_in_no_namespace() {
    for early in [r#"42/x,["event"]"#, "41/x,", "40/x,"] {
        let server = Server::start().await;
        let gate = gated(&server.io);
        let mut client = Client::open(server.address).await;
        client.send(r#"40/x,{"let me in":"yes"}"#).await;
        client.send(early).await;
        assert_eq!(client.closed().await, Vec::<String>::new(), "{early}");
        gate.add_permits(1);
        server.is_deserted().await;
        assert_eq!(server.io.of("/x").count(), Count::alone(0, 0));
    }
}

#[tokio::test]
async fn a_predicate_that_panics_disagrees() {
    let server = Server::start().await;
    server.io.of_matching(|_| panic!("on purpose"));
    server
        .io
        .of_matching_async(|_| async { panic!("on purpose") });
    let mut client = Client::open(server.address).await;
    refused(&mut client, "/x").await;
    server.io.of_matching(|name| name == "/x");
    client.join_nsp("/x", "").await;
}

#[tokio::test]
async fn an_empty_namespace_of_a_family_ends_if_it_is_to() {
    for (config, expected) in [(cleaning(), 2), (Config::default(), 1)] {
        let server = Server::with(config).await;
        let made = Arc::new(AtomicUsize::new(0));
        let count = made.clone();
        server.io.on_new_namespace(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
        });
        let games = server.io.of_matching(is_game);
        let (pen, mut ended) = notes();
        games.on_disconnect(move |_, _, reason| {
            pen.note(reason.as_str());
            async {}
        });
        let mut client = Client::open(server.address).await;
        client.join_nsp("/game-1", "").await;
        let mut other = Client::open(server.address).await;
        other.join_nsp("/game-1", "").await;
        client.send("41/game-1,").await;
        ended.next().await;
        client.join_nsp("/game-1", "").await;
        assert_eq!(made.load(Ordering::Relaxed), 1, "the other was in it");
        for client in [&mut client, &mut other] {
            client.send("41/game-1,").await;
            ended.next().await;
        }
        // Whoever runs the last handler lets go of it after that.
        eventually("it has ended, or stays", || {
            games.namespaces().len() == usize::from(expected == 1)
        })
        .await;
        client.join_nsp("/game-1", "").await;
        assert_eq!(made.load(Ordering::Relaxed), expected);
    }
}

#[tokio::test]
async fn a_refused_candidate_leaves_no_namespace_behind() {
    let server = Server::with(Config {
        limits: Limits {
            max_dynamic_namespaces: 1,
            ..Limits::default()
        },
        ..cleaning()
    })
    .await;
    let games = server.io.of_matching(is_game);
    games.use_connect(|handshake| async move {
        match handshake.nsp() {
            "/game-0" => Ok(()),
            _ => Err(Refusal::new("no")),
        }
    });
    let mut client = Client::open(server.address).await;
    for n in 1..50 {
        client.send(&format!("40/game-{n},")).await;
        client
            .expect(&format!(r#"44/game-{n},{{"message":"no"}}"#))
            .await;
    }
    client.join_nsp("/game-0", "").await;
}

#[tokio::test]
async fn clients_may_have_so_many_made() {
    let server = Server::with(Config {
        limits: Limits {
            max_dynamic_namespaces: 2,
            ..Limits::default()
        },
        ..Config::default()
    })
    .await;
    server.io.of_matching(is_game);
    let mut client = Client::open(server.address).await;
    client.join_nsp("/game-1", "").await;
    client.join_nsp("/game-2", "").await;
    client.send("40/game-3,").await;
    let refusal = client.hear().await;
    assert!(refusal.starts_with("44/game-3,"), "{refusal}");
    assert!(refusal.contains("`max_dynamic_namespaces`"), "{refusal}");
    let mut other = Client::open(server.address).await;
    other.join_nsp("/game-2", "").await;
}

#[tokio::test]
async fn who_was_alone_comes_back_by_recovery_all_the_same() {
    let server = Server::with(Config {
        recovery: Some(Recovery::default()),
        ..cleaning()
    })
    .await;
    let games = server.io.of_matching(is_game);
    let mut client = Client::open(server.address).await;
    client.send("40/game-1,").await;
    let welcome = client.hear().await;
    let pid = welcome.split(r#""pid":""#).nth(1).expect("a pid");
    let pid = pid.trim_end_matches(r#""}"#).to_owned();
    games.emit("e", ());
    let event = client.hear().await;
    let offset = event.rsplit('"').nth(1).expect("an offset").to_owned();
    client.reset();
    eventually("the loss is noticed", || games.count().sockets == 0).await;
    let mut client = Client::open(server.address).await;
    client
        .send(&format!(
            r#"40/game-1,{{"pid":"{pid}","offset":"{offset}"}}"#
        ))
        .await;
    assert_eq!(client.hear().await, welcome);
    assert!(games.sockets()[0].is_recovered());
}
