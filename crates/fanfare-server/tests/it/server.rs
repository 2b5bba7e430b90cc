//! Server: the program, running for one test.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    net::SocketAddr,
    path::PathBuf,
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use fanfare_daemons::{Postgres, Redis};
use fanfare_testkit::{
    Client, Http, Request, Response, WebSocket, connect, eventually, upgrade_request,
};

/// The program at a port of its own; killed when the test is over.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    process: Child,
    stdout: BufReader<ChildStdout>,
    _ground: Ground,
}

/// What servers stand on: where they keep what they have to remember.
#[derive(Clone, Debug)]
pub(crate) struct Ground {
    words: Vec<String>,
    /// It runs for as long as anyone stands on it.
    redis: Option<Arc<Redis>>,
}

impl Ground {
    /// A file of SQLite's, for one server.
    pub(crate) fn file() -> Self {
        let file = new_folder().join("fanfare.db");
        let words = [
            "--database".to_owned(),
            format!("sqlite://{}", file.display()),
        ];
        Self {
            words: words.to_vec(),
            redis: None,
        }
    }

    /// Stops Redis, or has it go on, by the name of a signal.
    pub(crate) fn signal_redis(&self, name: &str) {
        let daemon = self.redis.as_ref().and_then(|redis| redis.daemon());
        assert!(daemon.expect("there is one").signal(name));
    }

    /// PostgreSQL and Redis, for several.
    pub(crate) fn shared() -> Self {
        let database = Postgres::shared()
            .new_database()
            .expect("it makes databases");
        let redis = Redis::start().unwrap_or_else(|error| panic!("{error}"));
        let words = ["--database", &database, "--redis", &redis.url()].map(str::to_owned);
        Self {
            words: words.to_vec(),
            redis: Some(Arc::new(redis)),
        }
    }
}

impl Server {
    /// Starts it on this `ground`.
    pub(crate) fn on(ground: &Ground) -> Self {
        Self::on_with(ground, &[])
    }

    /// The same, with further words of a command line.
    pub(crate) fn on_with(ground: &Ground, words: &[&str]) -> Self {
        let mut process = fanfare(&["serve", "--log", "warn", "--listen", "127.0.0.1:0"])
            .args(&ground.words)
            .args(words)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program was built");
        let mut stdout = BufReader::new(process.stdout.take().expect("it is piped"));
        let mut line = String::new();
        stdout.read_line(&mut line).expect("it prints text");
        let address = line
            .strip_prefix("listening on http://")
            .expect("it says first where it listens");
        Self {
            address: address.trim().parse().expect("that is an address"),
            process,
            stdout,
            _ground: ground.clone(),
        }
    }

    /// Asks for a page.
    pub(crate) async fn get(&self, path: &str, cookie: &str) -> Response {
        Http::once(self.address, &Request::get(path).header("Cookie", cookie)).await
    }

    /// Sends a form.
    pub(crate) async fn post(&self, path: &str, form: &str, headers: &[(&str, &str)]) -> Response {
        let request =
            Request::post(path, form).header("Content-Type", "application/x-www-form-urlencoded");
        let request = headers.iter().fold(request, |request, (name, value)| {
            request.header(name, value)
        });
        Http::once(self.address, &request).await
    }

    /// Makes an account; gives the cookie.
    pub(crate) async fn register(&self, name: &str) -> String {
        let form = format!("username={name}&password={PASSWORD}");
        cookie_of(&self.post("/register", &form, &[]).await)
    }

    /// Signs in to an account.
    pub(crate) async fn log_in(&self, name: &str, password: &str) -> Response {
        let form = format!("username={name}&password={password}");
        self.post("/login", &form, &[]).await
    }

    /// Enters a name; gives the cookie.
    pub(crate) async fn sign_in(&self, name: &str) -> String {
        cookie_of(&self.post("/guest", &format!("username={name}"), &[]).await)
    }

    /// Opens a page in the room, and reads what a newcomer is told first: the count.
    pub(crate) async fn enter(&self, cookie: &str, count: u64) -> Client {
        let mut client = self.open(cookie).await;
        client.join_nsp("/", "").await;
        client.expect(&format!("42[\"user count\",{count}]")).await;
        client
    }

