use std::{
    collections::HashSet,
    fs,
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, Mutex},
};

use fanfare::{Config, Io};
use fanfare_testkit::eventually;
use serde_json::Value;

use crate::server::{fanfare, new_folder, run};

/// A node that says where it is, in a file of the folder, and then is one of ours.
fn known_in(folder: &Path) -> String {
    let program = env!("CARGO_BIN_EXE_fanfare");
    format!(
        "sh -c 'echo {{redis}} > {}/{{port}}; exec {program} chaos-node --listen 127.0.0.1:{{port}} --redis {{redis}}'",
        folder.display()
    )
}

/// Where everything of a cluster listens, once all `n_nodes` are known in the folder.
fn addresses(folder: &Path, n_nodes: usize) -> Option<HashSet<SocketAddr>> {
    let files: Vec<_> = fs::read_dir(folder).ok()?.flatten().collect();
    if files.len() < n_nodes {
        return None;
    }
    let mut addresses = HashSet::new();
    for file in files {
        let port = file.file_name().to_str()?.parse().ok()?;
        addresses.insert(SocketAddr::from(([127, 0, 0, 1], port)));
        let redis = fs::read_to_string(file.path()).ok()?;
        addresses.insert(redis.trim().strip_prefix("redis://")?.parse().ok()?);
    }
    Some(addresses)
}

/// Two servers that keep one count, as nodes of a cluster do; gives what `--attach` is told.
async fn pair(counts_who_leaves: bool) -> String {
    let count = Arc::new(Mutex::new(0_u64));
    let nodes = [(); 2].map(|()| Io::with(Config::default()));
    let change = |by: i64| {
        let (nodes, count) = (nodes.clone(), count.clone());
        move || {
            let mut count = count.lock().expect("no emit panics");
            *count = count.saturating_add_signed(by);
            for io in &nodes {
                io.emit("user count", *count);
            }
        }
    };
    let mut urls = Vec::new();
    for io in &nodes {
        let (come, go) = (change(1), change(if counts_who_leaves { -1 } else { 0 }));
        io.on_connect(move |_, _| {
            come();
            async {}
        });
        io.on_disconnect(move |_, _, _| {
            go();
            async {}
        });
        let listener = io.bind("127.0.0.1:0").await.expect("a port is free");
        urls.push(format!("http://{}", listener.local_addr()));
        tokio::spawn(listener.serve(axum::Router::new()));
    }
    urls.join(",")
}

