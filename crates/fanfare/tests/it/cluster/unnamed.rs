//! A node of another maker: it does not say whose answers it passes on.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use fanfare::{
    AckError, Adapter, Answer, BoxFuture, BroadcastAckError, Config, Message, Node, Question,
    RawArgs, Reply,
};

use crate::server::Server;

/// A cluster with one such node, which has two sockets.
#[derive(Debug, Default)]
struct Unnamed {
    node: OnceLock<Node>,
    /// How many of them answer.
    answering: AtomicUsize,
}

impl Adapter for Unnamed {
    fn start(&self, node: Node) {
        self.node.set(node).expect("it starts once");
    }

    fn publish(&self, message: Message) {
        let Message::Ask { nsp, id, question } = message else {
            panic!("it asks: {message:?}");
        };
        let Question::Emit { .. } = question else {
            panic!("it asks sockets: {question:?}");
        };
        let reply = |answer| {
            let (from, nsp, to) = (None, nsp.clone(), id.clone());
            let node = self.node.get().expect("it has started");
            node.receive_reply(Reply {
                from,
                nsp,
                to,
                answer,
            });
        };
        for n in 0..self.answering.load(Ordering::Relaxed) {
            let json = n.to_string();
            let attachments = Vec::new();
            reply(Answer::Acked(None, RawArgs { json, attachments }));
        }
        reply(Answer::AskedUnnamed(2));
    }

    fn reply(&self, reply: Reply) {
        panic!("nobody has asked: {reply:?}");
    }

    fn others(&self, _: &str) -> BoxFuture<Result<usize, String>> {
        Box::pin(async { Ok(1) })
    }
}

#[tokio::test]
async fn answers_may_come_without_a_name() {
    let adapter = Arc::<Unnamed>::default();
    let server = Server::with(Config {
        adapter: Some(adapter.clone()),
        ..Config::default()
    })
    .await;
    let ask = |patience| server.io.emit_with_ack::<u8, _>("n?", (), patience);
    adapter.answering.store(2, Ordering::Relaxed);
    let asked = ask(Duration::from_secs(60)).await;
    assert_eq!(asked.expect("both answer"), [(None, 0), (None, 1)]);
    adapter.answering.store(1, Ordering::Relaxed);
    let Err(BroadcastAckError::Missing {
        answers,
        missing,
        silent_nodes: 0,
    }) = ask(Duration::from_millis(50)).await
    else {
        panic!("one does not answer");
    };
    assert_eq!(answers, [(None, 0)]);
    assert!(
        matches!(&missing[..], [(None, AckError::Timeout)]),
        "{missing:?}"
    );
}