    /// Opens a page in the room, and reads all that a newcomer is told.
    pub(crate) async fn arrive(&self, cookie: &str) -> Client {
        let mut client = self.open(cookie).await;
        client.join_nsp("/", "").await;
        while !client.hear().await.starts_with("42[\"users\",") {}
        client
    }

    /// Opens a connection that has not asked to join.
    pub(crate) async fn open(&self, cookie: &str) -> Client {
        open_at(self.address, cookie).await
    }

    /// Asks it to stop.
    pub(crate) fn signal(&self) {
        let id = self.process.id().to_string();
        let kill = Command::new("kill").args(["-TERM", &id]).status();
        assert!(kill.expect("there is a kill").success());
    }

    /// Ends it in the middle of whatever it does.
    pub(crate) fn kill(mut self) {
        self.process.kill().expect("it is our child");
    }

    /// Asks it to stop; gives how it ended, and what it has printed since it said where it listens.
    pub(crate) async fn stop(self) -> (ExitStatus, String) {
        let (status, text, _) = self.stop_with_log().await;
        (status, text)
    }

    /// The same, and what it has logged.
    pub(crate) async fn stop_with_log(self) -> (ExitStatus, String, String) {
        self.signal();
        self.end().await
    }

    /// The same, of a program that has been asked to.
    pub(crate) async fn end(mut self) -> (ExitStatus, String, String) {
        let status = end_of(&mut self.process).await;
        let mut text = String::new();
        self.stdout
            .read_to_string(&mut text)
            .expect("it prints text");
        let mut log = String::new();
        let mut stderr = self.process.stderr.take().expect("it is piped");
        stderr.read_to_string(&mut log).expect("it logs text");
        (status, text, log)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Opens a connection that has not asked to join, to the server at this address.
pub(crate) async fn open_at(address: SocketAddr, cookie: &str) -> Client {
    let request = upgrade_request("/socket.io/?EIO=4&transport=websocket").header("Cookie", cookie);
    let websocket = WebSocket::try_open(connect(address).await, &request).await;
    Client::over(websocket.expect("the page is of this host")).await
}

/// The program, with the words of a command line.
pub(crate) fn fanfare(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fanfare"));
    command
        .args(words)
        .env_remove("FANFARE_COMMAND")
        .env_remove("FANFARE_DATABASE")
        .env_remove("FANFARE_REDIS")
        .env_remove("FANFARE_LOG");
    command
}

/// Runs a command that has to end by itself; gives how, and what it said was wrong.
pub(crate) async fn run(command: &mut Command) -> (ExitStatus, String) {
    let mut process = command
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program was built");
    let status = end_of(&mut process).await;
    let mut text = String::new();
    let mut stderr = process.stderr.take().expect("it is piped");
    stderr.read_to_string(&mut text).expect("it prints text");
    (status, text)
}

async fn end_of(process: &mut Child) -> ExitStatus {
    let mut ended = None;
    eventually("the program has ended", || {
        ended = process.try_wait().expect("it is our child");
        ended.is_some()
    })
    .await;
    ended.expect("it has")
}

/// An empty folder that no other test has.
pub(crate) fn new_folder() -> PathBuf {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let folder = format!(
        "{}/{}-{number}",
        env!("CARGO_TARGET_TMPDIR"),
        std::process::id()
    );
    fs::create_dir_all(&folder).expect("the build's folder can be written");
    folder.into()
}

/// What all accounts of tests have.
pub(crate) const PASSWORD: &str = "correct+horse+battery";

/// The cookie that an answer sets.
pub(crate) fn cookie_of(response: &Response) -> String {
    let cookie = response
        .header("set-cookie")
        .unwrap_or_else(|| panic!("no cookie: {response:?}"));
    cookie.split(';').next().unwrap_or_default().to_owned()
}

/// An answer that says `why`, and gives no cookie.
#[track_caller]
pub(crate) fn check_refused(response: &Response, status: u16, why: &str) {
    assert_eq!(response.status, status, "{response:?}");
    assert!(
        response.text().contains(why),
        "{why:?} is not in {}",
        response.text()
    );
    assert_eq!(response.header("set-cookie"), None);
}
