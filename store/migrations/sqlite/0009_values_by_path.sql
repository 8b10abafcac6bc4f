-- Sums of one value of a dimension by call path, sums of values alone, counts of traces, and a sample of calls: what the
-- pages ask about a user or a tag is answered without reading calls. All of it is added to what was there: a collector
-- of the version before goes on writing, and the days it writes to are answered as before (values_since_day in meta).

-- Differences by dimension know the call path and the hour; NULL in both when an older collector wrote them.
ALTER TABLE dim_deltas ADD COLUMN path_id BLOB;
ALTER TABLE dim_deltas ADD COLUMN hour_us INTEGER;

-- The sums of dim_rollups by call path, of users, prompts and tags. The day comes first, so that writes meet in one place.
CREATE TABLE dim_paths (
    project_id                 INTEGER NOT NULL,
    day                        INTEGER NOT NULL,
    dimension                  TEXT NOT NULL,
    value                      TEXT NOT NULL,
    path_id                    BLOB NOT NULL,
    series_id                  BLOB NOT NULL,
    calls                      INTEGER NOT NULL,
    errors                     INTEGER NOT NULL,
    unpriced_calls             INTEGER NOT NULL,
    excluded_calls             INTEGER NOT NULL,
    unpriced_tokens_hi         INTEGER NOT NULL,
    unpriced_tokens_lo         INTEGER NOT NULL,
    excluded_cost_hi           INTEGER NOT NULL,
    excluded_cost_lo           INTEGER NOT NULL,
    duration_us_hi             INTEGER NOT NULL,
    duration_us_lo             INTEGER NOT NULL,
    cost_hi                    INTEGER NOT NULL,
    cost_lo                    INTEGER NOT NULL,
    cost_other_hi              INTEGER NOT NULL,
    cost_other_lo              INTEGER NOT NULL,
    tokens_input_hi            INTEGER NOT NULL,
    tokens_input_lo            INTEGER NOT NULL,
    tokens_cache_read_hi       INTEGER NOT NULL,
    tokens_cache_read_lo       INTEGER NOT NULL,
    tokens_cache_write_hi      INTEGER NOT NULL,
    tokens_cache_write_lo      INTEGER NOT NULL,
    tokens_cache_write_1h_hi   INTEGER NOT NULL,
    tokens_cache_write_1h_lo   INTEGER NOT NULL,
    tokens_audio_in_hi         INTEGER NOT NULL,
    tokens_audio_in_lo         INTEGER NOT NULL,
    tokens_cache_read_audio_hi INTEGER NOT NULL,
    tokens_cache_read_audio_lo INTEGER NOT NULL,
    tokens_image_in_hi         INTEGER NOT NULL,
    tokens_image_in_lo         INTEGER NOT NULL,
    tokens_video_in_hi         INTEGER NOT NULL,
    tokens_video_in_lo         INTEGER NOT NULL,
    tokens_output_hi           INTEGER NOT NULL,
    tokens_output_lo           INTEGER NOT NULL,
    tokens_reasoning_hi        INTEGER NOT NULL,
    tokens_reasoning_lo        INTEGER NOT NULL,
    tokens_audio_out_hi        INTEGER NOT NULL,
    tokens_audio_out_lo        INTEGER NOT NULL,
    tokens_image_out_hi        INTEGER NOT NULL,
    tokens_image_out_lo        INTEGER NOT NULL,
    cost_input_hi              INTEGER NOT NULL,
    cost_input_lo              INTEGER NOT NULL,
    cost_cache_read_hi         INTEGER NOT NULL,
    cost_cache_read_lo         INTEGER NOT NULL,
    cost_cache_write_hi        INTEGER NOT NULL,
    cost_cache_write_lo        INTEGER NOT NULL,
    cost_cache_write_1h_hi     INTEGER NOT NULL,
    cost_cache_write_1h_lo     INTEGER NOT NULL,
    cost_audio_in_hi           INTEGER NOT NULL,
    cost_audio_in_lo           INTEGER NOT NULL,
    cost_cache_read_audio_hi   INTEGER NOT NULL,
    cost_cache_read_audio_lo   INTEGER NOT NULL,
    cost_image_in_hi           INTEGER NOT NULL,
    cost_image_in_lo           INTEGER NOT NULL,
    cost_video_in_hi           INTEGER NOT NULL,
    cost_video_in_lo           INTEGER NOT NULL,
    cost_output_hi             INTEGER NOT NULL,
    cost_output_lo             INTEGER NOT NULL,
    cost_reasoning_hi          INTEGER NOT NULL,
    cost_reasoning_lo          INTEGER NOT NULL,
    cost_audio_out_hi          INTEGER NOT NULL,
    cost_audio_out_lo          INTEGER NOT NULL,
    cost_image_out_hi          INTEGER NOT NULL,
    cost_image_out_lo          INTEGER NOT NULL,
    PRIMARY KEY (project_id, day, dimension, value, path_id, series_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX dim_paths_empty ON dim_paths (project_id) WHERE calls = 0 AND excluded_calls = 0;

-- The same values without series, by hour and UTC day. tier: seconds of a bucket (3600, 86400).
CREATE TABLE dim_totals (
    project_id                 INTEGER NOT NULL,
    tier                       INTEGER NOT NULL,
    bucket_us                  INTEGER NOT NULL,
    dimension                  TEXT NOT NULL,
    value                      TEXT NOT NULL,
    calls                      INTEGER NOT NULL,
    errors                     INTEGER NOT NULL,
    unpriced_calls             INTEGER NOT NULL,
    excluded_calls             INTEGER NOT NULL,
    unpriced_tokens_hi         INTEGER NOT NULL,
    unpriced_tokens_lo         INTEGER NOT NULL,
    excluded_cost_hi           INTEGER NOT NULL,
    excluded_cost_lo           INTEGER NOT NULL,
    duration_us_hi             INTEGER NOT NULL,
    duration_us_lo             INTEGER NOT NULL,
    cost_hi                    INTEGER NOT NULL,
    cost_lo                    INTEGER NOT NULL,
    cost_other_hi              INTEGER NOT NULL,
    cost_other_lo              INTEGER NOT NULL,
    tokens_input_hi            INTEGER NOT NULL,
    tokens_input_lo            INTEGER NOT NULL,
    tokens_cache_read_hi       INTEGER NOT NULL,
    tokens_cache_read_lo       INTEGER NOT NULL,
    tokens_cache_write_hi      INTEGER NOT NULL,
    tokens_cache_write_lo      INTEGER NOT NULL,
    tokens_cache_write_1h_hi   INTEGER NOT NULL,
    tokens_cache_write_1h_lo   INTEGER NOT NULL,
    tokens_audio_in_hi         INTEGER NOT NULL,
    tokens_audio_in_lo         INTEGER NOT NULL,
    tokens_cache_read_audio_hi INTEGER NOT NULL,
    tokens_cache_read_audio_lo INTEGER NOT NULL,
    tokens_image_in_hi         INTEGER NOT NULL,
    tokens_image_in_lo         INTEGER NOT NULL,
    tokens_video_in_hi         INTEGER NOT NULL,
    tokens_video_in_lo         INTEGER NOT NULL,
    tokens_output_hi           INTEGER NOT NULL,
    tokens_output_lo           INTEGER NOT NULL,
    tokens_reasoning_hi        INTEGER NOT NULL,
    tokens_reasoning_lo        INTEGER NOT NULL,
    tokens_audio_out_hi        INTEGER NOT NULL,
    tokens_audio_out_lo        INTEGER NOT NULL,
    tokens_image_out_hi        INTEGER NOT NULL,
    tokens_image_out_lo        INTEGER NOT NULL,
    cost_input_hi              INTEGER NOT NULL,
    cost_input_lo              INTEGER NOT NULL,
    cost_cache_read_hi         INTEGER NOT NULL,
    cost_cache_read_lo         INTEGER NOT NULL,
    cost_cache_write_hi        INTEGER NOT NULL,
    cost_cache_write_lo        INTEGER NOT NULL,
    cost_cache_write_1h_hi     INTEGER NOT NULL,
    cost_cache_write_1h_lo     INTEGER NOT NULL,
    cost_audio_in_hi           INTEGER NOT NULL,
    cost_audio_in_lo           INTEGER NOT NULL,
    cost_cache_read_audio_hi   INTEGER NOT NULL,
    cost_cache_read_audio_lo   INTEGER NOT NULL,
    cost_image_in_hi           INTEGER NOT NULL,
    cost_image_in_lo           INTEGER NOT NULL,
    cost_video_in_hi           INTEGER NOT NULL,
    cost_video_in_lo           INTEGER NOT NULL,
    cost_output_hi             INTEGER NOT NULL,
    cost_output_lo             INTEGER NOT NULL,
    cost_reasoning_hi          INTEGER NOT NULL,
    cost_reasoning_lo          INTEGER NOT NULL,
    cost_audio_out_hi          INTEGER NOT NULL,
    cost_audio_out_lo          INTEGER NOT NULL,
    cost_image_out_hi          INTEGER NOT NULL,
    cost_image_out_lo          INTEGER NOT NULL,
    PRIMARY KEY (project_id, tier, bucket_us, dimension, value)
) STRICT, WITHOUT ROWID;
CREATE INDEX dim_totals_empty ON dim_totals (project_id) WHERE calls = 0 AND excluded_calls = 0;

-- Days on which a dimension has too many values for dim_paths to keep them; calls answer instead.
CREATE TABLE dim_wide (
    project_id INTEGER NOT NULL,
    day        INTEGER NOT NULL,
    dimension  TEXT    NOT NULL,
    PRIMARY KEY (project_id, day, dimension)
) STRICT, WITHOUT ROWID;

-- Traces with a counted call by their start. tier as in rollups.
CREATE TABLE trace_rollups (
    project_id INTEGER NOT NULL,
    tier       INTEGER NOT NULL,
    bucket_us  INTEGER NOT NULL,
    traces     INTEGER NOT NULL,
    PRIMARY KEY (project_id, tier, bucket_us)
) STRICT, WITHOUT ROWID;

-- Signed differences not yet folded into trace_rollups; buckets of 15 minutes.
CREATE TABLE trace_deltas (
    id         INTEGER PRIMARY KEY,
    bucket_us  INTEGER NOT NULL,
    traces     INTEGER NOT NULL,
    project_id INTEGER NOT NULL
) STRICT;

-- What filters name, of the calls of the first two lanes: a fair sample, since a lane is a hash of the trace id.
CREATE TABLE sampled_calls (
    start_us   INTEGER NOT NULL,
    project_id INTEGER NOT NULL,
    start_day  INTEGER NOT NULL,
    flags      INTEGER NOT NULL,
    lane       INTEGER NOT NULL,
    why        INTEGER NOT NULL,
    unpriced   INTEGER,
    error      INTEGER NOT NULL,
    trace_id   BLOB    NOT NULL,
    span_id    BLOB    NOT NULL,
    path_id    BLOB    NOT NULL,
    series_id  BLOB    NOT NULL,
    user_id    TEXT,
    session_id TEXT,
    prompt     TEXT,
    tags       TEXT,
    PRIMARY KEY (project_id, lane, trace_id, span_id, start_day)
) STRICT;
CREATE INDEX sampled_calls_start ON sampled_calls (project_id, start_us);

-- What a collector writes: 1 = everything above. One that does not say so is older.
ALTER TABLE settlers ADD COLUMN writes INTEGER NOT NULL DEFAULT 0;

-- All of it is complete from this UTC day on; without the row, always.
INSERT INTO meta (name, value)
SELECT 'values_since_day', unixepoch() / 86400 + 1 WHERE EXISTS (SELECT 1 FROM calls);
