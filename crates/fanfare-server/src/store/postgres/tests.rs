//! What several nodes, and a server that is not always there, add to what is expected of every database.

use std::collections::HashSet;

use fanfare_daemons::{Careful, Postgres as Server};
use fanfare_testkit::within;
use futures_util::future::join_all;
use sqlx::{Connection as _, Executor as _, PgConnection};

use super::*;
use crate::{
    person::PersonId,
    store::{
        Database, Store, is_full,
        tests::{ANNA, BERT, PLENTY, draft, name, texts},
    },
};

/// An empty database that no other test has.
pub(in crate::store) fn new_database() -> Database {
    let url = Server::shared().new_database();
    named(&url.expect("the server makes databases"))
}

fn named(url: &str) -> Database {
    url.parse().expect("it is one")
}

fn url_of(database: &Database) -> &Url {
    match database {
        Database::Postgres(url) => url,
        Database::File(_) | Database::Memory => panic!("{database:?}"),
    }
}

async fn open(database: &Database) -> Store {
    Store::open(database, PLENTY).await.expect("it can be used")
}

async fn connect(database: &Database) -> PgConnection {
    let connection = PgConnection::connect_with(&url_of(database).options()).await;
    connection.expect("it is there")
}

#[tokio::test]
async fn nodes_that_start_at_once_make_the_tables_once() {
    let database = new_database();
    for store in join_all((0..4).map(|_| open(&database))).await {
        assert_eq!(texts(&store.messages().newest(9).await.unwrap()), [""; 0]);
    }
}

/// Some write on several nodes, others read on from where they are: whatever a reader has passed stays as it was.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_reads_on_misses_nothing_while_several_nodes_write() {
    const NODES: usize = 3;
    const BATCHES: usize = 40;
    let database = new_database();
    let stores = join_all((0..NODES).map(|_| open(&database))).await;
    let writing: Vec<_> = stores
        .iter()
        .map(|store| {
            let messages = store.messages();
            tokio::spawn(async move {
                let mut ids = Vec::new();
                for size in 0..BATCHES {
                    let batch = vec![draft(ANNA, "hello", None); 1 + size % 5];
                    let appended = messages.append(&batch).await.expect("it is stored");
                    ids.extend(appended.iter().map(super::super::Appended::id));
                }
                ids
            })
        })
        .collect();
    let reading: Vec<_> = stores
        .iter()
        .map(|store| {
            let (mut news, _) = store.news().expect("there may be others");
            let messages = store.messages();
            tokio::spawn(async move {
                let (mut told, mut caught_up) = (Vec::new(), Vec::new());
                let expected = NODES * (0..BATCHES).map(|size| 1 + size % 5).sum::<usize>();
                while told.len() < expected || caught_up.len() < expected {
                    let fresh = news.take().await.expect("it can be read");
                    told.extend(fresh.messages.iter().map(|message| message.id));
                    let last = caught_up.last().copied().unwrap_or_default();
                    let after = messages.after(last, 7).await.expect("it can be read");
                    caught_up.extend(after.iter().map(|message| message.id));
                }
                (told, caught_up)
            })
        })
        .collect();
    let mut all = Vec::new();
    for ids in writing {
        let ids = within("the writers", ids).await.expect("it writes");
        assert!(ids.is_sorted());
        all.extend(ids);
    }
    all.sort_unstable();
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
    for read in reading {
        let (told, caught_up) = within("the readers", read).await.expect("it reads");
        assert_eq!((&told, &caught_up), (&all, &all));
    }
}

#[tokio::test]
async fn a_node_hears_what_others_store_and_delete() {
    let database = new_database();
    let [here, there] = [open(&database).await, open(&database).await];
    let (mut news, mut bell) = here.news().unwrap();
    within("the first ring", bell.rung()).await;
    assert!(news.take().await.unwrap().is_empty());

    let drafts = [draft(ANNA, "one", None), draft(BERT, "two", None)];
    let appended = there.messages().append(&drafts).await.unwrap();
    within("a ring", bell.rung()).await;
    let fresh = news.take().await.unwrap();
    assert_eq!(
        (texts(&fresh.messages), fresh.deleted),
        (vec!["one", "two"], vec![])
    );

    let id = appended[0].id();
    assert!(there.messages().delete(id, ANNA).await.unwrap());
    within("a ring", bell.rung()).await;
    let fresh = news.take().await.unwrap();
    assert_eq!((texts(&fresh.messages), fresh.deleted), (vec![], vec![id]));
    assert!(news.take().await.unwrap().is_empty());
}

