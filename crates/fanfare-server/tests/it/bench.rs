use std::{fs, net::TcpListener, process::Stdio};

use fanfare::Config;
use tokio::task::JoinHandle;

use crate::server::{fanfare, new_folder, run};

/// The bench's own server, at a port of its own; gives its address.
async fn served() -> (String, JoinHandle<()>) {
    let io = fanfare_bench_say::server(Config::default());
    let listener = io.bind("127.0.0.1:0").await.expect("a port is free");
    let url = format!("http://{}", listener.local_addr());
    (url, tokio::spawn(listener.serve(axum::Router::new())))
}

/// Loads the server with a few clients; gives the exit code and what went to standard error.
async fn bench(url: &str, words: &[&str]) -> (Option<i32>, String) {
    let mut command = fanfare(&["bench", url, "--clients", "5", "--brief"]);
    let (status, said) = run(command.args(words).stdout(Stdio::null())).await;
    (status.code(), said)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_right_gets_a_table_and_a_page() {
    let (url, _serving) = served().await;
    let file = new_folder().join("paced.html");
    let file = file.to_str().expect("its name is text");
    let pid = std::process::id().to_string();
    let words = ["paced", "--pid", &pid, "--html", file];
    assert_eq!(bench(&url, &words).await, (Some(0), String::new()));
    let page = fs::read_to_string(file).expect("it was written");
    for part in ["<h1>paced, 5 clients</h1>", &url, "p99.9", "<polyline"] {
        assert!(page.contains(part), "{part}");
    }
    assert!(!page.contains("<script") && !page.contains("<link"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_scenario_has_its_name() {
    let (url, _serving) = served().await;
    for words in [
        &["burst"] as &[&str],
        &["pending", "--messages", "2"],
        &["echo", "--transport", "polling"],
        &["rooms", "--members", "2", "--json"],
        &["churn", "--turns", "2"],
        &["slow", "--readers", "1", "--messages", "5", "--pause", "1"],
        &["idle", "--settle", "0"],
        &[
            "memory",
            "--settle",
            "0",
            "--messages",
            "10",
            "--header-bytes",
            "700",
        ],
    ] {
        assert_eq!(
            bench(&url, words).await,
            (Some(0), String::new()),
            "{words:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_wrong_is_said_with_what_would_be_right() {
    let (url, _serving) = served().await;
    let nobody = {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        format!("http://{}", listener.local_addr().expect("it is bound"))
    };
    let few = "name the address at which it is";
    for (url, words, code, named) in [
        (
            &url,
            &["storm", "--within", "1"] as &[&str],
            1,
            "does not answer 'user count'",
        ),
        (
            &url,
            &["paced", "--path", "/nothing"],
            2,
            "is its path the right one?",
        ),
        (
            &url,
            &["churn", "--transport", "upgrade"],
            2,
            "over websocket only",
        ),
        (&url, &["slow"], 2, "take more clients, or fewer slow ones"),
        (&url, &["heartbeat", "--seconds", "1"], 2, "pingInterval"),
        (&url, &["paced", "--pid", "4000000"], 2, "is its id right?"),
        (
            &url,
            &["paced", "--html", "/nowhere/page.html"],
            2,
            "/nowhere/page.html",
        ),
        (&nobody, &["paced"], 2, few),
    ] {
        let (actual, said) = bench(url, words).await;
        assert_eq!(actual, Some(code), "{words:?}: {said}");
        assert!(said.contains(named), "{words:?}: {said}");
    }
}
