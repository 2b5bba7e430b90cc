//! What is expected of a database, whichever it is.

use std::collections::HashMap;

use tower_sessions::{
    SessionStore as _,
    cookie::time::{Duration, OffsetDateTime},
    session::{Id, Record},
};

use super::*;
use crate::{names::Name, person::PersonId};

pub(super) const PLENTY: u64 = 1 << 30;
pub(super) const ANNA: PersonId = PersonId::Guest(1);
pub(super) const BERT: PersonId = PersonId::Guest(7);

pub(super) fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

pub(super) fn draft(author: PersonId, text: &str, key: Option<&str>) -> Draft {
    Draft {
        author,
        name: name("Anna"),
        text: text.to_owned(),
        key: key.map(str::to_owned),
    }
}

pub(super) fn texts(messages: &[Message]) -> Vec<&str> {
    messages
        .iter()
        .map(|message| message.message.as_str())
        .collect()
}

/// Runs each of the tests with an empty database of each kind.
macro_rules! with_each_database {
    ($($test:ident)*) => {
        mod sqlite {
            use super::{Database, PLENTY, Store};
            $(
                #[tokio::test]
                async fn $test() {
                    super::$test(Store::open(&Database::Memory, PLENTY).await.unwrap()).await;
                }
            )*
        }

        mod postgres {
            use super::{PLENTY, Store};
            $(
                #[tokio::test]
                async fn $test() {
                    let database = crate::store::postgres::tests::new_database();
                    super::$test(Store::open(&database, PLENTY).await.unwrap()).await;
                }
            )*
        }
    };
}

with_each_database! {
    messages_have_rising_ids_and_are_found_from_either_side
    what_is_sent_twice_with_one_key_is_stored_once
    one_deletes_what_is_ones_own
    a_name_belongs_to_one_account_however_it_is_spelled
    another_password_has_another_stamp
    what_a_deleted_account_said_is_nobodys
    what_is_stored_after_the_account_is_gone_is_nobodys_too
    a_session_that_has_ended_is_not_saved_again
    what_is_sent_twice_in_one_batch_is_stored_once
    any_characters_make_a_key
    sessions_that_have_expired_are_given_once
    an_expired_session_is_nobodys
}

async fn messages_have_rising_ids_and_are_found_from_either_side(store: Store) {
    let messages = store.messages();
    let drafts: Vec<_> = (1..=5)
        .map(|number| draft(ANNA, &format!("m{number}"), None))
        .collect();
    let appended = messages.append(&drafts).await.unwrap();
    let ids: Vec<_> = appended.iter().map(Appended::id).collect();
    assert!(ids.is_sorted_by(|one, next| one < next));
    assert_eq!(texts(&messages.newest(2).await.unwrap()), ["m4", "m5"]);
    assert_eq!(
        texts(&messages.before(ids[3], 2).await.unwrap()),
        ["m2", "m3"]
    );
    assert_eq!(
        texts(&messages.after(ids[1], 2).await.unwrap()),
        ["m3", "m4"]
    );
    assert_eq!(texts(&messages.after(ids[4], 2).await.unwrap()), [""; 0]);
}

async fn what_is_sent_twice_with_one_key_is_stored_once(store: Store) {
    let messages = store.messages();
    let first = messages
        .append(&[draft(ANNA, "hello", Some("k"))])
        .await
        .unwrap();
    let again = [
        draft(ANNA, "hello", Some("k")),
        draft(ANNA, "other", Some("l")),
        draft(BERT, "hello", Some("k")),
    ];
    let again = messages.append(&again).await.unwrap();
    assert_eq!(again[0], Appended::Known(first[0].id()));
    assert!(matches!(&again[1..], [Appended::New(_), Appended::New(_)]));
    assert_eq!(
        texts(&messages.newest(9).await.unwrap()),
        ["hello", "other", "hello"]
    );
}

async fn one_deletes_what_is_ones_own(store: Store) {
    let messages = store.messages();
    let appended = messages
        .append(&[draft(ANNA, "one", None), draft(BERT, "two", None)])
        .await
        .unwrap();
    let [one, two] = [appended[0].id(), appended[1].id()];
    assert!(!messages.delete(two, ANNA).await.unwrap());
    assert!(messages.delete(one, ANNA).await.unwrap());
    assert!(!messages.delete(one, ANNA).await.unwrap());
    assert_eq!(texts(&messages.newest(9).await.unwrap()), ["two"]);
    assert_eq!(messages.deleted_since(one, 9).await.unwrap(), [one]);
    assert_eq!(messages.deleted_since(two, 9).await.unwrap(), [0; 0]);
}

