//! HTTP/1.1 as far as Engine.IO needs it: the requests of a client, and the heads of what it is answered.

use std::io::Write as _;

use crate::client::first_line;

/// What requests have in common.
#[derive(Debug)]
pub(crate) struct Requests {
    host: String,
    path: String,
}

impl Requests {
    pub(crate) fn new(host: &str, path: &str) -> Self {
        Self {
            host: host.to_owned(),
            path: path.to_owned(),
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
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n"
        );
        request
    }

    fn line(&self, method: &str, transport: &str, sid: &str) -> Vec<u8> {
        let Self { host, path } = self;
        let named = if sid.is_empty() { "" } else { "&sid=" };
        format!(
            "{method} {path}?EIO=4&transport={transport}{named}{sid} HTTP/1.1\r\nHost: {host}\r\n"
        )
        .into_bytes()
    }
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
const MAX_HEADERS: usize = 64;

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
        let requests = Requests::new("localhost:3000", "/socket.io/");
        assert_eq!(
            requests.poll(""),
            b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: localhost:3000\r\n\r\n"
        );
        assert!(requests.post("s1", b"40").starts_with(
            b"POST /socket.io/?EIO=4&transport=polling&sid=s1 HTTP/1.1\r\nHost: localhost:3000\r\n"
        ));
    }
}
