//! A network between a client and a server, for what only a network does: to break, to hold back, and to lose one end
//! without telling the other.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    sync::watch,
    task::JoinHandle,
};

use crate::tcp;

/// Carries bytes between whoever connects to it and a server, until it is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    wires: Arc<Mutex<Wires>>,
    accepting: JoinHandle<()>,
}

/// All connections.
#[derive(Debug)]
struct Wires {
    /// Where new ones lead.
    server: SocketAddr,
    is_stalled: bool,
    all: Vec<watch::Sender<Fate>>,
}

/// What a network does with a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Fate {
    Flows,
    Stalls,
    HalfOpen,
    Cut,
}

impl Proxy {
    /// A network to the server at `server`.
    ///
    /// # Panics
    ///
    /// If there is no port for it.
    pub async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.expect("a port is free");
        let wires = Arc::new(Mutex::new(Wires {
            server,
            is_stalled: false,
            all: Vec::new(),
        }));
        Self {
            address: listener.local_addr().expect("it is bound"),
            wires: wires.clone(),
            accepting: tokio::spawn(async move {
                while let Ok((client, _)) = listener.accept().await {
                    let (server, fate) = lock(&wires).add();
                    tokio::spawn(carry(client, server, fate));
                }
            }),
        }
    }

    /// Where clients find the server.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections have been made so far. They are numbered from 0 in the order in which they were.
    pub fn n_connections(&self) -> usize {
        lock(&self.wires).all.len()
    }

    /// Leads who connects from now on to another server.
    pub fn lead_to(&self, server: SocketAddr) {
        lock(&self.wires).server = server;
    }

    /// Breaks all connections: both ends are told by a reset. New ones may be made.
    pub fn cut(&self) {
        lock(&self.wires).set_all(Fate::Cut);
    }

    /// Holds everything back, also on connections that are made from now on, until it [flows](Self::flow).
    pub fn stall(&self) {
        let mut wires = lock(&self.wires);
        wires.is_stalled = true;
        wires.set_all(Fate::Stalls);
    }

    /// Carries on with what was held back.
    pub fn flow(&self) {
        let mut wires = lock(&self.wires);
        wires.is_stalled = false;
        wires.set_all(Fate::Flows);
    }

    /// Ends connection `number` at the server's end. The client is told nothing: it may send on, and gets no answer.
    ///
    /// # Panics
    ///
    /// If there has been no such connection.
    pub fn half_open(&self, number: usize) {
        lock(&self.wires).all[number].send_replace(Fate::HalfOpen);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.cut();
    }
}

impl Wires {
    fn add(&mut self) -> (SocketAddr, watch::Receiver<Fate>) {
        let (sender, fate) = watch::channel(match self.is_stalled {
            true => Fate::Stalls,
            false => Fate::Flows,
        });
        self.all.push(sender);
        (self.server, fate)
    }

    /// Whoever is half-open stays so, unless it is cut.
    fn set_all(&self, fate: Fate) {
        for wire in &self.all {
            wire.send_if_modified(|now| {
                let may = *now != Fate::Cut && (*now != Fate::HalfOpen || fate == Fate::Cut);
                if may {
                    *now = fate;
                }
                may
            });
        }
    }
}

fn lock(wires: &Mutex<Wires>) -> MutexGuard<'_, Wires> {
    wires.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One connection, to its end.
async fn carry(mut client: TcpStream, server: SocketAddr, mut fate: watch::Receiver<Fate>) {
    let Ok(mut server) = TcpStream::connect(server).await else {
        // As a machine does on which nobody listens.
        return tcp::reset(client);
    };
    let broken = {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let mut broken = fate.clone();
        tokio::select! {
            _ = pump(from_client, to_server, fate.clone()) => Fate::Flows,
            _ = pump(from_server, to_client, fate.clone()) => Fate::Flows,
            found = broken.wait_for(|fate| matches!(fate, Fate::HalfOpen | Fate::Cut)) => {
                found.map_or(Fate::Cut, |fate| *fate)
            }
        }
    };
    match broken {
        Fate::Cut => {
            tcp::reset(client);
            tcp::reset(server);
        }
        Fate::HalfOpen => {
            drop(server);
            tokio::select! {
                () = swallow(&mut client) => {}
                _ = fate.wait_for(|fate| *fate == Fate::Cut) => {}
            }
            tcp::reset(client);
        }
        // One end has ended it: now the other sees that, too.
        Fate::Flows | Fate::Stalls => {}
    }
}

/// Carries bytes one way while they flow.
async fn pump(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    mut fate: watch::Receiver<Fate>,
) -> io::Result<()> {
    let mut bytes = vec![0; 16 << 10];
    loop {
        let n = from.read(&mut bytes).await?;
        // What has come while it stalls is the first to go on.
        let flows = fate.wait_for(|fate| *fate != Fate::Stalls).await;
        flows.map_err(io::Error::other)?;
        if n == 0 {
            return to.shutdown().await;
        }
        to.write_all(&bytes[..n]).await?;
    }
}

async fn swallow(client: &mut TcpStream) {
    let mut bytes = vec![0; 16 << 10];
    while client.read(&mut bytes).await.is_ok_and(|n| 0 < n) {}
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{connect, deadline::within};

    /// A server that says everything back, and a client of it behind a network.
    async fn echo() -> (Proxy, TcpStream, JoinHandle<()>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let proxy = Proxy::to(listener.local_addr().unwrap()).await;
        let client = connect(proxy.address()).await;
        let (mut server, _) = within("the client", listener.accept()).await.unwrap();
        let serving = tokio::spawn(async move {
            let (mut from, mut to) = server.split();
            let _ = tokio::io::copy(&mut from, &mut to).await;
        });
        (proxy, client, serving)
    }

    async fn say(client: &mut TcpStream, byte: u8) {
        client.write_u8(byte).await.unwrap();
    }

    async fn hears(client: &mut TcpStream, byte: u8) {
        assert_eq!(within("a byte", client.read_u8()).await.unwrap(), byte);
    }

    #[tokio::test]
    async fn what_stalls_comes_when_it_flows_again() {
        let (proxy, mut client, _serving) = echo().await;
        say(&mut client, 1).await;
        hears(&mut client, 1).await;
        proxy.stall();
        say(&mut client, 2).await;
        let nothing = tokio::time::timeout(SHORT, client.read_u8()).await;
        assert!(nothing.is_err(), "{nothing:?}");
        proxy.flow();
        hears(&mut client, 2).await;
    }

    #[tokio::test]
    async fn a_half_open_connection_has_ended_for_the_server_only() {
        let (proxy, mut client, serving) = echo().await;
        say(&mut client, 1).await;
        hears(&mut client, 1).await;
        proxy.half_open(0);
        within("the server's end", serving).await.unwrap();
        say(&mut client, 2).await;
        let nothing = tokio::time::timeout(SHORT, client.read_u8()).await;
        assert!(nothing.is_err(), "{nothing:?}");
    }

    #[tokio::test]
    async fn a_cut_is_told_to_both_ends() {
        let (proxy, mut client, serving) = echo().await;
        proxy.cut();
        let told = within("the reset", client.read_u8()).await;
        assert_eq!(told.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
        within("the server's end", serving).await.unwrap();
    }

    /// Longer than a byte takes; a network that does not hold it back fails the test nearly always.
    const SHORT: Duration = Duration::from_millis(100);
}
