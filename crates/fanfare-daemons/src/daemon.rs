//! Daemon: a program that runs for as long as somebody holds it.

use std::{
    fs::File,
    io::{self, Write as _},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use crate::{Folder, comes_true};

/// A program that runs. Dropping it asks it to end, waits for that, and removes its folder.
#[derive(Debug)]
pub struct Daemon {
    /// The shell that starts the program, and stops it when its input ends.
    watcher: Child,
    folder: Folder,
}

/// What asks a program to end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Signal {
    /// What Ctrl-C sends; a program that does not ask for it does not hear it.
    Interrupt,
    /// What `kill` sends.
    Terminate,
}

impl Daemon {
    /// Starts `program` with `words`, as the user of `folder`. What it prints goes into its [log](Self::log).
    ///
    /// # Errors
    ///
    /// If there is no shell, or the log can't be written.
    pub fn start(
        program: &Path,
        words: &[String],
        folder: Folder,
        end: Signal,
    ) -> io::Result<Self> {
        let log = File::options()
            .append(true)
            .create(true)
            .open(log_in(&folder))?;
        // What another has left, which ran here before.
        for left in [ID, ENDED] {
            match std::fs::remove_file(folder.path().join(left)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        let mut command = Command::new("sh");
        command
            .args(["-c", WATCH, "sh"])
            .arg(match end {
                Signal::Interrupt => "INT",
                Signal::Terminate => "TERM",
            })
            .arg(folder.path())
            .arg(program)
            .args(words)
            // Ctrl-C is for whoever started us, who ends us then.
            .process_group(0)
            .current_dir(folder.path())
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log);
        if let Some(user) = folder.user() {
            command.uid(user).gid(user);
        }
        let watcher = command.spawn()?;
        Ok(Self { watcher, folder })
    }

    /// Its files.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// What it has printed.
    pub fn log(&self) -> String {
        std::fs::read_to_string(log_in(&self.folder)).unwrap_or_default()
    }

    /// The program's process, once it has begun.
    pub fn id(&self) -> Option<String> {
        let id = self.folder.path().join(ID);
        let mut text = String::new();
        let has_begun = comes_true(|| {
            text = std::fs::read_to_string(&id).unwrap_or_default();
            text.ends_with('\n')
        });
        has_begun.then(|| text.trim().to_owned())
    }

    /// The status with which the program has ended by itself, as a shell says it: 128 and the signal's number if one killed
    /// it. `None` while it runs.
    pub fn ended(&self) -> Option<String> {
        let status = std::fs::read_to_string(self.folder.path().join(ENDED)).ok()?;
        Some(status.strip_suffix('\n')?.to_owned())
    }

    /// Sends a signal by its name, such as `STOP`; whether it arrived.
    pub fn signal(&self, name: &str) -> bool {
        self.id().is_some_and(|id| {
            Command::new("kill")
                .args(["-s", name, &id])
                .status()
                .is_ok_and(|status| status.success())
        })
    }

    /// Ends it, and gives its folder, with which it can be started again.
    pub fn stop(mut self) -> Folder {
        if let Some(stdin) = &mut self.watcher.stdin {
            // It may have ended, and then it keeps nothing.
            let _ = stdin.write_all(b"keep\n");
        }
        self.folder.clone()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.watcher.stdin.take());
        let _ = self.watcher.wait();
    }
}

fn log_in(folder: &Folder) -> PathBuf {
    folder.path().join("log")
}

/// The program's number is in this file.
const ID: &str = "id";

/// How it ended is in this one.
const ENDED: &str = "ended";

/// Takes a signal, a folder, and a command with its words.
const WATCH: &str = r#"
signal=$1 folder=$2
shift 2
exec 3<&0
"$@" 3<&- &
child=$!
echo "$child" > "$folder/id"
{
  keep=
  while read -r line; do keep=$line; done
  [ -z "$keep" ] || : > "$folder/keep"
  [ -e "$folder/ended" ] || kill -s "$signal" "$child" 2> /dev/null
} <&3 3<&- &
exec 3<&- < /dev/null
wait "$child"
echo "$?" > "$folder/ended"
wait
if [ -e "$folder/keep" ]; then rm "$folder/keep"; else rm -rf "$folder"; fi
"#;

#[cfg(test)]
mod tests {
    use super::*;

    fn started(words: &[&str]) -> Daemon {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let folder = Folder::new("daemon").expect("a folder can be made");
        Daemon::start(Path::new("/bin/sh"), &words, folder, Signal::Terminate).expect("it starts")
    }

    #[test]
    fn who_ends_by_itself_says_how() {
        let ends = started(&["-c", "exit 3"]);
        assert!(comes_true(|| ends.ended().as_deref() == Some("3")));
        let killed = started(&["-c", "exec sleep 1000"]);
        assert_eq!(killed.ended(), None);
        assert!(killed.signal("KILL"));
        assert!(comes_true(|| killed.ended().as_deref() == Some("137")));
    }

    #[test]
    fn a_folder_is_removed_unless_it_is_wanted_again() {
        let runs = started(&["-c", "exec sleep 1000"]);
        let folder = runs.folder().path().to_owned();
        drop(runs);
        assert!(!folder.exists());
        let runs = started(&["-c", "exec sleep 1000"]);
        let kept = runs.stop();
        assert!(kept.path().exists());
        let words = ["-c".to_owned(), "exec sleep 1000".to_owned()];
        let again = Daemon::start(Path::new("/bin/sh"), &words, kept, Signal::Terminate);
        let again = again.expect("it starts");
        assert!(again.id().is_some());
        assert_eq!(again.ended(), None);
        let folder = again.folder().path().to_owned();
        drop(again);
        assert!(!folder.exists());
    }
}
