//! Broadcasts that everyone answers, or not everyone.

use std::{sync::Arc, time::Duration};

use fanfare::{
    AckError, Admission, Args, Binary, BroadcastAckError, Config, EmitError, Io, Limits, SocketId,
};
use fanfare_testkit::{Client, Heard, eventually, punctual, within};

use crate::server::Server;

/// Longer than any test waits: an answer by this patience is none.
const FOREVER: Duration = Duration::from_secs(3600);

type Given<T> = Vec<(Option<SocketId>, T)>;
type Missing = Vec<(Option<SocketId>, AckError)>;
type Asked<T> = Result<Given<T>, BroadcastAckError<T>>;

#[tokio::test]
async fn everyone_is_asked_under_one_id_and_all_answers_come_together() {
    let server = Server::start().await;
    let mut ada = server.client().await;
    let mut bob = server.client().await;
    let polling = server.polling().await;
    let cyd = polling.join().await;
    for id in [0, 1] {
        let asked = server.io.emit_with_ack::<u8, _>("ask", "n", FOREVER);
        let question = format!(r#"42{id}["ask","n"]"#);
        bob.expect(&question).await;
        bob.send(&format!("43{id}[2,\"more\"]")).await;
        assert_eq!(polling.receive().await, question);
        polling.send(&format!("43{id}[3]")).await;
        ada.expect(&question).await;
        ada.send(&format!("43{id}[1]")).await;
        let mut answers = answers(asked).await.expect("all answer");
        answers.sort_by_key(|(_, n)| *n);
        let expected = [(&ada.id, 1), (&bob.id, 2), (&cyd, 3)];
        let expected = expected.map(|(id, n)| (id.clone(), n));
        assert_eq!(named(&answers), expected);
    }
}

#[tokio::test]
async fn only_whom_a_question_is_meant_for_is_asked() {
    let server = Server::start().await;
    let mut ada = server.client().await;
    let mut bob = server.client().await;
    let mut sockets = server.io.sockets().into_iter();
    let socket = sockets.find(|it| it.id().as_str() == ada.id);
    let socket = socket.expect("ada has joined");
    let others = socket
        .broadcast()
        .emit_with_ack::<Args<(u8, Binary)>, _>("ask", 1, FOREVER);
    socket.join("one");
    let one = server
        .io
        .to("one")
        .emit_with_ack::<String, _>("ask", 2, FOREVER);
    bob.expect(r#"420["ask",1]"#).await;
    bob.send(r#"461-0[5,{"_placeholder":true,"num":0}]"#).await;
    bob.send_binary(&[7]).await;
    ada.expect(r#"421["ask",2]"#).await;
    ada.send(r#"431["yes"]"#).await;
    let answers_of_others = answers(others).await.expect("bob answers");
    let [(id, Args((5, data)))] = &answers_of_others[..] else {
        panic!("{answers_of_others:?}")
    };
    assert_eq!((name_of(id), data), (&*bob.id, &Binary::from(vec![7])));
    let answers_of_one = answers(one).await.expect("ada answers");
    assert_eq!(named(&answers_of_one), [(ada.id.clone(), "yes".to_owned())]);
}

#[tokio::test]
async fn nobody_to_ask_is_an_answer_at_once() {
    let server = Server::start().await;
    let before = answers(server.io.emit_with_ack::<u8, _>("ask", 1, FOREVER)).await;
    assert!(before.expect("nobody is asked").is_empty());
    let mut client = server.client().await;
    let nobody = server.io.to("nobody");
    let asked = answers(nobody.emit_with_ack::<u8, _>("ask", 1, FOREVER)).await;
    assert!(asked.expect("nobody is asked").is_empty());
    server.io.emit("mark", 1);
    client.expect(r#"42["mark",1]"#).await;
}

#[tokio::test]
async fn who_does_not_answer_in_time_is_named_beside_the_answers_that_came() {
    punctual(|| async {
        let server = Server::start().await;
        let mut ada = server.client().await;
        let mut bob = server.client().await;
        let patience = Duration::from_millis(200);
        let asked = server.io.emit_with_ack::<u8, _>("ask", 1, patience);
        ada.expect(r#"420["ask",1]"#).await;
        ada.send("430[1]").await;
        let (given, missing) = missing(answers(asked).await);
        assert_eq!(named(&given), [(ada.id.clone(), 1)]);
        let [(id, AckError::Timeout)] = &missing[..] else {
            panic!("{missing:?}")
        };
        assert_eq!(name_of(id), bob.id);

        bob.expect(r#"420["ask",1]"#).await;
        let again = server.io.emit_with_ack::<u8, _>("ask", 2, FOREVER);
        for (client, n) in [(&mut ada, 3), (&mut bob, 4)] {
            client.expect(r#"421["ask",2]"#).await;
            // Too late, and of another question.
            client.send("430[9]").await;
            client.send(&format!("431[{n}]")).await;
        }
        let mut answers = answers(again).await.expect("all answer");
        answers.sort_by_key(|(_, n)| *n);
        assert_eq!(named(&answers), [(ada.id, 3), (bob.id, 4)]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_leaves_holds_up_nobody_and_neither_does_who_comes() {
    let server = Server::start().await;
    let mut ada = server.client().await;
    let mut bob = server.client().await;
    let mut cyd = server.client().await;
    let asked = server.io.emit_with_ack::<u8, _>("ask", 1, FOREVER);
    for client in [&mut ada, &mut bob, &mut cyd] {
        client.expect(r#"420["ask",1]"#).await;
    }
    let bobs = bob.id.clone();
    bob.send("41").await;
    bob.join_nsp("/", "").await;
    let mut newcomer = server.client().await;
    for stranger in [&mut bob, &mut newcomer] {
        stranger.send("430[8]").await;
        stranger.send("41").await;
    }
    eventually("both have left", || server.io.count().sockets == 2).await;
    ada.send("430[1]").await;
    ada.send("430[2]").await;
    let cyds = cyd.id.clone();
    cyd.reset();
    let (given, mut missing) = missing(answers(asked).await);
    assert_eq!(named(&given), [(ada.id.clone(), 1)]);
    missing.sort_by_key(|(id, _)| name_of(id) == cyds);
    let [
        (first, AckError::Disconnected),
        (second, AckError::Disconnected),
    ] = &missing[..]
    else {
        panic!("{missing:?}")
    };
    assert_eq!((name_of(first), name_of(second)), (&*bobs, &*cyds));
}

#[tokio::test]
async fn an_answer_of_another_type_is_none() {
    let server = Server::start().await;
    let mut ada = server.client().await;
    let asked = server.io.emit_with_ack::<u8, _>("ask", 1, FOREVER);
    ada.expect(r#"420["ask",1]"#).await;
    ada.send(r#"430["one"]"#).await;
    let (given, missing) = missing(answers(asked).await);
    assert!(given.is_empty());
    assert!(matches!(&missing[..], [(id, AckError::Args(_))] if name_of(id) == ada.id));
}

#[tokio::test]
async fn what_cannot_be_sent_is_asked_of_nobody() {
    let server = Server::start().await;
    let _client = server.client().await;
    let asked = answers(server.io.emit_with_ack::<u8, _>("connect", 1, FOREVER)).await;
    assert!(
        matches!(asked, Err(BroadcastAckError::Emit(EmitError::Reserved(_)))),
        "{asked:?}"
    );
}

#[tokio::test]
async fn questions_that_are_over_or_given_up_make_room_for_others() {
    let server = Server::with(Config {
        limits: Limits {
            max_pending_acks: 2,
            ..Limits::default()
        },
        ..Config::default()
    })
    .await;
    let _clients = [server.client().await, server.client().await];
    let ask = |patience| server.io.emit_with_ack::<u8, _>("ask", 1, patience);
    for _ in 0..1_000 {
        let (given, missing) = missing(answers(ask(Duration::ZERO)).await);
        assert_eq!((given.len(), missing.len()), (0, 2));
    }
    let waiting = [ask(FOREVER), ask(FOREVER)];
    let third = answers(ask(FOREVER)).await;
    assert!(
        matches!(third, Err(BroadcastAckError::TooManyPending(2))),
        "{third:?}"
    );
    drop(waiting);
    missing(answers(ask(Duration::ZERO)).await);
}

#[tokio::test]
async fn a_question_that_nobody_answers_keeps_nobody_alive() {
    let data = Arc::new(());
    let server = Server::start().await;
    let given = data.clone();
    server.io.admit(move |_| {
        let data = given.clone();
        async move { Ok(Admission::anonymous().with_data(data)) }
    });
    let clients = [server.client().await, server.client().await];
    let asked = server.io.emit_with_ack::<u8, _>("ask", 1, FOREVER);
    drop(clients);
    server.is_deserted().await;
    eventually("the data is freed", || Arc::strong_count(&data) == 2).await;
    let (given, missing) = missing(answers(asked).await);
    assert_eq!((given.len(), missing.len()), (0, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_comes_at_once_is_not_lost() {
    let server = Server::start().await;
    let mut answering = Vec::new();
    for _ in 0..4 {
        let client = server.client().await;
        answering.push(tokio::spawn(answer_all(client)));
    }
    for n in 0..500 {
        let asked = server.io.emit_with_ack::<u32, _>("ask", n, FOREVER);
        let answers = answers(asked).await.expect("all answer");
        assert_eq!(answers.len(), 4);
        assert!(answers.iter().all(|(_, answer)| *answer == n));
    }
    within("the end", Io::shutdown(&server.io)).await;
    for client in answering {
        within("the end of a client", client)
            .await
            .expect("no panic");
    }
}

/// Answers `42id["ask",n]` with `43id[n]`, until the connection ends.
async fn answer_all(mut client: Client) {
    while let Heard::Text(text) = client.hear_any().await {
        let question = text.strip_prefix("42").and_then(|text| {
            let (id, args) = text.split_once('[')?;
            Some((id, args.strip_prefix(r#""ask","#)?))
        });
        if let Some((id, args)) = question {
            client.send(&format!("43{id}[{args}")).await;
        }
    }
}

#[track_caller]
fn answers<T>(asked: impl Future<Output = Asked<T>>) -> impl Future<Output = Asked<T>> {
    within("the answers", asked)
}

#[track_caller]
fn missing<T: std::fmt::Debug>(asked: Asked<T>) -> (Given<T>, Missing) {
    match asked {
        Err(BroadcastAckError::Missing {
            answers, missing, ..
        }) => (answers, missing),
        other => panic!("somebody is missing, not {other:?}"),
    }
}

fn name_of(id: &Option<SocketId>) -> &str {
    id.as_ref().expect("this node names everyone").as_str()
}

fn named<T: Clone>(answers: &[(Option<SocketId>, T)]) -> Vec<(String, T)> {
    let name = |(id, answer): &(Option<SocketId>, T)| (name_of(id).to_owned(), answer.clone());
    answers.iter().map(name).collect()
}
