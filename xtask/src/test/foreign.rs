//! What other makers have written in Python and in Rust, set up for the conformance tests.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

use super::ground::Obstacle;
use crate::checkout::{self, Checkout};
use crate::chromium::Place;
use crate::needs::Missing;
use crate::stamp::{Renewed, Stamp};
use crate::{cargo, debian, step};

/// A Python with the packages that `conformance/python` names, in a folder of its own.
pub(super) fn python(checkout: &Checkout, place: Place) -> Result<PathBuf, Obstacle> {
    let can_make_folders =
        || succeeds(Command::new("python3").args(["-c", "import ensurepip, venv"]));
    need(
        can_make_folders,
        "python3-venv",
        "The tests of python-socketio need",
        place,
    )
    .map_err(|()| Missing {
        what: "no python3 with venv in PATH".to_owned(),
        how: "on Debian `apt-get install python3-venv`",
    })?;
    Ok(packages(&checkout.conformance().join("python"))?)
}

fn packages(source: &Path) -> Result<PathBuf> {
    let folder = checkout::target()?.join("python");
    let program = folder.join("bin/python");
    let list = source.join("requirements.txt");
    let stamp = Stamp {
        note: folder.join(".fanfare-packages"),
        sources: vec![list.clone()],
        products: vec![],
    };
    let make = || {
        let mut venv = Command::new("python3");
        venv.args(["-m", "venv", "--clear"]).arg(&folder);
        step::run("python folder", &mut venv)?;
        let mut pip = Command::new(&program);
        pip.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--requirement",
        ])
        .arg(&list);
        step::run("python packages", &mut pip)
    };
    if stamp.renew(make)? == Renewed::UpToDate {
        step::skip("python packages");
    }
    Ok(program)
}

/// The folder of the programs of `conformance/rust`, built.
pub(super) fn programs(checkout: &Checkout, place: Place) -> Result<PathBuf, Obstacle> {
    let has_openssl = || succeeds(Command::new("pkg-config").args(["--exists", "openssl"]));
    let why = "The tests of rust_socketio need";
    need(has_openssl, "pkg-config", why, place)
        .or_else(|()| need(has_openssl, "libssl-dev", why, place))
        .map_err(|()| Missing {
            what: "no OpenSSL that pkg-config finds".to_owned(),
            how: "on Debian `apt-get install pkg-config libssl-dev`",
        })?;
    Ok(build(checkout)?)
}

/// In a folder of their own, since they choose other features of the crates that they share with us.
fn build(checkout: &Checkout) -> Result<PathBuf> {
    let target = checkout::target()?.join("conformance");
    let mut command = cargo::command(checkout);
    command
        .args(["build", "--locked", "--manifest-path"])
        .arg(checkout.conformance().join("rust/Cargo.toml"))
        .arg("--target-dir")
        .arg(&target);
    step::run("other makers' crates", &mut command).context("conformance/rust")?;
    Ok(target.join("debug"))
}

/// Looks for something, and once more when its package has been installed.
fn need(is_there: impl Fn() -> bool, package: &str, why: &str, place: Place) -> Result<(), ()> {
    if is_there() {
        return Ok(());
    }
    debian::install(package, why, place);
    is_there().then_some(()).ok_or(())
}

fn succeeds(command: &mut Command) -> bool {
    let status = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}
