//! `cargo xtask tidy`: rules about files that no other tool checks. Also a test, so that nobody has to remember it.
//!
//! It looks at what git tracks or would track, never at what it ignores.

mod features;
mod links;
mod quotes;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::{fmt, fs, io};

use anyhow::{Context as _, Result, bail};

use crate::checkout::Checkout;

/// Prints what breaks a rule.
///
/// # Errors
///
/// If git does not list the files, or one cannot be read.
pub(crate) fn run(checkout: &Checkout) -> Result<ExitCode> {
    let faults = check(checkout.root())?;
    for fault in &faults {
        println!("{fault}");
    }
    Ok(ExitCode::from(u8::from(!faults.is_empty())))
}

/// A rule broken.
#[derive(Debug, Eq, PartialEq)]
struct Fault {
    file: PathBuf,
    /// The line, from 1; none if it is about the file as a whole.
    line: Option<usize>,
    what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, "{line}:")?;
        }
        write!(f, " {}", self.what)
    }
}

fn check(root: &Path) -> Result<Vec<Fault>> {
    let mut faults = Vec::new();
    let mut tests = features::Tests::default();
    let files = files(root)?;
    for file in &files {
        let bytes = match fs::read(root.join(file)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error).with_context(|| file.display().to_string()),
        };
        tests.add(file, &String::from_utf8_lossy(&bytes));
        let found = check_file(root, file, &bytes);
        faults.extend(found.into_iter().map(|(line, what)| Fault {
            file: file.clone(),
            line,
            what,
        }));
    }
    faults.extend(needless_exceptions(&files));
    faults.extend(unknown_tests(root, &tests));
    Ok(faults)
}

/// Also where the checkout is another user's, as in some containers: to list it runs nothing from it.
fn files(root: &Path) -> Result<Vec<PathBuf>> {
    let output = Command::new("git")
        .args(["-c", "safe.directory=*"])
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .current_dir(root)
        .output()
        .context("git did not start")?;
    if !output.status.success() {
        bail!(
            "git ls-files: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    let names = String::from_utf8_lossy(&output.stdout);
    let mut files: Vec<PathBuf> = names.split_terminator('\0').map(PathBuf::from).collect();
    files.dedup();
    Ok(files)
}

/// A line, if it is about one, and what is wrong.
type Finding = (Option<usize>, String);

fn check_file(root: &Path, file: &Path, bytes: &[u8]) -> Vec<Finding> {
    let mut found = Vec::new();
    if bytes.len() > MAX_FILE_BYTES {
        found.push((
            None,
            format!("{} bytes; {MAX_FILE_BYTES} are the most", bytes.len()),
        ));
    }
    let Ok(text) = str::from_utf8(bytes) else {
        return found;
    };
    for (line, text) in (1..).zip(text.lines()) {
        found.extend(check_line(text).map(|what| (Some(line), what)));
    }
    match file.extension().and_then(|extension| extension.to_str()) {
        Some("rs") => found.extend(check_length(file, text)),
        Some("md") => {
            found.extend(dead_links(root, file, text));
            found.extend(quotes::wrong(&folder_of(root, file), text));
        }
        _ => {}
    }
    if file.ends_with("package-lock.json") {
        found.extend(lock_addresses(text));
    }
    found
}

/// What git keeps it keeps for everyone, for ever.
const MAX_FILE_BYTES: usize = 1 << 20;

/// Put together here so that this file does not break its own rules.
const FIX_ME: &str = concat!("FIX", "ME");

/// Folders that exist on one machine only.
const MACHINE_FOLDERS: [&str; 3] = [
    concat!("/", "work/"),
    concat!("/", "root/"),
    concat!("/", "home/"),
];

fn check_line(line: &str) -> Option<String> {
    if line.contains(FIX_ME) {
        return Some(format!("{FIX_ME} has to go before the change lands"));
    }
    MACHINE_FOLDERS
        .into_iter()
        .find(|folder| is_rooted(line, folder))
        .map(|folder| format!("{folder}… is a path of somebody's machine"))
}

/// Whether `folder` stands in `line` as a path from the root, not inside a longer path or an address.
fn is_rooted(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        before.is_none_or(|before| !before.is_alphanumeric() && !"._-*~$})]>".contains(before))
    })
}

/// At this length look for the second idea in the file.
const MAX_RUST_LINES: usize = 600;

/// The files that are longer, and why that is right.
const LONG_FILES: [(&str, &str); 0] = [];