async fn a_name_belongs_to_one_account_however_it_is_spelled(store: Store) {
    let accounts = store.accounts();
    let anna = accounts
        .create(&name("Anna Straße"), "hash".to_owned())
        .await
        .unwrap();
    let taken = accounts
        .create(&name("ANNA STRASSE"), "hash".to_owned())
        .await
        .unwrap_err();
    assert_eq!(
        taken.to_string(),
        "the name ANNA STRASSE is taken: an account has it"
    );
    let bert = accounts
        .create(&name("Bert"), "hash".to_owned())
        .await
        .unwrap();
    accounts
        .rename(bert.id, &name("anna strasse"))
        .await
        .unwrap_err();
    accounts.rename(anna.id, &name("Ann")).await.unwrap();
    accounts
        .rename(bert.id, &name("anna strasse"))
        .await
        .unwrap();
    let found = accounts
        .by_name(&name("Anna  Straße"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!((found.id, found.name.as_str()), (bert.id, "anna strasse"));
}

async fn another_password_has_another_stamp(store: Store) {
    let accounts = store.accounts();
    let anna = accounts
        .create(&name("Anna"), "old".to_owned())
        .await
        .unwrap();
    accounts.set_password(anna.id, "new").await.unwrap();
    let changed = accounts.by_id(anna.id).await.unwrap().unwrap();
    assert_eq!(changed.password.0, "new");
    assert_ne!(changed.stamp.0, anna.stamp.0);
}

async fn what_a_deleted_account_said_is_nobodys(store: Store) {
    let anna = store
        .accounts()
        .create(&name("Anna"), "hash".to_owned())
        .await
        .unwrap();
    let drafts = [
        draft(PersonId::Account(anna.id), "mine", None),
        draft(BERT, "his", None),
    ];
    store.messages().append(&drafts).await.unwrap();
    store.accounts().delete(anna.id).await.unwrap();
    assert!(store.accounts().by_id(anna.id).await.unwrap().is_none());
    let messages = store.messages().newest(9).await.unwrap();
    assert_eq!(
        (messages[0].name.as_str(), messages[0].by.as_deref()),
        ("somebody", None)
    );
    assert_eq!(messages[1].by.as_deref(), Some("g0000000000000007"));
    // A number is not given again: nobody gets what was another's.
    let next = store
        .accounts()
        .create(&name("Anna"), "hash".to_owned())
        .await
        .unwrap();
    assert_ne!(next.id, anna.id);
}

async fn what_is_stored_after_the_account_is_gone_is_nobodys_too(store: Store) {
    let appended = store
        .messages()
        .append(&[draft(PersonId::Account(1), "late", None)])
        .await
        .unwrap();
    let Appended::New(message) = &appended[0] else {
        panic!("{appended:?}");
    };
    assert_eq!((message.name.as_str(), &message.by), ("somebody", &None));
}

async fn a_session_that_has_ended_is_not_saved_again(store: Store) {
    let sessions = store.sessions();
    let mut record = lasting(Duration::hours(1));
    sessions.create(&mut record).await.unwrap();
    record.data.insert("key".to_owned(), 1.into());
    sessions.save(&record).await.unwrap();
    let loaded = sessions
        .load(&record.id)
        .await
        .unwrap()
        .expect("it is there");
    assert_eq!(loaded.data, record.data);
    sessions.delete(&record.id).await.unwrap();
    sessions.save(&record).await.unwrap();
    assert!(sessions.load(&record.id).await.unwrap().is_none());
}

async fn what_is_sent_twice_in_one_batch_is_stored_once(store: Store) {
    let messages = store.messages();
    let drafts = [
        draft(ANNA, "hello", Some("k")),
        draft(ANNA, "no key", None),
        draft(ANNA, "hello", Some("k")),
        draft(ANNA, "no key", None),
    ];
    let appended = messages.append(&drafts).await.unwrap();
    assert_eq!(appended[2], Appended::Known(appended[0].id()));
    let stored = messages.newest(9).await.unwrap();
    assert_eq!(texts(&stored), ["hello", "no key", "no key"]);
    let new = appended.iter().filter_map(|appended| match appended {
        Appended::New(message) => Some(message.clone()),
        Appended::Known(_) => None,
    });
    assert_eq!(new.collect::<Vec<_>>(), stored);
}

/// A key is the page's, and may be anything; it must not spoil what others say.
async fn any_characters_make_a_key(store: Store) {
    let messages = store.messages();
    for key in ["", "\0", "\u{10ffff}", "'; DROP TABLE messages"] {
        let drafts = [draft(ANNA, "hello", Some(key)), draft(BERT, "hello", None)];
        let first = messages.append(&drafts).await.unwrap();
        let again = messages.append(&drafts[..1]).await.unwrap();
        assert_eq!(again, [Appended::Known(first[0].id())]);
    }
}

fn lasting(time: Duration) -> Record {
    Record {
        id: Id::default(),
        data: HashMap::default(),
        expiry_date: OffsetDateTime::now_utc() + time,
    }
}

async fn sessions_that_have_expired_are_given_once(store: Store) {
    let sessions = store.sessions();
    let mut past = lasting(-Duration::hours(1));
    let mut future = lasting(Duration::hours(1));
    sessions.create(&mut past).await.unwrap();
    sessions.create(&mut future).await.unwrap();
    let taken = store.take_expired_sessions().await.unwrap();
    assert_eq!(taken, [past.id.to_string()]);
    assert_eq!(store.take_expired_sessions().await.unwrap(), [""; 0]);
    assert!(sessions.load(&future.id).await.unwrap().is_some());
}

async fn an_expired_session_is_nobodys(store: Store) {
    let sessions = store.sessions();
    let mut record = lasting(Duration::hours(1));
    sessions.create(&mut record).await.unwrap();
    record.expiry_date = OffsetDateTime::now_utc() - Duration::seconds(1);
    sessions.save(&record).await.unwrap();
    assert_eq!(sessions.load(&record.id).await.unwrap(), None);
}
