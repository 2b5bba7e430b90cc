//! Http: one HTTP/1.1 connection, with requests as they are written and answers as they come.

use std::{fmt, net::SocketAddr};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};

use crate::{deadline::within, tcp};

/// One HTTP/1.1 connection.
#[derive(Debug)]
pub struct Http<S = TcpStream> {
    stream: S,
    unread: Vec<u8>,
}

/// A request, as it will be written.
#[derive(Clone, Debug)]
pub struct Request {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// An answer.
#[derive(Clone, Eq, PartialEq)]
pub struct Response {
    /// The status, such as 200.
    pub status: u16,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The whole body.
    pub body: Vec<u8>,
}

impl Request {
    /// A `GET`.
    pub fn get(target: impl Into<String>) -> Self {
        Self::of("GET", target)
    }

    /// A `POST` of text, as the official client sends it.
    pub fn post(target: impl Into<String>, body: impl Into<Vec<u8>>) -> Self {
        Self {
            body: body.into(),
            ..Self::of("POST", target)
        }
        .header("Content-Type", "text/plain;charset=UTF-8")
    }

    /// A request of any method, without a body.
    pub fn of(method: &str, target: impl Into<String>) -> Self {
        Self {
            method: method.to_owned(),
            target: target.into(),
            headers: vec![("Host".to_owned(), HOST.to_owned())],
            body: Vec::new(),
        }
    }

    /// Sets a header, in place of one of that name.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers
            .retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The headers, in their order.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers.iter().map(|(name, value)| (&**name, &**value))
    }

    /// What goes on the wire.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        for (name, value) in &self.headers {
            out += &format!("{name}: {value}\r\n");
        }
        if !self.body.is_empty() || matches!(&*self.method, "POST" | "PUT") {
            out += &format!("Content-Length: {}\r\n", self.body.len());
        }
        out += "\r\n";
        let mut out = out.into_bytes();
        out.extend_from_slice(&self.body);
        out
    }
}

impl Response {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The body.
    ///
    /// # Panics
    ///
    /// If it is no text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the body is text")
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let body = String::from_utf8_lossy(&self.body);
        let shown: String = body.chars().take(200).collect();
        write!(f, "{} {:?} {shown:?}", self.status, self.headers)
    }
}

impl Http {
    /// Connects to `address`.
    pub async fn connect(address: SocketAddr) -> Self {
        Self::over(tcp::connect(address).await)
    }

    /// Sends one request on a connection of its own.
    pub async fn once(address: SocketAddr, request: &Request) -> Response {
        Self::connect(address).await.ask(request).await
    }

    /// Gives the connection up, as a crashed client does.
    pub fn reset(self) {
        tcp::reset(self.stream);
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Http<S> {
    /// Speaks over `stream`.
    pub fn over(stream: S) -> Self {
        Self {
            stream,
            unread: Vec::new(),
        }
    }

    /// Sends a request and waits for its answer.
    pub async fn ask(&mut self, request: &Request) -> Response {
        self.send(&request.encode()).await;
        let is_head = request.method == "HEAD";
        within("an answer", self.receive_after(is_head)).await
    }

    /// Sends bytes, whole.
    ///
    /// # Panics
    ///
    /// If the connection is closed.
    pub async fn send(&mut self, bytes: &[u8]) {
        within("the server to take a request", self.stream.write_all(bytes))
            .await
            .expect("the connection is open");
    }

    /// Sends bytes, whole, unless the connection is closed.
    pub async fn try_send(&mut self, bytes: &[u8]) -> bool {
        within("the server to take a request", self.stream.write_all(bytes))
            .await
            .is_ok()
    }

    /// Waits for the answer to what was sent.
    ///
    /// # Panics
    ///
    /// If the connection ends instead.
    pub async fn receive(&mut self) -> Response {
        within("an answer", self.receive_after(false)).await
    }

    /// Waits for an answer; `None` if the connection ends instead.
    pub async fn try_receive(&mut self) -> Option<Response> {
        within("an answer or the end", self.receive_whole(false)).await
    }

    /// Waits for the end of the connection; returns what came before it.
    pub async fn receive_end(&mut self) -> Vec<u8> {
        within("the end of a connection", async {
            while self.fill().await {}
            std::mem::take(&mut self.unread)
        })
        .await
    }

    /// The stream, and what was read of it already.
    pub fn into_parts(self) -> (S, Vec<u8>) {
        (self.stream, self.unread)
    }

    async fn receive_after(&mut self, is_head: bool) -> Response {
        self.receive_whole(is_head)
            .await
            .expect("the server answers before it closes")
    }

    async fn receive_whole(&mut self, is_head: bool) -> Option<Response> {
        let end = loop {
            if let Some(at) = self.unread.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            if !self.fill().await {
                return None;
            }
        };
        let head: Vec<u8> = self.unread.drain(..end).collect();
        let (status, headers) = parse_head(&head);
        let mut response = Response {
            status,
            headers,
            body: Vec::new(),
        };
        let length = match response.header("content-length") {
            _ if is_head || matches!(status, 101 | 204 | 304) => Some(0),
            Some(length) => Some(length.parse().expect("a length is a number")),
            None => None,
        };
        while length.is_none_or(|length| self.unread.len() < length) && self.fill().await {}
        let length = length.unwrap_or(self.unread.len());
        if self.unread.len() < length {
            return None;
        }
        response.body = self.unread.drain(..length).collect();
        Some(response)
    }

    /// Reads some more; returns whether there was more.
    async fn fill(&mut self) -> bool {
        matches!(self.stream.read_buf(&mut self.unread).await, Ok(read) if 0 < read)
    }
}

fn parse_head(head: &[u8]) -> (u16, Vec<(String, String)>) {
    let text = std::str::from_utf8(head).expect("a head is text");
    let mut lines = text.lines();
    let status = lines
        .next()
        .and_then(|line| line.split(' ').nth(1)?.parse().ok())
        .unwrap_or_else(|| panic!("{text:?} has no status"));
    let headers = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    (status, headers)
}

/// What requests name as their host.
const HOST: &str = "localhost";
