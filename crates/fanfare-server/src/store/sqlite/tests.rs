//! What a file adds to what is expected of every database.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
};

use sqlx::{Connection as _, Executor as _, SqliteConnection, migrate::Migrate as _};

use super::*;
use crate::store::{
    Database, Store,
    tests::{ANNA, BERT, PLENTY, draft, name, texts},
};

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

async fn open(path: &Path) -> Result<Store> {
    Store::open(&Database::File(path.to_owned()), PLENTY).await
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
    assert!(crate::store::is_full(&error), "{error}");
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
async fn nothing_is_left_of_what_is_deleted() {
    let sqlite = Sqlite::open_memory(PLENTY).await.unwrap();
    let messages = crate::store::Messages::append;
    let store = SqliteMessages::new(sqlite.pool.clone());
    let appended = messages(&store, &[draft(ANNA, "secret", None)])
        .await
        .unwrap();
    let id = appended[0].id();
    assert!(
        crate::store::Messages::delete(&store, id, ANNA)
            .await
            .unwrap()
    );
    let text = sqlx::query_as("SELECT text FROM messages WHERE id = ?").bind(id);
    let (text,): (String,) = text.fetch_one(&sqlite.pool).await.unwrap();
    assert_eq!(text, "");
}
