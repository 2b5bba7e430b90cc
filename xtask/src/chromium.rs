//! The browser of the tests: one that is on the machine, or Debian's package. None is ever downloaded otherwise.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io::{IsTerminal as _, Write as _, stdin, stdout};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::needs::{self, Missing};
use crate::step;

/// Who could answer a question.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Place {
    /// `CI=true`: nobody to ask; what is skipped has failed.
    Ci,
    /// A developer's machine: nothing is installed unasked.
    Desk,
}

impl Place {
    pub(crate) fn here() -> Self {
        Self::of(env::var_os("CI").as_deref())
    }

    fn of(ci: Option<&OsStr>) -> Self {
        match ci.and_then(OsStr::to_str) {
            Some("true" | "1") => Self::Ci,
            _ => Self::Desk,
        }
    }
}

/// Finds Chromium, or installs it where that is allowed.
///
/// # Errors
///
/// [`Missing`] if there is none that runs.
pub(crate) fn find(place: Place) -> Result<PathBuf, Missing> {
    if let Some(named) = env::var_os("CHROMIUM").filter(|named| !named.is_empty()) {
        return works(Path::new(&named)).ok_or_else(|| Missing {
            what: format!("CHROMIUM names {}, which does not run", named.display()),
            how: "let it name a Chromium or Chrome, or unset it",
        });
    }
    if let Some(found) = in_path() {
        return Ok(found);
    }
    if may_install(place) {
        install();
        if let Some(found) = in_path() {
            return Ok(found);
        }
    }
    Err(Missing {
        what: "no Chromium in PATH".to_owned(),
        how: "on Debian `apt-get install chromium`; or let CHROMIUM name a Chromium or Chrome",
    })
}

fn in_path() -> Option<PathBuf> {
    const NAMES: [&str; 4] = [
        "chromium",
        "chromium-browser",
        "google-chrome",
        "google-chrome-stable",
    ];
    NAMES
        .into_iter()
        .filter_map(needs::in_path)
        .find_map(|file| works(&file))
}

/// On some systems the name is there, but runs only an advice to install.
fn works(chromium: &Path) -> Option<PathBuf> {
    let status = Command::new(chromium)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status
        .is_ok_and(|status| status.success())
        .then(|| chromium.into())
}

fn may_install(place: Place) -> bool {
    is_debian() && is_root() && needs::in_path("apt-get").is_some() && place.allows_install()
}

impl Place {
    fn allows_install(self) -> bool {
        match self {
            Self::Ci => true,
            Self::Desk => stdin().is_terminal() && asked(),
        }
    }
}

fn asked() -> bool {
    print!("The browser tests need Chromium. Install Debian's package with apt-get? [y/N] ");
    let mut answer = String::new();
    stdout().flush().is_ok()
        && stdin().read_line(&mut answer).is_ok()
        && matches!(answer.trim(), "y" | "Y" | "yes")
}

/// Elsewhere the package of this name may be something else: on Ubuntu it fetches a snap.
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

/// Whether it worked is seen by looking for the browser again.
fn install() {
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
    let install = ["install", "--yes", "--no-install-recommends", "chromium"];
    let steps = [
        ("apt-get update", apt_get(&["update"])),
        ("apt-get install chromium", apt_get(&install)),
    ];
    for (name, mut command) in steps {
        if let Err(error) = step::run(name, &mut command) {
            eprintln!("{error:#}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ci_has_to_say_so() {
        let of = |value: &str| Place::of(Some(OsStr::new(value)));
        assert_eq!(of("true"), Place::Ci);
        assert_eq!(of("1"), Place::Ci);
        assert_eq!(of("false"), Place::Desk);
        assert_eq!(of(""), Place::Desk);
        assert_eq!(Place::of(None), Place::Desk);
    }

    #[test]
    fn only_debian_itself_is_debian() {
        assert!(names_debian("PRETTY_NAME=\"Debian\"\nID=debian\n"));
        assert!(!names_debian("ID=ubuntu\nID_LIKE=debian\n"));
    }
}
