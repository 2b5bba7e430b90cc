//! The crate computes: it opens nothing, waits for nothing, and asks nobody for the time.

use std::path::Path;
use std::process::Command;
use std::{fs, io};

/// Crates that bring a runtime, sockets, a clock or chance. With them goes what is named after
/// them: `tokio` stands for `tokio-util` too.
const IMPURE_CRATES: [&str; 28] = [
    "actix",
    "async-io",
    "async-net",
    "async-std",
    "calloop",
    "chrono",
    "compio",
    "coarsetime",
    "fastrand",
    "futures-timer",
    "getrandom",
    "glommio",
    "hyper",
    "instant",
    "io-uring",
    "jiff",
    "mio",
    "monoio",
    "nix",
    "polling",
    "quanta",
    "rand",
    "reqwest",
    "rustix",
    "smol",
    "socket2",
    "tokio",
    "windows-sys",
];

const IMPURE_PATHS: [&str; 12] = [
    "Instant::now",
    "SystemTime",
    "UNIX_EPOCH",
    ".elapsed()",
    "std::env",
    "std::fs",
    "std::io",
    "std::net",
    "std::os",
    "std::process",
    "std::thread",
    "thread_local!",
];

#[test]
fn no_dependency_brings_a_runtime_a_socket_or_a_clock() {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--edges", "normal", "--prefix", "none"])
        .args(["--package", env!("CARGO_PKG_NAME"), "--format", "{p} {f}"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs: it runs this test");
    let stderr = String::from_utf8_lossy(&tree.stderr);
    assert!(tree.status.success(), "cargo tree: {stderr}");

    let tree = String::from_utf8(tree.stdout).expect("names of crates are text");
    let crates: Vec<&str> = tree
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert!(crates.contains(&"bytes"), "the tree was read: {tree}");
    // Without these it computes dates, and knows none.
    let time = tree.lines().find(|line| line.starts_with("time "));
    let asks = ["std", "local-offset"]
        .map(|feature| time.is_some_and(|line| line.split([' ', ',']).any(|word| word == feature)));
    assert_eq!(asks, [false, false], "{time:?}");
    for name in crates {
        let impure = IMPURE_CRATES.iter().find(|impure| {
            name.strip_prefix(**impure)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '_']))
        });
        assert_eq!(impure, None, "{name} is among the dependencies");
    }
}

#[test]
fn no_line_of_source_asks_for_time_chance_or_the_system() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut n_files = 0;
    visit(&src, &mut |path, text| {
        n_files += 1;
        // An example in a comment is a driver's code, and may.
        let is_code = |line: &&str| !line.trim_start().starts_with("//");
        for line in text.lines().filter(is_code) {
            let impure = IMPURE_PATHS.iter().find(|path| line.contains(**path));
            assert_eq!(impure, None, "{}: {line}", path.display());
        }
    })
    .expect("the sources can be read");
    assert!(n_files > 10, "the sources were read");
}

fn visit(folder: &Path, check: &mut impl FnMut(&Path, &str)) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            visit(&path, check)?;
        } else {
            check(&path, &fs::read_to_string(&path)?);
        }
    }
    Ok(())
}
