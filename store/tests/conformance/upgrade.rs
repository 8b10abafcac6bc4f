//! A migration of Postgres leaves a running collector of the version before at work: it only adds, and does not fail by it.

use std::{collections::HashSet, path::Path, time::Duration};

use costflame_store::{Options, Store, testing};
use sqlx::{Connection, PgConnection};

use crate::support::{count, execute};

/// From this migration on collectors are upgraded one by one.
const FIRST: u32 = 11;

/// First line of a migration that cannot follow the rule.
const STOP: &str = "-- Stop all collectors first";

#[test]
fn migrations_only_add() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/postgres");
    for file in std::fs::read_dir(folder).unwrap() {
        let file = file.unwrap();
        let name = file.file_name().into_string().unwrap();
        let number: u32 = name[..4].parse().unwrap();
        let text = std::fs::read_to_string(file.path()).unwrap();
        if number < FIRST || text.starts_with(STOP) {
            continue;
        }
        let broken = broken(&text);
        assert!(
            broken.is_empty(),
            "{name} takes something from a collector of the version before (docs/adr/0006): {broken:#?}"
        );
    }
}

#[tokio::test]
async fn a_migration_that_met_a_transaction_is_tried_again() {
    const BEFORE: &str = "ALTER TABLE landing DROP COLUMN sent_request, DROP COLUMN sent_system; \
         ALTER TABLE calls DROP COLUMN sent_request, DROP COLUMN sent_system; \
         ALTER TABLE sampled_calls DROP COLUMN sent_system; DELETE FROM _sqlx_migrations WHERE version = 15; \
         DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET deadlock_timeout = ''3s''', current_database()); END $$";
    const WAITING: &str =
        "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'calls'::regclass";
    let url = testing::postgres_database().await;
    execute(&url, BEFORE).await;
    let mut collector = PgConnection::connect(&url).await.unwrap();
    let lock =
        sqlx::raw_sql("SET deadlock_timeout = '30s'; BEGIN; LOCK TABLE calls IN ACCESS SHARE MODE");
    lock.execute(&mut collector).await.unwrap();
    let meeting = async {
        while count(&url, WAITING).await == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // The migration has this one. Of the two that now wait for each other it looks sooner, and is undone.
        let circle = sqlx::raw_sql("LOCK TABLE landing IN ACCESS SHARE MODE");
        let locked = circle.execute(&mut collector).await;
        locked.expect("the collector goes on");
        collector.close().await.expect("closed");
    };
    let options = Options::default();
    let (opened, ()) = tokio::join!(Store::connect(&url, &options), meeting);
    opened.expect("the database opens");
}

#[test]
fn what_takes_something_is_found() {
    let taking = [
        "DROP TABLE usage_points",
        "DROP VIEW call_costs",
        "ALTER TABLE outbox RENAME TO outbox_before",
        "ALTER TABLE calls DROP COLUMN computed",
        "ALTER TABLE calls ALTER COLUMN service TYPE bytea",
        "ALTER TABLE calls ALTER COLUMN tool SET NOT NULL",
        "ALTER TABLE calls ADD COLUMN x bigint, ADD COLUMN y text NOT NULL",
        "ALTER TABLE calls ADD CHECK (cost > 0)",
        "ALTER TABLE calls ADD CONSTRAINT c UNIQUE (lane)",
        "CREATE UNIQUE INDEX i ON calls (lane)",
        "CREATE TRIGGER t BEFORE UPDATE ON calls EXECUTE FUNCTION f()",
    ];
    for sql in taking {
        assert_eq!(broken(sql), [sql]);
    }
    let adding = "CREATE TABLE new (a text); CREATE UNIQUE INDEX i ON new (a); ALTER TABLE new ADD PRIMARY KEY (a);
         CREATE FUNCTION f() RETURNS trigger AS $$ BEGIN DROP TABLE calls; END $$ LANGUAGE plpgsql;
         CREATE TRIGGER t BEFORE UPDATE ON new EXECUTE FUNCTION f(); -- DROP TABLE calls;
         ALTER TABLE calls ADD COLUMN x numeric NOT NULL DEFAULT 0, ADD COLUMN y text;
         DROP INDEX calls_start; CREATE INDEX calls_x ON calls (x); DROP VIEW call_costs; CREATE VIEW call_costs AS SELECT 1;
         INSERT INTO meta VALUES ('x', 1)";
    assert_eq!(broken(adding), [""; 0]);
}

/// Statements that take something away from who wrote before them, or ask more of them.
fn broken(text: &str) -> Vec<String> {
    let without_comments: Vec<&str> = text
        .lines()
        .map(|line| line.split("--").next().unwrap_or_default())
        .collect();
    // Bodies of functions are between the dollars.
    let joined = without_comments.join(" ");
    let outside: String = joined.split("$$").step_by(2).collect();
    let statements: Vec<String> = outside
        .split(';')
        .map(|sql| sql.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    let created = |kind: &'static str| -> HashSet<&str> {
        let names = statements.iter().filter_map(move |sql| {
            let name = sql.strip_prefix("CREATE ")?.strip_prefix(kind)?;
            name.split([' ', '(']).find(|word| !word.is_empty())
        });
        names.collect()
    };
    let (tables, views) = (created("TABLE "), created("VIEW "));
    let is_new = |names: &HashSet<&str>, name: Option<&str>| {
        name.is_some_and(|name| names.contains(name.split('(').next().unwrap_or_default()))
    };
    let after = |sql: &str, words: &str| -> Option<String> {
        let rest = sql.split_once(words)?.1;
        rest.split(' ').next().map(str::to_owned)
    };
    let takes = |sql: &str| {
        if let Some(name) = sql.strip_prefix("DROP VIEW ") {
            return !is_new(&views, Some(name));
        }
        // An index that is no constraint only makes reading quicker.
        if sql.starts_with("DROP ") {
            return !sql.starts_with("DROP INDEX ");
        }
        if sql.starts_with("CREATE UNIQUE INDEX") || sql.starts_with("CREATE TRIGGER") {
            return !is_new(&tables, after(sql, " ON ").as_deref());
        }
        let Some(altered) = sql.strip_prefix("ALTER TABLE ") else {
            return false;
        };
        if is_new(&tables, altered.split(' ').next()) {
            return false;
        }
        let adds = altered.split("ADD COLUMN ").skip(1);
        let strict = adds
            .into_iter()
            .any(|column| column.contains("NOT NULL") && !column.contains("DEFAULT"));
        let only_adds = altered
            .split_once(' ')
            .is_some_and(|(_, acts)| acts.split(", ").all(|act| act.starts_with("ADD COLUMN ")));
        strict || !only_adds
    };
    statements
        .iter()
        .filter(|sql| takes(sql))
        .cloned()
        .collect()
}
