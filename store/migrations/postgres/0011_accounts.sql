-- People who log in with a password. The password itself is not here.
CREATE TABLE users (
    name       text   PRIMARY KEY,
    password   text   NOT NULL,  -- argon2id with its parameters and salt, as a PHC string
    role       text   NOT NULL,  -- viewer, editor or admin
    project_id integer,          -- NULL = of all
    created_us bigint NOT NULL
);

-- Who is logged in. What the browser shows is not here.
CREATE TABLE sessions (
    hash       bytea  PRIMARY KEY,     -- BLAKE3 of what the browser shows
    id         text   NOT NULL UNIQUE, -- the part that may be shown
    user_name  text   NOT NULL,
    method     text   NOT NULL,        -- password: role and project are those of the user now; openid: those below
    role       text   NOT NULL,
    project_id integer,                -- NULL = of all
    peer       text   NOT NULL,        -- the address that logged in
    created_us bigint NOT NULL,
    used_us    bigint NOT NULL,        -- to some minutes
    ends_us    bigint NOT NULL
);

-- Views of the pages that a project shares.
CREATE TABLE saved_views (
    project_id integer NOT NULL,
    name       text    NOT NULL,
    address    text    NOT NULL,       -- of the page, from its first slash
    saved_by   text    NOT NULL,
    saved_us   bigint  NOT NULL,
    PRIMARY KEY (project_id, name)
);

-- Administrative acts: written once, never changed.
CREATE TABLE audit (
    id         bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    at_us      bigint NOT NULL,
    actor      text   NOT NULL,
    peer       text   NOT NULL,        -- from where
    project_id integer,                -- NULL = of all
    act        text   NOT NULL,
    target     text   NOT NULL,
    result     text   NOT NULL
);

CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the audit log is append only'; END $$;
CREATE TRIGGER audit_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();
