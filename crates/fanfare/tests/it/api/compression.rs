//! Compressed answers, for clients that take them.

use std::io::Read;

use fanfare::Config;
use fanfare_testkit::{Http, Polling, Request, Response, within};
use flate2::read::{GzDecoder, ZlibDecoder};

use crate::server::{Server, echo};

const PATH: &str = "/engine.io/";

#[tokio::test]
async fn a_long_answer_is_compressed_as_the_client_would_rather_have_it() {
    let server = Server::with(echo()).await;
    for (accepted, coding) in [
        ("gzip, deflate, br", Some("gzip")),
        ("deflate, gzip", Some("deflate")),
        ("gzip;q=0.1, deflate", Some("deflate")),
        ("br", None),
        ("gzip;q=0", None),
    ] {
        let text = format!("4{}", "abc ".repeat(1_000));
        let answer = ask(&server, &text, accepted).await;
        assert_eq!(answer.header("content-encoding"), coding, "{accepted}");
        assert_eq!(
            answer.header("content-type"),
            Some("text/plain; charset=UTF-8")
        );
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(decoded(&answer), text.as_bytes(), "{accepted}");
        if coding.is_some() {
            assert!(answer.body.len() < 200, "{} bytes", answer.body.len());
        }
    }
}

#[tokio::test]
async fn an_answer_is_compressed_from_the_threshold_on() {
    let settings = [(Some(1_024), 1_024), (Some(10), 10), (Some(0), 0)];
    for (setting, threshold) in settings {
        let server = Server::with(Config {
            http_compression: setting,
            ..echo()
        })
        .await;
        let longest = format!("4{}", "x".repeat(usize::max(threshold, 3) - 2));
        let answer = ask(&server, &longest, "gzip").await;
        assert_eq!(
            answer.header("content-encoding").is_none(),
            longest.len() < threshold
        );
        assert_eq!(decoded(&answer), longest.as_bytes());
        let answer = ask(&server, &format!("{longest}x"), "gzip").await;
        assert_eq!(answer.header("content-encoding"), Some("gzip"));
    }
}

#[tokio::test]
async fn nothing_is_compressed_if_that_is_switched_off() {
    let server = Server::with(Config {
        http_compression: None,
        ..echo()
    })
    .await;
    let text = format!("4{}", "x".repeat(100_000));
    let answer = ask(&server, &text, "gzip, deflate").await;
    assert_eq!(answer.header("content-encoding"), None);
    assert_eq!(answer.text(), text);
}

#[tokio::test]
async fn many_large_answers_at_once_are_whole() {
    let server = Server::with(echo()).await;
    let asked = (0..40_u32).map(|n| {
        let server = &server;
        async move {
            // Numbers that a multiplication spreads: text that compresses badly.
            let numbers = (0..60_000).map(|at: u32| at.wrapping_mul(2_654_435_761) ^ n);
            let text: String = numbers.map(|number| format!("{number:x}")).collect();
            let text = format!("4{text}");
            let answer = ask(server, &text, "gzip").await;
            assert_eq!(answer.header("content-encoding"), Some("gzip"));
            assert!(decoded(&answer) == text.as_bytes(), "answer {n} is another");
        }
    });
    within("all answers", futures_util::future::join_all(asked)).await;
}

#[tokio::test]
async fn older_clients_binary_payloads_are_compressed_too() {
    let server = Server::with(Config {
        allow_eio3: true,
        ..echo()
    })
    .await;
    let target = format!("{PATH}?EIO=3&transport=polling");
    let open = Http::once(server.address, &Request::get(&target)).await;
    let (_, rest) = open.text().split_once(r#""sid":""#).expect("a sid");
    let target = format!("{target}&sid={}", &rest[..20]);
    let mut packet = vec![1, 2, 0, 0, 1, 0xff, 4];
    packet.extend([7; 2_000]);
    let post = Request::post(&target, packet.clone());
    let post = post.header("Content-Type", "application/octet-stream");
    assert_eq!(Http::once(server.address, &post).await.text(), "ok");
    let get = Request::get(&target).header("Accept-Encoding", "gzip");
    let answer = Http::once(server.address, &get).await;
    assert_eq!(
        answer.header("content-type"),
        Some("application/octet-stream")
    );
    assert_eq!(answer.header("content-encoding"), Some("gzip"));
    assert_eq!(decoded(&answer), packet);
}

/// Sends a message to a server that gives it back, and takes it.
async fn ask(server: &Server, text: &str, accepted: &str) -> Response {
    let polling = Polling::open(server.address, PATH).await;
    polling.send(text).await;
    let get = Request::get(polling.target()).header("Accept-Encoding", accepted);
    Http::once(server.address, &get).await
}

fn decoded(answer: &Response) -> Vec<u8> {
    let mut body = Vec::new();
    match answer.header("content-encoding") {
        Some("gzip") => GzDecoder::new(&*answer.body).read_to_end(&mut body),
        Some("deflate") => ZlibDecoder::new(&*answer.body).read_to_end(&mut body),
        _ => return answer.body.clone(),
    }
    .expect("it is what it says");
    body
}
