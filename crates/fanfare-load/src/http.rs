//! HTTP/1.1 as far as Engine.IO needs it: the requests of a client, and the heads of what it is answered.

use std::io::Write as _;

use crate::client::first_line;
use crate::site::Load;

/// What requests have in common.
#[derive(Debug)]
pub(crate) struct Requests {
    host: String,
    path: String,
    /// Headers that a browser would send, as they go on the wire.
    padding: String,
    /// WebSockets offer permessage-deflate.
    pub(crate) offers_compression: bool,
}

impl Requests {
    /// Requests have `header_bytes` of headers besides those that they need, or a few more.
    fn new(host: &str, path: &str, header_bytes: usize) -> Self {
        Self {
            host: host.to_owned(),
            path: path.to_owned(),
            padding: padding(header_bytes),
            offers_compression: false,
        }
    }

    /// Those of `load`'s clients.
    pub(crate) fn of(load: &Load) -> Self {
        Self {
            offers_compression: load.compression,
            ..Self::new(&load.host, &load.path, load.header_bytes)
        }
    }

    /// A poll; without a `sid` it opens a session.
    pub(crate) fn poll(&self, sid: &str) -> Vec<u8> {
        let mut request = self.line("GET", "polling", sid);
        request.extend_from_slice(b"\r\n");
        request
    }

    /// Packets for the server, as the payload of one request.
    pub(crate) fn post(&self, sid: &str, payload: &[u8]) -> Vec<u8> {
        let mut request = self.line("POST", "polling", sid);
        let length = payload.len();
        let _ = write!(
            request,
            "Content-Type: text/plain;charset=UTF-8\r\nContent-Length: {length}\r\n\r\n"
        );
        request.extend_from_slice(payload);
        request
    }

    /// Asks for a WebSocket: of a new session, or of the one that is `sid`.
    pub(crate) fn upgrade(&self, sid: &str) -> Vec<u8> {
        let mut request = self.line("GET", "websocket", sid);
        let _ = write!(
            request,
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n"
        );
        if self.offers_compression {
            let _ = write!(request, "Sec-WebSocket-Extensions: {OFFER}\r\n");
        }
        request.extend_from_slice(b"\r\n");
        request
    }

    fn line(&self, method: &str, transport: &str, sid: &str) -> Vec<u8> {
        let Self {
            host,
            path,
            padding,
            ..
        } = self;
        let named = if sid.is_empty() { "" } else { "&sid=" };
        format!(
            "{method} {path}?EIO=4&transport={transport}{named}{sid} HTTP/1.1\r\nHost: {host}\r\n{padding}"
        )
        .into_bytes()
    }
}

/// As many of a browser's headers as fit into `bytes`, and a cookie that fills them up.
fn padding(bytes: usize) -> String {
    if bytes == 0 {
        return String::new();
    }
    let least = COOKIE.len() + "x\r\n".len();
    let mut padding = String::new();
    for header in BROWSERS {
        if padding.len() + header.len() + least <= bytes {
            padding.push_str(header);
        }
    }
    let value = "x".repeat((bytes + 1).saturating_sub(padding.len() + least).max(1));
    format!("{padding}{COOKIE}{value}\r\n")
}

/// The head of an answer.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Head {
    pub(crate) answer: Answer,
    /// Bytes of the head, its empty line included.
    pub(crate) head_bytes: usize,
}

#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Answer {
    /// 101, with the right key.
    Switched,
    /// 200, with a body of this many bytes.
    Body(usize),
    /// Anything else: its first line.
    Other(String),
}

/// Reads the head at the start of `bytes`; `None` if it is not complete.
pub(crate) fn head(bytes: &[u8]) -> Option<Head> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let head_bytes = match response.parse(bytes) {
        Ok(httparse::Status::Complete(head_bytes)) => head_bytes,
        Ok(httparse::Status::Partial) => return None,
        Err(_) => {
            return Some(Head {
                answer: Answer::Other(first_line(bytes)),
                head_bytes: bytes.len(),
            });
        }
    };
    let value = |name: &str| {
        let mut headers = response.headers.iter();
        let header = headers.find(|header| header.name.eq_ignore_ascii_case(name))?;
        str::from_utf8(header.value).ok()
    };
    let length = || value("content-length")?.trim().parse().ok();
    let answer = match response.code {
        Some(101) if value("sec-websocket-accept") == Some(ACCEPT) => Answer::Switched,
        Some(200) => match length() {
            Some(length) => Answer::Body(length),
            None => Answer::Other("200 without a Content-Length".to_owned()),
        },
        _ => Answer::Other(first_line(bytes)),
    };
    Some(Head { answer, head_bytes })
}

/// The key of RFC 6455 §1.3 and its answer: one pair does for all clients, and nothing need be hashed here.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
/// RFC 7692 §7.1.1: neither side keeps a window, so that one message can be read without the one before.
const OFFER: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
const MAX_HEADERS: usize = 64;
/// What Chromium sends along with a WebSocket's request, its own extensions left out: they would change the session.
const BROWSERS: [&str; 6] = [
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36\r\n",
    "Accept-Language: en-GB,en;q=0.9,de;q=0.8\r\n",
    "Accept-Encoding: gzip, deflate, br, zstd\r\n",
    "Cache-Control: no-cache\r\n",
    "Pragma: no-cache\r\n",
    "Accept: */*\r\n",
];
const COOKIE: &str = "Cookie: session=";

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &Answer) {
        let head = head(text.as_bytes()).expect("the head is complete");
        assert_eq!(&head.answer, expected, "{text:?}");
    }

    #[test]
    fn an_answer_is_what_was_asked_for_or_named() {
        check(
            "HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\n",
            &Answer::Body(12),
        );
        check(
            "HTTP/1.1 101 Switching Protocols\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
            &Answer::Switched,
        );
        check(
            "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
            &Answer::Other("HTTP/1.1 404 Not Found".to_owned()),
        );
        check(
            "SSH-2.0-OpenSSH_9.2\r\n",
            &Answer::Other("SSH-2.0-OpenSSH_9.2".to_owned()),
        );
    }

    #[test]
    fn half_a_head_is_none_yet() {
        assert_eq!(head(b"HTTP/1.1 200 OK\r\ncontent-"), None);
    }

    #[test]
    fn a_request_names_the_session_once_there_is_one() {
        let requests = Requests::new("localhost:3000", "/socket.io/", 0);
        assert_eq!(
            requests.poll(""),
            b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: localhost:3000\r\n\r\n"
        );
        assert!(requests.post("s1", b"40").starts_with(
            b"POST /socket.io/?EIO=4&transport=polling&sid=s1 HTTP/1.1\r\nHost: localhost:3000\r\n"
        ));
    }

    #[test]
    fn headers_are_as_many_bytes_as_asked_for() {
        for bytes in [0, 19, 20, 60, 200, 700, 4_000] {
            let request = Requests::new("h", "/", bytes).poll("");
            let bare = Requests::new("h", "/", 0).poll("");
            let padded = request.len() - bare.len();
            assert_eq!(padded, bytes, "{}", String::from_utf8_lossy(&request));
        }
    }
}
