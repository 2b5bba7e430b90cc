//! The announced count: at once, not too often, and never the last one left out.

use std::time::{Duration, Instant};

use fanfare::{Admission, Count};
use fanfare_testkit::{Client, eventually};

use crate::{notes::notes, server::Server};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newcomer_is_told_at_once_and_first() {
    let server = Server::start().await;
    server.io.announce_count("users", |count| count.sockets);
    server
        .io
        .on_connect(|_, socket| async move { socket.emit("welcome", 1) });
    let began = Instant::now();
    let mut clients = Vec::new();
    for n in 1..=5 {
        let mut client = server.client().await;
        client.expect(&format!(r#"42["users",{n}]"#)).await;
        client.expect(r#"42["welcome",1]"#).await;
        clients.push(client);
    }
    let least = Duration::from_millis(4 * 250);
    assert!(began.elapsed() < least, "they waited for one another");
    for client in &mut clients[..4] {
        while client.hear().await != r#"42["users",5]"# {}
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_costs_few_messages_and_the_last_change_is_told() {
    let server = Server::start().await;
    server.io.announce_count("users", |count| count.sockets);
    let mut witness = server.client().await;
    let began = Instant::now();
    let mut crowd: Vec<Client> = Vec::new();
    for _ in 0..200 {
        crowd.push(server.client().await);
    }
    let (mut messages, mut last) = (0, 0);
    while last != 201 {
        last = number(&witness.hear().await);
        messages += 1;
    }
    let pushes = 2 + began.elapsed().as_millis() / 250;
    assert!(
        messages <= pushes + 1,
        "{messages} in {:?}",
        began.elapsed()
    );

    crowd.clear();
    while last != 1 {
        let next = number(&witness.hear().await);
        assert!(next <= last, "{next} after {last}");
        last = next;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_form_is_announced_to_its_own_namespace_over_each_transport() {
    let server = Server::start().await;
    let room = server.io.of("/room");
    room.announce_count("count", |count| count);
    room.announce_count("text", |count| format!("{} here", count.users));
    let (pen, mut notes) = notes();
    room.on_count(move |io, count| pen.note(format!("{} {count:?}", io.nsp())));
    let mut outside = server.client().await;
    let polling = server.polling().await;
    polling.send("40/room,").await;
    let mut heard = Vec::new();
    while heard.len() < 3 {
        heard.extend(polling.receive().await.split('\u{1e}').map(str::to_owned));
    }
    assert_eq!(
        heard[1],
        r#"42/room,["count",{"sockets":1,"users":1,"nodes":1,"as_of":null,"complete":true,"at_least":1,"at_most":1,"uncounted_nodes":0}]"#
    );
    assert_eq!(heard[2], r#"42/room,["text","1 here"]"#);
    let one = Count::alone(1, 1);
    assert_eq!(notes.next().await, format!("/room {one:?}"));
    server.io.emit("mark", 1);
    outside.expect(r#"42["mark",1]"#).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_announcement_that_comes_later_reaches_those_who_are_there() {
    let server = Server::start().await;
    let mut client = server.client().await;
    server.io.announce_count("users", |count| count.sockets);
    client.expect(r#"42["users",1]"#).await;
    let gone = server.client().await;
    client.expect(r#"42["users",2]"#).await;
    drop(gone);
    client.expect(r#"42["users",1]"#).await;
    eventually("it is so", || server.io.count().sockets == 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_comes_with_the_first_tab_and_leaves_with_the_last() {
    let server = Server::start().await;
    server.io.admit(|handshake| async move {
        Ok(match handshake.auth_json() {
            "" | "{}" => Admission::anonymous(),
            name => Admission::user(name),
        })
    });
    let (pen, mut notes) = notes();
    server
        .io
        .on_user(|_, _, _| panic!("a listener's own business"));
    server
        .io
        .on_user(move |io, user, event| pen.note(format!("{} {user} {event:?}", io.nsp())));
    let mut tabs = Vec::new();
    for auth in [r#"{"n":"ada"}"#, r#"{"n":"ada"}"#, "", r#"{"n":"bob"}"#] {
        let mut client = Client::open(server.address).await;
        client.join_nsp("/", auth).await;
        tabs.push(client);
    }
    notes
        .expect(&[r#"/ {"n":"ada"} Came"#, r#"/ {"n":"bob"} Came"#])
        .await;
    drop(tabs.remove(0));
    eventually("a tab is gone", || server.io.count().sockets == 3).await;
    drop(tabs.remove(0));
    notes.expect(&[r#"/ {"n":"ada"} Left"#]).await;
    drop(tabs);
    notes.expect(&[r#"/ {"n":"bob"} Left"#]).await;
    assert!(notes.is_empty());
}

fn number(text: &str) -> u64 {
    let number = text
        .strip_prefix(r#"42["users","#)
        .and_then(|text| text.strip_suffix(']'));
    number
        .and_then(|number| number.parse().ok())
        .unwrap_or_else(|| panic!("{text}"))
}
