//! Namespaces: apart from one another, on one connection.

use fanfare::{Ack, Config, Count, Limits, RawArgs, Socket};
use fanfare_testkit::Client;

use crate::{notes::notes, server::Server};

#[tokio::test]
async fn namespaces_share_a_connection_and_nothing_else() {
    let server = Server::start().await;
    let (main, admin) = (&server.io, server.io.of("/admin"));
    main.on("who", |_: Socket, _: RawArgs, ack: Ack| async move {
        ack.send("main");
    });
    admin.on("who", |socket: Socket, _: RawArgs, ack: Ack| async move {
        ack.send(socket.nsp());
    });
    let mut client = server.client().await;
    let main_id = client.id.clone();
    let admin_id = client.join_nsp("/admin", "").await;
    assert_ne!(main_id, admin_id);
    client.send(r#"421["who"]"#).await;
    client.expect(r#"431["main"]"#).await;
    client.send(r#"42/admin,1["who"]"#).await;
    client.expect(r#"43/admin,1["/admin"]"#).await;
    main.emit("to", "main");
    admin.emit("to", "admin");
    client.expect(r#"42["to","main"]"#).await;
    client.expect(r#"42/admin,["to","admin"]"#).await;

    let mut other = server.client().await;
    assert_eq!((main.count().sockets, admin.count().sockets), (2, 1));
    assert_eq!(main.to(&admin_id).count(), 0);
    assert_eq!(admin.to(&admin_id).count(), 1);
    client.send("41").await;
    client.send(r#"42/admin,2["who"]"#).await;
    client.expect(r#"43/admin,2["/admin"]"#).await;
    assert_eq!((main.count().sockets, admin.count().sockets), (1, 1));
    main.emit("to", "main");
    other.expect(r#"42["to","main"]"#).await;
    client.join_nsp("/", "").await;
    assert_eq!(main.count(), Count::alone(2, 2));
}

#[tokio::test]
async fn a_namespace_has_one_name_and_one_set_of_handlers() {
    let server = Server::start().await;
    let (pen, mut notes) = notes();
    server.io.of("room").on_connect(move |io, _| {
        pen.note(io.nsp());
        async {}
    });
    assert_eq!(server.io.of("room").nsp(), "/room");
    assert_eq!(server.io.of("/").nsp(), "/");
    assert_eq!(server.io.of("").nsp(), "/");
    let mut client = Client::open(server.address).await;
    client.join_nsp("/room", "").await;
    notes.expect(&["/room"]).await;
    assert_eq!(server.io.of("/room").count().sockets, 1);
    assert_eq!(server.io.of("/").count().sockets, 0);
}

#[tokio::test]
#[should_panic(expected = "no ','")]
async fn a_name_with_a_comma_is_none() {
    Server::start().await.io.of("/a,b");
}

#[tokio::test]
async fn one_connection_is_in_no_more_namespaces_than_the_limit() {
    let server = Server::with(Config {
        limits: Limits {
            max_namespaces: 2,
            ..Limits::default()
        },
        ..Config::default()
    })
    .await;
    for nsp in ["/a", "/b", "/c"] {
        server.io.of(nsp);
    }
    let mut client = Client::open(server.address).await;
    client.join_nsp("/a", "").await;
    client.join_nsp("/b", "").await;
    client.send("40/c,").await;
    let refusal = client.hear().await;
    assert!(refusal.starts_with(r#"44/c,{"message":"#), "{refusal}");
    assert!(refusal.contains("`max_namespaces`"), "{refusal}");
    client.send("41/a,").await;
    client.join_nsp("/c", "").await;
}

#[tokio::test]
async fn a_namespace_that_is_left_can_be_joined_again_in_one_breath() {
    let server = Server::start().await;
    let (pen, mut notes) = notes();
    let leaving = pen.clone();
    server.io.on_connect(move |_, socket| {
        pen.note(format!("{} came", socket.id()));
        async {}
    });
    server.io.on_disconnect(move |_, socket, reason| {
        leaving.note(format!("{} left: {reason}", socket.id()));
        async {}
    });
    let mut client = server.client().await;
    let mut before = client.id.clone();
    notes.expect(&[&format!("{before} came")]).await;
    for _ in 0..100 {
        let breath = ["41", "40"].map(fanfare_testkit::frame::text).concat();
        client.websocket.send_bytes(&breath).await;
        let joined = client.hear().await;
        let now = joined[10..30].to_owned();
        server.io.emit("x", 1);
        client.expect(r#"42["x",1]"#).await;
        let left = format!("{before} left: client namespace disconnect");
        let mut heard = [notes.next().await, notes.next().await];
        heard.sort_by_key(|note| !note.contains("left"));
        assert_eq!(heard, [left, format!("{now} came")]);
        assert_eq!(server.io.count(), Count::alone(1, 1));
        before = now;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_that_the_server_disconnects_can_join_again_and_hears_everything() {
    let server = Server::start().await;
    let mut client = server.client().await;
    for n in 0..500 {
        let socket = server.io.sockets().pop().expect("one is connected");
        let disconnecting = tokio::spawn(async move { socket.disconnect() });
        client.expect("41").await;
        client.join_nsp("/", "").await;
        disconnecting.await.expect("no panic");
        server.io.emit("n", n);
        client.expect(&format!(r#"42["n",{n}]"#)).await;
        assert_eq!(server.io.count(), Count::alone(1, 1));
    }
}
