//! What has to be on the machine before anything can be set up.

use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fmt, fs, io};

use anyhow::{Result, anyhow, bail};

use crate::checkout::Checkout;
use crate::version::{Range, Version};

/// Something the machine lacks, and how to get it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Missing {
    pub(crate) what: String,
    pub(crate) how: &'static str,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.how)
    }
}

/// All that is missing for the page and the program.
pub(crate) fn missing(checkout: &Checkout) -> Vec<Missing> {
    let mut missing = missing_for_packages(checkout);
    missing.extend(compiler());
    missing.extend(make());
    missing
}

/// What is missing for the npm packages and the page.
pub(crate) fn missing_for_packages(checkout: &Checkout) -> Vec<Missing> {
    [node(checkout), npm()].into_iter().flatten().collect()
}

/// Sees that nobody listens at `address`, where `cargo xtask COMMAND` is going to.
///
/// # Errors
///
/// If somebody does, with a command that works; or if nobody can.
pub(crate) fn free(address: SocketAddr, command: &str) -> Result<()> {
    match TcpListener::bind(address) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            let port = fanfare_daemons::free_port();
            bail!(
                "{address} is taken, another program listens there; this works now:\n\n    cargo xtask {command} --listen \
                 127.0.0.1:{port}\n"
            )
        }
        Err(error) => Err(anyhow!(error).context(format!("nobody can listen at {address}"))),
    }
}

fn node(checkout: &Checkout) -> Option<Missing> {
    let manifest = fs::read_to_string(checkout.web().join("package.json")).unwrap_or_default();
    let needed = engines_node(&manifest).unwrap_or("*");
    let what = wrong_with_node(needed, node_version().as_deref())?;
    Some(Missing {
        what,
        how: "get Node.js from https://nodejs.org/en/download, or a system package of that version",
    })
}

/// What `node --version` prints.
fn node_version() -> Option<String> {
    let output = Command::new("node").arg("--version").output().ok()?;
    String::from_utf8(output.stdout).ok()
}

fn wrong_with_node(needed: &str, found: Option<&str>) -> Option<String> {
    let Some(found) = found.and_then(Version::parse) else {
        return Some(format!("no Node.js ({needed}) in PATH"));
    };
    match Range::parse(needed) {
        Some(range) if range.contains(found) => None,
        Some(_) => Some(format!("Node.js is {found}, the page needs {needed}")),
        None => Some(format!(
            "web/package.json asks for Node.js '{needed}', which cannot be understood"
        )),
    }
}

fn npm() -> Option<Missing> {
    in_path("npm").is_none().then(|| Missing {
        what: "no npm in PATH".to_owned(),
        how: "it comes with Node.js; where packaged apart, `apt-get install npm`",
    })
}

fn compiler() -> Option<Missing> {
    let cc = env::var_os("CC").unwrap_or_else(|| "cc".into());
    in_path(&cc.to_string_lossy()).is_none().then(|| Missing {
        what: format!("no C compiler ({}) in PATH", cc.to_string_lossy()),
        how: "`apt-get install build-essential`; on macOS `xcode-select --install`",
    })
}

fn make() -> Option<Missing> {
    in_path("make").is_none().then(|| Missing {
        what: "no make in PATH".to_owned(),
        how: "`apt-get install build-essential`; on macOS `xcode-select --install`",
    })
}

/// The file that the shell would run for `program`.
pub(crate) fn in_path(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| is_program(file))
}

fn is_program(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

/// The value of `engines.node` in a package.json as npm writes it.
fn engines_node(manifest: &str) -> Option<&str> {
    let (_, engines) = manifest.split_once("\"engines\"")?;
    let (engines, _) = engines.split_once('}')?;
    let (_, node) = engines.split_once("\"node\"")?;
    node.split('"').nth(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_finds_a_port_taken_is_told_of_another() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let wrong = free(address, "serve --lesson").unwrap_err().to_string();
        assert!(wrong.starts_with(&format!("{address} is taken")), "{wrong}");
        assert!(
            wrong.contains("cargo xtask serve --lesson --listen 127.0.0.1:"),
            "{wrong}"
        );
    }

    #[test]
    fn the_need_is_read_from_the_manifest() {
        let manifest =
            r#"{ "name": "web", "engines": { "npm": ">=9", "node": "^20.19.0 || >=22.12.0" } }"#;
        assert_eq!(engines_node(manifest), Some("^20.19.0 || >=22.12.0"));
        assert_eq!(
            engines_node(r#"{ "engines": { "npm": "9" }, "node": "1" }"#),
            None
        );
        assert_eq!(engines_node(""), None);
    }

    #[test]
    fn a_node_that_will_do_is_not_mentioned() {
        assert_eq!(wrong_with_node("^20.19.0", Some("v20.20.2\n")), None);
        assert_eq!(wrong_with_node("*", Some("v18.1.0")), None);
    }

    #[test]
    fn an_old_node_is_told_from_none() {
        let old = wrong_with_node(">=22.12.0", Some("v18.20.4")).unwrap();
        assert_eq!(old, "Node.js is 18.20.4, the page needs >=22.12.0");
        let none = wrong_with_node(">=22.12.0", None).unwrap();
        assert_eq!(none, "no Node.js (>=22.12.0) in PATH");
    }

    #[test]
    fn a_program_is_found_by_its_name_alone() {
        assert!(in_path("cargo").is_some());
        assert!(in_path("no-such-program-anywhere").is_none());
    }
}
