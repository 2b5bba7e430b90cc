CREATE TABLE messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    -- Whose it is: an account, or a guest's session. NULL once the account is deleted.
    author TEXT,
    -- The author's own mark on it: what is sent twice is stored once.
    draft TEXT,
    name TEXT NOT NULL,
    text TEXT NOT NULL,
    -- Milliseconds since 1970.
    at INTEGER NOT NULL,
    is_deleted INTEGER NOT NULL DEFAULT 0,
    UNIQUE (author, draft)
) STRICT;

CREATE INDEX deleted_messages ON messages (id) WHERE is_deleted;
CREATE INDEX kept_messages ON messages (id) WHERE NOT is_deleted;
