//! WebSocket: messages as they come, and frames as the test wants them.

use std::net::SocketAddr;

use bytes::Bytes;
use fanfare_proto::{
    Limits,
    websocket::{Message, Reader, Role, accept_key, next_frame_len},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    deadline::within,
    frame,
    http::{Http, Request, Response},
    tcp,
};

/// A client's WebSocket.
#[derive(Debug)]
pub struct WebSocket<S = TcpStream> {
    stream: S,
    reader: Reader,
    /// Whether messages may be compressed.
    pub is_deflating: bool,
    unread: Vec<u8>,
    read: usize,
}

/// What a WebSocket gives.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Heard {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Bytes),
    /// A ping frame.
    Ping(Bytes),
    /// A pong frame.
    Pong(Bytes),
    /// A Close frame, and its code if it has one.
    Close(Option<u16>),
    /// The stream has ended.
    End,
}

impl WebSocket {
    /// Opens a WebSocket at `target`.
    ///
    /// # Panics
    ///
    /// If the server refuses.
    pub async fn open(address: SocketAddr, target: &str) -> Self {
        Self::open_over(tcp::connect(address).await, target).await
    }

    /// Gives the connection up, as a crashed client does.
    pub fn reset(self) {
        tcp::reset(self.stream);
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// Opens a WebSocket at `target`, over `stream`.
    ///
    /// # Panics
    ///
    /// If the server refuses.
    pub async fn open_over(stream: S, target: &str) -> Self {
        Self::try_open(stream, &upgrade_request(target))
            .await
            .unwrap_or_else(|refusal| panic!("{target}: {refusal:?}"))
    }

    /// Sends `request` over `stream`, to open a WebSocket.
    ///
    /// # Errors
    ///
    /// What the server answered instead.
    pub async fn try_open(stream: S, request: &Request) -> Result<Self, Response> {
        let mut http = Http::over(stream);
        http.send(&request.encode()).await;
        Self::opened(http).await
    }

    /// Waits for the answer to an upgrade request that was sent over `http`.
    ///
    /// # Errors
    ///
    /// What the server answered instead.
    ///
    /// # Panics
    ///
    /// If the handshake's answer is wrong.
    pub async fn opened(mut http: Http<S>) -> Result<Self, Response> {
        let answer = http.receive().await;
        if answer.status != 101 {
            return Err(answer);
        }
        assert_eq!(
            answer.header("sec-websocket-accept"),
            Some(&*accept_key(KEY))
        );
        let is_deflating = answer.header("sec-websocket-extensions").is_some();
        let (stream, unread) = http.into_parts();
        let limits = Limits {
            max_payload_bytes: MAX_BYTES,
            ..Limits::default()
        };
        let reader = Reader::new(Role::Client, &limits);
        Ok(Self {
            stream,
            reader: match is_deflating {
                true => reader.inflating(),
                false => reader,
            },
            is_deflating,
            unread,
            read: 0,
        })
    }

    /// Sends a text message.
    ///
    /// # Panics
    ///
    /// If the connection is closed.
    pub async fn send(&mut self, text: &str) {
        self.send_bytes(&frame::text(text)).await;
    }

    /// Sends a binary message.
    ///
    /// # Panics
    ///
    /// If the connection is closed.
    pub async fn send_binary(&mut self, data: &[u8]) {
        self.send_bytes(&frame::binary(data)).await;
    }

    /// Sends bytes as they are, frames or not.
    ///
    /// # Panics
    ///
    /// If the connection is closed.
    pub async fn send_bytes(&mut self, bytes: &[u8]) {
        within("the server to read", self.stream.write_all(bytes))
            .await
            .expect("the connection is open");
    }

    /// Sends bytes as they are, unless the server has closed the connection.
    pub async fn try_send_bytes(&mut self, bytes: &[u8]) -> bool {
        within("the server to read", self.stream.write_all(bytes))
            .await
            .is_ok()
    }

    /// Waits for what comes next.
    ///
    /// # Panics
    ///
    /// If the server breaks RFC 6455.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub async fn hear(&mut self) -> Heard {
        within("a message", self.hear_whenever()).await
    }

    /// Waits for what comes next, without a deadline.
    ///
    /// # Panics
    ///
    /// If the server breaks RFC 6455.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub async fn hear_whenever(&mut self) -> Heard {
        loop {
            if let Some(heard) = self.hear_what_is_read() {
                return heard;
            }
            self.unread.clear();
            self.read = 0;
            match self.stream.read_buf(&mut self.unread).await {
                Ok(0) | Err(_) => return Heard::End,
                Ok(_) => {}
            }
        }
    }

    /// Waits for the next frame, and gives its bytes as they came.
    ///
    /// # Panics
    ///
    /// If the stream ends, or a message has been read in part.
    pub async fn raw_frame(&mut self) -> Bytes {
        within("a frame", async {
            loop {
                let rest = &self.unread[self.read..];
                match next_frame_len(rest) {
                    0 => {}
                    len if rest.len() < len => {}
                    len => {
                        let frame = Bytes::copy_from_slice(&rest[..len]);
                        self.read += len;
                        return frame;
                    }
                }
                let read = self.stream.read_buf(&mut self.unread).await;
                assert_ne!(read.expect("the connection is open"), 0, "the stream ended");
            }
        })
        .await
    }

    /// Waits for this text, and nothing before it.
    ///
    /// # Panics
    ///
    /// If something else comes.
    pub async fn expect(&mut self, text: &str) {
        let heard = self.text().await;
        assert_eq!(heard, text);
    }

    /// Waits for a text message.
    ///
    /// # Panics
    ///
    /// If something else comes.
    pub async fn text(&mut self) -> String {
        match self.hear().await {
            Heard::Text(text) => text,
            other => panic!("text was expected, not {other:?}"),
        }
    }

    /// Waits for a Close frame, whatever comes before it; returns its code. `None` if it has none,
    /// or the stream just ended.
    pub async fn closed(&mut self) -> Option<u16> {
        within("the end of a WebSocket", async {
            loop {
                match self.hear_whenever().await {
                    Heard::Close(code) => return code,
                    Heard::End => return None,
                    Heard::Text(_) | Heard::Binary(_) | Heard::Ping(_) | Heard::Pong(_) => {}
                }
            }
        })
        .await
    }

    /// The stream beneath.
    pub fn stream(&self) -> &S {
        &self.stream
    }

    /// What has been read already, if it is whole.
    pub(crate) fn hear_what_is_read(&mut self) -> Option<Heard> {
        let mut rest = &self.unread[self.read..];
        let message = self.reader.read(&mut rest).expect("the server's frames");
        self.read = self.unread.len() - rest.len();
        message.map(|message| match message {
            Message::Text(text) => Heard::Text(text),
            Message::Binary(data) => Heard::Binary(data),
            Message::Ping(data) => Heard::Ping(data),
            Message::Pong(data) => Heard::Pong(data),
            Message::Close(frame) => Heard::Close(frame.map(|frame| frame.code.0)),
        })
    }
}

/// The request that opens a WebSocket at `target`.
pub fn upgrade_request(target: &str) -> Request {
    Request::get(target)
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", KEY)
}

/// The key of RFC 6455's example.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// The largest message that a test waits for.
const MAX_BYTES: usize = 64 * 1024 * 1024;
