//! The link to a real Redis: what it does, and that it comes back.

use fanfare_testkit::{Redis, within};

use super::*;

/// A link, which ends with its test.
struct Linked(Link, Vec<JoinHandle<()>>);

impl Linked {
    async fn to(redis: &Redis) -> Self {
        let client = Client::open(redis.url()).expect("a URL");
        let (link, tasks) = Link::start(client, "canary".to_owned(), Duration::from_secs(5));
        let linked = Self(link, tasks);
        linked.is(State::Up(0)).await;
        linked
    }

    async fn is(&self, state: State) {
        let mut states = self.0.state();
        let waited = within("the state", states.wait_for(|it| *it == state)).await;
        waited.expect("the link lives");
    }
}

impl Drop for Linked {
    fn drop(&mut self) {
        self.1.iter().for_each(JoinHandle::abort);
    }
}

#[tokio::test]
async fn a_script_answers_also_when_redis_has_forgotten_it() {
    let mut redis = Redis::start().await;
    let linked = Linked::to(&redis).await;
    let script = Script::new("return {KEYS[1], ARGV[1]}");
    let expected = Value::Array(vec![
        Value::BulkString(b"k".to_vec()),
        Value::BulkString(vec![0xff]),
    ]);
    for n in 0..2 {
        linked.is(State::Up(n)).await;
        let answer = linked
            .0
            .run(&script, &["k"], &[&[0xff]], Duration::from_secs(5));
        assert_eq!(answer.await.expect("it runs"), expected);
        redis.restart().await;
        linked.is(State::Up(n + 1)).await;
    }
    let wrong = Script::new("return redis.error_reply('ERR on purpose')");
    let answer = linked.0.run(&wrong, &[], &[], Duration::from_secs(5)).await;
    assert!(matches!(answer, Err(LinkError::Refused(_))), "{answer:?}");
    assert!(linked.0.watched().is_up());
}

#[tokio::test]
async fn a_script_that_takes_too_long_ends_no_connection() {
    let redis = Redis::start().await;
    let linked = Linked::to(&redis).await;
    redis.freeze();
    let script = Script::new("return 1");
    let patience = Duration::from_millis(50);
    let answer = linked.0.run(&script, &[], &[], patience).await;
    assert!(
        matches!(answer, Err(LinkError::Timeout(it)) if it == patience),
        "{answer:?}"
    );
    assert!(linked.0.commands().is_ok(), "others' messages are on it");
    redis.thaw();
    let patience = Duration::from_secs(5);
    let answer = linked.0.run(&script, &[], &[], patience).await;
    assert_eq!(answer.expect("it runs"), Value::Int(1));
}

#[tokio::test]
async fn a_tap_hears_its_channel_on_each_connection_anew() {
    let mut redis = Redis::start().await;
    let linked = Linked::to(&redis).await;
    let mut tap = linked.0.listen("news");
    for n in 0..3 {
        linked.is(State::Up(n)).await;
        within("the subscription", linked.0.heard(tap.id)).await;
        assert_eq!(redis.command(&["PUBLISH", "news", "text"]).await, ":1");
        assert_eq!(
            within("news", tap.next()).await.expect("it listens"),
            "text"
        );
        redis.restart().await;
    }
    linked.is(State::Up(3)).await;
    drop(tap);
    within("nobody listens", async {
        while redis.command(&["PUBLISH", "news", "text"]).await != ":0" {}
    })
    .await;
}

#[tokio::test]
async fn a_frozen_redis_is_noticed_in_less_than_five_seconds() {
    let redis = Redis::start().await;
    let linked = Linked::to(&redis).await;
    let begun = Instant::now();
    redis.freeze();
    linked.is(State::Down).await;
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
    redis.thaw();
    linked.is(State::Up(1)).await;
    assert!(Duration::ZERO < linked.0.watched().down_for());
}

#[tokio::test]
async fn a_subscription_that_is_gone_is_noticed_and_made_again() {
    let redis = Redis::start().await;
    let linked = Linked::to(&redis).await;
    // Redis ends that connection only.
    redis.command(&["CLIENT", "KILL", "TYPE", "pubsub"]).await;
    linked.is(State::Down).await;
    linked.is(State::Up(1)).await;
}
