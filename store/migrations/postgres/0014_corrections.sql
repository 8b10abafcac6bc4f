-- What other programs than a running server took from the sums and added to them (repricing, deleting), until a server has
-- counted it.
CREATE TABLE corrections (
    id   bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    body bytea  NOT NULL   -- packed: sums by series
);

-- Spans and log records that were cut out of requests waiting to be forwarded, or refused.
ALTER TABLE deletions ADD COLUMN forwarded bigint NOT NULL DEFAULT 0;
