-- The whole schema. Every key starts with the project where a table has one.
--
-- lane        xxh3_64(trace_id) & 63: the unit of ownership.
-- *_us        microseconds since 1970 UTC.
-- start_day   days since 1970 UTC of start_us.
-- costs       integers of 10^-12 USD; a sum is hi * 2^32 + lo with 0 <= lo < 2^32, so it cannot overflow.
-- tokens_*    disjoint token classes; NULL in calls means none.

-- Spans as received, append only.
CREATE TABLE landing (
    received_us     INTEGER NOT NULL,
    start_us        INTEGER NOT NULL,
    end_us          INTEGER NOT NULL,
    content_hash    INTEGER NOT NULL,
    project_id      INTEGER NOT NULL,
    attribute_count INTEGER NOT NULL,
    weight_milli    INTEGER NOT NULL,
    lane            INTEGER NOT NULL,
    kind            INTEGER NOT NULL,
    span_kind       INTEGER NOT NULL,
    role            INTEGER NOT NULL,
    signal          INTEGER NOT NULL,
    error           INTEGER NOT NULL,
    trace_id        BLOB NOT NULL,
    span_id         BLOB NOT NULL,
    parent_span_id  BLOB,
    service         TEXT NOT NULL,
    label           TEXT NOT NULL,
    emitter         TEXT NOT NULL,
    instance        TEXT,
    links           BLOB,  -- trace ids, 16 bytes each
    attribution     BLOB,  -- packed; NULL when nothing was found
    call            BLOB  -- packed call and receipt; NULL for plain spans
) STRICT;
CREATE INDEX landing_trace ON landing (lane, trace_id);

-- One mark per trace and commit. Settling deletes exactly the marks it knew before it read the spans.
-- There is one writer, so id is a cursor that skips nothing.
CREATE TABLE dirty (
    lane        INTEGER NOT NULL,
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id  INTEGER NOT NULL,
    trace_id    BLOB NOT NULL,
    received_us INTEGER NOT NULL,
    spans       INTEGER NOT NULL,
    calls       INTEGER NOT NULL,
    cost_hi     INTEGER NOT NULL,  -- sum over the batch's calls: an upper bound of what settling adds
    cost_lo     INTEGER NOT NULL,
    root_ended  INTEGER NOT NULL
) STRICT;

