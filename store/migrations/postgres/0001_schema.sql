-- The whole schema. Every key starts with the project where a table has one.
--
-- lane        xxh3_64(trace_id) & 63: the unit of ownership, and the distribution column on Citus.
-- *_us        microseconds since 1970 UTC.
-- start_day   days since 1970 UTC of start_us.
-- costs       integers of 10^-12 USD; sums are numeric, so they cannot overflow.
-- tokens_*    disjoint token classes; NULL in calls means none.

-- Spans as received, append only. Partitions by receive time are made ahead of it and dropped whole.
CREATE TABLE landing (
    received_us     bigint   NOT NULL,
    start_us        bigint   NOT NULL,
    end_us          bigint   NOT NULL,
    content_hash    bigint   NOT NULL,
    project_id      integer  NOT NULL,
    attribute_count integer  NOT NULL,
    weight_milli    integer  NOT NULL,
    lane            smallint NOT NULL,
    kind            smallint NOT NULL,
    span_kind       smallint NOT NULL,
    role            smallint NOT NULL,
    signal          smallint NOT NULL,
    error           boolean  NOT NULL,
    trace_id        bytea    NOT NULL,
    span_id         bytea    NOT NULL,
    parent_span_id  bytea,
    service         text     NOT NULL,
    label           text     NOT NULL,
    emitter         text     NOT NULL,
    instance        text,
    links           bytea,             -- trace ids, 16 bytes each
    attribution     bytea,             -- packed; NULL when nothing was found
    call            bytea              -- packed call and receipt; NULL for plain spans
) PARTITION BY RANGE (received_us);
CREATE INDEX landing_trace ON landing (lane, trace_id);
CREATE TABLE landing_default PARTITION OF landing DEFAULT;

-- One mark per trace and commit. Settling deletes exactly the marks it knew before it read the spans.
-- (tx, id) is a cursor that skips no late committer when read below the snapshot's xmin.
CREATE TABLE dirty (
    lane        smallint NOT NULL,
    tx          bigint   NOT NULL DEFAULT (pg_current_xact_id()::text::bigint),
    id          bigint   NOT NULL GENERATED ALWAYS AS IDENTITY (CACHE 64),
    project_id  integer  NOT NULL,
    trace_id    bytea    NOT NULL,
    received_us bigint   NOT NULL,
    spans       integer  NOT NULL,
    calls       integer  NOT NULL,
    cost        numeric  NOT NULL,     -- sum over the batch's calls: an upper bound of what settling adds
    root_ended  boolean  NOT NULL,
    PRIMARY KEY (lane, tx, id)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000);

-- Who may settle a lane. The epoch grows with every change of owner and fences the old one.
CREATE TABLE lanes (
    lane     smallint PRIMARY KEY,
    owner    text,
    epoch    bigint   NOT NULL DEFAULT 0,
    until_us bigint   NOT NULL DEFAULT 0
);
INSERT INTO lanes (lane) SELECT generate_series(0, 63);

-- Collectors that want lanes, for a fair share.
CREATE TABLE settlers (
    owner    text   PRIMARY KEY,
    until_us bigint NOT NULL
);

-- The facts: one row per model call, counted or not.
CREATE TABLE calls (
    start_us         bigint   NOT NULL,
    end_us           bigint   NOT NULL,
    tx               bigint   NOT NULL DEFAULT (pg_current_xact_id()::text::bigint),
    cost             bigint,           -- NULL = unknown, see unpriced
    reported         bigint,           -- what the emitter said
    project_id       integer  NOT NULL,
    start_day        integer  NOT NULL,
    flags            integer  NOT NULL,
    weight_milli     integer  NOT NULL,
    lane             smallint NOT NULL,
    why              smallint NOT NULL, -- 0 = counted, else 1 + the rule that left it out
    unpriced         smallint,
    signal           smallint NOT NULL,
    span_kind        smallint NOT NULL,
    error            boolean  NOT NULL,
    late             boolean  NOT NULL, -- came after its trace was sealed
    trace_id         bytea    NOT NULL,
    span_id          bytea    NOT NULL,
    path_id          bytea    NOT NULL,
    series_id        bytea    NOT NULL,
    instead_trace_id bytea,             -- the call that counts in its stead
    instead_span_id  bytea,
    lost_response    bytea,             -- trace and span that won by response id, whatever why says
    lost_usage       bytea,             -- trace and span that stand for it by usage
    claims           bytea,             -- packed: what it claims across traces
    tokens_input            bigint,
    tokens_cache_read       bigint,
    tokens_cache_write      bigint,
    tokens_cache_write_1h   bigint,
    tokens_audio_in         bigint,
    tokens_cache_read_audio bigint,
    tokens_image_in         bigint,
    tokens_video_in         bigint,
    tokens_output           bigint,
    tokens_reasoning        bigint,
    tokens_audio_out        bigint,
    tokens_image_out        bigint,
    provider         text,
    request_model    text,
    response_model   text,
    operation        text,
    response_id      text,
    service          text     NOT NULL,
    emitter          text     NOT NULL,
    environment      text,
    feature          text,
    user_id          text,
    session_id       text,
    agent            text,
    tool             text,
    prompt           text,
    prompt_version   text,
    tags             jsonb,
    catalog          bytea    NOT NULL,
    receipt          bytea    NOT NULL,
    PRIMARY KEY (project_id, lane, trace_id, span_id, start_day)
) PARTITION BY RANGE (start_day);
CREATE INDEX calls_start ON calls (project_id, start_us);
CREATE INDEX calls_tx ON calls USING brin (tx) WITH (pages_per_range = 16);
CREATE TABLE calls_default PARTITION OF calls DEFAULT;