#[tokio::test]
async fn nothing_is_left_of_what_is_deleted() {
    let database = new_database();
    let messages = open(&database).await.messages();
    let appended = messages.append(&[draft(ANNA, "secret", None)]).await;
    let id = appended.unwrap()[0].id();
    assert!(messages.delete(id, ANNA).await.unwrap());
    let text = sqlx::query_as("SELECT text FROM messages WHERE id = $1").bind(id);
    let (text,): (String,) = text.fetch_one(&mut connect(&database).await).await.unwrap();
    assert_eq!(text, "");
}

/// However the two meet, what the account said is nobody's in the end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_stored_while_the_account_is_deleted_is_nobodys() {
    let database = new_database();
    let [here, there] = [open(&database).await, open(&database).await];
    for number in 0..20 {
        let name = name(&format!("Anna {number}"));
        let anna = here
            .accounts()
            .create(&name, "hash".to_owned())
            .await
            .unwrap();
        let drafts = vec![draft(PersonId::Account(anna.id), "mine", None); 3];
        let (accounts, messages) = (here.accounts(), there.messages());
        let (deleted, appended) = tokio::join!(
            tokio::spawn(async move { accounts.delete(anna.id).await }),
            tokio::spawn(async move { messages.append(&drafts).await }),
        );
        deleted.unwrap().unwrap();
        assert_eq!(appended.unwrap().unwrap().len(), 3);
        for message in here.messages().newest(3).await.unwrap() {
            assert_eq!((&*message.name, &message.by), ("somebody", &None));
        }
    }
}

#[tokio::test]
async fn when_it_is_full_nothing_more_is_stored_and_reading_goes_on() {
    let database = new_database();
    let store = Store::open(&database, 200 * 1024).await.unwrap();
    let messages = store.messages();
    let mut stored = Vec::new();
    let error = loop {
        let text = "x".repeat(2_000);
        match messages.append(&vec![draft(ANNA, &text, None); 20]).await {
            Ok(appended) => stored.extend(appended.iter().map(super::super::Appended::id)),
            Err(error) => break error,
        }
        assert!(stored.len() < 10_000, "it was never full");
    };
    assert!(is_full(&error), "{error}");
    let kept = messages.after(0, 10_000).await.unwrap();
    let kept: Vec<_> = kept.iter().map(|message| message.id).collect();
    assert_eq!(kept, stored);
}

/// A node that stands still in the midst of storing must not hold up the others for long.
#[tokio::test]
async fn a_node_that_stands_still_holds_nobody_up_for_long() {
    let database = new_database();
    let messages = open(&database).await.messages();
    let options = hurried(url_of(&database).options());
    let mut still = PgConnection::connect_with(&options).await.unwrap();
    still.execute("BEGIN").await.unwrap();
    let lock = format!(
        "SELECT pg_advisory_xact_lock({})",
        0x6661_6e66_0000_0001_i64
    );
    still.execute(&*lock).await.unwrap();
    let stored = async {
        while messages
            .append(&[draft(ANNA, "hello", None)])
            .await
            .is_err()
        {}
    };
    within("the others", stored).await;
}

#[tokio::test]
async fn what_is_stored_outlives_the_server_and_a_node_comes_back_by_itself() {
    let mut server = Server::start(Careful::Yes).expect("it starts");
    let database = named(&server.new_database().unwrap());
    let store = open(&database).await;
    let messages = store.messages();
    let (mut news, mut bell) = store.news().unwrap();
    within("the first ring", bell.rung()).await;
    messages
        .append(&[draft(ANNA, "before", Some("1"))])
        .await
        .unwrap();
    server.pause();
    for _ in 0..2 {
        let error = messages
            .append(&[draft(ANNA, "meanwhile", Some("2"))])
            .await;
        assert!(!is_full(&error.unwrap_err()));
    }
    news.take().await.unwrap_err();
    server.resume().expect("it starts again");
    let again = async {
        while messages
            .append(&[draft(ANNA, "after", Some("3"))])
            .await
            .is_err()
        {}
    };
    within("the node is back", again).await;
    assert_eq!(
        texts(&messages.newest(9).await.unwrap()),
        ["before", "after"]
    );
    // It had not been told of the first one either.
    let mut told = Vec::new();
    let tell = async {
        while told.len() < 2 {
            bell.rung().await;
            let fresh = news.take().await.map(|fresh| fresh.messages);
            told.extend(fresh.unwrap_or_default());
        }
    };
    within("all is told", tell).await;
    assert_eq!(texts(&told), ["before", "after"]);
}

