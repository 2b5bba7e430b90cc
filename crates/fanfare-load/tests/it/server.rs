//! Server: fanfare with the bench's events, in threads of its own.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::Duration;

use fanfare::{Config, Io};
use fanfare_load::{Length, Load, Swarm, Tls, Transport};
use tokio::runtime::Runtime;

/// It runs until this goes out of scope.
pub(crate) struct Server {
    address: SocketAddr,
    tls: Option<Tls>,
    _runtime: Runtime,
}

impl Server {
    /// Answers every event of docs/bench.md.
    pub(crate) fn of_bench() -> Self {
        Self::with(Config::default())
    }

    pub(crate) fn with(config: Config) -> Self {
        Self::serving(&fanfare_bench_say::server(config))
    }

    /// Serves `io`, as it is.
    pub(crate) fn serving(io: &Io) -> Self {
        let runtime = Runtime::new().expect("threads can be had");
        let listener = runtime
            .block_on(io.bind("127.0.0.1:0"))
            .expect("a port is free");
        let address = listener.local_addr();
        runtime.spawn(listener.serve(axum::Router::new()));
        Self {
            address,
            tls: None,
            _runtime: runtime,
        }
    }

    /// The same as [`of_bench`](Self::of_bench), over TLS.
    pub(crate) fn of_bench_over_tls() -> Self {
        let runtime = Runtime::new().expect("threads can be had");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let name = format!("certificate-{}.pem", address.port());
        let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        let made = runtime.block_on(fanfare_bench_say::certificate(address.ip(), &file));
        let made = made.expect("a certificate can be made");
        let trusted = Tls::trusting(&file, address.ip().to_string()).expect("it was just made");
        let io = fanfare_bench_say::server(Config::default());
        runtime.spawn(async move { fanfare_bench_say::serve_over_tls(&io, listener, made).await });
        Self {
            address,
            tls: Some(trusted),
            _runtime: runtime,
        }
    }

    /// `clients` for it, brief, and for no longer than a test may take; the process that is watched is this one.
    pub(crate) fn load(&self, clients: usize) -> Load {
        Load {
            server_pid: Some(std::process::id()),
            length: Length::Brief,
            tls: self.tls.clone(),
            within: Duration::from_secs(60),
            ..Load::new(self.address, clients)
        }
    }

    pub(crate) fn swarm(&self, clients: usize) -> Swarm {
        Swarm::new(self.load(clients)).expect("so many sockets are allowed")
    }

    pub(crate) fn swarm_over(&self, transport: Transport, clients: usize) -> Swarm {
        let load = Load {
            transport,
            ..self.load(clients)
        };
        Swarm::new(load).expect("so many sockets are allowed")
    }
}
