//! `fanfare serve`: from the command line to the end of the server.

use std::{
    io::{self, IsTerminal as _, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::Path,
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, Result};
use fanfare::{Config, Io, Limits, Listener, Origins, ProtoLimits};

use crate::{
    args::Serve, key, listen, pages, room::Room, session::Sessions, signals::Signals, site::Site,
};

/// Serves the room until a signal comes, and the shutdown is over or a second one has come.
///
/// # Errors
///
/// If it can't start: a sentence that says what would be right.
pub(crate) async fn run(args: Serve) -> Result<ExitCode> {
    let log = tracing_subscriber::fmt().with_env_filter(&args.log);
    log.with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .init();
    let mut signals = Signals::new().context("signals can't be handled")?;
    let io = Io::with(config(&args));
    let listeners = listen::bind(&io, &args.listen).await?;
    let sessions = Arc::new(Sessions::new(key::load_or_make(&args.key_file)?));
    let room = Room::open(&io, sessions.clone());
    let departures = {
        let room = room.clone();
        tokio::spawn(async move { room.depart().await })
    };
    greet(&listeners, &args.key_file);

    let app = Site {
        room,
        sessions,
        origins: args.origin,
    }
    .router();
    for listener in listeners {
        tokio::spawn(listener.serve(app.clone()));
    }
    signals.next().await;
    tracing::info!("shutting down; a second signal ends it at once");
    // Everyone goes now, and nobody is told of it.
    departures.abort();
    Ok(tokio::select! {
        () = io.shutdown() => ExitCode::SUCCESS,
        () = signals.next() => ExitCode::from(ENDED_AT_ONCE),
    })
}

fn config(args: &Serve) -> Config {
    let origins = if args.origin.is_empty() {
        Origins::SameOrigin
    } else {
        Origins::List(args.origin.clone())
    };
    Config {
        origins,
        client: pages::client(),
        connect_timeout: Duration::from_secs(10),
        limits: Limits {
            proto: ProtoLimits {
                max_payload_bytes: MAX_PAYLOAD_BYTES,
                ..ProtoLimits::default()
            },
            max_inbox_bytes: MAX_PAYLOAD_BYTES,
            ..Limits::default()
        },
        ..Config::default()
    }
}

/// Says where the room is: one line for each address, for programs that started this one, then
/// sentences for people.
fn greet(listeners: &[Listener], key_file: &Path) {
    let mut text = String::new();
    for listener in listeners {
        text += &format!("listening on http://{}\n", listener.local_addr());
    }
    if let Some(first) = listeners.first() {
        let url = reachable(first.local_addr());
        text += &format!(
            "\nOpen http://{url} and enter a name; then open a second window, and see both count 2.\n"
        );
    }
    let key_file = std::path::absolute(key_file).unwrap_or_else(|_| key_file.to_owned());
    text += &format!(
        "{} keeps people signed in when this program restarts. Ctrl-C stops it.\n",
        key_file.display()
    );
    if !pages::are_there() {
        text +=
            "There is no page: `cargo xtask serve` makes it, and builds this program with it.\n";
    }
    // Whoever started the program may not want to read it.
    let _ = io::stdout().write_all(text.as_bytes());
}

/// The address as a browser on this machine reaches it.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// A million characters of four bytes, and the packet around them: a message far too long is answered
/// with the rule, instead of ending the connection.
const MAX_PAYLOAD_BYTES: usize = 4_001_000;

/// What shells report of a program that an interrupt has ended.
const ENDED_AT_ONCE: u8 = 130;