fn check_length(file: &Path, text: &str) -> Option<Finding> {
    let lines = text.lines().count();
    let is_excepted = LONG_FILES.iter().any(|(long, _)| file == Path::new(long));
    match (lines > MAX_RUST_LINES, is_excepted) {
        (true, false) => Some((
            None,
            format!("{lines} lines; {MAX_RUST_LINES} are the most"),
        )),
        (false, true) => Some((None, "is listed as long, and is not".to_owned())),
        (true, true) | (false, false) => None,
    }
}

fn needless_exceptions(files: &[PathBuf]) -> impl Iterator<Item = Fault> {
    LONG_FILES
        .into_iter()
        .filter(|(long, _)| !files.iter().any(|file| file == Path::new(long)))
        .map(|(long, _)| Fault {
            file: long.into(),
            line: None,
            what: "is listed as long, and is gone".to_owned(),
        })
}

fn unknown_tests(root: &Path, tests: &features::Tests) -> impl Iterator<Item = Fault> {
    let page = fs::read_to_string(root.join(features::PAGE)).unwrap_or_default();
    let missing = tests.missing(&page).into_iter();
    missing.map(|(line, what)| Fault {
        file: features::PAGE.into(),
        line,
        what,
    })
}

fn folder_of(root: &Path, file: &Path) -> PathBuf {
    root.join(file.parent().unwrap_or(Path::new("")))
}

fn dead_links(root: &Path, file: &Path, text: &str) -> Vec<Finding> {
    let folder = folder_of(root, file);
    links::relative(text)
        .into_iter()
        .filter(|link| !link.path_from(root, &folder).exists())
        .map(|link| (Some(link.line), format!("'{}' leads nowhere", link.target)))
        .collect()
}

/// Addresses in a lock file would tie everyone to one registry.
fn lock_addresses(text: &str) -> impl Iterator<Item = Finding> {
    (1..)
        .zip(text.lines())
        .filter(|(_, line)| line.contains("\"resolved\""))
        .map(|(line, _)| {
            let what =
                "an address: the .npmrc beside it lacks omit-lockfile-registry-resolved=true";
            (Some(line), what.to_owned())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The faults of one file, by what they say first.
    #[track_caller]
    fn check_one(file: &str, text: &str, expected: &[&str]) {
        let root = Checkout::here();
        let found = check_file(root.root(), Path::new(file), text.as_bytes());
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for ((_, what), begin) in found.iter().zip(expected) {
            assert!(what.starts_with(begin), "{what:?} begins {begin:?}");
        }
    }

    #[test]
    fn this_repository_is_tidy() {
        let checkout = Checkout::here();
        let faults = check(checkout.root()).unwrap();
        let lines: Vec<String> = faults.iter().map(Fault::to_string).collect();
        assert!(faults.is_empty(), "\n{}", lines.join("\n"));
    }

    #[test]
    fn a_mark_of_unfinished_work_is_found() {
        check_one("a.rs", &format!("// {FIX_ME}: later"), &[FIX_ME]);
        check_one("a.rs", "// fix the other one", &[]);
    }

    #[test]
    fn a_path_of_a_machine_is_told_from_part_of_a_longer_one() {
        for folder in MACHINE_FOLDERS {
            for line in [
                format!("\"{folder}x\""),
                format!("file://{folder}x"),
                folder.to_owned(),
            ] {
                check_one("a.toml", &line, &[folder]);
            }
            for line in [
                format!("src{folder}x"),
                format!("https://example.org{folder}"),
            ] {
                check_one("a.toml", &line, &[]);
            }
        }
    }

    #[test]
    fn a_long_file_is_found() {
        check_one("a.rs", &"\n".repeat(MAX_RUST_LINES), &[]);
        check_one("a.rs", &"\n".repeat(MAX_RUST_LINES + 1), &["601 lines"]);
        check_one("a.md", &"\n".repeat(MAX_RUST_LINES + 1), &[]);
    }

    #[test]
    fn a_big_file_is_found_whatever_is_in_it() {
        let root = Checkout::here();
        let found = |bytes: &[u8]| check_file(root.root(), Path::new("a.png"), bytes).len();
        assert_eq!(found(&[0xff; MAX_FILE_BYTES]), 0);
        assert_eq!(found(&[0xff; MAX_FILE_BYTES + 1]), 1);
    }

    #[test]
    fn a_lock_file_with_addresses_is_found() {
        let lock = "{\n  \"version\": \"1.0.0\",\n  \"resolved\": \"https://example.org/a.tgz\"\n}";
        check_one("web/package-lock.json", lock, &["an address"]);
        check_one("web/other.json", lock, &[]);
    }

    #[test]
    fn a_link_to_nothing_is_found() {
        check_one(
            "xtask/a.md",
            "[up](../Cargo.toml) [here](nothing.md)",
            &["'nothing.md'"],
        );
    }
}
