//! Polling, request by request.

use fanfare::{
    Config, ProtoLimits,
    engine::{EngineHandler, Message},
};
use fanfare_testkit::{Http, Polling, Request, punctual};
use tokio::sync::mpsc;

use crate::server::{self, Server};

#[tokio::test]
async fn answers_have_the_references_headers() {
    let server = Server::with(server::echo()).await;
    let open = Request::get("/engine.io/?EIO=4&transport=polling");
    let opened = Http::once(server.address, &open).await;
    let polling = server.polling().await;
    let posted = polling.post("4hello").await;
    let polled = polling.get().await;
    for (answer, kind) in [
        (&opened, "text/plain; charset=UTF-8"),
        (&posted, "text/html"),
        (&polled, "text/plain; charset=UTF-8"),
    ] {
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), Some(kind));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let length = answer.body.len().to_string();
        assert_eq!(answer.header("content-length"), Some(&*length));
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
    assert_eq!((posted.text(), polled.text()), ("ok", "4hello"));
}

#[tokio::test]
async fn old_browsers_of_microsofts_are_told_not_to_look_for_attacks() {
    let server = Server::with(server::echo()).await;
    for (agent, expected) in [
        ("Mozilla/4.0 (compatible;MSIE 8.0)", Some("0")),
        (
            "Mozilla/5.0 (Windows NT 6.1; Trident/7.0; rv:11.0)",
            Some("0"),
        ),
        ("Mozilla/5.0 (X11; rv:130.0)", None),
    ] {
        let polling = server.polling().await;
        for (request, status) in [
            (Request::get("/engine.io/?EIO=4&transport=polling"), 200),
            (Request::post(polling.target(), "4hello"), 200),
            (Request::get(polling.target()), 200),
            (Request::get("/engine.io/?EIO=4"), 400),
        ] {
            let answer = Http::once(server.address, &request.header("User-Agent", agent)).await;
            assert_eq!(answer.status, status);
            let expected = expected.filter(|_| status == 200);
            assert_eq!(answer.header("x-xss-protection"), expected, "{answer:?}");
        }
    }
}

#[tokio::test]
async fn packets_before_the_first_bad_one_are_taken() {
    for (payload, taken) in [
        ("4one\u{1e}abc\u{1e}4two", &["one"][..]),
        ("4one\u{1e}4two\u{1e}", &["one", "two"]),
        ("4one\u{1e}\u{1e}4two", &["one"]),
        ("", &[]),
        ("7", &[]),
        ("\u{1e}4one", &[]),
    ] {
        punctual(move || check_taken(payload, taken)).await;
    }
}

