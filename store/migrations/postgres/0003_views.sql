-- For BI tools: times as timestamptz, money as numeric USD. `costflame db reader ROLE` grants them.

CREATE VIEW call_costs AS
SELECT project_id,
       encode(trace_id, 'hex') AS trace_id,
       encode(span_id, 'hex') AS span_id,
       timestamptz 'epoch' + start_us * interval '1 microsecond' AS started_at,
       timestamptz 'epoch' + end_us * interval '1 microsecond' AS ended_at,
       why = 0 AS counted,
       error,
       provider,
       coalesce(response_model, request_model) AS model,
       operation,
       response_id,
       nullif(service, '') AS service,
       environment,
       feature,
       agent,
       tool,
       user_id,
       session_id,
       prompt,
       prompt_version,
       tags,
       encode(path_id, 'hex') AS path_id,
       tokens_input,
       tokens_cache_read,
       coalesce(tokens_cache_write, 0) + coalesce(tokens_cache_write_1h, 0) AS tokens_cache_write,
       tokens_output,
       tokens_reasoning,
       cost / 1000000000000.0 AS cost_usd,          -- NULL = unknown
       reported / 1000000000000.0 AS reported_usd   -- what the emitter said
FROM calls;

CREATE VIEW trace_costs AS
SELECT project_id,
       encode(trace_id, 'hex') AS trace_id,
       timestamptz 'epoch' + start_us * interval '1 microsecond' AS started_at,
       timestamptz 'epoch' + end_us * interval '1 microsecond' AS ended_at,
       nullif(root_service, '') AS root_service,
       root_label,
       spans,
       calls,
       errors,
       unpriced_calls,
       cost / 1000000000000.0 AS cost_usd
FROM traces;

-- Sums by UTC day, call path and series, also of days whose calls are gone; differences not yet folded included.
CREATE VIEW daily_costs AS
SELECT r.project_id,
       (timestamptz 'epoch' + r.day_us * interval '1 microsecond') AS day,
       s.provider,
       s.model,
       s.service,
       s.environment,
       s.feature,
       s.agent,
       s.operation,
       encode(r.path_id, 'hex') AS path_id,
       p.label AS path_label,
       r.calls,
       r.errors,
       r.unpriced_calls,
       r.tokens_input,
       r.tokens_cache_read,
       r.tokens_cache_write,
       r.tokens_output,
       r.tokens_reasoning,
       r.cost / 1000000000000.0 AS cost_usd
FROM (SELECT project_id, day_us, path_id, series_id, sum(calls)::bigint AS calls, sum(errors)::bigint AS errors,
             sum(unpriced_calls)::bigint AS unpriced_calls, sum(tokens_input) AS tokens_input,
             sum(tokens_cache_read) AS tokens_cache_read,
             sum(tokens_cache_write + tokens_cache_write_1h) AS tokens_cache_write,
             sum(tokens_output) AS tokens_output, sum(tokens_reasoning) AS tokens_reasoning, sum(cost) AS cost
      FROM (SELECT project_id, bucket_us AS day_us, path_id, series_id, calls, errors, unpriced_calls, tokens_input,
                   tokens_cache_read, tokens_cache_write, tokens_cache_write_1h, tokens_output, tokens_reasoning, cost
            FROM rollups WHERE tier = 86400
            UNION ALL
            SELECT project_id, bucket_us - mod(bucket_us, 86400000000), path_id, series_id, calls, errors,
                   unpriced_calls, tokens_input, tokens_cache_read, tokens_cache_write, tokens_cache_write_1h,
                   tokens_output, tokens_reasoning, cost
            FROM rollup_deltas) AS rows
      GROUP BY 1, 2, 3, 4
      HAVING sum(calls) > 0) AS r
JOIN series s ON s.project_id = r.project_id AND s.series_id = r.series_id
LEFT JOIN paths p ON p.project_id = r.project_id AND p.path_id = r.path_id;

-- What was deleted on request: when, by which kind of request, how much. Not whose it was.
CREATE TABLE deletions (
    at_us  bigint NOT NULL,
    why    text   NOT NULL,
    traces bigint NOT NULL,
    calls  bigint NOT NULL
);
