-- People who log in with a password. The password itself is not here.
CREATE TABLE users (
    name       TEXT PRIMARY KEY,
    password   TEXT NOT NULL,        -- argon2id with its parameters and salt, as a PHC string
    role       TEXT NOT NULL,        -- viewer, editor or admin
    project_id INTEGER,              -- NULL = of all
    created_us INTEGER NOT NULL
) STRICT;

-- Who is logged in. What the browser shows is not here.
CREATE TABLE sessions (
    hash       BLOB PRIMARY KEY,     -- BLAKE3 of what the browser shows
    id         TEXT NOT NULL UNIQUE, -- the part that may be shown
    user_name  TEXT NOT NULL,
    method     TEXT NOT NULL,        -- password: role and project are those of the user now; openid: those below
    role       TEXT NOT NULL,
    project_id INTEGER,              -- NULL = of all
    peer       TEXT NOT NULL,        -- the address that logged in
    created_us INTEGER NOT NULL,
    used_us    INTEGER NOT NULL,     -- to some minutes
    ends_us    INTEGER NOT NULL
) STRICT;

-- Views of the pages that a project shares.
CREATE TABLE saved_views (
    project_id INTEGER NOT NULL,
    name       TEXT NOT NULL,
    address    TEXT NOT NULL,        -- of the page, from its first slash
    saved_by   TEXT NOT NULL,
    saved_us   INTEGER NOT NULL,
    PRIMARY KEY (project_id, name)
) STRICT;

-- Administrative acts: written once, never changed.
CREATE TABLE audit (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    at_us      INTEGER NOT NULL,
    actor      TEXT NOT NULL,
    peer       TEXT NOT NULL,        -- from where
    project_id INTEGER,              -- NULL = of all
    act        TEXT NOT NULL,
    target     TEXT NOT NULL,
    result     TEXT NOT NULL
) STRICT;

CREATE TRIGGER audit_is_not_updated BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is append only'); END;
CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is append only'); END;