async fn check_taken(payload: &'static str, taken: &'static [&'static str]) {
    let (took, mut messages) = mpsc::unbounded_channel();
    let server = Server::with(Config {
        engine: Some(EngineHandler::new(move |_, message| {
            // The test may have ended.
            let _ = took.send(message);
        })),
        ..server::echo()
    })
    .await;
    let polling = server.polling().await;
    let mut get = polling.park().await;
    polling.send(payload).await;
    for text in taken {
        let message = Message::Text((*text).to_owned());
        assert_eq!(messages.recv().await, Some(message), "{payload:?}");
    }
    assert_eq!(get.receive().await.text(), "1", "{payload:?}");
    check_over(&polling).await;
    assert!(messages.try_recv().is_err(), "{payload:?}");
}

#[tokio::test]
async fn text_that_is_no_utf_8_is_replaced() {
    let server = Server::with(server::echo()).await;
    let polling = server.polling().await;
    polling.post(*b"4a\xffb").await;
    assert_eq!(polling.receive().await, "4a\u{fffd}b");
}

#[tokio::test]
async fn base64_is_read_as_leniently_as_node_does() {
    let server = Server::with(server::echo()).await;
    let polling = server.polling().await;
    for (sent, back) in [
        ("b+/8=", "b+/8="),
        ("b-_8=", "b+/8="),
        ("b-_8", "b+/8="),
        ("b+ /\n8=", "b+/8="),
        ("b", "b"),
    ] {
        polling.send(sent).await;
        assert_eq!(polling.receive().await, back, "{sent:?}");
    }
}

#[tokio::test]
async fn a_binary_body_is_refused_and_ends_the_session() {
    punctual(|| async {
        let server = Server::with(server::echo()).await;
        let polling = server.polling().await;
        let mut get = polling.park().await;
        let binary = Request::post(polling.target(), "4hello")
            .header("Content-Type", "application/octet-stream");
        let answer = Http::once(server.address, &binary).await;
        assert_eq!((answer.status, answer.text()), (400, ""));
        assert_eq!(get.receive().await.text(), "1");
        check_over(&polling).await;
    })
    .await;
}

#[tokio::test]
async fn any_other_content_type_is_text() {
    let server = Server::with(server::echo()).await;
    let polling = server.polling().await;
    for kind in ["application/octet-stream; charset=x", "", "a/b"] {
        let post = Request::post(polling.target(), "4hello").header("Content-Type", kind);
        assert_eq!(
            Http::once(server.address, &post).await.text(),
            "ok",
            "{kind}"
        );
        assert_eq!(polling.receive().await, "4hello");
    }
}

#[tokio::test]
async fn a_body_may_come_in_chunks_and_its_connection_serve_more() {
    let server = Server::with(server::echo()).await;
    let polling = server.polling().await;
    let mut http = Http::connect(server.address).await;
    for _ in 0..2 {
        let head = format!(
            "POST {} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n",
            polling.target()
        );
        for part in [&*head, "3\r\n4he\r\n", "3\r\nllo\r\n", "0\r\n\r\n"] {
            http.send(part.as_bytes()).await;
        }
        assert_eq!(http.receive().await.text(), "ok");
        let polled = http.ask(&Request::get(polling.target())).await;
        assert_eq!(polled.text(), "4hello");
    }
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_and_the_session_lives() {
    let mut config = server::echo();
    config.limits.proto = ProtoLimits {
        max_payload_bytes: 1_000,
        ..ProtoLimits::default()
    };
    let server = Server::with(config).await;
    let polling = server.polling().await;
    let full = format!("4{}", "x".repeat(999));
    polling.send(&full).await;
    assert_eq!(polling.receive().await, full);

    let answer = polling.post(format!("{full}x")).await;
    assert_eq!((answer.status, answer.text()), (413, ""));
    polling.send("4still here").await;
    assert_eq!(polling.receive().await, "4still here");
}

#[tokio::test]
async fn a_body_far_over_the_limit_is_refused_while_it_comes() {
    let server = Server::with(server::echo()).await;
    let polling = server.polling().await;
    let mut http = Http::connect(server.address).await;
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000000\r\n\r\n",
        polling.target()
    );
    http.send(head.as_bytes()).await;
    http.send(&vec![b'4'; 1_000_001]).await;
    assert_eq!(http.receive().await.status, 413);
    http.receive_end().await;
    polling.send("4still here").await;
    assert_eq!(polling.receive().await, "4still here");
}

#[tokio::test]
async fn a_session_knows_get_and_post_only() {
    let server = Server::with(server::echo()).await;
    let polling = server.polling().await;
    for method in ["PUT", "DELETE", "PATCH", "OPTIONS"] {
        let request = Request::of(method, polling.target());
        let answer = Http::once(server.address, &request).await;
        assert_eq!((answer.status, answer.text()), (500, ""), "{method}");
    }
    polling.send("4still here").await;
    assert_eq!(polling.receive().await, "4still here");
}

#[tokio::test]
async fn a_second_get_ends_the_session_and_answers_both() {
    punctual(|| async {
        let server = Server::with(server::echo()).await;
        let polling = server.polling().await;
        let mut first = polling.park().await;
        let second = polling.get().await;
        assert_eq!((second.status, second.text()), (400, ""));
        assert_eq!(second.header("content-type"), None);
        assert_eq!(first.receive().await.text(), "1");
        check_over(&polling).await;
    })
    .await;
}

#[tokio::test]
async fn a_get_that_is_given_up_ends_the_session() {
    punctual(|| async {
        let server = Server::with(server::echo()).await;
        let polling = server.polling().await;
        drop(polling.park().await);
        server.is_deserted().await;
        check_over(&polling).await;
    })
    .await;
}

#[tokio::test]
async fn a_second_post_ends_the_session_and_the_first() {
    punctual(|| async {
        let server = Server::with(server::echo()).await;
        let polling = server.polling().await;
        let mut get = polling.park().await;
        let mut first = begin_post(&server, &polling).await;
        let second = polling.post("4two").await;
        assert_eq!((second.status, second.text()), (400, ""));
        assert_eq!(get.receive().await.text(), "1");
        check_over(&polling).await;
        first.receive_end().await;
    })
    .await;
}

#[tokio::test]
async fn a_post_that_is_given_up_ends_the_session() {
    punctual(|| async {
        let server = Server::with(server::echo()).await;
        let polling = server.polling().await;
        let mut get = polling.park().await;
        drop(begin_post(&server, &polling).await);
        assert_eq!(get.receive().await.text(), "1");
        check_over(&polling).await;
    })
    .await;
}

#[tokio::test]
async fn a_get_that_is_pending_when_its_client_is_lost_is_answered() {
    punctual(|| async {
        let server = fast_echo().await;
        let polling = server.polling().await;
        assert_eq!(polling.receive().await, "2");
        let lost = polling.get().await;
        assert_eq!((lost.status, lost.text()), (200, "1"));
        check_over(&polling).await;
    })
    .await;
}

#[tokio::test]
async fn a_post_that_never_ends_ends_with_its_session() {
    let server = fast_echo().await;
    let polling = server.polling().await;
    let mut post = begin_post(&server, &polling).await;
    server.is_deserted().await;
    post.receive_end().await;
}

async fn fast_echo() -> Server {
    Server::with(Config {
        path: "/engine.io".to_owned(),
        engine: server::echo().engine,
        ..server::fast()
    })
    .await
}

/// A `POST` of which half has come.
async fn begin_post(server: &Server, polling: &Polling) -> Http {
    let mut http = Http::connect(server.address).await;
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n4one",
        polling.target()
    );
    http.send(head.as_bytes()).await;
    tokio::time::sleep(std::time::Duration::from_millis(30)).await;
    http
}

/// The session is over, and its id means nothing.
async fn check_over(polling: &Polling) {
    let answer = polling.get().await;
    let unknown = r#"{"code":1,"message":"Session ID unknown"}"#;
    assert_eq!((answer.status, answer.text()), (400, unknown));
}
