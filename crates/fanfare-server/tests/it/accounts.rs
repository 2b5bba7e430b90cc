use super::ground;
use crate::{
    heard::{ask, is_ended, next},
    server::{PASSWORD, Server, check_refused, cookie_of},
};

const OTHER_PASSWORD: &str = "another+horse+battery";

#[tokio::test]
async fn an_account_is_there_again_after_a_restart() {
    let ground = ground();
    let server = Server::on(&ground);
    let cookie = server.register("Anna").await;
    assert!(server.stop().await.0.success());

    let server = Server::on(&ground);
    let mut anna = server.open(&cookie).await;
    anna.join_nsp("/", "").await;
    let you = &next(&mut anna, "users").await["you"];
    assert_eq!(
        (&you["name"], &you["account"]),
        (&"Anna".into(), &true.into())
    );
    server.post("/logout", "", &[("Cookie", &cookie)]).await;
    is_ended(&mut anna).await;
    assert_eq!(
        server.get("/chat", &cookie).await.header("location"),
        Some("/")
    );
    let cookie = cookie_of(&server.log_in("ANNA", PASSWORD).await);
    assert_eq!(server.get("/chat", &cookie).await.header("location"), None);
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_name_are_told_the_same() {
    let server = Server::on(&ground());
    server.register("Anna").await;
    let why = "the name or the password is wrong";
    let wrong = server.log_in("Anna", "wrong+horse+battery").await;
    check_refused(&wrong, 422, why);
    let unknown = server.log_in("Bert", PASSWORD).await;
    check_refused(&unknown, 422, why);
    assert_eq!(wrong.text().replace("Anna", "Bert"), unknown.text());
    let unfit = server.log_in("%07", PASSWORD).await;
    check_refused(&unfit, 422, why);
    let long = server.log_in("Anna", &"x".repeat(10_000)).await;
    check_refused(&long, 422, why);
    assert!(!wrong.text().contains("wrong+horse") && !wrong.text().contains("wrong horse"));
}

#[tokio::test]
async fn only_failed_attempts_are_slowed_down() {
    let server = Server::on(&ground());
    server.register("Anna").await;
    for _ in 0..8 {
        assert_eq!(server.log_in("Anna", PASSWORD).await.status, 303);
    }
    for _ in 0..5 {
        assert_eq!(server.log_in("Anna", "wrong+horse").await.status, 422);
    }
    let answer = server.log_in("ANNA", PASSWORD).await;
    check_refused(&answer, 429, "too many wrong attempts: try again in");
    let seconds = answer
        .header("retry-after")
        .and_then(|text| text.parse::<u64>().ok());
    assert!(
        seconds.is_some_and(|seconds| (1..=3).contains(&seconds)),
        "{seconds:?}"
    );
    server.register("Bert").await;
    assert_eq!(server.log_in("Bert", PASSWORD).await.status, 303);
    // Whether there is such an account makes no difference.
    for _ in 0..5 {
        assert_eq!(server.log_in("Nobody", "wrong+horse").await.status, 422);
    }
    assert_eq!(server.log_in("Nobody", "wrong+horse").await.status, 429);
}

#[tokio::test]
async fn a_name_belongs_to_one_guest_or_one_account() {
    let server = Server::on(&ground());
    let form = |name: &str| format!("username={name}&password={PASSWORD}");
    server.register("Stra%C3%9Fe").await;
    let taken = server.post("/register", &form("STRASSE"), &[]).await;
    check_refused(&taken, 422, "the name STRASSE is taken: an account has it");
    let taken = server.post("/guest", "username=strasse", &[]).await;
    check_refused(&taken, 422, "an account has it; if it is yours, sign in");

    let guest = server.sign_in("Gast").await;
    let _page = server.enter(&guest, 1).await;
    let taken = server.post("/register", &form("GAST"), &[]).await;
    check_refused(&taken, 422, "the name Gast is taken: somebody here has it");
    // The guest alone may keep it, with an account.
    let answer = server
        .post("/register", &form("Gast"), &[("Cookie", &guest)])
        .await;
    assert_eq!(answer.status, 303, "{answer:?}");
    assert_eq!(server.get("/chat", &guest).await.status, 303);
    let mut page = server.open(&cookie_of(&answer)).await;
    page.join_nsp("/", "").await;
    assert_eq!(next(&mut page, "users").await["you"]["account"], true);
}

#[tokio::test]
async fn a_guest_whose_name_has_become_an_accounts_is_told_so() {
    let server = Server::on(&ground());
    let guest = server.sign_in("Anna").await;
    server
        .post("/logout", "", &[("Cookie", "fanfare_session=none")])
        .await;
    // Its name is free again when no page of it has come in time.
    let form = format!("username=Anna&password={PASSWORD}");
    while server.post("/register", &form, &[]).await.status != 303 {}
    let mut page = server.open(&guest).await;
    page.send("40").await;
    let refusal = page.hear().await;
    assert!(
        refusal.contains("the name Anna is taken: an account has it"),
        "{refusal}"
    );
}

#[tokio::test]
async fn what_is_no_password_is_told_the_rule_and_nothing_is_stored() {
    let server = Server::on(&ground());
    for (password, why) in [
        ("short", "10 to 128 characters; this one has 5"),
        ("", "10 to 128 characters; this one has 0"),
        (&*"x".repeat(129), "10 to 128 characters; this one has 129"),
        ("ANNA%20LENA%20MARIA", "a password must not be your name"),
    ] {
        let form = format!("username=Anna+Lena+Maria&password={password}");
        let answer = server.post("/register", &form, &[]).await;
        check_refused(&answer, 422, why);
    }
    let form = format!("username=&password={PASSWORD}");
    check_refused(
        &server.post("/register", &form, &[]).await,
        422,
        "this one has 0",
    );
    let huge = format!("username=Anna&password={}", "x".repeat(300_000));
    check_refused(
        &server.post("/register", &huge, &[]).await,
        413,
        "longer than any name or password",
    );
    server.register("Anna+Lena+Maria").await;
}

#[tokio::test]
async fn another_password_ends_all_other_sessions_of_the_account() {
    let server = Server::on(&ground());
    let here = server.register("Anna").await;
    let there = cookie_of(&server.log_in("Anna", PASSWORD).await);
    let bert = server.sign_in("Bert").await;
    let mut stays = server.arrive(&here).await;
    let mut ends = server.arrive(&there).await;
    let mut other = server.arrive(&bert).await;
    let change = |old: &str, new: &str| format!("password={old}&new_password={new}");

    for (form, why) in [
        (
            change("wrong+horse", OTHER_PASSWORD),
            "the password is not yours",
        ),
        (change(PASSWORD, "short"), "10 to 128 characters"),
        (change(PASSWORD, "anna"), "10 to 128 characters"),
    ] {
        let answer = server
            .post("/account/password", &form, &[("Cookie", &here)])
            .await;
        assert_eq!(answer.status, 422);
        assert!(answer.text().contains(why), "{}", answer.text());
    }
    let form = change(PASSWORD, OTHER_PASSWORD);
    let answer = server
        .post("/account/password", &form, &[("Cookie", &here)])
        .await;
    assert_eq!(answer.header("location"), Some("/account?done=password"));
    is_ended(&mut ends).await;
    assert_eq!(
        server.get("/chat", &there).await.header("location"),
        Some("/")
    );
    ends.send("40").await;
    let refusal = ends.hear().await;
    assert!(
        refusal.starts_with("44") && refusal.contains("your session has ended"),
        "{refusal}"
    );

    for page in [&mut stays, &mut other] {
        assert!(ask(page, "count history", ()).await["now"].is_number());
    }
    assert_eq!(server.get("/chat", &here).await.header("location"), None);
    server.arrive(&here).await;
    assert_eq!(server.log_in("Anna", PASSWORD).await.status, 422);
    assert_eq!(server.log_in("Anna", OTHER_PASSWORD).await.status, 303);
}

#[tokio::test]
async fn another_name_is_told_to_everyone_and_frees_the_first() {
    let server = Server::on(&ground());
    let anna = server.register("Anna").await;
    server.register("Carla").await;
    let bert = server.sign_in("Bert").await;
    let mut pages = [server.arrive(&anna).await, server.arrive(&bert).await];
    for (name, why) in [
        ("bert", "somebody here has it"),
        ("CARLA", "an account has it"),
        ("", "has 0"),
    ] {
        let form = format!("username={name}");
        let answer = server
            .post("/account/name", &form, &[("Cookie", &anna)])
            .await;
        assert_eq!(answer.status, 422, "{name}");
        assert!(answer.text().contains(why), "{}", answer.text());
    }
    for name in ["ANNA", "Anne"] {
        let form = format!("username={name}");
        let answer = server
            .post("/account/name", &form, &[("Cookie", &anna)])
            .await;
        assert_eq!(answer.header("location"), Some("/account?done=name"));
        for page in &mut pages {
            assert_eq!(next(page, "renamed").await["name"], name);
        }
    }
    ask(&mut pages[0], "chat message", "hello").await;
    assert_eq!(next(&mut pages[1], "chat message").await["name"], "Anne");
    assert_eq!(server.log_in("Anna", PASSWORD).await.status, 422);
    assert_eq!(server.log_in("anne", PASSWORD).await.status, 303);
    server.sign_in("Anna").await;
}

#[tokio::test]
async fn a_deleted_account_is_gone_with_its_sessions() {
    let server = Server::on(&ground());
    let anna = server.register("Anna").await;
    let there = cookie_of(&server.log_in("Anna", PASSWORD).await);
    let mut stays = server.arrive(&server.sign_in("Bert").await).await;
    let mut pages = [server.arrive(&anna).await, server.arrive(&there).await];
    ask(&mut pages[0], "chat message", "hello").await;
    let answer = server
        .post("/account/delete", "password=wrong", &[("Cookie", &anna)])
        .await;
    assert_eq!(answer.status, 422);
    let form = format!("password={PASSWORD}");
    let answer = server
        .post("/account/delete", &form, &[("Cookie", &anna)])
        .await;
    assert_eq!(answer.header("location"), Some("/"));
    for page in &mut pages {
        is_ended(page).await;
    }
    loop {
        let user = next(&mut stays, "user").await;
        if user["connected"] == false {
            assert_eq!(user["name"], "Anna");
            break;
        }
    }
    for cookie in [&anna, &there] {
        assert_eq!(
            server.get("/chat", cookie).await.header("location"),
            Some("/")
        );
    }
    assert_eq!(server.log_in("Anna", PASSWORD).await.status, 422);
    let messages = ask(&mut stays, "messages", serde_json::json!({})).await;
    let message = &messages["messages"][0];
    assert_eq!(
        (&message["name"], &message["by"]),
        (&"somebody".into(), &serde_json::Value::Null)
    );
    server.sign_in("Anna").await;
}

#[tokio::test]
async fn a_session_that_expires_takes_its_sockets_along() {
    let server = Server::on_with(&ground(), &["--session-seconds", "2"]);
    let anna = server.sign_in("Anna").await;
    let mut page = server.arrive(&anna).await;
    is_ended(&mut page).await;
    page.send("40").await;
    let refusal = page.hear().await;
    assert!(refusal.contains("your session has ended"), "{refusal}");
    assert_eq!(
        server.get("/chat", &anna).await.header("location"),
        Some("/")
    );
}

#[tokio::test]
async fn guests_and_strangers_have_no_account_page() {
    let server = Server::on(&ground());
    let guest = server.sign_in("Anna").await;
    for cookie in ["", &guest, "fanfare_session=forged"] {
        assert_eq!(
            server.get("/account", cookie).await.header("location"),
            Some("/")
        );
        for path in ["/account/name", "/account/password", "/account/delete"] {
            let answer = server
                .post(path, "username=Bert", &[("Cookie", cookie)])
                .await;
            assert_eq!(answer.header("location"), Some("/"), "{path}");
        }
    }
    let account = server.register("Carla").await;
    assert_ne!(server.get("/account", &account).await.status, 303);
    let foreign = [("Origin", "http://evil.example"), ("Cookie", &*account)];
    for path in [
        "/account/name",
        "/account/password",
        "/account/delete",
        "/login",
        "/register",
    ] {
        let form = format!("username=Bert&password={PASSWORD}&new_password={OTHER_PASSWORD}");
        assert_eq!(
            server.post(path, &form, &foreign).await.status,
            403,
            "{path}"
        );
    }
    assert_eq!(server.log_in("Carla", PASSWORD).await.status, 303);
}

#[tokio::test]
async fn signing_in_to_an_account_ends_the_guest_of_the_same_browser() {
    let server = Server::on(&ground());
    server.register("Anna").await;
    let guest = server.sign_in("Gast").await;
    let mut page = server.arrive(&guest).await;
    let form = format!("username=Anna&password={PASSWORD}");
    let answer = server.post("/login", &form, &[("Cookie", &guest)]).await;
    assert_eq!(answer.header("location"), Some("/chat"));
    is_ended(&mut page).await;
    let cookie = cookie_of(&answer);
    assert_ne!(
        cookie, guest,
        "a session that was known before is worth nothing after"
    );
    assert_eq!(
        server.get("/chat", &guest).await.header("location"),
        Some("/")
    );
    server.sign_in("Gast").await;
}
