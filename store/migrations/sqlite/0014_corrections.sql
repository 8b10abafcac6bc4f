-- What other programs than a running server took from the sums and added to them (repricing, deleting), until a server has
-- counted it.
CREATE TABLE corrections (
    id   INTEGER PRIMARY KEY AUTOINCREMENT,
    body BLOB NOT NULL   -- packed: sums by series
) STRICT;

-- Spans and log records that were cut out of requests waiting to be forwarded, or refused.
ALTER TABLE deletions ADD COLUMN forwarded INTEGER NOT NULL DEFAULT 0;
