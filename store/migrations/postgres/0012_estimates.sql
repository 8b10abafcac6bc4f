-- What samplers left out, as the adjusted counts of the calls they kept estimate it: kept beside what was observed, never in
-- it. Zero, and cheap, wherever nothing is sampled.
--
-- unseen_calls  thousandths of calls
-- unseen_cost   what they cost
ALTER TABLE rollups
    ADD COLUMN unseen_calls numeric NOT NULL DEFAULT 0, ADD COLUMN unseen_cost numeric NOT NULL DEFAULT 0;
ALTER TABLE rollup_deltas
    ADD COLUMN unseen_calls numeric NOT NULL DEFAULT 0, ADD COLUMN unseen_cost numeric NOT NULL DEFAULT 0;
ALTER TABLE dim_rollups
    ADD COLUMN unseen_calls numeric NOT NULL DEFAULT 0, ADD COLUMN unseen_cost numeric NOT NULL DEFAULT 0;
ALTER TABLE dim_paths
    ADD COLUMN unseen_calls numeric NOT NULL DEFAULT 0, ADD COLUMN unseen_cost numeric NOT NULL DEFAULT 0;
ALTER TABLE dim_totals
    ADD COLUMN unseen_calls numeric NOT NULL DEFAULT 0, ADD COLUMN unseen_cost numeric NOT NULL DEFAULT 0;
ALTER TABLE dim_deltas
    ADD COLUMN unseen_calls numeric NOT NULL DEFAULT 0, ADD COLUMN unseen_cost numeric NOT NULL DEFAULT 0;

-- Of one call, whose weight_milli says how many it stands for. NULL for a call that stands for itself alone; of a call
-- settled before, or by an older collector, the estimate is what was observed.
ALTER TABLE calls ADD COLUMN unseen_cost bigint;

-- An older collector neither writes estimates nor folds them: they are complete from this UTC day on; without the row, always.
INSERT INTO meta (name, value)
SELECT 'estimates_since_day', floor(extract(epoch FROM now()) / 86400)::bigint + 1 WHERE EXISTS (SELECT FROM calls);
