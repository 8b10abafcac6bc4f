-- Sets of token classes that calls have had, as bits: sums of what never occurs are not read. Never deleted.
CREATE TABLE used_classes (
    project_id integer NOT NULL,
    classes    integer NOT NULL,
    PRIMARY KEY (project_id, classes)
);

-- What is stored already may have any of the twelve.
INSERT INTO used_classes (project_id, classes) SELECT DISTINCT project_id, 4095 FROM series;
