//! Client: Socket.IO over a WebSocket, as wire text.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};

use crate::{
    deadline::within,
    frame,
    polling::sid_of,
    tcp,
    websocket::{Heard, WebSocket},
};

/// A Socket.IO client over a WebSocket. It answers pings; all else is the test's to say and to
/// hear, as wire text: `42["chat","hi"]`.
#[derive(Debug)]
pub struct Client<S = TcpStream> {
    /// The WebSocket beneath.
    pub websocket: WebSocket<S>,
    /// The socket's id in the namespace that was joined last.
    pub id: String,
}

impl Client {
    /// Connects, and joins the main namespace.
    pub async fn join(address: SocketAddr) -> Self {
        let mut client = Self::open(address).await;
        client.join_nsp("/", "").await;
        client
    }

    /// Connects, and joins nothing.
    pub async fn open(address: SocketAddr) -> Self {
        Self::open_over(tcp::connect(address).await).await
    }

    /// Gives the connection up, as a crashed client does.
    pub fn reset(self) {
        self.websocket.reset();
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    /// Connects over `stream`, and joins nothing.
    pub async fn open_over(stream: S) -> Self {
        Self::over(WebSocket::open_over(stream, TARGET).await).await
    }

    /// Speaks over `websocket`, on which the open packet comes first.
    ///
    /// # Panics
    ///
    /// If it does not.
    pub async fn over(mut websocket: WebSocket<S>) -> Self {
        let open = websocket.text().await;
        assert!(open.starts_with("0{"), "{open}");
        Self {
            websocket,
            id: String::new(),
        }
    }

    /// Joins `nsp`, with `auth` as JSON text or empty; returns the socket's id.
    ///
    /// # Panics
    ///
    /// If the server refuses.
    pub async fn join_nsp(&mut self, nsp: &str, auth: &str) -> String {
        let head = match nsp {
            "/" => "40".to_owned(),
            nsp => format!("40{nsp},"),
        };
        self.send(&format!("{head}{auth}")).await;
        let answer = self.hear().await;
        let json = answer.strip_prefix(&head);
        let id = sid_of(json.unwrap_or_else(|| panic!("joining {nsp}: {answer}")));
        self.id.clone_from(&id);
        id
    }

    /// Sends wire text.
    pub async fn send(&mut self, text: &str) {
        self.websocket.send(text).await;
    }

    /// Sends a binary message.
    pub async fn send_binary(&mut self, data: &[u8]) {
        self.websocket.send_binary(data).await;
    }

    /// Waits for the next text, and answers pings.
    ///
    /// # Panics
    ///
    /// If something else comes.
    pub async fn hear(&mut self) -> String {
        match within("a packet", self.hear_any()).await {
            Heard::Text(text) => text,
            other => panic!("a packet was expected, not {other:?}"),
        }
    }

    /// Waits for `text`, and nothing before it but pings.
    ///
    /// # Panics
    ///
    /// If something else comes.
    pub async fn expect(&mut self, text: &str) {
        let heard = self.hear().await;
        assert_eq!(heard, text);
    }

    /// Waits for a binary message of `data`.
    ///
    /// # Panics
    ///
    /// If something else comes.
    pub async fn expect_binary(&mut self, data: &[u8]) {
        let heard = within("binary data", self.hear_any()).await;
        assert_eq!(heard, Heard::Binary(data.to_vec().into()));
    }

    /// Waits for the Close frame or the end, whatever comes before it; returns the texts that did.
    pub async fn closed(&mut self) -> Vec<String> {
        let mut texts = Vec::new();
        within("the end of a connection", async {
            loop {
                match self.hear_any().await {
                    Heard::Text(text) => texts.push(text),
                    Heard::Close(_) | Heard::End => return,
                    Heard::Binary(_) | Heard::Ping(_) | Heard::Pong(_) => {}
                }
            }
        })
        .await;
        texts
    }

    /// Waits for what comes next but pings, which it answers, without a deadline.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost but the answer to a ping.
    pub async fn hear_any(&mut self) -> Heard {
        loop {
            match self.websocket.hear_whenever().await {
                // The server may have closed meanwhile; then the end comes next.
                Heard::Text(text) if text == "2" => {
                    self.websocket.try_send_bytes(&frame::text("3")).await;
                }
                other => return other,
            }
        }
    }
}

/// Where Socket.IO answers by default.
const TARGET: &str = "/socket.io/?EIO=4&transport=websocket";
