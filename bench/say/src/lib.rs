//! fanfare as the server that `fanfare bench` asks for: the events of docs/bench.md, as a user of fanfare writes them.
#![forbid(unsafe_code)]

use std::{
    io,
    net::{IpAddr, TcpListener},
    path::Path,
};

use anyhow::Context as _;
use axum_server::tls_rustls::RustlsConfig;
use fanfare::{Ack, Args, Config, Io, RawArgs, Socket};

/// A server that says to all what one says, and answers the bench's other events.
pub fn server(config: Config) -> Io {
    let io = Io::with(config);
    io.on("say", |socket: Socket, said: RawArgs| async move {
        socket.io().emit("say", said);
    });
    io.on(
        "burst",
        |socket: Socket, Args((count, text)): Args<(u32, String)>| async move {
            for i in 0..count {
                socket.io().emit("say", Args((i, &text)));
            }
        },
    );
    io.on("echo", |_: Socket, text: String, ack: Ack| async move {
        ack.send(text);
    });
    io.on(
        "join",
        |socket: Socket, room: String, ack: Ack| async move {
            socket.join(room);
            ack.send("joined");
        },
    );
    io.on("held", |socket: Socket, ack: Ack| async move {
        ack.send(socket.io().metrics().longest_hold.as_micros());
    });
    io.on(
        "tell",
        |socket: Socket, Args((room, number, text)): Args<(String, u32, String)>| async move {
            socket.io().to(room).emit("say", Args((number, text)));
        },
    );
    io
}

/// A certificate made for `address`, which `file` has for those who are to trust it.
///
/// # Errors
///
/// If it can't be made or written.
pub async fn certificate(address: IpAddr, file: &Path) -> anyhow::Result<RustlsConfig> {
    let made = rcgen::generate_simple_self_signed([address.to_string()])?;
    let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    std::fs::write(file, &certificate)
        .with_context(|| format!("cannot write {}", file.display()))?;
    Ok(RustlsConfig::from_pem(certificate.into(), key.into()).await?)
}

/// Serves over TLS, as users of axum do.
///
/// # Errors
///
/// If the listener fails.
pub async fn serve_over_tls(io: &Io, listener: TcpListener, tls: RustlsConfig) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let app = axum::Router::new().layer(io.layer());
    axum_server::from_tcp_rustls(listener, tls)?
        .serve(app.into_make_service())
        .await
}
