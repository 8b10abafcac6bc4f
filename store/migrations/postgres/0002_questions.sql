-- What the questions of the UI need to stay quick over a month of ten million calls.

-- Subtrees of call paths.
CREATE INDEX paths_parent ON paths (project_id, parent_id);

-- The cost of errors, which rollups do not keep apart.
CREATE INDEX calls_errors ON calls (project_id, start_us) INCLUDE (start_day, cost, path_id, series_id)
    WHERE error AND why = 0;

-- Calls of one user, of one conversation.
CREATE INDEX calls_user ON calls (project_id, user_id, start_us) WHERE user_id IS NOT NULL;
CREATE INDEX calls_session ON calls (project_id, session_id, start_us) WHERE session_id IS NOT NULL;

-- Counting the traces of a range. Those that last longer than an hour are few, and found apart.
DROP INDEX traces_start;
CREATE INDEX traces_start ON traces (project_id, start_us) INCLUDE (end_us, calls);
CREATE INDEX traces_long ON traces (project_id, end_us) WHERE end_us - start_us > 3600000000;
CREATE INDEX traces_cost ON traces (project_id, cost, trace_id);

-- Buckets of eight UTC days: a month reads half as many rows.
INSERT INTO rollups (project_id, tier, bucket_us, path_id, series_id,
    calls, errors, unpriced_calls, excluded_calls, unpriced_tokens, excluded_cost, duration_us, cost, cost_other,
    tokens_input, tokens_cache_read, tokens_cache_write, tokens_cache_write_1h, tokens_audio_in,
    tokens_cache_read_audio, tokens_image_in, tokens_video_in, tokens_output, tokens_reasoning, tokens_audio_out,
    tokens_image_out, cost_input, cost_cache_read, cost_cache_write, cost_cache_write_1h, cost_audio_in,
    cost_cache_read_audio, cost_image_in, cost_video_in, cost_output, cost_reasoning, cost_audio_out, cost_image_out)
SELECT project_id, 691200, bucket_us - mod(bucket_us, 691200000000), path_id, series_id,
    sum(calls), sum(errors), sum(unpriced_calls), sum(excluded_calls), sum(unpriced_tokens), sum(excluded_cost),
    sum(duration_us), sum(cost), sum(cost_other), sum(tokens_input), sum(tokens_cache_read), sum(tokens_cache_write),
    sum(tokens_cache_write_1h), sum(tokens_audio_in), sum(tokens_cache_read_audio), sum(tokens_image_in),
    sum(tokens_video_in), sum(tokens_output), sum(tokens_reasoning), sum(tokens_audio_out), sum(tokens_image_out),
    sum(cost_input), sum(cost_cache_read), sum(cost_cache_write), sum(cost_cache_write_1h), sum(cost_audio_in),
    sum(cost_cache_read_audio), sum(cost_image_in), sum(cost_video_in), sum(cost_output), sum(cost_reasoning),
    sum(cost_audio_out), sum(cost_image_out)
FROM rollups WHERE tier = 86400 GROUP BY 1, 2, 3, 4, 5;
