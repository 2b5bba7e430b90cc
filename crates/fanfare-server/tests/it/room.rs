use fanfare_testkit::Client;
use serde_json::Value;

use super::ground;
use crate::{
    heard::{event, next},
    server::Server,
};

fn names(users: &Value) -> Vec<(&str, u64)> {
    let people = users["people"].as_array().expect("a list");
    people
        .iter()
        .map(|person| {
            let name = person["name"].as_str().expect("a name");
            (name, person["tabs"].as_u64().expect("a number"))
        })
        .collect()
}

#[tokio::test]
async fn everyone_is_told_who_comes_and_how_many_there_are() {
    let server = Server::on(&ground());
    let mut anna = server.enter(&server.sign_in("Anna").await, 1).await;
    let came = next(&mut anna, "user").await;
    let id = came["id"].as_str().expect("an id").to_owned();
    let expected = serde_json::json!(
        {"username": "Anna", "name": "Anna", "currentUsers": 1, "connected": true, "id": id}
    );
    assert_eq!(came, expected);
    let users = next(&mut anna, "users").await;
    assert_eq!(names(&users), [("Anna", 1)]);
    assert_eq!((&users["total"], &users["next"]), (&1.into(), &Value::Null));
    let you = serde_json::json!({"id": id, "name": "Anna", "account": false});
    assert_eq!(users["you"], you);

    let cookie = server.sign_in("Bert").await;
    let mut bert = server.enter(&cookie, 2).await;
    assert_eq!(next(&mut bert, "user").await["name"], "Bert");
    assert_eq!(
        names(&next(&mut bert, "users").await),
        [("Anna", 1), ("Bert", 1)]
    );
    let mut heard = [event(&mut anna).await.0, event(&mut anna).await.0];
    heard.sort();
    assert_eq!(heard, ["user", "user count"]);

    let mut further = server.enter(&cookie, 3).await;
    let users = next(&mut further, "users").await;
    assert_eq!(names(&users), [("Anna", 1), ("Bert", 2)]);
    let tabs = next(&mut anna, "tabs").await;
    assert_eq!(
        tabs,
        serde_json::json!({"id": users["you"]["id"], "tabs": 2})
    );
    drop(further);
    assert_eq!(next(&mut anna, "tabs").await["tabs"], 1);
}

#[tokio::test]
async fn who_has_not_signed_in_is_told_so_and_the_connection_lives() {
    let server = Server::on(&ground());
    for (cookie, why) in [
        ("", "not signed in: open / and enter a name first"),
        (
            "fanfare_session=x",
            "not signed in, your session has ended: open / and enter a name",
        ),
    ] {
        let mut client = server.open(cookie).await;
        for _ in 0..2 {
            client.send("40").await;
            client.expect(&format!("44{{\"message\":\"{why}\"}}")).await;
        }
    }
    let cookie = server.sign_in("Anna").await;
    server.enter(&cookie, 1).await;
    server.post("/logout", "", &[("Cookie", &cookie)]).await;
    let mut client = server.open(&cookie).await;
    client.send("40").await;
    client
        .expect(r#"44{"message":"not signed in, your session has ended: open / and enter a name"}"#)
        .await;
}

#[tokio::test]
async fn a_message_reaches_everyone_and_is_answered_with_its_id() {
    let server = Server::on(&ground());
    let mut anna = server.arrive(&server.sign_in("Anna").await).await;
    anna.send(r#"420["chat message"," hello\n"]"#).await;
    let message = anna.hear().await;
    let expected =
        r#"42["chat message",{"username":"Anna","name":"Anna","message":"hello","id":1,"at":"#;
    assert!(message.starts_with(expected), "{message}");
    anna.expect(r#"430[{"id":1}]"#).await;
}

#[tokio::test]
async fn what_is_no_message_is_answered_with_the_rule() {
    let server = Server::on(&ground());
    let mut anna = server.arrive(&server.sign_in("Anna").await).await;
    let million = format!("\"{}\"", "a".repeat(1_000_000));
    let million_of_four_bytes = format!("\"{}\"", "\u{1f600}".repeat(1_000_000));
    for (json, why) in [
        (
            "\"\"",
            "a message has 1 to 2,000 characters; this one has 0",
        ),
        (
            &*million,
            "a message has 1 to 2,000 characters; this one has 1,000,000",
        ),
        (
            &*million_of_four_bytes,
            "a message has 1 to 2,000 characters; this one has 1,000,000",
        ),
        (
            "{}",
            "a message is a string of 1 to 2,000 characters; this is an object",
        ),
        (
            r#""\ud800""#,
            "a message is a string of 1 to 2,000 characters; this is a string with half a character in it",
        ),
        (
            r#""\u0007""#,
            "a message has no control characters but tabs and line breaks; this one has U+0007",
        ),
    ] {
        anna.send(&format!("427[\"chat message\",{json}]")).await;
        anna.expect(&format!("437[{{\"error\":\"{why}\"}}]")).await;
    }
    anna.send(r#"427["chat message"]"#).await;
    anna.expect(
        r#"437[{"error":"a message is a string of 1 to 2,000 characters; this is nothing"}]"#,
    )
    .await;
}

#[tokio::test]
async fn signing_out_ends_the_pages_of_that_session_at_once() {
    let server = Server::on(&ground());
    let mut anna = server.enter(&server.sign_in("Anna").await, 1).await;
    let cookie = server.sign_in("Bert").await;
    let mut pages = [
        server.enter(&cookie, 2).await,
        server.enter(&cookie, 3).await,
    ];
    server.post("/logout", "", &[("Cookie", &cookie)]).await;
    for page in &mut pages {
        while page.hear().await != "41" {}
    }
    loop {
        let user = next(&mut anna, "user").await;
        if user["name"] == "Bert" && user["connected"] == false {
            assert_eq!(user["currentUsers"], 1);
            break;
        }
    }
}

#[tokio::test]
async fn a_shutdown_tells_nobody_that_others_have_left() {
    let server = Server::on(&ground());
    let mut pages = Vec::new();
    for (name, count) in [("Anna", 1), ("Bert", 2)] {
        pages.push(server.enter(&server.sign_in(name).await, count).await);
    }
    while pages[0].hear().await != r#"42["user count",2]"# {}
    next(&mut pages[1], "users").await;
    let (_, anna, bert) = tokio::join!(
        server.stop(),
        last_words(pages.remove(0)),
        last_words(pages.remove(0))
    );
    for text in anna.iter().chain(&bert) {
        assert!(!text.contains("\"connected\":false"), "{text}");
    }
}

/// What a page is sent until it is closed.
async fn last_words(mut page: Client) -> Vec<String> {
    page.closed().await
}
