//! Debian's packages, installed where that is allowed.

use std::fs;
use std::io::{IsTerminal as _, Write as _, stdin, stdout};
use std::process::Command;

use crate::chromium::Place;
use crate::{needs, step};

/// Installs `package` if this is Debian, and either nobody could be asked or somebody agrees, told that `why` it is
/// needed. Whether it worked is seen by looking again for what was missing.
pub(crate) fn install(package: &str, why: &str, place: Place) {
    let can = is_debian() && is_root() && needs::in_path("apt-get").is_some();
    if can && is_allowed(package, why, place) {
        run(package);
    }
}

fn is_allowed(package: &str, why: &str, place: Place) -> bool {
    match place {
        Place::Ci => true,
        Place::Desk => stdin().is_terminal() && asked(package, why),
    }
}

fn asked(package: &str, why: &str) -> bool {
    print!("{why} {package}. Install Debian's package with apt-get? [y/N] ");
    let mut answer = String::new();
    stdout().flush().is_ok()
        && stdin().read_line(&mut answer).is_ok()
        && matches!(answer.trim(), "y" | "Y" | "yes")
}

/// Elsewhere a package of that name may be something else: on Ubuntu `chromium` fetches a snap.
fn is_debian() -> bool {
    fs::read_to_string("/etc/os-release").is_ok_and(|text| names_debian(&text))
}

fn names_debian(os_release: &str) -> bool {
    os_release
        .lines()
        .any(|line| line.trim() == "ID=debian" || line.trim() == "ID=\"debian\"")
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|id| id.stdout.trim_ascii() == b"0")
}

fn run(package: &str) {
    let apt_get = |words: &[&str]| {
        let mut command = Command::new("apt-get");
        command
            .args([
                "-q",
                "-o",
                "Acquire::Retries=3",
                "-o",
                "DPkg::Lock::Timeout=120",
            ])
            .args(words)
            .env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    let install = ["install", "--yes", "--no-install-recommends", package];
    let steps = [
        ("apt-get update".to_owned(), apt_get(&["update"])),
        (format!("apt-get install {package}"), apt_get(&install)),
    ];
    for (name, mut command) in steps {
        if let Err(error) = step::run(&name, &mut command) {
            eprintln!("{error:#}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_debian_itself_is_debian() {
        assert!(names_debian("PRETTY_NAME=\"Debian\"\nID=debian\n"));
        assert!(!names_debian("ID=ubuntu\nID_LIKE=debian\n"));
    }
}