/// Runs it with few clients, and no longer than needed; gives the exit code, what it said, and what it wrote.
async fn chaos(words: &[&str]) -> (Option<i32>, String, Option<Value>) {
    let file = new_folder().join("chaos.json");
    let mut command = fanfare(&["chaos", "--runs", "1", "--clients", "20"]);
    command
        .args(["--settle", "0.2", "--stay", "0.3"])
        .arg("--json")
        .arg(&file)
        .args(words)
        .stdout(Stdio::null());
    let (status, said) = run(&mut command).await;
    let json = fs::read_to_string(file).ok();
    let json = json.and_then(|json| serde_json::from_str(&json).ok());
    (status.code(), said, json)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_count_that_is_right_gets_figures_and_a_page() {
    let urls = pair(true).await;
    let file = new_folder().join("chaos.html");
    let html = file.to_str().expect("its name is text");
    let (code, said, json) = chaos(&["join", "leave", "--attach", &urls, "--html", html]).await;
    assert_eq!(code, Some(0), "{said}");
    let runs = &json.expect("it was written")["runs"];
    for (number, fault, clients) in [(0, "join", 22), (1, "leave", 18)] {
        let run = &runs[number];
        assert_eq!(run["fault"], fault);
        let truth = run["trace"]["truth"].as_array().expect("it is a line");
        assert_eq!(truth.last().expect("it has a point")[1], clients);
        assert!(run["verdict"]["all_s"].is_f64(), "{run}");
        let nodes = run["verdict"]["nodes"].as_array().expect("it is a list");
        let everyone = nodes.iter().map(|node| node["clients"].as_u64());
        assert_eq!(everyone.sum::<Option<u64>>(), Some(clients));
    }
    let page = fs::read_to_string(PathBuf::from(html)).expect("it was written");
    assert_eq!(page.matches("<svg").count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_count_that_stays_wrong_is_never_right() {
    let urls = pair(false).await;
    let (code, said, json) = chaos(&["leave", "--attach", &urls, "--patience", "0.3"]).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("never right again; 2 too many"), "{said}");
    let verdict = &json.expect("it was written")["runs"][0]["verdict"];
    assert_eq!(verdict["all_s"], Value::Null);
    assert_eq!(verdict["overshoot"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_measured_is_said_with_what_would_be_right() {
    let urls = pair(true).await;
    let (code, said, _) = chaos(&["join", "--attach", &urls, "--pids", "1"]).await;
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("one id for each node"), "{said}");
    let (code, said, _) = chaos(&["join", "--attach", &urls, "--html", "/nowhere/page.html"]).await;
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("/nowhere/page.html"), "{said}");
    // The program is named by its whole path, redis-server is not.
    let mut command = fanfare(&["chaos", "wipe"]);
    let (status, said) = run(command.env("PATH", "/nowhere").stdout(Stdio::null())).await;
    assert_eq!(status.code(), Some(2), "{said}");
    assert!(said.contains("apt install redis-server"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_does_not_start_is_quoted() {
    let node = "sh -c 'echo no such library; exit 3' {port} {redis}";
    let (code, said, _) = chaos(&["wipe", "--node", node]).await;
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("no such library"), "{said}");
    assert!(said.contains("exit status: 3"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_of_our_own_is_killed_and_missed_for_a_while() {
    let (code, said, json) = chaos(&["join", "kill", "--nodes", "2"]).await;
    assert_eq!(code, Some(0), "{said}");
    let runs = &json.expect("it was written")["runs"];
    assert_eq!(runs[0]["verdict"]["nodes"][1]["clients"], 11);
    let killed = &runs[1];
    assert_eq!(killed["node"], 0);
    let truth = killed["trace"]["truth"].as_array().expect("it is a line");
    assert!(truth.iter().any(|point| point[1] == 10), "{truth:?}");
    // All are at the other node, and it counts no ghosts.
    let nodes = killed["verdict"]["nodes"].as_array().expect("it is a list");
    assert_eq!((nodes.len(), &nodes[0]["node"]), (1, &Value::from(1)));
    assert_eq!(nodes[0]["clients"], 20);
    assert!(nodes[0]["all_s"].is_f64(), "{killed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn people_come_and_go_while_the_broker_is_away_or_forgets_and_all_are_counted_after_it() {
    let (code, said, json) = chaos(&["restart", "wipe", "failover"]).await;
    assert_eq!(code, Some(0), "{said}");
    let runs = json.expect("it was written")["runs"].take();
    let runs = runs.as_array().expect("it is a list");
    let faults: Vec<_> = runs.iter().map(|run| run["fault"].as_str()).collect();
    assert_eq!(faults, [Some("restart"), Some("wipe"), Some("failover")]);
    for run in runs {
        // Two of the twenty leave, and four others join.
        let truth = run["trace"]["truth"].as_array().expect("it is a line");
        assert_eq!(truth.last().expect("it has a point")[1], 22);
        assert!(run["verdict"]["all_s"].is_f64(), "{run}");
    }
    // What others have is not known while there is no broker, and what has changed is shown late.
    assert!(runs[0]["verdict"]["wrong_before_s"].as_f64() > Some(0.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_killed_leaves_nothing_behind() {
    let folder = new_folder();
    let mut command = fanfare(&["chaos", "join", "--runs", "1", "--nodes", "2"]);
    command.args(["--clients", "2", "--node", &known_in(&folder)]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut chaos = command.spawn().expect("the program was built");
    let mut all = HashSet::new();
    eventually("all listen", || {
        all = addresses(&folder, 2).unwrap_or_default();
        // Two nodes, and the broker.
        all.len() == 3
            && all
                .iter()
                .all(|address| TcpStream::connect(address).is_ok())
    })
    .await;
    chaos.kill().expect("it is our child");
    chaos.wait().expect("it is our child");
    eventually("nobody listens", || {
        let mut all = all.iter();
        all.all(|address| TcpStream::connect(address).is_err())
    })
    .await;
}
