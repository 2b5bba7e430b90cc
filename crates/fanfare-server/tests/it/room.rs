use fanfare_testkit::Client;

use crate::server::Server;

#[tokio::test]
async fn everyone_is_told_who_comes_and_how_many_there_are() {
    let server = Server::start();
    let mut anna = server.enter(&server.sign_in("Anna").await, 1).await;
    anna.expect(
        r#"42["user",{"username":"Anna","name":"Anna","currentUsers":1,"connected":true}]"#,
    )
    .await;
    anna.expect(r#"42["users",{"people":["Anna"],"total":1,"you":"Anna"}]"#)
        .await;
    let cookie = server.sign_in("Bert").await;
    let mut bert = server.enter(&cookie, 2).await;
    let came = r#"42["user",{"username":"Bert","name":"Bert","currentUsers":2,"connected":true}]"#;
    bert.expect(came).await;
    bert.expect(r#"42["users",{"people":["Anna","Bert"],"total":2,"you":"Bert"}]"#)
        .await;
    let mut heard = [anna.hear().await, anna.hear().await];
    heard.sort();
    assert_eq!(heard, [r#"42["user count",2]"#, came]);

    let mut further = server.enter(&cookie, 3).await;
    further
        .expect(r#"42["users",{"people":["Anna","Bert"],"total":2,"you":"Bert"}]"#)
        .await;
    anna.expect(r#"42["user count",3]"#).await;
}

#[tokio::test]
async fn who_has_not_signed_in_is_told_so_and_the_connection_lives() {
    let server = Server::start();
    for (cookie, why) in [
        ("", "not signed in: open / and enter a name first"),
        (
            "fanfare_session=x",
            "not signed in, this server did not write your cookie: open / and enter a name",
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
        .expect(r#"44{"message":"not signed in, you have signed out: open / and enter a name"}"#)
        .await;
}

#[tokio::test]
async fn a_message_reaches_everyone_and_is_answered_with_its_id() {
    let server = Server::start();
    let mut anna = server.enter(&server.sign_in("Anna").await, 1).await;
    anna.hear().await;
    anna.hear().await;
    anna.send(r#"420["chat message"," hello\n"]"#).await;
    let message = anna.hear().await;
    let expected =
        r#"42["chat message",{"username":"Anna","name":"Anna","message":"hello","id":1,"at":"#;
    assert!(message.starts_with(expected), "{message}");
    anna.expect(r#"430[{"id":1}]"#).await;
}

#[tokio::test]
async fn what_is_no_message_is_answered_with_the_rule() {
    let server = Server::start();
    let mut anna = server.enter(&server.sign_in("Anna").await, 1).await;
    anna.hear().await;
    anna.hear().await;
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
    let server = Server::start();
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
    while anna.hear().await
        != r#"42["user",{"username":"Bert","name":"Bert","currentUsers":1,"connected":false}]"#
    {
    }
}

#[tokio::test]
async fn a_shutdown_tells_nobody_that_others_have_left() {
    let server = Server::start();
    let mut pages = Vec::new();
    for (name, count) in [("Anna", 1), ("Bert", 2)] {
        pages.push(server.enter(&server.sign_in(name).await, count).await);
    }
    while pages[0].hear().await != r#"42["user count",2]"# {}
    pages[1].hear().await;
    pages[1].hear().await;
    let (_, anna, bert) = tokio::join!(
        server.stop(),
        last_words(pages.remove(0)),
        last_words(pages.remove(0))
    );
    for text in anna.iter().chain(&bert) {
        assert!(text.contains("\"connected\":true"), "{text}");
    }
}

/// What a page is sent until it is closed.
async fn last_words(mut page: Client) -> Vec<String> {
    page.closed().await
}
