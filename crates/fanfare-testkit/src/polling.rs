//! Polling: an Engine.IO session over HTTP, one connection a request.

use std::{net::SocketAddr, time::Duration};

use tokio::time::sleep;

use crate::http::{Http, Request, Response};

/// An Engine.IO session on HTTP long-polling. Each request has a connection of its own.
#[derive(Clone, Debug)]
pub struct Polling {
    address: SocketAddr,
    path: String,
    /// What each request's query begins with: the protocol's revision.
    revision: &'static str,
    sid: String,
    /// The JSON of the open packet.
    pub open: String,
}

impl Polling {
    /// Opens a session at `path`, such as `/socket.io/`.
    ///
    /// # Panics
    ///
    /// If the server opens none.
    pub async fn open(address: SocketAddr, path: &str) -> Self {
        Self::open_with(address, path, &[]).await
    }

    /// The same, with further headers.
    ///
    /// # Panics
    ///
    /// If the server opens none.
    pub async fn open_with(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Self {
        let text = Self::ask_to_open(address, path, "EIO=4", headers).await;
        let open = text.strip_prefix('0').expect("an open packet");
        Self::opened(address, path, "EIO=4", open)
    }

    /// Opens a session of Engine.IO 3, with `revision` in the query of each request: `EIO=3` or `EIO=3&b64=1`.
    ///
    /// # Panics
    ///
    /// If the server opens none, or its payload is more than the open packet.
    pub async fn open_older(address: SocketAddr, path: &str, revision: &'static str) -> Self {
        let text = Self::ask_to_open(address, path, revision, &[]).await;
        let (length, packet) = text.split_once(':').expect("a length");
        assert_eq!(length.parse(), Ok(packet.encode_utf16().count()), "{text}");
        let open = packet.strip_prefix('0').expect("an open packet");
        Self::opened(address, path, revision, open)
    }

    /// The session's id.
    pub fn sid(&self) -> &str {
        &self.sid
    }

    /// The target of the session's requests.
    pub fn target(&self) -> String {
        self.target_of("polling")
    }

    /// The target of the WebSocket that takes the session over.
    pub fn upgrade_target(&self) -> String {
        self.target_of("websocket")
    }

    /// Sends a `GET` and waits for its answer.
    pub async fn get(&self) -> Response {
        Http::once(self.address, &Request::get(self.target())).await
    }

    /// Sends a `GET`, to be answered later.
    pub async fn begin_get(&self) -> Http {
        let mut http = Http::connect(self.address).await;
        http.send(&Request::get(self.target()).encode()).await;
        http
    }

    /// Sends a `GET`, and gives the server time to see that it has nothing for it. Nothing on the
    /// wire tells when it has: for tests that [`punctual`](crate::punctual()) runs.
    pub async fn park(&self) -> Http {
        let http = self.begin_get().await;
        sleep(PARKING).await;
        http
    }

    /// Sends a `POST` and waits for its answer.
    pub async fn post(&self, body: impl Into<Vec<u8>>) -> Response {
        Http::once(self.address, &Request::post(self.target(), body)).await
    }

    /// Sends packets, which the server accepts.
    ///
    /// # Panics
    ///
    /// If it does not.
    pub async fn send(&self, body: &str) {
        let response = self.post(body).await;
        assert_eq!((response.status, response.text()), (200, "ok"), "{body}");
    }

    /// Takes packets, which the server has or will have.
    ///
    /// # Panics
    ///
    /// If the session has ended.
    pub async fn receive(&self) -> String {
        let response = self.get().await;
        assert_eq!(response.status, 200, "{response:?}");
        response.text().to_owned()
    }

    /// Joins the main namespace; returns the socket's id.
    ///
    /// # Panics
    ///
    /// If the server refuses.
    pub async fn join(&self) -> String {
        self.send("40").await;
        let answer = self.receive().await;
        let first = answer.split('\u{1e}').next().unwrap_or_default();
        sid_of(first.strip_prefix("40").expect("a CONNECT packet"))
    }

    fn target_of(&self, transport: &str) -> String {
        let Self {
            path,
            revision,
            sid,
            ..
        } = self;
        format!("{path}?{revision}&transport={transport}&sid={sid}")
    }

    /// What the server answers a first request.
    async fn ask_to_open(
        address: SocketAddr,
        path: &str,
        revision: &str,
        headers: &[(&str, &str)],
    ) -> String {
        let mut request = Request::get(format!("{path}?{revision}&transport=polling"));
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let response = Http::once(address, &request).await;
        assert_eq!(response.status, 200, "{response:?}");
        response.text().to_owned()
    }

    fn opened(address: SocketAddr, path: &str, revision: &'static str, open: &str) -> Self {
        Self {
            address,
            path: path.to_owned(),
            revision,
            sid: sid_of(open),
            open: open.to_owned(),
        }
    }
}

/// The `sid` of a JSON object.
pub(crate) fn sid_of(json: &str) -> String {
    let object: serde_json::Value = serde_json::from_str(json).expect("a JSON object");
    object["sid"].as_str().expect("a sid").to_owned()
}

/// Longer than a request takes to arrive, shorter than any ping interval of a test.
const PARKING: Duration = Duration::from_millis(30);
