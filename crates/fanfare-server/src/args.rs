//! What the command line says.

use std::net::{IpAddr, SocketAddr};

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use crate::{bench, broker, chaos, check, store::Database};

/// A Socket.IO server that tells everyone, and knows how many are there.
#[derive(Debug, Parser)]
#[command(name = "fanfare", version, args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Serve,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve the room, a page where everyone sees how many are there (the default)
    Serve(Serve),
    /// Check whether a Socket.IO server counts right
    Check(check::Args),
    /// Load a Socket.IO server with many clients, check what each is told, and measure what it costs
    Bench(bench::Args),
    /// Break a cluster, and measure how soon its user count is right again
    Chaos(chaos::Args),
    /// Serve as a node of the cluster that `chaos` starts
    #[command(hide = true)]
    ChaosNode(chaos::NodeArgs),
}

/// How the room is served.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Serve {
    /// Where to listen; may be given several times. Without it: port 3000 of 127.0.0.1 and of ::1
    #[arg(long, value_name = "ADDR:PORT", value_parser = address)]
    pub(crate) listen: Vec<SocketAddr>,
    /// A site besides this one whose pages may connect, such as `https://example.org`; may be given several times
    #[arg(long, value_name = "URL", value_parser = origin)]
    pub(crate) origin: Vec<String>,
    /// A proxy on another machine whose `X-Forwarded-For` is believed; may be given several times. Those on this machine are in any case
    #[arg(long, value_name = "ADDR")]
    pub(crate) proxy: Vec<IpAddr>,
    /// Where accounts, sessions and messages are kept: `sqlite://PATH`, made at the first start, `sqlite::memory:`, or
    /// `postgres://USER:PASSWORD@HOST/NAME`, which several nodes may share
    #[arg(
        long,
        value_name = "URL",
        env = "FANFARE_DATABASE",
        hide_env_values = true,
        default_value = "sqlite://./fanfare.db"
    )]
    pub(crate) database: Database,
    /// The Redis over which several nodes are one room: what they tell each other, the count, sessions and wrong passwords; `redis://HOST:PORT`, or `rediss://HOST:PORT` for TLS. It needs a database that they share, too
    #[arg(
        long,
        value_name = "URL",
        env = "FANFARE_REDIS",
        hide_env_values = true
    )]
    pub(crate) redis: Option<broker::Url>,
    /// MiB that the database may grow to; beyond it nothing more is stored, and whoever writes is told
    #[arg(long, value_name = "MIB", default_value_t = 4_096, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_database_mib: u32,
    /// Seconds that people stay signed in after they last opened the room; 30 days unless given
    #[arg(long, value_name = "SECONDS", default_value_t = 2_592_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) session_seconds: u32,
    /// Seconds over which a stop spreads the ends of open pages, so that they don't all come to other nodes at once
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    pub(crate) drain_seconds: u32,
    /// What is logged, on standard error: error, warn, info, debug, trace, or a filter such as fanfare=debug
    #[arg(long, value_name = "FILTER", env = "FANFARE_LOG", default_value = "info", value_parser = filter)]
    pub(crate) log: String,
}

impl Args {
    /// The command, which is `serve` unless another one is named.
    pub(crate) fn command(self) -> Command {
        self.command.unwrap_or(Command::Serve(self.serve))
    }
}

fn address(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse()
        .map_err(|_| "an address and a port are needed, such as 127.0.0.1:3000 or [::1]:3000")
}

fn origin(text: &str) -> Result<String, &'static str> {
    let is_origin = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"))
        .is_some_and(|authority| {
            !authority.is_empty() && !authority.contains(['/', '?', '#', '@', ' ', '*'])
        });
    match is_origin {
        true => Ok(text.to_owned()),
        false => Err(
            "an origin is needed as browsers send it: http:// or https://, a host, and nothing after it",
        ),
    }
}

fn filter(text: &str) -> Result<String, String> {
    EnvFilter::try_new(text)
        .map(|_| text.to_owned())
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn serve(words: &str) -> Result<Serve, String> {
        let words = ["fanfare"].into_iter().chain(words.split_whitespace());
        match Args::try_parse_from(words)
            .map_err(|error| error.to_string())?
            .command()
        {
            Command::Serve(serve) => Ok(serve),
            Command::Check(_) => Err("check".to_owned()),
            Command::Bench(_) => Err("bench".to_owned()),
            Command::Chaos(_) => Err("chaos".to_owned()),
            Command::ChaosNode(_) => Err("chaos-node".to_owned()),
        }
    }

    #[test]
    fn the_room_is_served_unless_another_command_is_named() {
        for words in [
            "--listen 127.0.0.1:0 --listen [::1]:80",
            "serve --listen 127.0.0.1:0 --listen [::1]:80",
        ] {
            let listen = serve(words).unwrap().listen;
            assert_eq!(
                listen,
                ["127.0.0.1:0".parse().unwrap(), "[::1]:80".parse().unwrap()]
            );
        }
        assert!(serve("").unwrap().listen.is_empty());
        assert_eq!(serve("check http://127.0.0.1:3000").unwrap_err(), "check");
        for words in [
            "bench http://127.0.0.1:3000 paced --clients 10",
            "bench --clients 10 http://127.0.0.1:3000 rooms --members 3",
        ] {
            assert_eq!(serve(words).unwrap_err(), "bench");
        }
        assert_eq!(serve("chaos kill wipe --runs 20").unwrap_err(), "chaos");
    }

    #[test]
    fn a_wrong_value_is_named_with_what_would_be_right() {
        for (words, named, right) in [
            (
                "--listen 3000",
                "'3000' for '--listen",
                "such as 127.0.0.1:3000",
            ),
            (
                "--listen 127.0.0.1:99999",
                "'127.0.0.1:99999'",
                "such as 127.0.0.1:3000",
            ),
            (
                "serve --origin example.org",
                "'example.org' for '--origin",
                "http:// or https://",
            ),
            (
                "--origin https://example.org/",
                "'https://example.org/'",
                "nothing after it",
            ),
            ("--log =====", "'=====' for '--log", "invalid"),
            (
                "--database mysql://localhost/fanfare",
                "'mysql://localhost/fanfare' for '--database",
                "postgres://USER:PASSWORD@HOST/NAME",
            ),
            ("--database fanfare.db", "'fanfare.db'", "sqlite::memory:"),
            (
                "--redis localhost",
                "'localhost' for '--redis",
                "redis://HOST:PORT",
            ),
            ("--proxy 10.0.0.1:80", "'10.0.0.1:80'", "IP address"),
            ("--max-database-mib 0", "'0'", "1.."),
            ("--port 80", "'--port'", "--help"),
            (
                "bench 127.0.0.1:3000 paced",
                "'127.0.0.1:3000'",
                "http://127.0.0.1:3000",
            ),
            ("bench http://127.0.0.1:3000 pace", "'pace'", "'paced'"),
            (
                "bench http://127.0.0.1:3000 paced --clients 0",
                "'0'",
                "1..",
            ),
            (
                "bench http://127.0.0.1:3000 paced --transport webtransport",
                "'webtransport'",
                "websocket, polling, upgrade",
            ),
            (
                "bench http://127.0.0.1:3000 paced --members 3",
                "'--members'",
                "paced",
            ),
        ] {
            let error = serve(words).unwrap_err();
            assert!(error.contains(named) && error.contains(right), "{error}");
        }
    }
}
