-- What was deleted on request: when, by which kind of request, how much. Not whose it was.
CREATE TABLE deletions (
    at_us  INTEGER NOT NULL,
    why    TEXT    NOT NULL,
    traces INTEGER NOT NULL,
    calls  INTEGER NOT NULL
) STRICT;
