//! Scripts that poll by calling a function, byte by byte.

use fanfare::Config;
use fanfare_testkit::{Http, Request, Response};

use crate::server::{self, Server};

const TARGET: &str = "/engine.io/?EIO=4&transport=polling";

#[tokio::test]
async fn the_newer_protocol_has_scripts_too() {
    let server = scripted().await;
    let (answer, open) = open(&server, "&j=12x3").await;
    let kind = answer.header("content-type");
    assert_eq!(kind, Some("text/plain; charset=UTF-8"));
    assert!(
        open.starts_with("___eio[123](\"0{\\\"sid\\\":\\\""),
        "{open}"
    );
    assert!(open.ends_with("}\");"), "{open}");
}

#[tokio::test]
async fn what_a_script_posts_is_unescaped_once_and_what_it_gets_is_a_string() {
    let server = scripted().await;
    let (_, open) = open(&server, "&j=0").await;
    for (field, script) in [
        // Two characters of a field are a line's end, and three are two.
        ("4a\\nb", "4a\\nb"),
        ("4a\\\\nb", "4a\\\\nb"),
        ("4\u{2028}\u{2029}", "4\\u2028\\u2029"),
        ("4\"</script>", "4\\\"</script>"),
        ("4one\u{1e}bAQI=", "4one\\u001ebAQI="),
    ] {
        let form: String = field.bytes().map(|byte| format!("%{byte:02X}")).collect();
        post(&server, &open, &format!("d={form}&more=1")).await;
        let polled = Http::once(server.address, &Request::get(target(&open))).await;
        assert_eq!(polled.text(), format!("___eio[0](\"{script}\");"));
    }
}

#[tokio::test]
async fn a_form_without_its_field_is_passed_over() {
    let server = scripted().await;
    let (_, open) = open(&server, "&j=0").await;
    for form in ["", "x=4one", "D=4one"] {
        post(&server, &open, form).await;
    }
    post(&server, &open, "d=4two").await;
    let polled = Http::once(server.address, &Request::get(target(&open))).await;
    assert_eq!(polled.text(), "___eio[0](\"4two\");");
}

#[tokio::test]
async fn without_the_setting_a_function_is_not_called() {
    let server = Server::with(server::echo()).await;
    let (_, open) = open(&server, "&j=0").await;
    assert!(open.starts_with("0{"), "{open}");
}

async fn scripted() -> Server {
    Server::with(Config {
        allow_eio3: true,
        ..server::echo()
    })
    .await
}

async fn open(server: &Server, more: &str) -> (Response, String) {
    let request = Request::get(format!("{TARGET}{more}"));
    let answer = Http::once(server.address, &request).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let text = answer.text().to_owned();
    (answer, text)
}

async fn post(server: &Server, open: &str, form: &str) {
    let request = Request::post(target(open), form)
        .header("Content-Type", "application/x-www-form-urlencoded");
    let answer = Http::once(server.address, &request).await;
    assert_eq!((answer.status, answer.text()), (200, "ok"), "{form}");
}

/// Where the session is that `open` opened.
fn target(open: &str) -> String {
    let (_, rest) = open.split_once(r#"sid\":\""#).expect("a sid");
    format!("{TARGET}&sid={}", &rest[..20])
}