-- Calls that may be the same as a call of another trace: by response id, or by usage where the
-- emitter is known to detach. Partitions of four days of first receive; the horizon is seven days.
CREATE TABLE claims (
    order_key     bigint   NOT NULL,   -- by response id: the best first; by usage: start_us
    start_us      bigint   NOT NULL,
    end_us        bigint   NOT NULL,   -- at most an hour after the start
    project_id    integer  NOT NULL,
    landed_day    integer  NOT NULL,   -- when the trace was first received
    identity_lane smallint NOT NULL,   -- identity & 63
    side          smallint NOT NULL,   -- 0 = response id; by usage: 1 = outer emitter of a pair, 2 = inner, 3 = both
    identity      bytea    NOT NULL,
    trace_id      bytea    NOT NULL,
    span_id       bytea    NOT NULL,
    twin          bytea,               -- packed: what claims by usage are compared by
    PRIMARY KEY (project_id, identity_lane, identity, side, order_key, trace_id, span_id, landed_day)
) PARTITION BY RANGE (landed_day);
CREATE TABLE claims_default PARTITION OF claims DEFAULT;

-- One row per settled trace that has calls.
CREATE TABLE traces (
    start_us          bigint   NOT NULL,
    end_us            bigint   NOT NULL,
    first_received_us bigint   NOT NULL,
    last_received_us  bigint   NOT NULL,
    tx                bigint   NOT NULL DEFAULT (pg_current_xact_id()::text::bigint),
    project_id        integer  NOT NULL,
    start_day         integer  NOT NULL,
    spans             integer  NOT NULL,
    calls             integer  NOT NULL, -- counted
    errors            integer  NOT NULL, -- of the counted calls
    failed_spans      integer  NOT NULL,
    unpriced_calls    integer  NOT NULL,
    excluded_calls    integer  NOT NULL,
    lane              smallint NOT NULL,
    root_kind         smallint NOT NULL,
    has_root          boolean  NOT NULL,
    trace_id          bytea    NOT NULL,
    root_span_id      bytea,
    root_service      text     NOT NULL,
    root_label        text     NOT NULL,
    cost              numeric  NOT NULL,
    excluded_cost     numeric  NOT NULL,
    tokens_in         numeric  NOT NULL,
    tokens_out        numeric  NOT NULL,
    PRIMARY KEY (project_id, lane, trace_id)
);
CREATE INDEX traces_start ON traces (project_id, start_us);

-- The trie of call paths; content addressed, so adding one needs no read.
CREATE TABLE paths (
    project_id integer  NOT NULL,
    kind       smallint NOT NULL,
    path_id    bytea    NOT NULL,
    parent_id  bytea,
    service    text     NOT NULL,
    label      text     NOT NULL,
    PRIMARY KEY (project_id, path_id)
);

-- Low-cardinality attribution; NULL is absent, which is not empty.
CREATE TABLE series (
    project_id  integer NOT NULL,
    series_id   bytea   NOT NULL,
    provider    text,
    model       text,
    service     text,
    environment text,
    feature     text,
    agent       text,
    operation   text,
    PRIMARY KEY (project_id, series_id)
);

