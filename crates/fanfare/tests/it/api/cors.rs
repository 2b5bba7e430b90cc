//! CORS: what foreign pages that may connect may do further.

use std::time::Duration;

use fanfare::{ClientBundle, Config, Cors, OriginPredicate, Origins, PolicyFunction};
use fanfare_testkit::{Http, Polling, Request, Response, upgrade_request};
use http::{HeaderName, HeaderValue, Method, StatusCode, header};

use crate::server::Server;

const OPEN: &str = "/socket.io/?EIO=4&transport=polling";
const OPEN_WEBSOCKET: &str = "/socket.io/?EIO=4&transport=websocket";
const SCRIPT: &str = "/socket.io/socket.io.js";
const PAGE: &str = "https://app.example";

#[tokio::test]
async fn nothing_is_told_unless_foreign_pages_may_connect() {
    let server = with(Origins::SameOrigin, Cors::default()).await;
    for request in [Request::get(OPEN), Request::get(SCRIPT)] {
        let answer = Http::once(server.address, &request.header("Origin", PAGE)).await;
        assert_eq!(cors_headers(&answer), [""; 0], "{answer:?}");
    }
    let preflight = Request::of("OPTIONS", OPEN);
    let answer = Http::once(server.address, &preflight).await;
    let words = r#"{"code":2,"message":"Bad handshake method"}"#;
    assert_eq!((answer.status, answer.text()), (400, words));
}

#[tokio::test]
async fn a_preflight_is_told_all_that_the_reference_tells() {
    let server = with(Origins::Any, Cors::default()).await;
    for target in [OPEN, SCRIPT, "/socket.io/?EIO=4&sid=nobody"] {
        let answer = Http::once(server.address, &preflight(target)).await;
        assert_eq!((answer.status, answer.text()), (204, ""), "{target}");
        let expected = [
            "access-control-allow-headers: x-one,x-two",
            "access-control-allow-methods: GET,HEAD,PUT,PATCH,POST,DELETE",
            "access-control-allow-origin: *",
            "vary: Access-Control-Request-Headers",
        ];
        assert_eq!(cors_headers(&answer), expected, "{target}");
    }
}

#[tokio::test]
async fn a_preflight_is_told_what_the_settings_say() {
    let cors = Cors {
        methods: vec![Method::GET, Method::POST],
        allowed_headers: Some(vec![
            header::CONTENT_TYPE,
            HeaderName::from_static("x-token"),
        ]),
        exposed_headers: vec![HeaderName::from_static("x-node"), header::DATE],
        credentials: true,
        max_age: Some(Duration::from_millis(600_500)),
        preflight_status: StatusCode::OK,
        ..Cors::default()
    };
    let server = with(Origins::Any, cors).await;
    let answer = Http::once(server.address, &preflight(OPEN)).await;
    assert_eq!((answer.status, answer.text()), (200, ""));
    let expected = [
        "access-control-allow-credentials: true",
        "access-control-allow-headers: content-type,x-token",
        "access-control-allow-methods: GET,POST",
        "access-control-allow-origin: https://app.example",
        "access-control-expose-headers: x-node,date",
        "access-control-max-age: 600",
        "vary: Origin",
    ];
    assert_eq!(cors_headers(&answer), expected);
}

#[tokio::test]
async fn a_function_may_say_for_each_request_what_pages_may_do() {
    let server = Server::with(Config {
        policy: Some(PolicyFunction::new(|request| {
            let host = request.headers.get(header::HOST).expect("a host");
            match host.to_str().expect("a text") {
                "public.example" => (Origins::Any, Cors::default()),
                "ours.example" => {
                    let credentials = Cors {
                        credentials: true,
                        ..Cors::default()
                    };
                    (Origins::List(vec![PAGE.to_owned()]), credentials)
                }
                "panic.example" => panic!("expected by this test"),
                _ => (Origins::SameOrigin, Cors::default()),
            }
        })),
        // Not looked at.
        origins: Origins::Any,
        ..Config::default()
    })
    .await;
    for (host, status, expected) in [
        (
            "public.example",
            200,
            &["access-control-allow-origin: *"][..],
        ),
        (
            "ours.example",
            200,
            &[
                "access-control-allow-credentials: true",
                "access-control-allow-origin: https://app.example",
                "vary: Origin",
            ],
        ),
        ("other.example", 403, &[]),
        ("panic.example", 403, &[]),
    ] {
        let request = Request::get(OPEN)
            .header("Origin", PAGE)
            .header("Host", host);
        let answer = Http::once(server.address, &request).await;
        assert_eq!(
            (answer.status, cors_headers(&answer)),
            (
                status,
                expected.iter().map(|line| (*line).to_owned()).collect()
            ),
            "{host}"
        );
        // Who is refused is told the setting that refuses.
        assert_eq!(answer.text().contains("setting `policy`"), status == 403);
    }
}

#[tokio::test]
async fn caches_are_told_first_that_a_preflight_depends_on_the_page() {
    let cors = Cors {
        credentials: true,
        ..Cors::default()
    };
    let server = with(Origins::Any, cors).await;
    for target in [OPEN, SCRIPT] {
        let answer = Http::once(server.address, &preflight(target)).await;
        let named = answer.headers.iter().filter(|(name, _)| name == "vary");
        let named: Vec<_> = named.map(|(_, value)| value.as_str()).collect();
        assert_eq!(named, ["Origin", "Access-Control-Request-Headers"]);
    }
}

