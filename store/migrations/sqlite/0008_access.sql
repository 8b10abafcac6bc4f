-- Tenants. While nobody makes others, everything belongs to the first.
CREATE TABLE projects (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    name       TEXT NOT NULL UNIQUE,
    created_us INTEGER NOT NULL
) STRICT;
INSERT INTO projects (id, name, created_us) VALUES (1, 'default', 0);

-- What programs show to be let in. The key itself is not here.
CREATE TABLE api_keys (
    id         TEXT PRIMARY KEY,   -- the part of the key that may be shown
    project_id INTEGER NOT NULL,
    scope      TEXT NOT NULL,      -- ingest, read or metrics
    hash       BLOB NOT NULL,      -- BLAKE3 of the whole key
    label      TEXT NOT NULL,
    created_us INTEGER NOT NULL,
    used_us    INTEGER,            -- to the hour
    revoked_us INTEGER
) STRICT;
