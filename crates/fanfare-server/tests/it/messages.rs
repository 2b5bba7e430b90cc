use std::collections::{BTreeMap, BTreeSet};

use fanfare_testkit::{Client, Random};
use serde_json::{Value, json};

use super::ground;
use crate::{
    heard::{answer, ask, next},
    server::{Ground, Server},
};

fn ids(found: &Value) -> Vec<i64> {
    let messages = found["messages"]
        .as_array()
        .unwrap_or_else(|| panic!("{found}"));
    messages
        .iter()
        .filter_map(|message| message["id"].as_i64())
        .collect()
}

/// Everything that was ever said, by id.
async fn all(client: &mut Client) -> BTreeMap<i64, String> {
    let mut all = BTreeMap::new();
    loop {
        let after = all.last_key_value().map_or(0, |(id, _)| *id);
        let found = ask(client, "messages", json!({"after": after})).await;
        for message in found["messages"].as_array().expect("a list") {
            let text = message["message"].as_str().expect("a text").to_owned();
            let id = message["id"].as_i64().expect("an id");
            assert_eq!(all.insert(id, text), None, "each once");
        }
        if found["more"] == false {
            return all;
        }
    }
}

async fn say(client: &mut Client, text: &str) -> i64 {
    let answer = ask(client, "chat message", text).await;
    answer["id"].as_i64().unwrap_or_else(|| panic!("{answer}"))
}

#[tokio::test]
async fn what_was_said_is_found_from_either_side_after_a_restart() {
    let ground = ground();
    let server = Server::on(&ground);
    let cookie = server.sign_in("Anna").await;
    let mut anna = server.arrive(&cookie).await;
    let mut said = Vec::new();
    for number in 1..=120 {
        said.push(say(&mut anna, &format!("m{number}")).await);
    }
    server.stop().await;

    let server = Server::on(&ground);
    let mut anna = server.arrive(&cookie).await;
    let newest = ask(&mut anna, "messages", json!({})).await;
    assert_eq!(
        (ids(&newest), &newest["more"]),
        (said[70..].to_vec(), &true.into())
    );
    let older = ask(&mut anna, "messages", json!({"before": said[70]})).await;
    assert_eq!(
        (ids(&older), &older["more"]),
        (said[20..70].to_vec(), &true.into())
    );
    let oldest = ask(&mut anna, "messages", json!({"before": said[20]})).await;
    assert_eq!(
        (ids(&oldest), &oldest["more"]),
        (said[..20].to_vec(), &false.into())
    );
    let missed = ask(
        &mut anna,
        "messages",
        json!({"after": said[99], "since": said[70]}),
    )
    .await;
    assert_eq!(ids(&missed), said[100..]);
    assert_eq!(
        (&missed["more"], &missed["deleted"]),
        (&false.into(), &json!([]))
    );
    assert!(say(&mut anna, "next").await > said[119]);
}

#[tokio::test]
async fn one_deletes_what_is_ones_own_and_everyone_is_told() {
    let server = Server::on(&ground());
    let mut anna = server.arrive(&server.sign_in("Anna").await).await;
    let mut bert = server.arrive(&server.sign_in("Bert").await).await;
    let first = say(&mut anna, "first").await;
    let second = say(&mut anna, "second").await;
    let refused = ask(&mut bert, "delete message", first).await;
    assert_eq!(
        refused,
        json!({"error": "there is no message of yours with this id"})
    );
    assert_eq!(
        ask(&mut anna, "delete message", first).await,
        json!({"id": first})
    );
    assert_eq!(
        next(&mut bert, "message deleted").await,
        json!({"id": first})
    );
    let found = ask(&mut bert, "messages", json!({"after": 0, "since": first})).await;
    assert_eq!(
        (ids(&found), &found["deleted"]),
        (vec![second], &json!([first]))
    );
    let nonsense = ask(&mut anna, "delete message", "first").await;
    assert!(
        nonsense["error"]
            .as_str()
            .is_some_and(|why| why.contains("i64")),
        "{nonsense}"
    );
}