-- Who may settle a lane. The epoch grows with every change of owner and fences the old one.
CREATE TABLE lanes (
    lane     INTEGER PRIMARY KEY,
    owner    TEXT,
    epoch    INTEGER NOT NULL DEFAULT 0,
    until_us INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
INSERT INTO lanes (lane)
WITH RECURSIVE n (lane) AS (SELECT 0 UNION ALL SELECT lane + 1 FROM n WHERE lane < 63) SELECT lane FROM n;

-- Collectors that want lanes, for a fair share.
CREATE TABLE settlers (
    owner    TEXT PRIMARY KEY,
    until_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The facts: one row per model call, counted or not.
CREATE TABLE calls (
    start_us                INTEGER NOT NULL,
    end_us                  INTEGER NOT NULL,
    tx                      INTEGER NOT NULL,
    cost                    INTEGER,  -- NULL = unknown, see unpriced
    reported                INTEGER,  -- what the emitter said
    project_id              INTEGER NOT NULL,
    start_day               INTEGER NOT NULL,
    flags                   INTEGER NOT NULL,
    weight_milli            INTEGER NOT NULL,
    lane                    INTEGER NOT NULL,
    why                     INTEGER NOT NULL,  -- 0 = counted, else 1 + the rule that left it out
    unpriced                INTEGER,
    signal                  INTEGER NOT NULL,
    span_kind               INTEGER NOT NULL,
    error                   INTEGER NOT NULL,
    late                    INTEGER NOT NULL,  -- came after its trace was sealed
    trace_id                BLOB NOT NULL,
    span_id                 BLOB NOT NULL,
    path_id                 BLOB NOT NULL,
    series_id               BLOB NOT NULL,
    instead_trace_id        BLOB,  -- the call that counts in its stead
    instead_span_id         BLOB,
    lost_response           BLOB,  -- trace and span that won by response id, whatever why says
    lost_usage              BLOB,  -- trace and span that stand for it by usage
    claims                  BLOB,  -- packed: what it claims across traces
    tokens_input            INTEGER,
    tokens_cache_read       INTEGER,
    tokens_cache_write      INTEGER,
    tokens_cache_write_1h   INTEGER,
    tokens_audio_in         INTEGER,
    tokens_cache_read_audio INTEGER,
    tokens_image_in         INTEGER,
    tokens_video_in         INTEGER,
    tokens_output           INTEGER,
    tokens_reasoning        INTEGER,
    tokens_audio_out        INTEGER,
    tokens_image_out        INTEGER,
    provider                TEXT,
    request_model           TEXT,
    response_model          TEXT,
    operation               TEXT,
    response_id             TEXT,
    service                 TEXT NOT NULL,
    emitter                 TEXT NOT NULL,
    environment             TEXT,
    feature                 TEXT,
    user_id                 TEXT,
    session_id              TEXT,
    agent                   TEXT,
    tool                    TEXT,
    prompt                  TEXT,
    prompt_version          TEXT,
    tags                    TEXT,
    catalog                 BLOB NOT NULL,
    receipt                 BLOB NOT NULL,
    PRIMARY KEY (project_id, lane, trace_id, span_id, start_day)
) STRICT;
CREATE INDEX calls_start ON calls (project_id, start_us);
CREATE INDEX calls_tx ON calls (tx);

-- Calls that may be the same as a call of another trace: by response id, or by usage where the
-- emitter is known to detach. The horizon is seven days.
CREATE TABLE claims (
    order_key     INTEGER NOT NULL,  -- by response id: the best first; by usage: start_us
    start_us      INTEGER NOT NULL,
    end_us        INTEGER NOT NULL,  -- at most an hour after the start
    project_id    INTEGER NOT NULL,
    landed_day    INTEGER NOT NULL,  -- when the trace was first received
    identity_lane INTEGER NOT NULL,  -- identity & 63
    side          INTEGER NOT NULL,  -- 0 = response id; by usage: 1 = outer emitter of a pair, 2 = inner, 3 = both
    identity      BLOB NOT NULL,
    trace_id      BLOB NOT NULL,
    span_id       BLOB NOT NULL,
    twin          BLOB,              -- packed: what claims by usage are compared by
    PRIMARY KEY (project_id, identity_lane, identity, side, order_key, trace_id, span_id, landed_day)
) STRICT, WITHOUT ROWID;
CREATE INDEX claims_landed ON claims (landed_day);

-- One row per settled trace that has calls.
CREATE TABLE traces (
    start_us          INTEGER NOT NULL,
    end_us            INTEGER NOT NULL,
    first_received_us INTEGER NOT NULL,
    last_received_us  INTEGER NOT NULL,
    tx                INTEGER NOT NULL,
    project_id        INTEGER NOT NULL,
    start_day         INTEGER NOT NULL,
    spans             INTEGER NOT NULL,
    calls             INTEGER NOT NULL,  -- counted
    errors            INTEGER NOT NULL,  -- of the counted calls
    failed_spans      INTEGER NOT NULL,
    unpriced_calls    INTEGER NOT NULL,
    excluded_calls    INTEGER NOT NULL,
    lane              INTEGER NOT NULL,
    root_kind         INTEGER NOT NULL,
    has_root          INTEGER NOT NULL,
    trace_id          BLOB NOT NULL,
    root_span_id      BLOB,
    root_service      TEXT NOT NULL,
    root_label        TEXT NOT NULL,
    cost_hi           INTEGER NOT NULL,
    cost_lo           INTEGER NOT NULL,
    excluded_cost_hi  INTEGER NOT NULL,
    excluded_cost_lo  INTEGER NOT NULL,
    tokens_in_hi      INTEGER NOT NULL,
    tokens_in_lo      INTEGER NOT NULL,
    tokens_out_hi     INTEGER NOT NULL,
    tokens_out_lo     INTEGER NOT NULL,
    PRIMARY KEY (project_id, lane, trace_id)
) STRICT;
CREATE INDEX traces_start ON traces (project_id, start_us);

-- The trie of call paths; content addressed, so adding one needs no read.
CREATE TABLE paths (
    project_id INTEGER NOT NULL,
    kind       INTEGER NOT NULL,
    path_id    BLOB NOT NULL,
    parent_id  BLOB,
    service    TEXT NOT NULL,
    label      TEXT NOT NULL,
    PRIMARY KEY (project_id, path_id)
) STRICT, WITHOUT ROWID;

-- Low-cardinality attribution; NULL is absent, which is not empty.
CREATE TABLE series (
    project_id  INTEGER NOT NULL,
    series_id   BLOB NOT NULL,
    provider    TEXT,
    model       TEXT,
    service     TEXT,
    environment TEXT,
    feature     TEXT,
    agent       TEXT,
    operation   TEXT,
    PRIMARY KEY (project_id, series_id)
) STRICT, WITHOUT ROWID;

-- Sums by call path. tier: seconds of a bucket (900, 3600, 86400).
CREATE TABLE rollups (
    bucket_us                  INTEGER NOT NULL,
    project_id                 INTEGER NOT NULL,
    tier                       INTEGER NOT NULL,
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
    PRIMARY KEY (project_id, tier, bucket_us, path_id, series_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX rollups_empty ON rollups (project_id) WHERE calls = 0 AND excluded_calls = 0;

-- The same sums by UTC day and one value of a dimension: user, session, tool, prompt,
-- prompt_version (name@version), tag.KEY.
CREATE TABLE dim_rollups (
    project_id                 INTEGER NOT NULL,
    day                        INTEGER NOT NULL,
    dimension                  TEXT NOT NULL,
    value                      TEXT NOT NULL,
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
    PRIMARY KEY (project_id, day, dimension, value, series_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX dim_rollups_empty ON dim_rollups (project_id) WHERE calls = 0 AND excluded_calls = 0;

-- Signed differences not yet folded into rollups; buckets of 15 minutes.
CREATE TABLE rollup_deltas (
    id                         INTEGER PRIMARY KEY,
    bucket_us                  INTEGER NOT NULL,
    project_id                 INTEGER NOT NULL,
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
    cost_image_out_lo          INTEGER NOT NULL
) STRICT;

-- Signed differences not yet folded into dim_rollups.
CREATE TABLE dim_deltas (
    id                         INTEGER PRIMARY KEY,
    project_id                 INTEGER NOT NULL,
    day                        INTEGER NOT NULL,
    dimension                  TEXT NOT NULL,
    value                      TEXT NOT NULL,
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
    cost_image_out_lo          INTEGER NOT NULL
) STRICT;

-- Usage that only metrics report; counts where no call covers it.
CREATE TABLE usage_points (
    start_us    INTEGER NOT NULL,
    end_us      INTEGER NOT NULL,
    received_us INTEGER NOT NULL,
    tokens      INTEGER NOT NULL,
    cost        INTEGER,  -- by our prices
    reported    INTEGER,  -- what the emitter said
    project_id  INTEGER NOT NULL,
    start_day   INTEGER NOT NULL,
    lane        INTEGER NOT NULL,  -- of the point
    token_class INTEGER NOT NULL,
    why         INTEGER NOT NULL,  -- 0 = counted
    point_id    BLOB NOT NULL,  -- hash of the metric stream and the interval
    service     TEXT NOT NULL,
    emitter     TEXT NOT NULL,
    provider    TEXT,
    model       TEXT,
    operation   TEXT,
    session_id  TEXT,
    instance    TEXT,
    attribution BLOB,
    PRIMARY KEY (project_id, lane, point_id, token_class, start_day)
) STRICT;

-- Single numbers: how far old rows have been dropped; tx, the commit cursor of calls and traces.
CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO meta VALUES ('tx', 0);

-- Price snapshots; shared by all projects, since a receipt names the snapshot alone.
CREATE TABLE catalogs (
    catalog_id BLOB PRIMARY KEY,  -- first 8 bytes of sha256
    fetched_us INTEGER NOT NULL,
    source     TEXT NOT NULL,
    sha256     BLOB NOT NULL,
    body       BLOB NOT NULL  -- the source TEXT, compressed with zstd
) STRICT, WITHOUT ROWID;

-- Received OTLP batches not yet delivered, as received, compressed.
CREATE TABLE outbox (
    id          INTEGER PRIMARY KEY,
    received_us INTEGER NOT NULL,
    project_id  INTEGER NOT NULL,
    items       INTEGER NOT NULL,
    lane        INTEGER NOT NULL,
    signal      INTEGER NOT NULL,  -- 0 = traces, 1 = logs, 2 = metrics
    codec       INTEGER NOT NULL,  -- 0 = none, 1 = zstd
    destination TEXT NOT NULL,
    body        BLOB NOT NULL
) STRICT;
