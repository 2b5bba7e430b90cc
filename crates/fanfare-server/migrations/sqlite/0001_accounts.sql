-- "fanf": tells this program's files from others'.
PRAGMA application_id = 1717661286;

CREATE TABLE accounts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    -- What all spellings of the name have in common.
    name_key TEXT NOT NULL UNIQUE,
    -- argon2id, in the PHC string format.
    password TEXT NOT NULL,
    -- Random; another one ends all sessions of the account.
    stamp BLOB NOT NULL,
    -- Milliseconds since 1970.
    created_at INTEGER NOT NULL
) STRICT;
