use std::collections::HashMap;

use fanfare_daemons::Redis;
use fanfare_testkit::within;
use tower_sessions::{
    SessionStore as _,
    cookie::time::{Duration, OffsetDateTime},
    session::{Id, Record},
};

use super::*;

async fn connect(redis: &Redis) -> Broker {
    let url: Url = redis.url().parse().expect("it is one");
    Broker::connect(&url).await.expect("it runs")
}

fn lasting(time: Duration) -> Record {
    Record {
        id: Id::default(),
        data: HashMap::from([("key".to_owned(), 1.into())]),
        expiry_date: OffsetDateTime::now_utc() + time,
    }
}

#[tokio::test]
async fn a_session_is_kept_until_it_ends_and_not_saved_after_that() {
    let sessions = RedisSessions::new(connect(Redis::shared()).await);
    let mut record = lasting(Duration::hours(1));
    sessions.create(&mut record).await.unwrap();
    let mut other = Record {
        id: record.id,
        ..lasting(Duration::hours(1))
    };
    sessions.create(&mut other).await.unwrap();
    assert_ne!(other.id, record.id, "an id is given once");
    record.data.insert("key".to_owned(), 2.into());
    sessions.save(&record).await.unwrap();
    let loaded = sessions.load(&record.id).await.unwrap();
    assert_eq!(loaded.map(|loaded| loaded.data), Some(record.data.clone()));
    sessions.delete(&record.id).await.unwrap();
    sessions.save(&record).await.unwrap();
    assert_eq!(sessions.load(&record.id).await.unwrap(), None);
}

#[tokio::test]
async fn an_expired_session_is_nobodys() {
    let sessions = RedisSessions::new(connect(Redis::shared()).await);
    let mut record = lasting(Duration::hours(1));
    sessions.create(&mut record).await.unwrap();
    record.expiry_date = OffsetDateTime::now_utc() - Duration::seconds(1);
    sessions.save(&record).await.unwrap();
    assert_eq!(sessions.load(&record.id).await.unwrap(), None);
    record.expiry_date = OffsetDateTime::UNIX_EPOCH;
    sessions.create(&mut record).await.unwrap();
    assert_eq!(sessions.load(&record.id).await.unwrap(), None);
}

#[tokio::test]
async fn a_redis_that_goes_away_is_said_so_and_found_again() {
    let mut redis = Redis::start().expect("it starts");
    let sessions = RedisSessions::new(connect(&redis).await);
    let mut record = lasting(Duration::hours(1));
    sessions.create(&mut record).await.unwrap();
    redis.pause();
    within("a refusal", sessions.load(&record.id))
        .await
        .unwrap_err();
    redis.resume().expect("it starts again");
    let again = async { while sessions.load(&record.id).await.is_err() {} };
    within("it is found again", again).await;

    assert!(redis.daemon().expect("it runs").signal("STOP"));
    within("a refusal", sessions.load(&record.id))
        .await
        .unwrap_err();
    assert!(redis.daemon().expect("it runs").signal("CONT"));
    let again = async { while sessions.load(&record.id).await.is_err() {} };
    within("it goes on", again).await;
}

#[tokio::test]
async fn what_can_not_be_used_is_named_with_what_would_be_right() {
    let port = fanfare_daemons::free_port();
    let url: Url = format!("redis://127.0.0.1:{port}").parse().unwrap();
    let said = Broker::connect(&url).await.unwrap_err().to_string();
    assert!(
        said.contains(&format!("redis://127.0.0.1:{port}")) && said.contains("is Redis running"),
        "{said}"
    );
    let with_password = Redis::shared().url().replace("://", "://:guessed@");
    let url: Url = with_password.parse().unwrap();
    let said = Broker::connect(&url).await.unwrap_err().to_string();
    assert!(
        said.contains("redis://:PASSWORD@") && !said.contains("guessed"),
        "{said}"
    );
    assert!(is_new_enough("6.2.0") && is_new_enough("7.0.15") && is_new_enough("10.0.0"));
    assert!(!is_new_enough("6.0.16") && !is_new_enough("5.0.3") && !is_new_enough(""));
}
