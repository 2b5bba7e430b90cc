//! PostgreSQL: a cluster of databases of one's own.

use std::{
    fs, io,
    os::unix::fs::{PermissionsExt as _, chown},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use crate::{Daemon, Folder, Signal, comes_true, free_port, in_path};

/// A running PostgreSQL.
#[derive(Debug)]
pub struct Postgres {
    /// Where its programs are.
    programs: PathBuf,
    careful: Careful,
    port: u16,
    /// `None` while it is stopped.
    daemon: Option<Daemon>,
    folder: Folder,
}

/// Whether what is stored has to outlive a power cut.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Careful {
    /// As PostgreSQL is by itself.
    Yes,
    /// It is for a test.
    No,
}

impl Postgres {
    /// One that all tests of this process share; it ends with the process.
    ///
    /// # Panics
    ///
    /// If it can't be started, and says what is missing.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(Careful::No).unwrap_or_else(|error| panic!("{error}")))
    }

    /// Where its programs are on this machine, if they are.
    pub fn find() -> Option<PathBuf> {
        let linked = in_path("initdb").and_then(|file| file.canonicalize().ok());
        let in_path = linked.and_then(|file| Some(file.parent()?.to_owned()));
        in_path.or_else(|| {
            // Debian has each version apart, and none in PATH.
            let versions = fs::read_dir("/usr/lib/postgresql").ok()?.flatten();
            let newest = versions
                .filter_map(|version| {
                    let number: u32 = version.file_name().to_str()?.parse().ok()?;
                    Some((number, version.path().join("bin")))
                })
                .filter(|(_, programs)| programs.join("initdb").is_file());
            newest.max().map(|(_, programs)| programs)
        })
    }

    /// Makes an empty one, and starts it.
    ///
    /// # Errors
    ///
    /// A sentence that says what is missing, or what the server said.
    pub fn start(careful: Careful) -> io::Result<Self> {
        let programs = Self::find().ok_or_else(|| io::Error::other(MISSING))?;
        let folder = Folder::unprivileged("postgres")?;
        init(&programs, &folder)?;
        let mut postgres = Self {
            programs,
            careful,
            port: free_port(),
            daemon: None,
            folder,
        };
        postgres.resume()?;
        Ok(postgres)
    }

    /// Stops it for a while. Whoever is connected is cut off.
    pub fn pause(&mut self) {
        if let Some(daemon) = self.daemon.take() {
            daemon.stop();
        }
    }

    /// Starts it again, with all that was stored, at the same port.
    ///
    /// # Errors
    ///
    /// What the server said.
    pub fn resume(&mut self) -> io::Result<()> {
        let data = self.folder.path().join(DATA);
        let mut words = vec!["-D".to_owned(), data.display().to_string()];
        let mut settings = vec![
            "listen_addresses=127.0.0.1".to_owned(),
            format!("port={}", self.port),
            // A path of a socket may not be long, and nobody needs one.
            "unix_socket_directories=".to_owned(),
        ];
        if self.careful == Careful::No {
            settings.extend(["fsync=off", "full_page_writes=off"].map(str::to_owned));
        }
        for setting in settings {
            words.extend(["-c".to_owned(), setting]);
        }
        let program = self.programs.join("postgres");
        // Its own word for "now": whoever is connected is not waited for.
        let daemon = Daemon::start(&program, &words, self.folder.clone(), Signal::Interrupt)?;
        let is_ready = comes_true(|| is_ready(&data));
        let log = daemon.log();
        self.daemon = Some(daemon);
        match is_ready {
            true => Ok(()),
            false => Err(io::Error::other(format!("PostgreSQL did not start: {log}"))),
        }
    }

    /// The program that runs, unless it is [paused](Self::pause).
    pub fn daemon(&self) -> Option<&Daemon> {
        self.daemon.as_ref()
    }

    /// Makes a database that nobody else has; gives its URL.
    ///
    /// # Errors
    ///
    /// What `psql` said.
    pub fn new_database(&self) -> io::Result<String> {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let name = format!("fanfare_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        self.run("postgres", &format!("CREATE DATABASE {name}"))?;
        Ok(self.url(&name))
    }

    /// The URL of a database, for a user who may do everything.
    pub fn url(&self, database: &str) -> String {
        format!(
            "postgres://{USER}:{PASSWORD}@127.0.0.1:{}/{database}",
            self.port
        )
    }

    /// Runs a statement; gives what `psql` prints.
    ///
    /// # Errors
    ///
    /// What `psql` said.
    pub fn run(&self, database: &str, statement: &str) -> io::Result<String> {
        let mut psql = Command::new(self.programs.join("psql"));
        psql.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align"])
            .args(["--set", "ON_ERROR_STOP=1", "--dbname"])
            .arg(self.url(database))
            .args(["--command", statement]);
        let output = psql.stdin(Stdio::null()).output()?;
        said(&output)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // What runs removes its folder itself.
        if self.daemon.is_none() {
            let _ = fs::remove_dir_all(self.folder.path());
        }
    }
}

fn init(programs: &Path, folder: &Folder) -> io::Result<()> {
    let password = folder.path().join("password");
    fs::write(&password, PASSWORD)?;
    fs::set_permissions(&password, fs::Permissions::from_mode(0o600))?;
    chown(&password, folder.user(), folder.user())?;
    let mut initdb = Command::new(programs.join("initdb"));
    initdb
        .arg("--pgdata")
        .arg(folder.path().join(DATA))
        .arg("--pwfile")
        .arg(&password)
        .args(["--username", USER, "--auth", "scram-sha-256"])
        .args(["--encoding", "UTF8", "--locale", "C", "--no-sync"])
        .current_dir(folder.path())
        .stdin(Stdio::null());
    if let Some(user) = folder.user() {
        initdb.uid(user).gid(user);
    }
    said(&initdb.output()?).map(drop)
}

fn said(output: &Output) -> io::Result<String> {
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
        false => Err(io::Error::other(
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )),
    }
}

/// As the server writes it for its own tools: the last line of a file of eight.
fn is_ready(data: &Path) -> bool {
    let status = fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
    status
        .lines()
        .nth(7)
        .is_some_and(|line| line.trim() == "ready")
}

const DATA: &str = "data";
const USER: &str = "fanfare";

/// It keeps out nobody but those who do not look here, and is there to be got wrong.
const PASSWORD: &str = "for-tests-only";

const MISSING: &str = "there is no PostgreSQL on this machine (initdb is neither in PATH nor in /usr/lib/postgresql): \
                       on Debian `apt-get install postgresql`";