#[tokio::test]
async fn every_answer_says_that_any_page_may_read_it() {
    let server = with(Origins::Any, Cors::default()).await;
    let polling = server.polling().await;
    let expected = ["access-control-allow-origin: *"];
    for (request, status) in every_request(&polling) {
        for request in [request.clone(), request.header("Origin", PAGE)] {
            let answer = Http::once(server.address, &request).await;
            assert_eq!(answer.status, status, "{request:?}");
            assert_eq!(cors_headers(&answer), expected, "{request:?}");
        }
    }
}

#[tokio::test]
async fn every_answer_names_the_page_that_may_read_it_with_credentials() {
    for origins in [
        Origins::Any,
        Origins::List(vec![PAGE.to_owned()]),
        Origins::Matching(OriginPredicate::new(|origin| origin == PAGE)),
    ] {
        let cors = Cors {
            credentials: true,
            exposed_headers: vec![HeaderName::from_static("x-node")],
            ..Cors::default()
        };
        let server = with(origins, cors).await;
        let polling = server.polling().await;
        for (request, status) in every_request(&polling) {
            let answer = Http::once(server.address, &request).await;
            let for_caches = ["vary: Origin"];
            assert_eq!(cors_headers(&answer), for_caches, "{request:?}");
            let request = request.header("Origin", PAGE);
            let answer = Http::once(server.address, &request).await;
            assert_eq!(answer.status, status, "{request:?}");
            let expected = [
                "access-control-allow-credentials: true",
                "access-control-allow-origin: https://app.example",
                "access-control-expose-headers: x-node",
                "vary: Origin",
            ];
            assert_eq!(cors_headers(&answer), expected, "{request:?}");
        }
    }
}

#[tokio::test]
async fn every_answer_may_name_one_origin_whoever_asks() {
    let cors = Cors {
        fixed_origin: Some(HeaderValue::from_static("https://cdn.example")),
        ..Cors::default()
    };
    let expected = [
        "access-control-allow-origin: https://cdn.example",
        "vary: Origin",
    ];
    for origins in [Origins::Any, Origins::List(vec![PAGE.to_owned()])] {
        let server = with(origins, cors.clone()).await;
        let polling = server.polling().await;
        for (request, status) in every_request(&polling) {
            for request in [request.clone(), request.header("Origin", PAGE)] {
                let answer = Http::once(server.address, &request).await;
                assert_eq!(answer.status, status, "{request:?}");
                assert_eq!(cors_headers(&answer), expected, "{request:?}");
            }
        }
    }
    let server = with(Origins::SameOrigin, cors).await;
    let answer = Http::once(server.address, &Request::get(OPEN)).await;
    assert_eq!(cors_headers(&answer), [""; 0]);
}

#[tokio::test]
async fn a_function_decides_which_pages_may_connect() {
    let is_ours = |origin: &str| match origin {
        "https://panics.example" => panic!("expected by this test"),
        origin => origin.ends_with(".app.example"),
    };
    let origins = Origins::Matching(OriginPredicate::new(is_ours));
    let server = with(origins, Cors::default()).await;
    for (origin, status) in [
        ("https://one.app.example", 200),
        ("http://localhost", 200),
        ("https://one.other.example", 403),
        ("null", 403),
        ("https://panics.example", 403),
    ] {
        let request = Request::get(OPEN).header("Origin", origin);
        let answer = Http::once(server.address, &request).await;
        assert_eq!(answer.status, status, "{origin}");
        let request = upgrade_request(OPEN_WEBSOCKET).header("Origin", origin);
        let answer = Http::once(server.address, &request).await;
        assert_eq!(answer.status == 101, status == 200, "{origin}");
    }
}

/// One request of each kind, in an order in which each is possible, with the status it gets.
fn every_request(polling: &Polling) -> Vec<(Request, u16)> {
    vec![
        (Request::get(OPEN), 200),
        (Request::post(polling.target(), "4"), 200),
        (Request::get("/socket.io/?EIO=4"), 400),
        (Request::of("PUT", OPEN), 400),
        (upgrade_request(OPEN_WEBSOCKET), 101),
        (upgrade_request("/socket.io/?EIO=4"), 400),
        (Request::get(SCRIPT), 200),
        (
            Request::get(SCRIPT).header("If-None-Match", "\"4.8.1\""),
            304,
        ),
    ]
}

fn preflight(target: &str) -> Request {
    Request::of("OPTIONS", target)
        .header("Origin", PAGE)
        .header("Access-Control-Request-Method", "POST")
        .header("Access-Control-Request-Headers", "x-one,x-two")
}

/// What an answer tells browsers, and caches, of pages; in alphabetical order.
fn cors_headers(answer: &Response) -> Vec<String> {
    let headers = answer.headers.iter();
    let mut told: Vec<_> = headers
        .filter(|(name, value)| {
            name.starts_with("access-control-") || (name == "vary" && value != "Accept-Encoding")
        })
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    told.sort();
    told
}

async fn with(origins: Origins, cors: Cors) -> Server {
    let script = "/*!\n * Socket.IO v4.8.1\n */";
    Server::with(Config {
        origins,
        cors,
        client: Some(ClientBundle::from_files([("socket.io.js", script)])),
        ..Config::default()
    })
    .await
}