/// No answer at all, for as long as the server's process is stopped.
#[tokio::test]
async fn a_server_that_stands_still_is_not_waited_for() {
    let server = Server::start(Careful::No).expect("it starts");
    let database = named(&server.new_database().unwrap());
    let messages = open(&database).await.messages();
    messages
        .append(&[draft(ANNA, "before", None)])
        .await
        .unwrap();
    // What serves a connection is a process of its own; all of them stand still.
    let backends = server.run(
        "postgres",
        "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()",
    );
    let backends = backends.unwrap();
    let signal = |name: &str| {
        assert!(server.daemon().expect("it runs").signal(name));
        for backend in backends.lines() {
            // A pooled connection may have ended meanwhile.
            let _ = std::process::Command::new("kill")
                .args(["-s", name, backend])
                .status();
        }
    };
    signal("STOP");
    let refused = within(
        "a refusal",
        messages.append(&[draft(ANNA, "meanwhile", None)]),
    )
    .await;
    signal("CONT");
    refused.unwrap_err();
    let again = async {
        while messages
            .append(&[draft(ANNA, "after", None)])
            .await
            .is_err()
        {}
    };
    within("it goes on", again).await;
    assert_eq!(texts(&messages.newest(1).await.unwrap()), ["after"]);
}

async fn check_refused(url: &str, why: &str, right: &str) {
    let error = Store::open(&named(url), PLENTY).await.expect_err(url);
    let said = format!("{error:#}");
    assert!(said.contains(why) && said.contains(right), "{said}");
    assert!(!said.contains("for-tests-only"), "{said}");
}

#[tokio::test]
async fn what_can_not_be_used_is_named_with_what_would_be_right() {
    let server = Server::shared();
    let good = server.new_database().unwrap();
    let wrong = good.replace("for-tests-only", "guessed");
    check_refused(&wrong, "the password is wrong", "postgres://USER:PASSWORD@").await;
    let missing = server.url("nowhere");
    check_refused(&missing, "no such database", "CREATE DATABASE \"nowhere\"").await;
    let port = fanfare_daemons::free_port();
    let nobody = format!("postgres://fanfare@127.0.0.1:{port}/fanfare");
    check_refused(
        &nobody,
        &format!("127.0.0.1:{port}"),
        "is PostgreSQL running",
    )
    .await;
    let host = "postgres://fanfare@no-such-host.invalid/fanfare";
    check_refused(host, "no-such-host.invalid", "psql").await;
    let strict = format!("{good}?sslmode=require");
    check_refused(&strict, "no TLS", "sslmode=disable").await;
}

#[tokio::test]
async fn what_is_not_ours_is_refused_and_untouched() {
    let server = Server::shared();
    let other = server.new_database().unwrap();
    let name = other.rsplit('/').next().unwrap();
    server
        .run(name, "CREATE TABLE messages (id INTEGER)")
        .unwrap();
    check_refused(&other, "tables of another program", "--database").await;
    let tables =
        "SELECT string_agg(relname, ',') FROM pg_class WHERE relnamespace = 'public'::regnamespace";
    assert_eq!(server.run(name, tables).unwrap(), "messages");

    let newer = server.new_database().unwrap();
    open(&named(&newer)).await.close().await;
    let name = newer.rsplit('/').next().unwrap();
    server
        .run(
            name,
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
             VALUES (99, 'later', true, '', 0)",
        )
        .unwrap();
    check_refused(
        &newer,
        "a newer fanfare (its tables have version 99)",
        "--database",
    )
    .await;

    let read_only = server.new_database().unwrap();
    let name = read_only.rsplit('/').next().unwrap();
    let set = format!("ALTER DATABASE {name} SET default_transaction_read_only = on");
    server.run("postgres", &set).unwrap();
    check_refused(&read_only, "can only be read", "primary").await;
}
