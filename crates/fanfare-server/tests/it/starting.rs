use std::{fs, net::TcpStream, process::Command};

use fanfare_testkit::eventually;

use crate::server::{Ground, Server, fanfare, new_folder, run};

/// Runs the program, which has to refuse; gives what it said.
async fn refusal(command: &mut Command, named: &str) -> String {
    let (status, said) = run(command).await;
    assert_eq!(status.code(), Some(2), "{command:?}: {said}");
    assert!(said.contains(named), "{command:?}: {said}");
    said
}

#[tokio::test]
async fn it_says_where_it_is_and_what_to_do() {
    let server = Server::on(&Ground::file());
    let address = server.address;
    assert_ne!(address.port(), 0);
    let (status, rest) = server.stop().await;
    assert_eq!(status.code(), Some(0));
    assert!(rest.contains(&format!("Open http://{address}")), "{rest}");
    assert!(
        rest.contains("open a second window") && rest.contains("/fanfare.db."),
        "{rest}"
    );
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let server = Server::on(&Ground::file());
    // Nobody reads at its end, so that the shutdown waits for it.
    let _page = server.enter(&server.sign_in("Anna").await, 1).await;
    server.signal();
    eventually("nobody listens any more", || {
        TcpStream::connect(server.address).is_err()
    })
    .await;
    assert_eq!(server.stop().await.0.code(), Some(130));
}

#[tokio::test]
async fn a_port_that_is_taken_is_named_with_a_command_that_works() {
    let server = Server::on(&Ground::file());
    let address = server.address.to_string();
    let words = [
        "serve",
        "--database",
        "sqlite::memory:",
        "--listen",
        &address,
    ];
    let said = refusal(&mut fanfare(&words), &format!("{address} is taken")).await;
    let advice = "    fanfare serve --database sqlite::memory: --listen 127.0.0.1:";
    assert!(said.lines().any(|line| line.starts_with(advice)), "{said}");
    let said = refusal(
        fanfare(&words).env("FANFARE_COMMAND", "cargo xtask serve"),
        "taken",
    )
    .await;
    assert!(said.contains("    cargo xtask serve --database"), "{said}");
}

#[tokio::test]
async fn a_database_that_can_not_be_one_is_named_and_left_as_it_is() {
    let folder = new_folder();
    let letter = folder.join("letter.txt");
    fs::write(&letter, "Dear Anna").expect("the folder is there");
    for (file, why) in [
        (letter.clone(), "is no SQLite database"),
        (folder.join("nowhere/fanfare.db"), "there is no folder"),
        (folder.clone(), "is a folder"),
    ] {
        let database = format!("sqlite://{}", file.display());
        let words = ["--listen", "127.0.0.1:0", "--database", &database];
        let said = refusal(&mut fanfare(&words), why).await;
        let path = file.to_str().expect("the folder's name is text");
        assert!(said.contains(path) && said.contains("--database"), "{said}");
    }
    assert_eq!(fs::read(&letter).expect("it is there"), b"Dear Anna");
}

#[tokio::test]
async fn a_command_line_that_makes_no_sense_is_refused() {
    for (words, named) in [
        (&["--port", "3000"][..], "--port"),
        (
            &["serve", "--listen", "3000"],
            "'3000' for '--listen <ADDR:PORT>'",
        ),
        (&["dance"], "dance"),
        (
            &["--database", "mysql://localhost/fanfare"],
            "sqlite://PATH",
        ),
        (&["--listen", "203.0.113.1:3000"], "203.0.113.1:3000"),
        (
            &["--redis", "redis://127.0.0.1:1"],
            "--database postgres://USER:PASSWORD@HOST/NAME",
        ),
    ] {
        refusal(&mut fanfare(words), named).await;
    }
}
