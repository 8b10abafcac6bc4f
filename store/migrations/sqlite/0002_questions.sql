-- What the questions of the UI need to stay quick over a month of ten million calls.

-- Subtrees of call paths.
CREATE INDEX paths_parent ON paths (project_id, parent_id);

-- The cost of errors, which rollups do not keep apart.
CREATE INDEX calls_errors ON calls (project_id, start_us, start_day, cost, path_id, series_id) WHERE error AND why = 0;

-- Calls of one user, of one conversation.
CREATE INDEX calls_user ON calls (project_id, user_id, start_us) WHERE user_id IS NOT NULL;
CREATE INDEX calls_session ON calls (project_id, session_id, start_us) WHERE session_id IS NOT NULL;

-- Counting the traces of a range. Those that last longer than an hour are few, and found apart.
DROP INDEX traces_start;
CREATE INDEX traces_start ON traces (project_id, start_us, end_us, calls);
CREATE INDEX traces_long ON traces (project_id, end_us) WHERE end_us - start_us > 3600000000;
CREATE INDEX traces_cost ON traces (project_id, cost_hi, cost_lo, trace_id);

-- Buckets of eight UTC days: a month reads half as many rows.
INSERT INTO rollups (project_id, tier, bucket_us, path_id, series_id,
    calls, errors, unpriced_calls, excluded_calls, unpriced_tokens_hi, unpriced_tokens_lo, excluded_cost_hi,
    excluded_cost_lo, duration_us_hi, duration_us_lo, cost_hi, cost_lo, cost_other_hi, cost_other_lo,
    tokens_input_hi, tokens_input_lo, tokens_cache_read_hi, tokens_cache_read_lo, tokens_cache_write_hi,
    tokens_cache_write_lo, tokens_cache_write_1h_hi, tokens_cache_write_1h_lo, tokens_audio_in_hi,
    tokens_audio_in_lo, tokens_cache_read_audio_hi, tokens_cache_read_audio_lo, tokens_image_in_hi,
    tokens_image_in_lo, tokens_video_in_hi, tokens_video_in_lo, tokens_output_hi, tokens_output_lo,
    tokens_reasoning_hi, tokens_reasoning_lo, tokens_audio_out_hi, tokens_audio_out_lo, tokens_image_out_hi,
    tokens_image_out_lo, cost_input_hi, cost_input_lo, cost_cache_read_hi, cost_cache_read_lo, cost_cache_write_hi,
    cost_cache_write_lo, cost_cache_write_1h_hi, cost_cache_write_1h_lo, cost_audio_in_hi, cost_audio_in_lo,
    cost_cache_read_audio_hi, cost_cache_read_audio_lo, cost_image_in_hi, cost_image_in_lo, cost_video_in_hi,
    cost_video_in_lo, cost_output_hi, cost_output_lo, cost_reasoning_hi, cost_reasoning_lo, cost_audio_out_hi,
    cost_audio_out_lo, cost_image_out_hi, cost_image_out_lo)
SELECT project_id, 691200, bucket_us - bucket_us % 691200000000, path_id, series_id,
    sum(calls), sum(errors), sum(unpriced_calls), sum(excluded_calls),
    sum(unpriced_tokens_hi) + (sum(unpriced_tokens_lo) >> 32), sum(unpriced_tokens_lo) & 4294967295,
    sum(excluded_cost_hi) + (sum(excluded_cost_lo) >> 32), sum(excluded_cost_lo) & 4294967295,
    sum(duration_us_hi) + (sum(duration_us_lo) >> 32), sum(duration_us_lo) & 4294967295,
    sum(cost_hi) + (sum(cost_lo) >> 32), sum(cost_lo) & 4294967295, sum(cost_other_hi) + (sum(cost_other_lo) >> 32),
    sum(cost_other_lo) & 4294967295, sum(tokens_input_hi) + (sum(tokens_input_lo) >> 32),
    sum(tokens_input_lo) & 4294967295, sum(tokens_cache_read_hi) + (sum(tokens_cache_read_lo) >> 32),
    sum(tokens_cache_read_lo) & 4294967295, sum(tokens_cache_write_hi) + (sum(tokens_cache_write_lo) >> 32),
    sum(tokens_cache_write_lo) & 4294967295, sum(tokens_cache_write_1h_hi) + (sum(tokens_cache_write_1h_lo) >> 32),
    sum(tokens_cache_write_1h_lo) & 4294967295, sum(tokens_audio_in_hi) + (sum(tokens_audio_in_lo) >> 32),
    sum(tokens_audio_in_lo) & 4294967295, sum(tokens_cache_read_audio_hi) + (sum(tokens_cache_read_audio_lo) >> 32),
    sum(tokens_cache_read_audio_lo) & 4294967295, sum(tokens_image_in_hi) + (sum(tokens_image_in_lo) >> 32),
    sum(tokens_image_in_lo) & 4294967295, sum(tokens_video_in_hi) + (sum(tokens_video_in_lo) >> 32),
    sum(tokens_video_in_lo) & 4294967295, sum(tokens_output_hi) + (sum(tokens_output_lo) >> 32),
    sum(tokens_output_lo) & 4294967295, sum(tokens_reasoning_hi) + (sum(tokens_reasoning_lo) >> 32),
    sum(tokens_reasoning_lo) & 4294967295, sum(tokens_audio_out_hi) + (sum(tokens_audio_out_lo) >> 32),
    sum(tokens_audio_out_lo) & 4294967295, sum(tokens_image_out_hi) + (sum(tokens_image_out_lo) >> 32),
    sum(tokens_image_out_lo) & 4294967295, sum(cost_input_hi) + (sum(cost_input_lo) >> 32),
    sum(cost_input_lo) & 4294967295, sum(cost_cache_read_hi) + (sum(cost_cache_read_lo) >> 32),
    sum(cost_cache_read_lo) & 4294967295, sum(cost_cache_write_hi) + (sum(cost_cache_write_lo) >> 32),
    sum(cost_cache_write_lo) & 4294967295, sum(cost_cache_write_1h_hi) + (sum(cost_cache_write_1h_lo) >> 32),
    sum(cost_cache_write_1h_lo) & 4294967295, sum(cost_audio_in_hi) + (sum(cost_audio_in_lo) >> 32),
    sum(cost_audio_in_lo) & 4294967295, sum(cost_cache_read_audio_hi) + (sum(cost_cache_read_audio_lo) >> 32),
    sum(cost_cache_read_audio_lo) & 4294967295, sum(cost_image_in_hi) + (sum(cost_image_in_lo) >> 32),
    sum(cost_image_in_lo) & 4294967295, sum(cost_video_in_hi) + (sum(cost_video_in_lo) >> 32),
    sum(cost_video_in_lo) & 4294967295, sum(cost_output_hi) + (sum(cost_output_lo) >> 32),
    sum(cost_output_lo) & 4294967295, sum(cost_reasoning_hi) + (sum(cost_reasoning_lo) >> 32),
    sum(cost_reasoning_lo) & 4294967295, sum(cost_audio_out_hi) + (sum(cost_audio_out_lo) >> 32),
    sum(cost_audio_out_lo) & 4294967295, sum(cost_image_out_hi) + (sum(cost_image_out_lo) >> 32),
    sum(cost_image_out_lo) & 4294967295
FROM rollups WHERE tier = 86400 GROUP BY 1, 2, 3, 4, 5;
