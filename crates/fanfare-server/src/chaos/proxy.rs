//! Proxy: a link to the broker that can fall silent, as a cable does that is pulled, and can lead to another one.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{AbortHandle, JoinSet},
};

/// A port that leads to another one.
#[derive(Debug)]
pub(super) struct Proxy {
    port: u16,
    target: Arc<AtomicU16>,
    whole: watch::Sender<bool>,
    serving: AbortHandle,
}

impl Proxy {
    /// Leads to `target` of 127.0.0.1.
    ///
    /// # Errors
    ///
    /// If no port is free.
    pub(super) async fn start(target: u16) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let (whole, is_whole) = watch::channel(true);
        let target = Arc::new(AtomicU16::new(target));
        let serving = tokio::spawn(serve(listener, target.clone(), is_whole)).abort_handle();
        Ok(Self {
            port,
            target,
            whole,
            serving,
        })
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Leads to another port of 127.0.0.1 who comes from now on.
    pub(super) fn lead_to(&self, target: u16) {
        self.target.store(target, Ordering::Relaxed);
    }

    /// Nothing passes any more, either way. Connections stay open, and those who come wait.
    pub(super) fn cut(&self) {
        self.whole.send_replace(false);
    }

    /// All that waits passes.
    pub(super) fn mend(&self) {
        self.whole.send_replace(true);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, target: Arc<AtomicU16>, whole: watch::Receiver<bool>) {
    // They end with this task.
    let mut links = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    links.spawn(link(stream, target.clone(), whole.clone()));
                }
            }
            Some(_) = links.join_next() => {}
        }
    }
}

/// One connection, until either side ends it. What is wrong with it, both sides notice.
async fn link(
    near: TcpStream,
    target: Arc<AtomicU16>,
    mut whole: watch::Receiver<bool>,
) -> io::Result<()> {
    until_whole(&mut whole).await;
    let far = TcpStream::connect(("127.0.0.1", target.load(Ordering::Relaxed))).await?;
    for stream in [&near, &far] {
        stream.set_nodelay(true)?;
    }
    let (near_read, near_write) = near.into_split();
    let (far_read, far_write) = far.into_split();
    tokio::select! {
        ended = pass(near_read, far_write, whole.clone()) => ended,
        ended = pass(far_read, near_write, whole) => ended,
    }
}

async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut whole: watch::Receiver<bool>,
) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let n = from.read(&mut buffer).await?;
        until_whole(&mut whole).await;
        match n {
            0 => return Ok(()),
            n => to.write_all(&buffer[..n]).await?,
        }
    }
}

async fn until_whole(whole: &mut watch::Receiver<bool>) {
    // An error means that the proxy has been dropped, and all of this with it.
    let _ = whole.wait_for(|whole| *whole).await;
}

const BUFFER_BYTES: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn what_is_sent_while_it_is_cut_comes_when_it_is_whole_again() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let target = listener.local_addr().unwrap().port();
        let proxy = Proxy::start(target).await.unwrap();
        let mut near = TcpStream::connect(("127.0.0.1", proxy.port()))
            .await
            .unwrap();
        let (mut far, _) = listener.accept().await.unwrap();
        let mut byte = [0];

        near.write_all(b"a").await.unwrap();
        far.read_exact(&mut byte).await.unwrap();
        assert_eq!(&byte, b"a");

        proxy.cut();
        near.write_all(b"b").await.unwrap();
        let silent = timeout(Duration::from_millis(50), far.read_exact(&mut byte)).await;
        assert!(silent.is_err(), "it passed");
        proxy.mend();
        far.read_exact(&mut byte).await.unwrap();
        assert_eq!(&byte, b"b");

        drop(far);
        assert_eq!(near.read(&mut byte).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn who_comes_later_is_led_to_the_other_one() {
        let here = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let there = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let proxy = Proxy::start(here.local_addr().unwrap().port())
            .await
            .unwrap();
        let mut early = TcpStream::connect(("127.0.0.1", proxy.port()))
            .await
            .unwrap();
        let (mut old, _) = here.accept().await.unwrap();
        proxy.lead_to(there.local_addr().unwrap().port());
        let _late = TcpStream::connect(("127.0.0.1", proxy.port()))
            .await
            .unwrap();
        timeout(Duration::from_secs(20), there.accept())
            .await
            .expect("it is led there")
            .unwrap();
        // Who is there already stays.
        early.write_all(b"a").await.unwrap();
        assert_eq!(old.read_u8().await.unwrap(), b'a');
    }
}
