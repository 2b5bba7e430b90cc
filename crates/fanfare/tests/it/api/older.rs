//! Clients of Engine.IO 3 and Socket.IO 4, as bytes: what the official client 2.x sends and expects.

use std::time::Duration;

use fanfare::{Ack, Admission, Binary, Config, Refusal, Socket};
use fanfare_testkit::{Heard, Http, Request, WebSocket, eventually, within};

use crate::{notes::notes, server::Server};

const PATH: &str = "/socket.io/?EIO=3";

fn older() -> Config {
    Config {
        allow_eio3: true,
        ..Config::default()
    }
}

/// A WebSocket of such a client, its session's id, and nothing read but the open packet.
async fn open(server: &Server, more: &str) -> (WebSocket, String) {
    let target = format!("{PATH}&transport=websocket{more}");
    let mut websocket = WebSocket::open(server.address, &target).await;
    let open = websocket.text().await;
    (websocket, sid_of(&open))
}

fn sid_of(open: &str) -> String {
    let (_, rest) = open
        .split_once(r#""sid":""#)
        .unwrap_or_else(|| panic!("{open}"));
    rest.split('"').next().unwrap_or_default().to_owned()
}

async fn get(server: &Server, query: &str) -> String {
    let answer = Http::once(
        server.address,
        &Request::get(format!("{PATH}&transport=polling{query}")),
    )
    .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.text().to_owned()
}

async fn post(server: &Server, query: &str, kind: &str, body: &[u8]) {
    let request = Request::post(format!("{PATH}&transport=polling{query}"), body);
    let answer = Http::once(server.address, &request.header("Content-Type", kind)).await;
    assert_eq!((answer.status, answer.text()), (200, "ok"));
}

#[tokio::test]
async fn an_older_client_is_in_the_main_namespace_without_asking() {
    let server = Server::with(older()).await;
    server
        .io
        .on("add", |_: Socket, n: i64, ack: Ack| async move {
            ack.send(n + 1);
        });
    let (mut client, sid) = open(&server, "").await;
    client.expect("40").await;
    assert_eq!(server.io.count().sockets, 1);
    let socket = server.io.sockets().remove(0);
    assert_eq!(socket.id().as_str(), sid);
    client.send(r#"427["add",1]"#).await;
    client.expect("437[2]").await;
    server.io.emit("news", "é");
    client.expect(r#"42["news","é"]"#).await;
    client.send("41").await;
    eventually("nobody is here", || server.io.count().sockets == 0).await;
}

#[tokio::test]
async fn without_the_setting_older_clients_are_refused() {
    let server = Server::start().await;
    let request = Request::get(format!("{PATH}&transport=polling"));
    let answer = Http::once(server.address, &request).await;
    let body = r#"{"code":5,"message":"Unsupported protocol version"}"#;
    assert_eq!((answer.status, answer.text()), (400, body));
}

#[tokio::test]
async fn an_older_client_pings_and_is_answered() {
    let server = Server::with(older()).await;
    let (mut client, _) = open(&server, "").await;
    client.expect("40").await;
    for ping in ["2", "2hello"] {
        client.send(ping).await;
        client.expect("3").await;
    }
    client.send("3").await;
    client.closed().await;
    server.is_deserted().await;
}

#[tokio::test]
async fn an_older_client_that_falls_silent_is_lost() {
    let config = Config {
        ping_interval: Duration::from_millis(100),
        ping_timeout: Duration::from_millis(100),
        ..older()
    };
    let server = Server::with(config).await;
    let (mut client, _) = open(&server, "").await;
    client.expect("40").await;
    client.closed().await;
    server.is_deserted().await;
}

#[tokio::test]
async fn an_older_clients_end_has_the_references_reason() {
    let server = Server::with(Config {
        ping_interval: Duration::from_millis(100),
        ping_timeout: Duration::from_millis(100),
        ..older()
    })
    .await;
    let (pen, mut notes) = notes();
    server.io.on_disconnect(move |_, _, reason| {
        pen.note(reason.as_str());
        async {}
    });
    for (sent, reason) in [
        (None, "ping timeout"),
        (Some("3"), "transport error"),
        (Some("x"), "parse error"),
        (Some("4x"), "forced close"),
        (Some("40"), "forced close"),
        (Some("41"), "client namespace disconnect"),
    ] {
        let (mut client, _) = open(&server, "").await;
        client.expect("40").await;
        if let Some(packet) = sent {
            client.send(packet).await;
        }
        notes.expect(&[reason]).await;
    }
}

#[tokio::test]
async fn a_namespace_may_come_with_a_query_in_place_of_auth() {
    let server = Server::with(older()).await;
    let bar = server.io.of("/bar");
    bar.admit(|handshake| async move {
        let auth = handshake.auth_json().to_owned();
        Ok::<_, Refusal>(Admission::anonymous().with_data(auth))
    });
    let (mut client, sid) = open(&server, "").await;
    client.expect("40").await;
    client.send("40/bar?token=a+b&n=1").await;
    client.expect("40/bar,").await;
    let socket = bar.sockets().remove(0);
    assert_eq!(
        socket.data::<String>().map(String::as_str),
        Some(r#"{"n":"1","token":"a b"}"#)
    );
    // Its client takes this for the socket's id.
    bar.to(format!("/bar#{sid}")).emit("hi", ());
    client.expect(r#"42/bar,["hi",null]"#).await;
}

#[tokio::test]
async fn a_refusal_is_its_data_or_its_message() {
    let server = Server::with(older()).await;
    server
        .io
        .of("/plain")
        .admit(|_| async { Err(Refusal::new("no \"way\"")) });
    server.io.of("/rich").admit(|_| async {
        let refusal = Refusal::new("no").with_data(serde_json::json!({"code": 7}));
        Err(refusal.expect("it is JSON"))
    });
    let (mut client, _) = open(&server, "").await;
    client.expect("40").await;
    for (asked, answer) in [
        ("40/plain", r#"44/plain,"no \"way\"""#),
        ("40/rich", r#"44/rich,{"code":7}"#),
        (
            "40/nowhere",
            r#"44/nowhere,{"message":"Invalid namespace"}"#,
        ),
    ] {
        client.send(asked).await;
        client.expect(answer).await;
    }
    server.io.admit(|_| async { Err(Refusal::new("closed")) });
    let (mut late, _) = open(&server, "").await;
    late.expect(r#"44"closed""#).await;
}

#[tokio::test]
async fn who_asks_for_the_main_namespace_breaks_the_protocol() {
    let server = Server::with(older()).await;
    let (mut client, _) = open(&server, "").await;
    client.expect("40").await;
    client.send("40").await;
    client.closed().await;
    server.is_deserted().await;
}

#[tokio::test]
async fn binary_messages_carry_their_type() {
    let server = Server::with(older()).await;
    server
        .io
        .on("echo", |socket: Socket, data: Binary| async move {
            socket.emit("echo", data);
        });
    let text = r#"51-["echo",{"_placeholder":true,"num":0}]"#;
    let (mut client, _) = open(&server, "").await;
    client.expect("40").await;
    client.send(&format!("4{text}")).await;
    client.send_binary(&[4, 1, 2, 3]).await;
    client.expect(&format!("4{text}")).await;
    assert_eq!(client.hear().await, Heard::Binary(vec![4, 1, 2, 3].into()));

    let (mut base64, _) = open(&server, "&b64=1").await;
    base64.expect("40").await;
    base64.send(&format!("4{text}")).await;
    base64.send("b4AQID").await;
    base64.expect(&format!("4{text}")).await;
    base64.expect("b4AQID").await;
}

#[tokio::test]
async fn polling_counts_lengths_as_javascript_does() {
    let server = Server::with(older()).await;
    server
        .io
        .on("echo", |socket: Socket, text: String| async move {
            socket.emit("echo", text);
        });
    let handshake = get(&server, "&b64=1").await;
    let (length, open) = handshake.split_once(':').expect("a length");
    assert_eq!(length.parse(), Ok(open.len()));
    let sid = format!("&b64=1&sid={}", sid_of(open));
    assert_eq!(get(&server, &sid).await, "2:40");
    let event = r#"42["echo","€é😀"]"#;
    let packet = format!("{}:{event}", event.encode_utf16().count());
    post(&server, &sid, "text/plain;charset=UTF-8", packet.as_bytes()).await;
    assert_eq!(get(&server, &sid).await, packet);
    // Two packets in one payload.
    post(&server, &sid, "text/plain;charset=UTF-8", b"1:2").await;
    server.io.emit("n", 1);
    let polled = get(&server, &sid).await;
    let all = if polled.contains('n') {
        polled
    } else {
        polled + &get(&server, &sid).await
    };
    assert_eq!(all, r#"1:39:42["n",1]"#);
    post(&server, &sid, "text/plain;charset=UTF-8", b"nonsense").await;
    server.is_deserted().await;
}

#[tokio::test]
async fn polling_takes_and_gives_bytes() {
    let server = Server::with(older()).await;
    server
        .io
        .on("echo", |socket: Socket, data: Binary| async move {
            socket.emit("echo", data);
        });
    let sid = format!("&sid={}", sid_of(&get(&server, "").await));
    assert_eq!(get(&server, &sid).await, "2:40");
    let text = br#"451-["echo",{"_placeholder":true,"num":0}]"#;
    let mut payload = vec![0, 4, 3, 255];
    assert_eq!(text.len(), 42);
    payload[1..3].copy_from_slice(&[4, 2]);
    payload.extend_from_slice(text);
    payload.extend_from_slice(&[1, 4, 255, 4, 1, 2, 3]);
    post(&server, &sid, "application/octet-stream", &payload).await;
    let request = Request::get(format!("{PATH}&transport=polling{sid}"));
    let answer = Http::once(server.address, &request).await;
    assert_eq!(
        answer.header("content-type"),
        Some("application/octet-stream")
    );
    assert_eq!(answer.body, payload);
}

#[tokio::test]
async fn a_session_keeps_to_its_protocol() {
    let server = Server::with(older()).await;
    let sid = sid_of(&get(&server, "").await);
    let newer = Request::get(format!("/socket.io/?EIO=4&transport=polling&sid={sid}"));
    let answer = Http::once(server.address, &newer).await;
    assert_eq!(
        (answer.status, answer.text()),
        (400, r#"{"code":3,"message":"Bad request"}"#)
    );
    let newer = server.polling().await;
    let older = Request::get(format!("{PATH}&transport=polling&sid={}", newer.sid()));
    assert_eq!(Http::once(server.address, &older).await.status, 400);
}

#[tokio::test]
async fn a_session_moves_to_websocket() {
    let server = Server::with(older()).await;
    let sid = sid_of(&get(&server, "").await);
    let query = format!("&sid={sid}");
    assert_eq!(get(&server, &query).await, "2:40");
    let target = format!("{PATH}&transport=websocket{query}");
    let mut websocket = WebSocket::open(server.address, &target).await;
    websocket.send("2probe").await;
    websocket.expect("3probe").await;
    websocket.send("5").await;
    websocket.send("2").await;
    websocket.expect("3").await;
    server.io.emit("data", Binary::from(vec![9]));
    websocket
        .expect(r#"451-["data",{"_placeholder":true,"num":0}]"#)
        .await;
    assert_eq!(websocket.hear().await, Heard::Binary(vec![4, 9].into()));
}

#[tokio::test]
async fn scripts_poll_by_calling_a_function() {
    let server = Server::with(older()).await;
    server
        .io
        .on("echo", |socket: Socket, text: String| async move {
            socket.emit("echo", text);
        });
    let script = get(&server, "&j=0").await;
    let open = script
        .strip_prefix(r#"___eio[0](""#)
        .and_then(|rest| rest.strip_suffix(r#"");"#));
    let open = open.unwrap_or_else(|| panic!("{script}")).replace('\\', "");
    let sid = format!("&j=1&sid={}", sid_of(&open));
    // The function is the one of the first request.
    assert_eq!(get(&server, &sid).await, r#"___eio[0]("2:40");"#);
    let packet = r#"42["echo","a\nb"]"#;
    let field = format!("{}:{}", packet.len(), packet.replace("\\n", "\\\\n"));
    let form = format!("d={}", percent(&field));
    let kind = "application/x-www-form-urlencoded";
    post(&server, &sid, kind, form.as_bytes()).await;
    let heard = format!("{}:{packet}", packet.len())
        .replace('\\', "\\\\")
        .replace('"', "\\\"");
    assert_eq!(get(&server, &sid).await, format!("___eio[0](\"{heard}\");"));
    post(&server, &sid, "application/x-www-form-urlencoded", b"x=1").await;
    within("still here", async {
        server.io.emit("n", 1).report().await
    })
    .await
    .expect("it is sent");
    assert_eq!(get(&server, &sid).await, r#"___eio[0]("9:42[\"n\",1]");"#);
}

#[tokio::test]
async fn a_foreign_page_gets_no_script() {
    let server = Server::with(older()).await;
    for (site, status) in [
        ("cross-site", 403),
        ("same-site", 403),
        ("same-origin", 200),
        ("none", 200),
    ] {
        let request =
            Request::get(format!("{PATH}&transport=polling&j=0")).header("Sec-Fetch-Site", site);
        assert_eq!(
            Http::once(server.address, &request).await.status,
            status,
            "{site}"
        );
    }
    let newer = Server::start().await;
    let request = Request::get("/socket.io/?EIO=4&transport=polling&j=0")
        .header("Sec-Fetch-Site", "cross-site");
    let answer = Http::once(newer.address, &request).await;
    assert!(
        answer.text().starts_with("0{"),
        "without the setting no script is made: {answer:?}"
    );
}

fn percent(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}
