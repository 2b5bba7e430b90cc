//! Servers to speak to, and waits that end.

use std::{future::Future, time::Duration};

use fanfare::{Config, Io};
use fanfare_client::{Address, Args, Client, Event, Incoming, Options, Transports};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

pub(crate) const ALL: [Transports; 3] = [
    Transports::Polling,
    Transports::WebSocket,
    Transports::PollingThenWebSocket,
];

/// How long anything here may take; what takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.expect(what)
}

/// Serves `io` on a port of its own.
pub(crate) async fn serve(io: &Io) -> Address {
    let listener = io.bind("127.0.0.1:0").await.expect("a port is free");
    let address = format!("http://{}", listener.local_addr());
    tokio::spawn(listener.serve(axum::Router::new()));
    address.parse().expect("it is an address")
}

/// A server that answers `say` by `heard`, `ask` by an ack, and both with all that they carry.
pub(crate) fn echo() -> Io {
    echo_with(Config::default())
}

pub(crate) fn echo_with(config: Config) -> Io {
    let io = Io::with(config);
    io.on(
        "say",
        |socket: fanfare::Socket, args: fanfare::RawArgs| async move { socket.emit("heard", args) },
    );
    io.on(
        "ask",
        |_: fanfare::Socket, args: fanfare::RawArgs, ack: fanfare::Ack| async move { ack.send(args) },
    );
    io
}

/// A client over `transports`, its upgrade done.
pub(crate) async fn connect(address: &Address, transports: Transports) -> Client {
    let options = Options {
        transports,
        ..Options::default()
    };
    let mut client = soon("connecting", Client::connect(address, options))
        .await
        .expect("it connects");
    if transports == Transports::PollingThenWebSocket {
        assert_eq!(next(&mut client).await, Incoming::Upgraded);
    }
    client
}

pub(crate) async fn next(client: &mut Client) -> Incoming {
    let next = soon("something to come", client.next()).await;
    next.expect("it is not over")
}

pub(crate) async fn event(client: &mut Client) -> Event {
    match next(client).await {
        Incoming::Event(event) => event,
        other => panic!("an event, and not {other:?}"),
    }
}

pub(crate) fn args(values: &impl serde::Serialize) -> Args {
    Args::new(values).expect("it is JSON")
}

/// A server that gives every request to `answer`, byte by byte as that wants, and then hangs up.
pub(crate) async fn fake<F>(answer: impl Fn(String) -> F + Clone + Send + 'static) -> Address
where
    F: Future<Output = Vec<u8>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(reply(stream, answer.clone()));
        }
    });
    format!("http://{address}")
        .parse()
        .expect("it is an address")
}

async fn reply<F: Future<Output = Vec<u8>>>(mut stream: TcpStream, answer: impl Fn(String) -> F) {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte).await {
            Ok(1) => request.extend(byte),
            _ => return,
        }
    }
    let request = String::from_utf8_lossy(&request).into_owned();
    // The client may have gone.
    let _ = stream.write_all(&answer(request).await).await;
}

pub(crate) fn http(status: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
        .into()
}
