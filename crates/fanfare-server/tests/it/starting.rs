use std::{fs, net::TcpStream, process::Command};

use fanfare_testkit::eventually;

use crate::server::{Server, fanfare, new_folder, run};

/// Runs the program, which has to refuse; gives what it said.
async fn refusal(command: &mut Command, named: &str) -> String {
    let (status, said) = run(command).await;
    assert_eq!(status.code(), Some(2), "{command:?}: {said}");
    assert!(said.contains(named), "{command:?}: {said}");
    said
}

#[tokio::test]
async fn it_says_where_it_is_and_what_to_do() {
    let server = Server::start();
    let address = server.address;
    assert_ne!(address.port(), 0);
    let (status, rest) = server.stop().await;
    assert_eq!(status.code(), Some(0));
    assert!(rest.contains(&format!("Open http://{address}")), "{rest}");
    assert!(
        rest.contains("open a second window") && rest.contains("/key "),
        "{rest}"
    );
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let server = Server::start();
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
    let server = Server::start();
    let address = server.address.to_string();
    let key = new_folder().join("key");
    let key = key.to_str().expect("the folder's name is text");
    let words = ["serve", "--key-file", key, "--listen", &address];
    let said = refusal(&mut fanfare(&words), &format!("{address} is taken")).await;
    let advice = format!("    fanfare serve --key-file {key} --listen 127.0.0.1:");
    assert!(said.lines().any(|line| line.starts_with(&advice)), "{said}");
    let said = refusal(
        fanfare(&words).env("FANFARE_COMMAND", "cargo xtask serve"),
        "taken",
    )
    .await;
    assert!(said.contains("    cargo xtask serve --key-file"), "{said}");
}

#[tokio::test]
async fn the_key_is_the_owners_and_outlives_the_program() {
    let key = new_folder().join("key");
    let server = Server::start_with(&key);
    let cookie = server.sign_in("Anna").await;
    assert!(server.stop().await.0.success());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(&key)
            .expect("the key was made")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let server = Server::start_with(&key);
    server.enter(&cookie, 1).await;
}

#[tokio::test]
async fn a_key_file_that_is_none_is_named() {
    let folder = new_folder();
    let short = folder.join("short");
    fs::write(&short, "secret").expect("the folder is there");
    for (file, why) in [
        (short, "has 6 bytes, and a key has at least 64"),
        (folder.join("nowhere/key"), "can't be made"),
        (folder.clone(), "can't be read"),
    ] {
        let said = refusal(
            fanfare(&["--listen", "127.0.0.1:0", "--key-file"]).arg(&file),
            why,
        )
        .await;
        assert!(
            said.contains(file.to_str().expect("the folder's name is text")),
            "{said}"
        );
    }
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
        (&["--listen", "203.0.113.1:3000"], "203.0.113.1:3000"),
    ] {
        refusal(&mut fanfare(words), named).await;
    }
}
