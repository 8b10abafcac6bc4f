-- Sums of one value of a dimension by call path, sums of values alone, counts of traces, and a sample of calls: what the
-- pages ask about a user or a tag is answered without reading calls. All of it is added to what was there: a collector
-- of the version before goes on writing, and the days it writes to are answered as before (values_since_day in meta).

-- Differences by dimension know the call path and the hour; NULL in both when an older collector wrote them.
ALTER TABLE dim_deltas ADD COLUMN path_id bytea, ADD COLUMN hour_us bigint;

-- The sums of dim_rollups by call path, of users, prompts and tags. The day comes first, so that writes meet in one place.
CREATE TABLE dim_paths (LIKE dim_rollups) WITH (fillfactor = 70);
ALTER TABLE dim_paths ADD COLUMN path_id bytea NOT NULL;
ALTER TABLE dim_paths ADD PRIMARY KEY (project_id, day, dimension, value, path_id, series_id);

-- The same values without series, by hour and UTC day. tier: seconds of a bucket (3600, 86400).
CREATE TABLE dim_totals (LIKE dim_rollups) WITH (fillfactor = 70);
ALTER TABLE dim_totals DROP COLUMN day, DROP COLUMN series_id,
    ADD COLUMN tier integer NOT NULL, ADD COLUMN bucket_us bigint NOT NULL;
ALTER TABLE dim_totals ADD PRIMARY KEY (project_id, tier, bucket_us, dimension, value);

-- Days on which a dimension has too many values for dim_paths to keep them; calls answer instead.
CREATE TABLE dim_wide (
    project_id integer NOT NULL,
    day        integer NOT NULL,
    dimension  text    NOT NULL,
    PRIMARY KEY (project_id, day, dimension)
);

-- Traces with a counted call by their start. tier as in rollups.
CREATE TABLE trace_rollups (
    bucket_us  bigint  NOT NULL,
    traces     bigint  NOT NULL,
    project_id integer NOT NULL,
    tier       integer NOT NULL,
    PRIMARY KEY (project_id, tier, bucket_us)
) WITH (fillfactor = 70);

-- Signed differences not yet folded into trace_rollups; buckets of 15 minutes.
CREATE TABLE trace_deltas (
    id         bigint  PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    bucket_us  bigint  NOT NULL,
    traces     bigint  NOT NULL,
    project_id integer NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000);

-- What filters name, of the calls of the first two lanes: a fair sample, since a lane is a hash of the trace id.
CREATE TABLE sampled_calls (
    start_us   bigint   NOT NULL,
    project_id integer  NOT NULL,
    start_day  integer  NOT NULL,
    flags      integer  NOT NULL,
    lane       smallint NOT NULL,
    why        smallint NOT NULL,
    unpriced   smallint,
    error      boolean  NOT NULL,
    trace_id   bytea    NOT NULL,
    span_id    bytea    NOT NULL,
    path_id    bytea    NOT NULL,
    series_id  bytea    NOT NULL,
    user_id    text,
    session_id text,
    prompt     text,
    tags       jsonb,
    PRIMARY KEY (project_id, lane, trace_id, span_id, start_day)
);
CREATE INDEX sampled_calls_start ON sampled_calls (project_id, start_us);

-- What a collector writes: 1 = everything above. One that does not say so is older.
ALTER TABLE settlers ADD COLUMN writes integer NOT NULL DEFAULT 0;

-- All of it is complete from this UTC day on; without the row, always.
INSERT INTO meta (name, value)
SELECT 'values_since_day', floor(extract(epoch FROM now()) / 86400)::bigint + 1 WHERE EXISTS (SELECT FROM calls);
