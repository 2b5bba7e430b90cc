use super::ground;
use crate::server::{Server, check_refused, cookie_of};

#[tokio::test]
async fn a_name_leads_into_the_room_and_no_name_back_to_the_form() {
    let server = Server::on(&ground());
    let answer = server.post("/guest", "username=Anna", &[]).await;
    assert_eq!(
        (answer.status, answer.header("location")),
        (303, Some("/chat"))
    );
    assert_eq!(
        server
            .get("/chat", &cookie_of(&answer))
            .await
            .header("location"),
        None
    );
    let answer = server.get("/chat", "fanfare_session=forged").await;
    assert_eq!((answer.status, answer.header("location")), (303, Some("/")));
}

#[tokio::test]
async fn the_form_says_what_is_wrong_with_a_name() {
    let server = Server::on(&ground());
    let long = format!("username={}", "%F0%9F%98%80".repeat(10_000));
    for (form, why) in [
        ("username=", "a name has 1 to 32 characters; this one has 0"),
        (&*long, "a name has 1 to 32 characters; this one has 10,000"),
        ("username=An%07na", "this one has U+0007"),
        ("username=Anna%E2%80%8B", "this one has U+200B"),
        (
            "username=%E2%80%AEannA",
            "this one has the invisible U+202E",
        ),
        ("username=%FF", "a name comes in UTF-8"),
        ("name=Anna", "a name has 1 to 32 characters; this one has 0"),
        ("username=Anna&username=Bert", "one field, username"),
    ] {
        check_refused(&server.post("/guest", form, &[]).await, 422, why);
    }
    let huge = format!("username={}", "a".repeat(300_000));
    check_refused(
        &server.post("/guest", &huge, &[]).await,
        413,
        "this is far longer than any name",
    );
    let json = [("Content-Type", "application/json")];
    check_refused(
        &server.post("/guest", "{}", &json).await,
        415,
        "application/x-www-form-urlencoded",
    );
}

#[tokio::test]
async fn a_name_is_taken_as_long_as_its_session_may_still_come() {
    let server = Server::on(&ground());
    let anna = server.sign_in("Anna").await;
    check_refused(
        &server.post("/guest", "username=ANNA", &[]).await,
        422,
        "the name Anna is taken",
    );
    let again = server
        .post("/guest", "username=anna", &[("Cookie", &anna)])
        .await;
    assert_eq!(again.status, 303);
    server.post("/logout", "", &[("Cookie", &anna)]).await;
    assert_eq!(
        server.post("/guest", "username=anna", &[]).await.status,
        303
    );
}

#[tokio::test]
async fn signing_out_ends_every_copy_of_the_cookie() {
    let server = Server::on(&ground());
    let first = server.sign_in("Anna").await;
    let second = cookie_of(
        &server
            .post("/guest", "username=Anna", &[("Cookie", &first)])
            .await,
    );
    let answer = server.post("/logout", "", &[("Cookie", &second)]).await;
    assert_eq!((answer.status, answer.header("location")), (303, Some("/")));
    assert_eq!(cookie_of(&answer), "fanfare_session=");
    for cookie in [first, second] {
        assert_eq!(server.get("/chat", &cookie).await.status, 303);
    }
}

#[tokio::test]
async fn a_foreign_page_can_sign_nobody_in_or_out() {
    let server = Server::on(&ground());
    let cookie = server.sign_in("Anna").await;
    let foreign = [("Origin", "http://evil.example"), ("Cookie", &*cookie)];
    check_refused(
        &server.post("/guest", "username=Mallory", &foreign).await,
        403,
        "another site",
    );
    check_refused(
        &server.post("/logout", "", &foreign).await,
        403,
        "another site",
    );
    assert_ne!(server.get("/chat", &cookie).await.status, 303);
}

#[tokio::test]
async fn the_two_files_that_the_lesson_checks_are_open_to_every_page() {
    let server = Server::on(&ground());
    let source = server.get("/_api/server.js", "").await;
    assert!(source.text().starts_with("//! This is Rust"));
    assert!(source.text().contains("io.on_connect(") && source.text().contains("currentUsers"));
    let emit = source.text().lines().find(|line| line.contains("io.emit"));
    assert!(
        emit.is_some_and(|line| line.contains("'user count', currentUsers")),
        "{emit:?}"
    );
    assert_eq!(
        source.header("content-type"),
        Some("text/plain; charset=utf-8")
    );

    let script = server.get("/public/client.js", "").await;
    assert!(script.text().contains("socket.on('user count'"));
    for file in [source, script] {
        assert_eq!(
            (file.status, file.header("access-control-allow-origin")),
            (200, Some("*"))
        );
    }
    for path in ["/", "/healthz", "/_api/room.rs", "/public/"] {
        assert_eq!(
            server
                .get(path, "")
                .await
                .header("access-control-allow-origin"),
            None
        );
    }
}

#[tokio::test]
async fn every_answer_keeps_foreign_scripts_out() {
    let server = Server::on(&ground());
    for path in ["/", "/chat", "/healthz", "/nothing"] {
        let answer = server.get(path, "").await;
        let policy = answer.header("content-security-policy").unwrap_or_default();
        assert!(
            policy.starts_with("default-src 'none'; ") && !policy.contains("unsafe"),
            "{path}: {policy}"
        );
    }
    assert_eq!(server.get("/healthz", "").await.text(), "ok");
    assert_eq!(server.get("/nothing", "").await.status, 404);
}
