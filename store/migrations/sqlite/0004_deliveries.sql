-- The outbox in two halves: what was received, once and never changed, and a narrow row per destination that is:
-- an update rewrites a row with all of its pages.
ALTER TABLE outbox RENAME TO outbox_before;

-- Received OTLP requests, as received, compressed; deleted with their last delivery.
CREATE TABLE outbox (
    id   INTEGER PRIMARY KEY AUTOINCREMENT,
    body BLOB NOT NULL
) STRICT;

-- One destination of a request. Ids are never used twice: a late report about one that is gone meets nothing.
CREATE TABLE deliveries (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    outbox_id   INTEGER NOT NULL,
    received_us INTEGER NOT NULL,
    next_us     INTEGER NOT NULL,  -- free to be claimed from then on; a claim moves it to when it ends
    dead_us     INTEGER,           -- when it was given up; a dead letter
    project_id  INTEGER NOT NULL,
    items       INTEGER NOT NULL,  -- spans, log records or data points
    bytes       INTEGER NOT NULL,  -- of the body
    raw_bytes   INTEGER NOT NULL,  -- of the body before compression
    attempts    INTEGER NOT NULL DEFAULT 0,
    signal      INTEGER NOT NULL,  -- 0 = traces, 1 = logs, 2 = metrics
    codec       INTEGER NOT NULL,  -- 0 = none, 1 = zstd
    destination TEXT NOT NULL,
    error       TEXT               -- what the last attempt heard
) STRICT;
CREATE INDEX deliveries_due ON deliveries (destination, next_us, id) WHERE dead_us IS NULL;
CREATE INDEX deliveries_age ON deliveries (destination, received_us, id);
CREATE INDEX deliveries_outbox ON deliveries (outbox_id);

INSERT INTO outbox (id, body) SELECT id, body FROM outbox_before;
INSERT INTO deliveries (outbox_id, received_us, next_us, project_id, items, bytes, raw_bytes, signal, codec, destination)
SELECT id, received_us, 0, project_id, items, length(body), length(body), signal, codec, destination
FROM outbox_before;
DROP TABLE outbox_before;
