//! What `fanfare check` is told.

use std::time::Duration;

use clap::ValueEnum;
use fanfare_client::{Address, Nsp, Options, Transports};

use http::{HeaderValue, header};

/// Which server is checked, and how.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct Args {
    /// Where the server is, such as http://127.0.0.1:3000
    #[arg(value_name = "URL")]
    pub(super) address: Address,
    /// Check the lesson instead: does it say what the lesson says, and count up?
    #[arg(long)]
    pub(super) lesson: bool,
    /// How many clients come, one by one; at least 3: one leaves, one is cut off, one is shown it
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(3..=1_000))]
    pub(super) clients: u16,
    /// How they come; one section for each, separated by commas
    #[arg(
        long,
        value_name = "WAYS",
        value_delimiter = ',',
        default_value = "polling,websocket,upgraded"
    )]
    pub(super) over: Vec<Way>,
    /// Sign each client in as a guest of its own, by POST /guest
    #[arg(long, conflicts_with = "cookie")]
    pub(super) guest: bool,
    /// Come with this cookie, such as session=123
    #[arg(long, value_name = "NAME=VALUE")]
    pub(super) cookie: Option<HeaderValue>,
    /// Come with this JSON object as auth, such as {"token":"123"}
    #[arg(long, value_name = "JSON", value_parser = auth)]
    pub(super) auth: Option<String>,
    /// The event that carries the number
    #[arg(long, value_name = "NAME", default_value = "user count")]
    pub(super) event: String,
    /// Where on the server Socket.IO answers
    #[arg(long, value_name = "PATH", default_value = "/socket.io/", value_parser = path)]
    pub(super) path: String,
    /// The namespace to join
    #[arg(long, value_name = "NAMESPACE", default_value = "/")]
    pub(super) namespace: Nsp,
    /// How long anything may take; being cut off may take longer, by what the server says of its pings
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    pub(super) timeout: Duration,
    /// Print one JSON document instead of lines
    #[arg(long)]
    pub(super) json: bool,
}

/// How a client comes.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(super) enum Way {
    /// By HTTP long-polling, to the end.
    Polling,
    /// By WebSocket, from the start.
    Websocket,
    /// By polling, and on to WebSocket: what the official client does by itself.
    Upgraded,
}

impl Way {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Polling => "polling",
            Self::Websocket => "websocket",
            Self::Upgraded => "upgraded",
        }
    }

    fn transports(self) -> Transports {
        match self {
            Self::Polling => Transports::Polling,
            Self::Websocket => Transports::WebSocket,
            Self::Upgraded => Transports::PollingThenWebSocket,
        }
    }
}

/// The server, as clients need to know it.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) address: Address,
    pub(super) event: String,
    pub(super) timeout: Duration,
    pub(super) n_clients: usize,
    options: Options,
}

impl Target {
    pub(super) fn new(args: &Args) -> Self {
        let mut options = Options {
            namespace: args.namespace.clone(),
            path: args.path.clone(),
            auth: args.auth.clone(),
            connect_timeout: args.timeout,
            upgrade_timeout: args.timeout,
            close_timeout: args.timeout,
            ..Options::default()
        };
        if let Some(cookie) = &args.cookie {
            options.headers.insert(header::COOKIE, cookie.clone());
        }
        Self {
            address: args.address.clone(),
            event: args.event.clone(),
            timeout: args.timeout,
            n_clients: args.clients.into(),
            options,
        }
    }

    /// What a client connects with.
    pub(super) fn options(&self, way: Way, cookie: Option<&HeaderValue>) -> Options {
        let mut options = self.options.clone();
        options.transports = way.transports();
        if let Some(cookie) = cookie {
            options.headers.insert(header::COOKIE, cookie.clone());
        }
        options
    }
}

fn auth(text: &str) -> Result<String, &'static str> {
    serde_json::from_str::<serde_json::Map<_, _>>(text)
        .map(|_| text.to_owned())
        .map_err(|_| r#"a JSON object is needed, such as {"token":"123"}"#)
}

/// A path of Socket.IO's on a server, with both slashes.
pub(crate) fn path(text: &str) -> Result<String, &'static str> {
    if !text.starts_with('/') || text.contains(['?', '#', ' ']) {
        return Err("a path is needed, such as /socket.io/");
    }
    Ok(format!("{}/", text.trim_end_matches('/')))
}

/// A span of time on a command line.
pub(crate) fn seconds(text: &str) -> Result<Duration, &'static str> {
    text.parse()
        .ok()
        .filter(|seconds| (0.001..=3_600.0).contains(seconds))
        .map(Duration::from_secs_f64)
        .ok_or("seconds are needed, such as 5 or 0.5, and an hour at most")
}

const EXIT_CODES: &str = "Exit code: 0 if everything was right, 1 if something was wrong, 2 if it could not be found out.";
