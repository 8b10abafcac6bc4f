-- Prices fetched by `costflame prices update`: of each kind the newest is in force.
CREATE TABLE price_sources (
    id         bigint   GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind       smallint NOT NULL,  -- 0 = genai-prices, 1 = LiteLLM's map
    fetched_us bigint   NOT NULL,
    source     text     NOT NULL,  -- file or URL
    sha256     bytea    NOT NULL,
    body       bytea    NOT NULL   -- as fetched, compressed with zstd; empty = none, or the built-in ones again
);

-- Stretches of time that were priced again; one that has not ended goes on behind its last trace.
CREATE TABLE repricings (
    id         bigint   GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id integer  NOT NULL,
    from_us    bigint   NOT NULL,
    to_us      bigint   NOT NULL,
    catalog_id bytea    NOT NULL,
    counted    smallint NOT NULL,  -- 0 = computed costs, 1 = reported ones where there are any
    started_us bigint   NOT NULL,
    ended_us   bigint,
    lane       smallint NOT NULL,  -- of the last trace
    trace_id   bytea    NOT NULL,  -- the last trace; empty before the first of the lane
    seen       bigint   NOT NULL,  -- calls
    changed    bigint   NOT NULL   -- calls
);

-- The cost by our prices, where the reported one counts although there is a price.
ALTER TABLE calls ADD COLUMN computed bigint;

-- Calls without a price; calls whose cost may differ from the reported one.
CREATE INDEX calls_unpriced ON calls (project_id, start_us) WHERE unpriced IS NOT NULL;
CREATE INDEX calls_reported ON calls (project_id, start_us) WHERE reported IS NOT NULL;
