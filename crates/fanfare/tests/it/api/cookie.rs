//! The cookie with the session's id.

use std::time::Duration;

use fanfare::{Config, Cookie, SameSite};
use fanfare_testkit::{Http, Polling, Request, Response, upgrade_request};

use crate::server::Server;

const OPEN: &str = "/socket.io/?EIO=4&transport=polling";

#[tokio::test]
async fn no_cookie_is_set_unless_it_is_asked_for() {
    let server = Server::start().await;
    let answer = Http::once(server.address, &Request::get(OPEN)).await;
    assert_eq!(cookies(&answer), [""; 0]);
}

#[tokio::test]
async fn only_the_answer_that_opens_a_session_on_polling_sets_the_cookie() {
    let server = with(Cookie::default()).await;
    let answer = Http::once(server.address, &Request::get(OPEN)).await;
    let sid = sid_of(&answer);
    let expected = format!("io={sid}; Path=/; HttpOnly; SameSite=Lax");
    assert_eq!(cookies(&answer), [expected]);

    let polling = Polling::open(server.address, "/socket.io/").await;
    for (request, status) in [
        (Request::post(polling.target(), "40"), 200),
        (Request::get(polling.target()), 200),
        (Request::get("/socket.io/?EIO=4"), 400),
        (
            upgrade_request("/socket.io/?EIO=4&transport=websocket"),
            101,
        ),
        (upgrade_request(&polling.upgrade_target()), 101),
    ] {
        let answer = Http::once(server.address, &request).await;
        assert_eq!(answer.status, status, "{request:?}");
        assert_eq!(cookies(&answer), [""; 0], "{request:?}");
    }
}

#[tokio::test]
async fn the_cookie_is_as_the_settings_say() {
    let cookie = Cookie {
        name: "node".to_owned(),
        domain: Some("example.org".to_owned()),
        path: None,
        max_age: Some(Duration::from_millis(3_600_900)),
        secure: true,
        same_site: SameSite::None,
    };
    check(
        cookie.clone(),
        "node=SID; Max-Age=3600; Domain=example.org; HttpOnly; Secure; SameSite=None",
    )
    .await;
    let cookie = Cookie {
        domain: None,
        path: Some("/socket.io/".to_owned()),
        max_age: None,
        secure: false,
        same_site: SameSite::Strict,
        ..cookie
    };
    check(
        cookie,
        "node=SID; Path=/socket.io/; HttpOnly; SameSite=Strict",
    )
    .await;
}

#[tokio::test]
async fn a_cookie_that_no_header_can_hold_is_not_set() {
    let server = with(Cookie {
        name: "two\r\nlines".to_owned(),
        ..Cookie::default()
    })
    .await;
    let answer = Http::once(server.address, &Request::get(OPEN)).await;
    assert_eq!((answer.status, cookies(&answer).len()), (200, 0));
}

async fn check(cookie: Cookie, expected: &str) {
    let server = with(cookie).await;
    let answer = Http::once(server.address, &Request::get(OPEN)).await;
    let expected = expected.replace("SID", &sid_of(&answer));
    assert_eq!(cookies(&answer), [expected]);
}

fn cookies(answer: &Response) -> Vec<&str> {
    let headers = answer.headers.iter();
    headers
        .filter(|(name, _)| name == "set-cookie")
        .map(|(_, value)| &**value)
        .collect()
}

/// The session's id, from its open packet.
fn sid_of(answer: &Response) -> String {
    let open = answer.text().strip_prefix('0').expect("an open packet");
    let open: serde_json::Value = serde_json::from_str(open).expect("an object");
    open["sid"].as_str().expect("a sid").to_owned()
}

async fn with(cookie: Cookie) -> Server {
    Server::with(Config {
        cookie: Some(cookie),
        ..Config::default()
    })
    .await
}
