//! A node is there, and answers nothing: whoever asks is told in time what the others answered, and that one is missing.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use fanfare::{BroadcastAckError, ClusterError, RemoteSocket};
use fanfare_testkit::{Client, Redis};

use crate::{freezing::Freezing, node::Node, questions::answer};

/// More than those take to answer who do.
const PATIENCE: Duration = Duration::from_secs(1);
/// Longer than any test.
const LONG: Duration = Duration::from_secs(60);

/// Two nodes, one to be frozen, and a client on each.
struct Three {
    _redis: Redis,
    asks: Node,
    answers: Node,
    freezes: Freezing,
    clients: [Client; 3],
}

impl Three {
    async fn start() -> Self {
        let redis = Redis::start().await;
        let [asks, answers] = Node::start_all::<2>(&redis).await;
        let freezes = Freezing::start(&redis).await;
        let clients = [
            asks.client().await,
            answers.client().await,
            freezes.node.client().await,
        ];
        Self {
            _redis: redis,
            asks,
            answers,
            freezes,
            clients,
        }
    }
}

fn ids(sockets: &[RemoteSocket]) -> Vec<String> {
    let mut ids: Vec<_> = sockets.iter().map(|it| it.id().to_string()).collect();
    ids.sort_unstable();
    ids
}

fn sorted(clients: &[Client]) -> Vec<String> {
    let mut ids: Vec<_> = clients.iter().map(|client| client.id.clone()).collect();
    ids.sort_unstable();
    ids
}

/// That it was waited for as long as was said, and not much longer.
fn assert_in_time(began: Instant) {
    let took = began.elapsed();
    assert!(PATIENCE <= took && took < PATIENCE * 4, "{took:?}");
}

#[tokio::test]
async fn who_fetches_sockets_gets_those_of_the_others_and_which_nodes_are_missing() {
    let three = Three::start().await;
    let frozen = three.freezes.freeze().await;
    let began = Instant::now();
    let Err(wrong) = three.asks.io.fetch_sockets(PATIENCE).await else {
        panic!("one is frozen");
    };
    assert_in_time(began);
    let name = three.freezes.node.io.node();
    let expected = format!("1 of the other nodes gave no answer: {name}");
    assert_eq!(wrong.to_string(), expected);
    let ClusterError::Missing {
        answers,
        missing,
        silent,
    } = wrong
    else {
        panic!("{wrong}");
    };
    assert_eq!((missing, &*silent), (1, &[name.into()][..]));
    assert_eq!(ids(&answers), sorted(&three.clients[..2]));
    drop(frozen);
    // It may have been away for so long that it has to connect anew: until then it is missing.
    let back = fanfare_testkit::within("the frozen node's return", async {
        loop {
            match three.asks.io.fetch_sockets(LONG).await {
                Ok(all) if all.len() == 3 => return all,
                Ok(_) | Err(_) => {}
            }
        }
    });
    assert_eq!(ids(&back.await), sorted(&three.clients));
}

#[tokio::test]
async fn who_asks_sockets_gets_the_answers_of_the_others_and_how_many_nodes_are_silent() {
    let mut three = Three::start().await;
    let _frozen = three.freezes.freeze().await;
    let began = Instant::now();
    let asked = three.asks.io.emit_with_ack::<u8, _>("n?", (), PATIENCE);
    let [here, there, _] = &mut three.clients;
    answer(here, r#"["n?",null]"#, "[1]").await;
    answer(there, r#"["n?",null]"#, "[2]").await;
    let Err(wrong) = asked.await else {
        panic!("one is frozen");
    };
    assert_in_time(began);
    assert_eq!(
        wrong.to_string(),
        "0 of 2 sockets gave no answer, and 1 of the other nodes did not say whom it asked"
    );
    let BroadcastAckError::Missing {
        mut answers,
        missing,
        silent_nodes,
    } = wrong
    else {
        panic!("{wrong}");
    };
    answers.sort_unstable_by_key(|(_, n)| *n);
    let answers: Vec<_> = answers
        .into_iter()
        .map(|(id, n)| (id.expect("fanfare names everyone").to_string(), n))
        .collect();
    let [here, there, _] = &three.clients;
    assert_eq!(answers, [(here.id.clone(), 1), (there.id.clone(), 2)]);
    assert!(missing.is_empty(), "{missing:?}");
    assert_eq!(silent_nodes, 1);
}

#[tokio::test]
async fn who_asks_nodes_gets_the_answers_of_the_others_and_how_many_are_missing() {
    let three = Three::start().await;
    for (n, node) in [&three.answers, &three.freezes.node]
        .into_iter()
        .enumerate()
    {
        node.io
            .on_server_side("n?", move |_, _: ()| async move { n });
    }
    let _frozen = three.freezes.freeze().await;
    let began = Instant::now();
    let asked = three
        .asks
        .io
        .server_side_emit_with_ack::<usize, _>("n?", (), PATIENCE);
    let Err(ClusterError::Missing {
        answers,
        missing,
        silent,
    }) = asked.await
    else {
        panic!("one is frozen");
    };
    assert_in_time(began);
    assert_eq!((&answers[..], missing), (&[0][..], 1));
    assert_eq!(*silent, [Arc::from(three.freezes.node.io.node())]);
}
