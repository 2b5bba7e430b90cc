//! TCP connections with the options that tests need.

use std::{net::SocketAddr, time::Duration};

use socket2::SockRef;
use tokio::net::{TcpSocket, TcpStream};

use crate::deadline::within;

/// Connects to `address`.
///
/// # Panics
///
/// If nobody listens there.
pub async fn connect(address: SocketAddr) -> TcpStream {
    let stream = within("a connection", TcpStream::connect(address)).await;
    let stream = stream.expect("the server listens");
    stream.set_nodelay(true).expect("the connection is open");
    stream
}

/// Connects to `address` with a receive buffer of `bytes`: a client that takes little at a time.
///
/// # Panics
///
/// If nobody listens there.
pub async fn connect_with_buffer(address: SocketAddr, bytes: u32) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("files can be opened");
    socket
        .set_recv_buffer_size(bytes)
        .expect("a buffer can be small");
    let stream = within("a connection", socket.connect(address)).await;
    stream.expect("the server listens")
}

/// Ends a connection as a crashed machine does: the peer's next packet is answered by a reset.
pub fn reset(stream: TcpStream) {
    // Without it the stream would end in good order, which another test is about.
    let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
    drop(stream);
}
