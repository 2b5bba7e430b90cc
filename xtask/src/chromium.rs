//! The browser of the tests: one that is on the machine, or Debian's package. None is ever downloaded otherwise.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::debian;
use crate::needs::{self, Missing};

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
    debian::install("chromium", "The browser tests need", place);
    if let Some(found) = in_path() {
        return Ok(found);
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
}
