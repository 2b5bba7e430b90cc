//! Clients that vanish at each step: nothing of them stays.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use fanfare_testkit::{
    Client, Http, Polling, Request, WebSocket, connect, eventually, frame, upgrade_request, within,
};

use crate::server::{self, Server};

const TARGET: &str = "/socket.io/?EIO=4&transport=websocket";

/// How far a client goes before it vanishes.
#[derive(Clone, Copy, Debug)]
enum Step {
    Tcp,
    HalfRequest,
    WholeRequest,
    WholeWebSocketRequest,
    HalfFrame,
    OpenPacket,
    Connect,
    Joined,
    HalfEvent,
    HalfBinaryEvent,
    PendingGet,
    HalfPost,
    WholePost,
    JoinedPolling,
    HalfUpgrade,
    WholeUpgrade,
    OpenUpgrade,
    Probe,
    Upgrade,
    JoinedUpgrade,
}

const STEPS: [Step; 20] = [
    Step::Tcp,
    Step::HalfRequest,
    Step::WholeRequest,
    Step::WholeWebSocketRequest,
    Step::HalfFrame,
    Step::OpenPacket,
    Step::Connect,
    Step::Joined,
    Step::HalfEvent,
    Step::HalfBinaryEvent,
    Step::PendingGet,
    Step::HalfPost,
    Step::WholePost,
    Step::JoinedPolling,
    Step::HalfUpgrade,
    Step::WholeUpgrade,
    Step::OpenUpgrade,
    Step::Probe,
    Step::Upgrade,
    Step::JoinedUpgrade,
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_vanishes_at_any_step_leaves_nothing_behind() {
    let server = Server::with(server::fast()).await;
    let (came, left) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (coming, leaving) = (came.clone(), left.clone());
    server.io.on_connect(move |_, _| {
        coming.fetch_add(1, Ordering::Relaxed);
        async {}
    });
    server.io.on_disconnect(move |_, _, _| {
        leaving.fetch_add(1, Ordering::Relaxed);
        async {}
    });
    for _ in 0..5 {
        for step in STEPS {
            for is_reset in [true, false] {
                reach(&server, step).await.vanish(is_reset);
            }
        }
    }
    server.is_deserted().await;
    assert_eq!(server.io.count().sockets, 0);
    eventually("every connect has its disconnect", || {
        came.load(Ordering::Relaxed) == left.load(Ordering::Relaxed)
    })
    .await;
    assert!(0 < came.load(Ordering::Relaxed));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shutdown_ends_a_client_at_any_step() {
    let mut server = Server::with(server::brisk()).await;
    let mut clients = Vec::new();
    for step in STEPS {
        clients.push((step, reach(&server, step).await));
    }
    within("the shutdown", server.io.shutdown()).await;
    assert_eq!(server.io.metrics().sessions, 0);
    assert_eq!(server.io.count().sockets, 0);
    for (_, client) in clients {
        client.ends().await;
    }
    let served = within("serve() to return", &mut server.serving).await;
    served.expect("no panic");
}

/// A client that has come that far.
enum Reached {
    Http(Http),
    WebSocket(WebSocket),
}

impl Reached {
    fn vanish(self, is_reset: bool) {
        match self {
            Self::Http(http) if is_reset => http.reset(),
            Self::WebSocket(websocket) if is_reset => websocket.reset(),
            Self::Http(_) | Self::WebSocket(_) => {}
        }
    }

    async fn ends(self) {
        match self {
            Self::Http(mut http) => drop(http.receive_end().await),
            Self::WebSocket(mut websocket) => drop(websocket.closed().await),
        }
    }
}

async fn reach(server: &Server, step: Step) -> Reached {
    Reached::Http(match step {
        Step::Tcp => Http::over(connect(server.address).await),
        Step::HalfRequest => http_after(server, &half(&Request::get(TARGET))).await,
        Step::WholeRequest => {
            let open = Request::get("/socket.io/?EIO=4&transport=polling");
            http_after(server, &open.encode()).await
        }
        Step::WholeWebSocketRequest => http_after(server, &upgrade_request(TARGET).encode()).await,
        Step::PendingGet => server.polling().await.begin_get().await,
        Step::HalfPost => {
            let post = Request::post(server.polling().await.target(), "4".repeat(200));
            http_after(server, &half(&post)).await
        }
        Step::WholePost => {
            let post = Request::post(server.polling().await.target(), "40");
            http_after(server, &post.encode()).await
        }
        Step::JoinedPolling => {
            let polling = server.polling().await;
            polling.join().await;
            polling.begin_get().await
        }
        Step::HalfUpgrade => {
            let polling = server.polling().await;
            http_after(server, &half(&upgrade_request(&polling.upgrade_target()))).await
        }
        Step::WholeUpgrade => {
            let polling = server.polling().await;
            http_after(server, &upgrade_request(&polling.upgrade_target()).encode()).await
        }
        Step::HalfFrame
        | Step::OpenPacket
        | Step::Connect
        | Step::Joined
        | Step::HalfEvent
        | Step::HalfBinaryEvent
        | Step::OpenUpgrade
        | Step::Probe
        | Step::Upgrade
        | Step::JoinedUpgrade => {
            return Reached::WebSocket(websocket_after(server, step).await);
        }
    })
}

async fn websocket_after(server: &Server, step: Step) -> WebSocket {
    match step {
        Step::HalfFrame => {
            let mut websocket = server.websocket().await;
            websocket.send_bytes(&frame::text("40")[..3]).await;
            websocket
        }
        Step::OpenPacket => server.websocket().await,
        Step::Connect => {
            let mut websocket = server.websocket().await;
            websocket.send("40").await;
            websocket
        }
        Step::HalfEvent => {
            let mut client = server.client().await;
            client.websocket.send_bytes(&frame::piece(1, b"42[")).await;
            client.websocket
        }
        Step::HalfBinaryEvent => {
            let mut client = server.client().await;
            client
                .send(r#"451-["a",{"_placeholder":true,"num":0}]"#)
                .await;
            client.websocket
        }
        Step::OpenUpgrade => candidate(server).await.1,
        Step::Probe => {
            let (_, mut websocket) = candidate(server).await;
            websocket.send("2probe").await;
            websocket
        }
        Step::Upgrade => {
            let (_, mut websocket) = candidate(server).await;
            websocket.send("5").await;
            websocket
        }
        Step::JoinedUpgrade => {
            let (polling, mut websocket) = candidate(server).await;
            polling.join().await;
            websocket.send("5").await;
            websocket
        }
        _ => Client::join(server.address).await.websocket,
    }
}

async fn candidate(server: &Server) -> (Polling, WebSocket) {
    let polling = server.polling().await;
    let websocket = WebSocket::open(server.address, &polling.upgrade_target()).await;
    (polling, websocket)
}

async fn http_after(server: &Server, bytes: &[u8]) -> Http {
    let mut http = Http::connect(server.address).await;
    http.send(bytes).await;
    http
}

fn half(request: &Request) -> Vec<u8> {
    let mut bytes = request.encode();
    bytes.truncate(bytes.len() / 2);
    bytes
}