#[tokio::test]
async fn what_is_sent_again_with_the_same_key_is_said_once() {
    let server = Server::on(&ground());
    let cookie = server.sign_in("Anna").await;
    let mut anna = server.arrive(&cookie).await;
    let mut bert = server.arrive(&server.sign_in("Bert").await).await;
    let mut answers = Vec::new();
    for page in 0..2 {
        anna.send(r#"425["chat message","hello","key-1"]"#).await;
        answers.push(loop {
            if let Some((5, answer)) = answer(&anna.hear().await) {
                break answer;
            }
        });
        if page == 0 {
            anna = server.arrive(&cookie).await;
        }
    }
    assert_eq!(answers[0], answers[1]);
    say(&mut anna, "last").await;
    assert_eq!(next(&mut bert, "chat message").await["message"], "hello");
    assert_eq!(next(&mut bert, "chat message").await["message"], "last");
    let long = "k".repeat(65);
    anna.send(&format!(r#"426["chat message","hello","{long}"]"#))
        .await;
    let refused = loop {
        if let Some((6, answer)) = answer(&anna.hear().await) {
            break answer;
        }
    };
    assert_eq!(
        refused["error"],
        "a message's key has at most 64 characters; this one has 65"
    );
}

#[tokio::test]
async fn when_the_database_is_full_the_ack_says_so_and_reading_goes_on() {
    let server = Server::on_with(&ground(), &["--max-database-mib", "1"]);
    let mut anna = server.arrive(&server.sign_in("Anna").await).await;
    // A database may compress what repeats itself.
    let mut random = Random::new(1);
    let text: String = (0..2_000)
        .map(|_| LETTERS[random.below(LETTERS.len())])
        .collect();
    let mut acked = BTreeSet::new();
    let mut refused = 0;
    while refused < 20 {
        let answer = ask(&mut anna, "chat message", text.as_str()).await;
        match answer["id"].as_i64() {
            Some(id) => drop(acked.insert(id)),
            None => {
                refused += 1;
                let error = "the message was not stored: the server's disk is full";
                assert_eq!(answer, json!({"error": error, "retry": true}));
            }
        }
        assert!(acked.len() < 2_000, "it was never full");
    }
    let stored = all(&mut anna).await;
    assert_eq!(stored.into_keys().collect::<BTreeSet<_>>(), acked);
    let (status, _, log) = server.stop_with_log().await;
    assert!(status.success());
    assert_eq!(log.matches("can't be stored").count(), 1, "{log}");
}

const LETTERS: [char; 8] = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];

/// Messages of a flood: more than the writer stores in a moment, fewer than it refuses to queue.
const FLOOD: usize = 1_000;

/// Of these, as many as are waited for.
const ENOUGH: usize = 20;

/// Says things without a pause until `enough` are acknowledged; then `end` comes in the middle. Gives
/// what was acknowledged.
async fn flood(server: Server, cookie: &str, end: impl FnOnce(Server)) -> BTreeMap<i64, String> {
    let mut anna = server.arrive(cookie).await;
    for number in 0..FLOOD {
        anna.send(&format!(r#"42{number}["chat message","m{number}"]"#))
            .await;
    }
    let mut acked = BTreeMap::new();
    while acked.len() < ENOUGH {
        note(&anna.hear().await, &mut acked);
    }
    end(server);
    for text in anna.closed().await {
        note(&text, &mut acked);
    }
    acked
}

fn note(text: &str, acked: &mut BTreeMap<i64, String>) {
    if let Some((number, answer)) = answer(text)
        && let Some(id) = answer["id"].as_i64()
    {
        assert_eq!(acked.insert(id, format!("m{number}")), None, "each once");
    }
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_kill_in_a_flood_and_nothing_twice() {
    let ground = ground();
    let server = Server::on(&ground);
    let cookie = server.sign_in("Anna").await;
    let acked = flood(server, &cookie, Server::kill).await;
    check_stored(&ground, &cookie, &acked).await;
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_shutdown_in_a_flood_and_nothing_twice() {
    let ground = ground();
    let server = Server::on(&ground);
    let cookie = server.sign_in("Anna").await;
    let mut stopped = None;
    let acked = flood(server, &cookie, |server| {
        server.signal();
        stopped = Some(server);
    })
    .await;
    let stopped = stopped.expect("it was signalled");
    let (status, _, log) = stopped.end().await;
    assert!(status.success(), "{status} {log}");
    check_stored(&ground, &cookie, &acked).await;
}

async fn check_stored(ground: &Ground, cookie: &str, acked: &BTreeMap<i64, String>) {
    let server = Server::on(ground);
    let stored = all(&mut server.arrive(cookie).await).await;
    for (id, text) in acked {
        assert_eq!(stored.get(id), Some(text));
    }
    let texts: BTreeSet<_> = stored.values().collect();
    assert_eq!(texts.len(), stored.len(), "none twice");
}

#[tokio::test]
async fn everyone_is_told_who_types_and_who_has_stopped() {
    let server = Server::on(&ground());
    let mut anna = server.arrive(&server.sign_in("Anna").await).await;
    let mut bert = server.arrive(&server.sign_in("Bert").await).await;
    anna.send(r#"42["typing",true]"#).await;
    let typing = next(&mut bert, "typing").await;
    assert_eq!(
        (&typing["people"][0]["name"], &typing["total"]),
        (&"Anna".into(), &1.into())
    );
    anna.send(r#"42["typing",true]"#).await;
    say(&mut anna, "hello").await;
    assert_eq!(
        next(&mut bert, "typing").await,
        json!({"people": [], "total": 0})
    );
    anna.send(r#"42["typing",true]"#).await;
    assert_eq!(next(&mut bert, "typing").await["total"], 1);
    drop(anna);
    assert_eq!(next(&mut bert, "typing").await["total"], 0);
}

#[tokio::test]
async fn the_rest_of_the_people_is_told_on_request() {
    let server = Server::on(&ground());
    let mut pages = Vec::new();
    for number in 1..=60 {
        pages.push(
            server
                .arrive(&server.sign_in(&format!("Guest+{number}")).await)
                .await,
        );
    }
    let mut last = server.open(&server.sign_in("Last").await).await;
    last.join_nsp("/", "").await;
    let users = next(&mut last, "users").await;
    assert_eq!(users["people"].as_array().map(Vec::len), Some(50));
    assert_eq!(users["total"], 61);
    let rest = ask(&mut last, "people", json!({"after": users["next"]})).await;
    let names: Vec<_> = rest["people"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|person| &person["name"])
        .collect();
    assert_eq!(
        (names.len(), names[0], names[10]),
        (11, &"Guest 51".into(), &"Last".into())
    );
    assert_eq!(rest["next"], Value::Null);
}

#[tokio::test]
async fn a_newcomer_can_ask_how_many_were_here_before() {
    let server = Server::on(&ground());
    let mut anna = server.arrive(&server.sign_in("Anna").await).await;
    let past = loop {
        let past = ask(&mut anna, "count history", ()).await;
        if past["points"]
            .as_array()
            .is_some_and(|points| !points.is_empty())
        {
            break past;
        }
    };
    let [at, n] = [&past["points"][0][0], &past["points"][0][1]];
    assert!(at.as_i64() <= past["now"].as_i64() && *n == 1, "{past}");
}

#[tokio::test]
async fn who_is_there_until_a_drain_comes_to_them_talks_on() {
    let server = Server::on_with(&ground(), &["--drain-seconds", "3600"]);
    let mut pages = Vec::new();
    for name in ["Anna", "Bert"] {
        pages.push(server.arrive(&server.sign_in(name).await).await);
    }
    server.signal();
    let [anna, bert] = &mut pages[..] else {
        panic!("two have come");
    };
    let first = tokio::select! {
        _ = anna.closed() => 0,
        _ = bert.closed() => 1,
    };
    // The other's turn is in half an hour.
    let stays = &mut pages[1 - first];
    let said = say(stays, "still here").await;
    assert_eq!(all(stays).await[&said], "still here");
    server.signal();
    let (status, _, _) = server.end().await;
    assert_eq!(status.code(), Some(130));
}
