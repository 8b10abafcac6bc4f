-- Prices fetched by `costflame prices update`: of each kind the newest is in force.
CREATE TABLE price_sources (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    kind       INTEGER NOT NULL,  -- 0 = genai-prices, 1 = LiteLLM's map
    fetched_us INTEGER NOT NULL,
    source     TEXT NOT NULL,     -- file or URL
    sha256     BLOB NOT NULL,
    body       BLOB NOT NULL      -- as fetched, compressed with zstd; empty = none, or the built-in ones again
) STRICT;

-- Stretches of time that were priced again; one that has not ended goes on behind its last trace.
CREATE TABLE repricings (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id INTEGER NOT NULL,
    from_us    INTEGER NOT NULL,
    to_us      INTEGER NOT NULL,
    catalog_id BLOB NOT NULL,
    counted    INTEGER NOT NULL,  -- 0 = computed costs, 1 = reported ones where there are any
    started_us INTEGER NOT NULL,
    ended_us   INTEGER,
    lane       INTEGER NOT NULL,  -- of the last trace
    trace_id   BLOB NOT NULL,     -- the last trace; empty before the first of the lane
    seen       INTEGER NOT NULL,  -- calls
    changed    INTEGER NOT NULL   -- calls
) STRICT;

-- The cost by our prices, where the reported one counts although there is a price.
ALTER TABLE calls ADD COLUMN computed INTEGER;

-- Calls without a price; calls whose cost may differ from the reported one.
CREATE INDEX calls_unpriced ON calls (project_id, start_us) WHERE unpriced IS NOT NULL;
CREATE INDEX calls_reported ON calls (project_id, start_us) WHERE reported IS NOT NULL;
