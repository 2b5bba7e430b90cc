//! Several nodes with one PostgreSQL and one Redis: one room.

use fanfare_testkit::within;
use serde_json::json;

use crate::{
    heard::{ask, is_ended, next},
    server::{Ground, PASSWORD, Server, cookie_of},
};

fn two() -> [Server; 2] {
    let ground = Ground::shared();
    [Server::on(&ground), Server::on(&ground)]
}

#[tokio::test]
async fn postgres_carries_what_is_said_to_every_node() {
    let [here, there] = two();
    let cookie = here.sign_in("Anna").await;
    let mut anna = here.arrive(&cookie).await;
    let mut bert = there.arrive(&there.sign_in("Bert").await).await;
    let first = ask(&mut anna, "chat message", "hello").await["id"].clone();
    let heard = next(&mut bert, "chat message").await;
    assert_eq!((&heard["message"], &heard["id"]), (&"hello".into(), &first));
    let second = ask(&mut bert, "chat message", "hello yourself").await["id"].clone();
    let heard = next(&mut anna, "chat message").await;
    assert_eq!((&heard["name"], &heard["id"]), (&"Bert".into(), &second));

    // The same page elsewhere is the same person, who deletes what is theirs.
    let mut anna = there.arrive(&cookie).await;
    let done = ask(&mut anna, "delete message", first.clone()).await;
    assert_eq!(done, json!({"id": first}));
    assert_eq!(next(&mut bert, "message deleted").await["id"], first);
}

/// Whoever talks where: all hear all of it, by rising ids.
#[tokio::test]
async fn postgres_has_all_nodes_tell_the_same_in_the_same_order() {
    const SAID: usize = 60;
    let [here, there] = two();
    let mut anna = here.arrive(&here.sign_in("Anna").await).await;
    let mut bert = there.arrive(&there.sign_in("Bert").await).await;
    for number in 0..SAID {
        for page in [&mut anna, &mut bert] {
            page.send(&format!(r#"42["chat message","m{number}"]"#))
                .await;
        }
    }
    let mut heard = [Vec::new(), Vec::new()];
    for (page, heard) in [&mut anna, &mut bert].into_iter().zip(&mut heard) {
        while heard.len() < 2 * SAID {
            let message = next(page, "chat message").await;
            heard.push(message["id"].as_i64().expect("a number"));
        }
    }
    assert!(heard[0].is_sorted_by(|one, next| one < next), "{heard:?}");
    assert_eq!(heard[0], heard[1]);
}

#[tokio::test]
async fn postgres_and_redis_know_on_every_node_who_is_signed_in() {
    let [here, there] = two();
    let cookie = here.register("Anna").await;
    assert_eq!(there.get("/chat", &cookie).await.header("location"), None);
    let other = cookie_of(&there.log_in("Anna", PASSWORD).await);
    here.post("/logout", "", &[("Cookie", &cookie)]).await;
    assert_eq!(
        there.get("/chat", &cookie).await.header("location"),
        Some("/")
    );
    let form = format!("password={PASSWORD}&new_password=another+horse+battery");
    let third = cookie_of(&here.log_in("Anna", PASSWORD).await);
    let changed = here
        .post("/account/password", &form, &[("Cookie", &third)])
        .await;
    assert_eq!(changed.header("location"), Some("/account?done=password"));
    assert_eq!(
        there.get("/chat", &other).await.header("location"),
        Some("/")
    );
    assert_eq!(there.get("/chat", &third).await.header("location"), None);
}

/// Without a word from the other node: it looks again from time to time.
#[tokio::test]
async fn redis_ends_the_pages_of_a_session_on_every_node() {
    let ground = Ground::shared();
    let words = ["--session-seconds", "4"];
    let [here, there] = [
        Server::on_with(&ground, &words),
        Server::on_with(&ground, &words),
    ];
    let cookie = here.sign_in("Anna").await;
    let mut page = there.arrive(&cookie).await;
    here.post("/logout", "", &[("Cookie", &cookie)]).await;
    is_ended(&mut page).await;
}

#[tokio::test]
async fn while_redis_stands_still_nobody_is_signed_out_and_talk_goes_on() {
    let ground = Ground::shared();
    let server = Server::on(&ground);
    let cookie = server.sign_in("Anna").await;
    let mut anna = server.arrive(&cookie).await;
    ground.signal_redis("STOP");
    let answer = server.get("/chat", &cookie).await;
    assert_eq!((answer.status, answer.header("set-cookie")), (503, None));
    assert!(answer.text().contains("try again"), "{answer:?}");
    let stored = ask(&mut anna, "chat message", "hello").await;
    assert!(stored["id"].is_i64(), "{stored}");
    let mut stranger = server.open(&cookie).await;
    stranger.send("40").await;
    let refused = stranger.hear().await;
    assert!(refused.contains("try again in a moment"), "{refused}");
    ground.signal_redis("CONT");
    let again = async { while server.get("/chat", &cookie).await.status == 503 {} };
    within("it goes on", again).await;
    let stored = ask(&mut anna, "chat message", "hello").await;
    assert!(stored["id"].is_i64(), "{stored}");
    server.arrive(&cookie).await;
}

#[tokio::test]
async fn redis_counts_wrong_passwords_of_all_nodes() {
    let [here, there] = two();
    here.register("Anna").await;
    for server in [&here, &there, &here, &there, &here] {
        assert_eq!(server.log_in("Anna", "wrong+horse").await.status, 422);
    }
    for server in [&here, &there] {
        assert_eq!(server.log_in("Anna", PASSWORD).await.status, 429);
    }
}

#[tokio::test]
async fn redis_makes_one_count_of_all_nodes() {
    let [here, there] = two();
    let mut anna = here.arrive(&here.sign_in("Anna").await).await;
    let mut bert = there.arrive(&there.sign_in("Bert").await).await;
    for page in [&mut anna, &mut bert] {
        while next(page, "user count").await != 2 {}
    }
    drop(bert);
    while next(&mut anna, "user count").await != 1 {}
}

#[tokio::test]
async fn redis_tells_every_node_who_comes_and_whose_session_ends() {
    let [here, there] = two();
    let mut anna = here.arrive(&here.sign_in("Anna").await).await;
    let cookie = there.sign_in("Bert").await;
    let mut bert = there.arrive(&cookie).await;
    loop {
        let user = next(&mut anna, "user").await;
        if user["name"] == "Bert" && user["connected"] == true {
            break;
        }
    }
    // At once: the next look of the other node's own comes in a minute.
    here.post("/logout", "", &[("Cookie", &cookie)]).await;
    is_ended(&mut bert).await;
    loop {
        let user = next(&mut anna, "user").await;
        if user["name"] == "Bert" && user["connected"] == false {
            break;
        }
    }
}

#[tokio::test]
async fn a_node_whose_redis_stands_still_says_that_it_is_deaf() {
    let ground = Ground::shared();
    let server = Server::on(&ground);
    let health = async |wanted: &str| {
        while !server.get("/healthz", "").await.text().starts_with(wanted) {}
    };
    within("it hears", health("ok")).await;
    ground.signal_redis("STOP");
    within("it notices", health("deaf: ")).await;
    ground.signal_redis("CONT");
    within("it hears again", health("ok")).await;
}
