//! Process: something that was started here, and ends with this program, however that ends.

use std::{
    fs::File,
    io,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill, killpg},
    unistd::Pid,
};

/// A process and those it has started itself; all are killed when this is dropped.
#[derive(Debug)]
pub(super) struct Process {
    /// Its input is the watcher's: that it ends is how the watcher knows that this program has.
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts it; what it says goes to the file `log`. If there is no such program, it ends at once and
    /// [is missing](is_missing).
    ///
    /// # Errors
    ///
    /// If there is no shell, or the file can't be written.
    pub(super) fn start(command: &Command, log: &Path) -> io::Result<Self> {
        let file = File::options().create(true).append(true).open(log)?;
        let child = Command::new("/bin/sh")
            .args(["-c", WATCHED, "sh"])
            .arg(command.get_program())
            .args(command.get_args())
            .stdin(Stdio::piped())
            .stdout(file.try_clone()?)
            .stderr(file)
            // A group of its own, so that a signal reaches all of a command line, and Ctrl-C reaches none.
            .process_group(0)
            .spawn()?;
        Ok(Self {
            child,
            log: log.to_owned(),
        })
    }

    /// Sends a signal to all of it.
    pub(super) fn signal(&self, signal: Signal) {
        // It may have ended already.
        let _ = killpg(pid(self.child.id()), signal);
    }

    /// Ends it at once.
    pub(super) fn kill(&mut self) {
        self.signal(Signal::SIGKILL);
        // A killed child ends; there is nobody to tell if it were not ours.
        let _ = self.child.wait();
    }

    /// Asks it to end, and kills it if it has not after `patience`.
    pub(super) async fn end(&mut self, patience: Duration) {
        self.signal(Signal::SIGTERM);
        let deadline = Instant::now() + patience;
        while self.ended().is_none() && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.kill();
    }

    /// How it ended, if it has.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// The last of what it has said.
    pub(super) fn last_words(&self) -> String {
        let bytes = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<_> = text.lines().rev().take(LAST_LINES).collect();
        match lines.is_empty() {
            true => "nothing".to_owned(),
            false => lines.into_iter().rev().collect::<Vec<_>>().join("\n"),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Something is stopped, and goes on when this is dropped.
#[derive(Debug)]
pub(super) struct Stopped {
    target: Target,
}

#[derive(Clone, Copy, Debug)]
enum Target {
    Group(Pid),
    One(Pid),
}

impl Stopped {
    /// A process that was started here.
    pub(super) fn process(process: &Process) -> Self {
        Self::target(Target::Group(pid(process.child.id())))
    }

    /// One that was not.
    pub(super) fn foreign(pid: i32) -> Self {
        Self::target(Target::One(Pid::from_raw(pid)))
    }

    fn target(target: Target) -> Self {
        target.signal(Signal::SIGSTOP);
        Self { target }
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        self.target.signal(Signal::SIGCONT);
    }
}

impl Target {
    fn signal(self, signal: Signal) {
        // It may have ended meanwhile.
        let _ = match self {
            Self::Group(group) => killpg(group, signal),
            Self::One(pid) => kill(pid, signal),
        };
    }
}

/// Whether something has ended because there is no such program.
pub(super) fn is_missing(ended: ExitStatus) -> bool {
    ended.code() == Some(NO_SUCH_PROGRAM)
}

/// Kills a process that was not started here.
///
/// # Errors
///
/// If there is none, or it is somebody else's.
pub(super) fn kill_foreign(pid: i32) -> io::Result<()> {
    Ok(kill(Pid::from_raw(pid), Signal::SIGKILL)?)
}

fn pid(id: u32) -> Pid {
    Pid::from_raw(i32::try_from(id).expect("process ids are small"))
}

/// Becomes a command, beside a watcher that waits for the end of the input and kills all of the group then, itself too.
const WATCHED: &str = r#"
exec 3<&0 0</dev/null
{ read -r _ <&3; kill -s KILL 0; } &
exec 3<&- "$@"
"#;
/// What a shell says of itself then.
const NO_SUCH_PROGRAM: i32 = 127;
/// Enough to see why something did not start.
const LAST_LINES: usize = 12;
