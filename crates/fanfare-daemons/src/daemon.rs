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
    /// What Ctrl-C sends.
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

    /// Sends a signal by its name, such as `STOP`; whether it arrived.
    pub fn signal(&self, name: &str) -> bool {
        let id = self.folder.path().join(ID);
        let mut id_text = String::new();
        comes_true(|| {
            id_text = std::fs::read_to_string(&id).unwrap_or_default();
            id_text.ends_with('\n')
        }) && Command::new("kill")
            .args(["-s", name, id_text.trim()])
            .status()
            .is_ok_and(|status| status.success())
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

/// Takes a signal, a folder, and a command with its words.
const WATCH: &str = r#"
signal=$1 folder=$2 keep=
shift 2
"$@" &
child=$!
echo "$child" > "$folder/id"
while read -r line; do keep=$line; done
kill -s "$signal" "$child" 2> /dev/null
wait "$child"
[ -n "$keep" ] || rm -rf "$folder"
"#;
