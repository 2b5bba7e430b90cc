//! Redis over TLS.

use std::{net::TcpListener, path::PathBuf};

use fanfare::Config;
use fanfare_redis::RedisAdapter;
use fanfare_testkit::Redis;

use crate::node::Node;

/// Has Redis listen over TLS, too; returns its URL, and the certificate that it has for that.
async fn listen_over_tls(redis: &Redis) -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]);
    let made = made.expect("a certificate can be made");
    let file = |name: &str, text: &str| {
        let name = format!("{}-{name}.pem", redis.address().port());
        let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::write(&file, text).expect("the folder is there");
        file.to_str().expect("it is text").to_owned()
    };
    let certificate = file("certificate", &made.cert.pem());
    let key = file("key", &made.signing_key.serialize_pem());
    // Between the choice of a port and its use, somebody else may take it.
    for _ in 0..5 {
        let free = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let port = free.local_addr().expect("it is bound").port().to_string();
        drop(free);
        let set = ["CONFIG", "SET", "tls-cert-file", &certificate];
        let more = ["tls-key-file", &key, "tls-auth-clients", "no"];
        let words = [&set[..], &more, &["tls-port", &port]].concat();
        if redis.command(&words).await == "+OK" {
            return (format!("rediss://127.0.0.1:{port}"), made.cert.pem());
        }
    }
    panic!("Redis does not listen over TLS");
}

#[tokio::test]
async fn a_node_reaches_a_redis_over_tls_that_it_trusts() {
    let redis = Redis::start().await;
    let (url, certificate) = listen_over_tls(&redis).await;
    let adapter = RedisAdapter::new(&url).expect("a URL");
    let adapter = adapter.trusting(certificate).expect("a certificate");
    let a = Node::with(adapter, Config::default()).await;
    a.is_in_reach().await;
    let b = Node::start(&redis).await;
    let (mut here, mut there) = (a.client().await, b.client().await);
    a.io.emit("all", 1);
    there.expect(r#"42["all",1]"#).await;
    b.io.emit("back", 2);
    here.expect(r#"42["all",1]"#).await;
    here.expect(r#"42["back",2]"#).await;
}

#[test]
fn a_certificate_that_is_none_and_a_url_without_tls_are_refused() {
    let over_tls = RedisAdapter::new("rediss://127.0.0.1").expect("a URL");
    let refused = over_tls.trusting("no certificate").unwrap_err();
    assert!(refused.to_string().contains("no certificate"), "{refused}");
    let plain = RedisAdapter::new("redis://127.0.0.1").expect("a URL");
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]);
    let refused = plain.trusting(made.expect("a certificate").cert.pem());
    let refused = refused.unwrap_err();
    assert!(refused.to_string().contains("rediss://"), "{refused}");
}
