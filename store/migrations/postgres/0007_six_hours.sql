-- Buckets of six hours: a month that begins and ends within a day reads half as many rows.
INSERT INTO rollups (project_id, tier, bucket_us, path_id, series_id,
    calls, errors, unpriced_calls, excluded_calls, unpriced_tokens, excluded_cost, duration_us, cost, cost_other,
    tokens_input, tokens_cache_read, tokens_cache_write, tokens_cache_write_1h, tokens_audio_in,
    tokens_cache_read_audio, tokens_image_in, tokens_video_in, tokens_output, tokens_reasoning, tokens_audio_out,
    tokens_image_out, cost_input, cost_cache_read, cost_cache_write, cost_cache_write_1h, cost_audio_in,
    cost_cache_read_audio, cost_image_in, cost_video_in, cost_output, cost_reasoning, cost_audio_out, cost_image_out)
SELECT project_id, 21600, bucket_us - mod(bucket_us, 21600000000), path_id, series_id,
    sum(calls), sum(errors), sum(unpriced_calls), sum(excluded_calls), sum(unpriced_tokens), sum(excluded_cost),
    sum(duration_us), sum(cost), sum(cost_other), sum(tokens_input), sum(tokens_cache_read), sum(tokens_cache_write),
    sum(tokens_cache_write_1h), sum(tokens_audio_in), sum(tokens_cache_read_audio), sum(tokens_image_in),
    sum(tokens_video_in), sum(tokens_output), sum(tokens_reasoning), sum(tokens_audio_out), sum(tokens_image_out),
    sum(cost_input), sum(cost_cache_read), sum(cost_cache_write), sum(cost_cache_write_1h), sum(cost_audio_in),
    sum(cost_cache_read_audio), sum(cost_image_in), sum(cost_video_in), sum(cost_output), sum(cost_reasoning),
    sum(cost_audio_out), sum(cost_image_out)
FROM rollups WHERE tier = 3600 GROUP BY 1, 2, 3, 4, 5;
