//! `fanfare serve`: from the command line to the end of the server.

use std::{
    io::{self, IsTerminal as _, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use fanfare::{Adapter, Config, Cors, Io, Limits, Listener, Origins, ProtoLimits};
use fanfare_redis::RedisAdapter;
use tokio::{task::spawn_blocking, time::timeout};

use crate::{
    args::Serve,
    auth::Doorkeeper,
    broker::{self, Broker},
    listen, pages,
    password::{self, Hasher},
    room::Room,
    signals::Signals,
    site::Site,
    store::{Database, Store},
    throttle::Throttle,
};

/// Serves the room until a signal comes, and the shutdown is over or a second one has come.
///
/// # Errors
///
/// If it can't start: a sentence that says what would be right.
pub(crate) async fn run(args: Serve) -> Result<ExitCode> {
    let log = tracing_subscriber::fmt().with_env_filter(format!("{QUIET},{}", args.log));
    log.with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .init();
    check(&args)?;
    let mut signals = Signals::new().context("signals can't be handled")?;
    let cluster = match &args.redis {
        Some(url) => Some(Arc::new(url.adapter()?)),
        None => None,
    };
    let io = Io::with(config(&args, cluster.clone()));
    let listeners = listen::bind(&io, &args.listen).await?;
    let max_bytes = u64::from(args.max_database_mib) * 1024 * 1024;
    let store = Store::open(&args.database, max_bytes).await?;
    let broker = match &args.redis {
        Some(url) => Some(Broker::connect(url).await?),
        None => None,
    };
    let store = match &broker {
        Some(broker) => store.with_sessions_in(broker.clone()),
        None => store,
    };
    spawn_blocking(password::prepare);
    let hasher = Hasher::new();
    let doors = Doorkeeper::new(&store, hasher.clone(), args.session_seconds);
    let room = Room::open(&io, doors.clone(), &store, broker.clone());
    let life = Duration::from_secs(args.session_seconds.into());
    let tending = tokio::spawn({
        let room = room.clone();
        async move { room.tend(life).await }
    });
    greet(&listeners, &args.database, args.redis.as_ref());

    let app = Site {
        room: room.clone(),
        doors,
        accounts: store.accounts(),
        hasher,
        origins: args.origin,
        proxies: args.proxy,
        session_seconds: args.session_seconds,
        throttle: Throttle::new(broker),
        cluster,
    }
    .router();
    for listener in listeners {
        tokio::spawn(listener.serve(app.clone()));
    }
    signals.next().await;
    tracing::info!("shutting down; a second signal ends it at once");
    let shutdown = async {
        if args.drain_seconds != 0 {
            io.drain().await;
        }
        // Everyone goes now, and nobody here is told of it. What is not stored by now is not acknowledged either.
        tending.abort();
        room.tell_nodes_bye();
        io.shutdown().await;
        let _ = timeout(CLOSING, store.close()).await;
    };
    Ok(tokio::select! {
        () = shutdown => ExitCode::SUCCESS,
        () = signals.next() => ExitCode::from(ENDED_AT_ONCE),
    })
}

/// What may not be given together.
fn check(args: &Serve) -> Result<()> {
    if args.redis.is_some() && !matches!(args.database, Database::Postgres(_)) {
        bail!(
            "--redis is for several nodes, and each would have accounts and messages of its own: give the database that \
             they share, too, as --database postgres://USER:PASSWORD@HOST/NAME"
        );
    }
    Ok(())
}

/// How clients are served; by all nodes of `cluster` as by one server.
fn config(args: &Serve, cluster: Option<Arc<RedisAdapter>>) -> Config {
    let origins = if args.origin.is_empty() {
        Origins::SameOrigin
    } else {
        Origins::List(args.origin.clone())
    };
    Config {
        adapter: cluster.map(|cluster| -> Arc<dyn Adapter> { cluster }),
        origins,
        // A listed page is there for people who are signed in here.
        cors: Cors {
            credentials: true,
            ..Cors::default()
        },
        // Clients 2.x are welcome. No socket's id is ever told to another.
        allow_eio3: true,
        client: pages::client(),
        connect_timeout: Duration::from_secs(10),
        drain_time: Duration::from_secs(args.drain_seconds.into()),
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
fn greet(listeners: &[Listener], database: &Database, redis: Option<&broker::Url>) {
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
    text += &match database {
        Database::File(path) => {
            let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
            format!(
                "Accounts and messages are in {}. Ctrl-C stops this program.\n",
                path.display()
            )
        }
        Database::Postgres(url) => {
            let sessions = redis.map(|redis| format!(", sessions in {redis}"));
            let sessions = sessions.unwrap_or_default();
            format!("Accounts and messages are in {url}{sessions}. Ctrl-C stops this program.\n")
        }
        Database::Memory => {
            "Accounts and messages are in memory, and gone when Ctrl-C stops this program.\n"
                .to_owned()
        }
    };
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

/// What makes sessions complains of cookies that anybody may send, and notes each request.
const QUIET: &str = "tower_sessions=error,tower_sessions_core=error,axum_login=error,sqlx=warn";

/// How long the database may take to be closed.
const CLOSING: Duration = Duration::from_secs(5);

/// What shells report of a program that an interrupt has ended.
const ENDED_AT_ONCE: u8 = 130;