-- The sums of rollups and differences: a template for the four tables below.
CREATE TABLE measures (
    calls                   bigint  NOT NULL,
    errors                  bigint  NOT NULL,
    unpriced_calls          bigint  NOT NULL,
    excluded_calls          bigint  NOT NULL,
    unpriced_tokens         numeric NOT NULL,
    excluded_cost           numeric NOT NULL,
    duration_us             numeric NOT NULL,
    cost                    numeric NOT NULL,
    cost_other              numeric NOT NULL, -- requests, searches, pages: what is not tokens
    tokens_input            numeric NOT NULL,
    tokens_cache_read       numeric NOT NULL,
    tokens_cache_write      numeric NOT NULL,
    tokens_cache_write_1h   numeric NOT NULL,
    tokens_audio_in         numeric NOT NULL,
    tokens_cache_read_audio numeric NOT NULL,
    tokens_image_in         numeric NOT NULL,
    tokens_video_in         numeric NOT NULL,
    tokens_output           numeric NOT NULL,
    tokens_reasoning        numeric NOT NULL,
    tokens_audio_out        numeric NOT NULL,
    tokens_image_out        numeric NOT NULL,
    cost_input              numeric NOT NULL,
    cost_cache_read         numeric NOT NULL,
    cost_cache_write        numeric NOT NULL,
    cost_cache_write_1h     numeric NOT NULL,
    cost_audio_in           numeric NOT NULL,
    cost_cache_read_audio   numeric NOT NULL,
    cost_image_in           numeric NOT NULL,
    cost_video_in           numeric NOT NULL,
    cost_output             numeric NOT NULL,
    cost_reasoning          numeric NOT NULL,
    cost_audio_out          numeric NOT NULL,
    cost_image_out          numeric NOT NULL
);

-- Sums by call path. tier: seconds of a bucket (900, 3600, 86400).
CREATE TABLE rollups (
    bucket_us  bigint  NOT NULL,
    project_id integer NOT NULL,
    tier       integer NOT NULL,
    path_id    bytea   NOT NULL,
    series_id  bytea   NOT NULL,
    LIKE measures,
    PRIMARY KEY (project_id, tier, bucket_us, path_id, series_id)
) WITH (fillfactor = 70);

-- The same sums by UTC day and one value of a dimension: user, session, tool, prompt,
-- prompt_version (name@version), tag.KEY.
CREATE TABLE dim_rollups (
    project_id integer NOT NULL,
    day        integer NOT NULL,
    dimension  text    NOT NULL,
    value      text    NOT NULL,
    series_id  bytea   NOT NULL,
    LIKE measures,
    PRIMARY KEY (project_id, day, dimension, value, series_id)
) WITH (fillfactor = 70);

-- Signed differences not yet folded into rollups; buckets of 15 minutes.
CREATE TABLE rollup_deltas (
    id         bigint  PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    bucket_us  bigint  NOT NULL,
    project_id integer NOT NULL,
    path_id    bytea   NOT NULL,
    series_id  bytea   NOT NULL,
    LIKE measures
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000);

-- Signed differences not yet folded into dim_rollups.
CREATE TABLE dim_deltas (
    id         bigint  PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    project_id integer NOT NULL,
    day        integer NOT NULL,
    dimension  text    NOT NULL,
    value      text    NOT NULL,
    series_id  bytea   NOT NULL,
    LIKE measures
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000);
DROP TABLE measures;

-- Usage that only metrics report; counts where no call covers it.
CREATE TABLE usage_points (
    start_us     bigint   NOT NULL,
    end_us       bigint   NOT NULL,
    received_us  bigint   NOT NULL,
    tokens       bigint   NOT NULL,
    cost         bigint,              -- by our prices
    reported     bigint,              -- what the emitter said
    project_id   integer  NOT NULL,
    start_day    integer  NOT NULL,
    lane         smallint NOT NULL,   -- of the point
    token_class  smallint NOT NULL,
    why          smallint NOT NULL,   -- 0 = counted
    point_id     bytea    NOT NULL,   -- hash of the metric stream and the interval
    service      text     NOT NULL,
    emitter      text     NOT NULL,
    provider     text,
    model        text,
    operation    text,
    session_id   text,
    instance     text,
    attribution  bytea,
    PRIMARY KEY (project_id, lane, point_id, token_class, start_day)
);

-- Single numbers: how far old rows have been dropped.
CREATE TABLE meta (
    name  text   PRIMARY KEY,
    value bigint NOT NULL
);

-- Price snapshots; shared by all projects, since a receipt names the snapshot alone.
CREATE TABLE catalogs (
    catalog_id bytea  PRIMARY KEY,    -- first 8 bytes of sha256
    fetched_us bigint NOT NULL,
    source     text   NOT NULL,
    sha256     bytea  NOT NULL,
    body       bytea  NOT NULL        -- the source text, compressed with zstd
);

-- Received OTLP batches not yet delivered, as received, compressed.
CREATE TABLE outbox (
    id          bigint   PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    received_us bigint   NOT NULL,
    project_id  integer  NOT NULL,
    items       integer  NOT NULL,
    lane        smallint NOT NULL,
    signal      smallint NOT NULL,    -- 0 = traces, 1 = logs, 2 = metrics
    codec       smallint NOT NULL,    -- 0 = none, 1 = zstd
    destination text     NOT NULL,
    body        bytea    NOT NULL
);
