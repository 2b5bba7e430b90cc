use std::{
    fs,
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
};

use sqlx::{Connection as _, Executor as _, SqliteConnection, migrate::Migrate as _};

use super::*;
use crate::{names::Name, person::PersonId};

const PLENTY: u64 = 1 << 30;
const ANNA: PersonId = PersonId::Guest(1);
const BERT: PersonId = PersonId::Guest(7);

/// A folder that is gone when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder =
            std::env::temp_dir().join(format!("fanfare-store-{}-{number}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn file(&self) -> PathBuf {
        self.0.join("fanfare.db")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn draft(author: PersonId, text: &str, key: Option<&str>) -> Draft {
    Draft {
        author,
        name: name("Anna"),
        text: text.to_owned(),
        key: key.map(str::to_owned),
    }
}

async fn memory() -> Store {
    Store::open(&Database::Memory, PLENTY).await.unwrap()
}

async fn open(path: &Path) -> Result<Store> {
    Store::open(&Database::File(path.to_owned()), PLENTY).await
}

fn texts(messages: &[Message]) -> Vec<&str> {
    messages
        .iter()
        .map(|message| message.message.as_str())
        .collect()
}

#[test]
fn a_database_is_named_by_its_url() {
    let file = |path: &str| Ok(Database::File(path.into()));
    assert_eq!("sqlite://./fanfare.db".parse(), file("./fanfare.db"));
    assert_eq!(
        "sqlite:///var/lib/fanfare.db".parse(),
        file("/var/lib/fanfare.db")
    );
    assert_eq!("sqlite:fanfare.db".parse(), file("fanfare.db"));
    assert_eq!("sqlite::memory:".parse(), Ok(Database::Memory));
    for wrong in [
        "",
        "fanfare.db",
        "sqlite:",
        "sqlite://",
        "postgres://localhost/fanfare",
    ] {
        assert_eq!(wrong.parse::<Database>(), Err(NO_DATABASE));
    }
}

#[tokio::test]
async fn messages_have_rising_ids_and_are_found_from_either_side() {
    let messages = memory().await.messages();
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

#[tokio::test]
async fn what_is_sent_twice_with_one_key_is_stored_once() {
    let messages = memory().await.messages();
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

#[tokio::test]
async fn one_deletes_what_is_ones_own_and_nothing_is_left_of_it() {
    let store = memory().await;
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
    let (text,): (String,) = sqlx::query_as("SELECT text FROM messages WHERE id = ?")
        .bind(one)
        .fetch_one(&store.pool)
        .await
        .unwrap();
    assert_eq!(text, "");
}

#[tokio::test]
async fn a_name_belongs_to_one_account_however_it_is_spelled() {
    let accounts = memory().await.accounts();
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

#[tokio::test]
async fn another_password_has_another_stamp() {
    let accounts = memory().await.accounts();
    let anna = accounts
        .create(&name("Anna"), "old".to_owned())
        .await
        .unwrap();
    accounts.set_password(anna.id, "new").await.unwrap();
    let changed = accounts.by_id(anna.id).await.unwrap().unwrap();
    assert_eq!(changed.password.0, "new");
    assert_ne!(changed.stamp.0, anna.stamp.0);
}

#[tokio::test]
async fn what_a_deleted_account_said_is_nobodys() {
    let store = memory().await;
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

#[tokio::test]
async fn what_is_stored_after_the_account_is_gone_is_nobodys_too() {
    let store = memory().await;
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

#[tokio::test]
async fn a_session_that_has_ended_is_not_saved_again() {
    use tower_sessions::{SessionStore as _, session::Record};
    let sessions = memory().await.sessions();
    let mut record = Record {
        id: tower_sessions::session::Id::default(),
        data: std::collections::HashMap::default(),
        expiry_date: tower_sessions::cookie::time::OffsetDateTime::now_utc()
            + tower_sessions::cookie::time::Duration::hours(1),
    };
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

#[cfg(unix)]
#[tokio::test]
async fn nobody_else_can_read_the_file() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = Folder::new();
    let store = open(&folder.file()).await.unwrap();
    store
        .messages()
        .append(&[draft(BERT, "secret", None)])
        .await
        .unwrap();
    for name in ["fanfare.db", "fanfare.db-wal", "fanfare.db-shm"] {
        let mode = fs::metadata(folder.0.join(name))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[tokio::test]
async fn a_file_keeps_what_was_stored() {
    let folder = Folder::new();
    let store = open(&folder.file()).await.unwrap();
    store
        .messages()
        .append(&[draft(ANNA, "kept", None)])
        .await
        .unwrap();
    store.close().await;
    let store = open(&folder.file()).await.unwrap();
    assert_eq!(texts(&store.messages().newest(9).await.unwrap()), ["kept"]);
}

/// A database of an earlier version, with what such a one could hold.
async fn make_old(path: &Path, version: i64) {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    connection.ensure_migrations_table().await.unwrap();
    for migration in MIGRATIONS
        .iter()
        .filter(|migration| migration.version <= version)
    {
        connection.apply(migration).await.unwrap();
    }
    if 1 <= version {
        let insert = "INSERT INTO accounts (name, name_key, password, stamp, created_at) VALUES ('Anna', 'anna', 'hash', x'00', 0)";
        connection.execute(insert).await.unwrap();
    }
    if 2 <= version {
        let insert =
            "INSERT INTO messages (author, name, text, at) VALUES ('a1', 'Anna', 'early', 0)";
        connection.execute(insert).await.unwrap();
    }
    connection.close().await.unwrap();
}

#[tokio::test]
async fn a_database_of_any_earlier_version_is_brought_up_to_date() {
    for version in 0..=latest_version() {
        let folder = Folder::new();
        make_old(&folder.file(), version).await;
        let store = open(&folder.file()).await.unwrap();
        let anna = store.accounts().by_name(&name("ANNA")).await.unwrap();
        assert_eq!(anna.is_some(), 1 <= version, "version {version}");
        let before = store.messages().newest(9).await.unwrap();
        assert_eq!(before.len(), usize::from(2 <= version), "version {version}");
        store
            .messages()
            .append(&[draft(ANNA, "now", None)])
            .await
            .unwrap();
        assert_eq!(store.messages().newest(1).await.unwrap()[0].message, "now");
        store.close().await;
    }
}

#[track_caller]
fn check_refused(opened: Result<Store>, path: &Path, why: &str) {
    let said = format!("{:#}", opened.expect_err("it must be refused"));
    assert!(
        said.contains(why) && said.contains(path.to_str().unwrap()),
        "{said}"
    );
    assert!(said.contains("--database"), "{said}");
}

#[tokio::test]
async fn what_is_no_database_of_ours_is_refused_and_untouched() {
    let folder = Folder::new();
    let text = folder.0.join("letter.txt");
    fs::write(&text, "Dear Anna, this is no database.").unwrap();
    check_refused(open(&text).await, &text, "is no SQLite database");
    assert_eq!(fs::read(&text).unwrap(), b"Dear Anna, this is no database.");

    let other = folder.0.join("other.db");
    let options = SqliteConnectOptions::new()
        .filename(&other)
        .create_if_missing(true);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    connection
        .execute("CREATE TABLE recipes (id INTEGER)")
        .await
        .unwrap();
    connection.close().await.unwrap();
    let before = fs::read(&other).unwrap();
    check_refused(
        open(&other).await,
        &other,
        "is the database of another program",
    );
    assert_eq!(fs::read(&other).unwrap(), before);

    check_refused(open(&folder.0).await, &folder.0, "is a folder");
    let nowhere = folder.0.join("nowhere/fanfare.db");
    check_refused(open(&nowhere).await, &nowhere, "there is no folder");
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_refused_and_untouched() {
    let folder = Folder::new();
    let path = folder.file();
    make_old(&path, latest_version()).await;
    let options = SqliteConnectOptions::new().filename(&path);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (99, 'later', 1, x'00', 0)";
    connection.execute(newer).await.unwrap();
    connection.close().await.unwrap();
    let before = fs::read(&path).unwrap();
    check_refused(
        open(&path).await,
        &path,
        "a newer fanfare (its tables have version 99",
    );
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn a_damaged_database_is_refused_and_untouched() {
    let folder = Folder::new();
    let path = folder.file();
    fs::write(
        &path,
        [b"SQLite format 3\0".as_slice(), &[0xff; 4096]].concat(),
    )
    .unwrap();
    let before = fs::read(&path).unwrap();
    check_refused(open(&path).await, &path, "is damaged");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn a_database_that_another_program_writes_to_is_refused() {
    let folder = Folder::new();
    let path = folder.file();
    open(&path).await.unwrap().close().await;
    let options = SqliteConnectOptions::new().filename(&path);
    let mut other = SqliteConnection::connect_with(&options).await.unwrap();
    other.execute("BEGIN EXCLUSIVE").await.unwrap();
    check_refused(
        open(&path).await,
        &path,
        "is locked, another program writes to it",
    );
    other.execute("ROLLBACK").await.unwrap();
    open(&path).await.unwrap();
}

#[tokio::test]
async fn when_it_is_full_nothing_stored_is_lost_and_reading_goes_on() {
    let folder = Folder::new();
    let database = Database::File(folder.file());
    let store = Store::open(&database, 200 * 1024).await.unwrap();
    let messages = store.messages();
    let mut stored = Vec::new();
    let error = loop {
        match messages
            .append(&[draft(ANNA, &"x".repeat(2_000), None)])
            .await
        {
            Ok(appended) => stored.push(appended[0].id()),
            Err(error) => break error,
        }
        assert!(stored.len() < 1_000, "it was never full");
    };
    assert!(is_full(&error), "{error}");
    let kept = messages.after(0, 1_000).await.unwrap();
    assert_eq!(
        kept.iter().map(|message| message.id).collect::<Vec<_>>(),
        stored
    );
    store.close().await;
    // With more room it goes on.
    let store = open(&folder.file()).await.unwrap();
    store
        .messages()
        .append(&[draft(ANNA, "more", None)])
        .await
        .unwrap();
}

#[tokio::test]
async fn sessions_that_have_expired_are_given_once() {
    let store = memory().await;
    for (id, expiry) in [
        ("past", "2001-01-01 00:00:00.0 +00:00"),
        ("future", "2999-01-01 00:00:00.0 +00:00"),
    ] {
        let insert =
            sqlx::query("INSERT INTO tower_sessions (id, data, expiry_date) VALUES (?, x'00', ?)");
        insert
            .bind(id)
            .bind(expiry)
            .execute(&store.pool)
            .await
            .unwrap();
    }
    assert_eq!(store.take_expired_sessions().await.unwrap(), ["past"]);
    assert_eq!(store.take_expired_sessions().await.unwrap(), [""; 0]);
}
