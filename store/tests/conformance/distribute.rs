//! Distribution over a Citus cluster, as far as it shows without one: Citus is played by functions that note their calls.

use costflame_store::{
    Due, MarkId, Options, Store, StoreError, day_of,
    query::{self, Filter, Order, Sort},
    testing,
};
use sqlx::{Connection, PgConnection};

use crate::support::{Database, NOON_US, NOW_US, call, count, execute, plain, settle, trace_id};

/// What of Citus is called, and the table in which it notes what is distributed.
const CITUS: &str = "CREATE TABLE pg_dist_partition (logicalrelid regclass, how text);
    CREATE FUNCTION create_distributed_table(name regclass, distribution_column text, colocate_with text, shard_count integer DEFAULT NULL)
    RETURNS void LANGUAGE sql AS $$
        INSERT INTO pg_dist_partition VALUES (name, concat_ws(' ', distribution_column, colocate_with, shard_count)) $$;
    CREATE FUNCTION create_reference_table(name regclass) RETURNS void LANGUAGE sql AS $$
        INSERT INTO pg_dist_partition VALUES (name, 'reference') $$";

#[tokio::test]
async fn every_table_is_distributed_in_a_way_that_was_decided() {
    let db = Database::postgres().await;
    let undecided = db.store.undecided_tables().await.unwrap();
    assert_eq!(
        undecided, [""; 0],
        "are these distributed, copied to every server, or local? (store/src/postgres/distribute.rs, docs/adr/0007)"
    );
}

#[tokio::test]
async fn without_citus_it_says_so() {
    let refused = Database::postgres().await.store.distribute().await;
    let refused = refused.unwrap_err().to_string();
    assert!(
        refused.contains("Citus is not installed on this server"),
        "{refused}"
    );
    let refused = Database::sqlite().await.store.distribute().await;
    assert!(matches!(refused, Err(StoreError::Refused(_))));
}

#[tokio::test]
async fn every_table_is_distributed_once() {
    let db = Database::postgres().await;
    execute(&db.url, CITUS).await;
    let statements = db.store.distribute().await.unwrap();
    assert_eq!(statements, Store::distribute_statements());
    let found = "SELECT count(*) FROM pg_dist_partition WHERE how IN ('lane none 64', 'lane landing', \
                 'identity_lane landing', 'reference')";
    assert_eq!(count(&db.url, found).await, statements.len() as i64);
    assert_eq!(db.store.distribute().await.unwrap(), [""; 0]);
    // It broke off after the first.
    execute(
        &db.url,
        "DELETE FROM pg_dist_partition WHERE logicalrelid <> 'landing'::regclass",
    )
    .await;
    assert_eq!(db.store.distribute().await.unwrap(), statements[1..]);
}

/// By other statements: Citus takes no OFFSET in a lateral subquery.
#[tokio::test]
async fn questions_are_answered_alike_where_there_is_citus() {
    let server = counting_statements();
    let url = server.url();
    let store = Store::connect(&url, &Options::default()).await.unwrap();
    let rows = [plain(1, 1, 0), call(1, 2, 1, 30), call(2, 3, 0, 70)];
    store.commit(&rows, &[]).await.unwrap();
    settle(&store).await;
    let refused = "SELECT count(*) FROM pg_stat_statements WHERE query LIKE '%LATERAL%OFFSET%' AND query NOT LIKE '%pg_stat%'";
    let mut answers = Vec::new();
    for (before, of_that_kind) in [(COUNTING, true), (CITUS, false)] {
        execute(&url, before).await;
        execute(&url, "SELECT pg_stat_statements_reset()").await;
        let store = Store::connect(&url, &Options::default()).await.unwrap();
        let days = (day_of(NOON_US), day_of(NOON_US));
        let traces = [trace_id(1), trace_id(2)];
        let verdicts = store.verdicts(1, &traces, &[], days).await.unwrap();
        assert_eq!(verdicts.len(), 2);
        let listed = format!("{:?}", newest(&store).await);
        assert_eq!(count(&url, refused).await > 0, of_that_kind);
        answers.push((verdicts, listed));
    }
    assert_eq!(answers[0], answers[1]);
}

async fn newest(store: &Store) -> Vec<query::TraceRecord> {
    let filter = Filter {
        project: 1,
        from_us: NOON_US - 1,
        to_us: NOON_US + 1_000_000_000,
        clauses: Vec::new(),
    };
    let order = Order {
        sort: Sort::Start,
        descending: true,
    };
    let mut snapshot = store.snapshot().await.unwrap();
    let listed = query::traces(&mut snapshot, &filter, order, None, 10).await;
    listed.unwrap()
}

/// A server that tells which statements it has seen, once [`COUNTING`] has run.
fn counting_statements() -> testing::Postgres {
    testing::Postgres::start_with(&[
        "fsync=off",
        "shared_preload_libraries=pg_stat_statements",
        "pg_stat_statements.track=all",
    ])
}

const COUNTING: &str = "CREATE EXTENSION pg_stat_statements";

#[tokio::test]
async fn what_citus_would_refuse_is_refused_before_anything_is_distributed() {
    let db = Database::postgres().await;
    execute(&db.url, CITUS).await;
    let obstacles = "CREATE UNIQUE INDEX by_trace ON traces (trace_id);
         CREATE UNIQUE INDEX by_day ON calls (project_id, start_day, trace_id, span_id);
         ALTER TABLE dirty ADD FOREIGN KEY (lane) REFERENCES lanes";
    execute(&db.url, obstacles).await;
    let refused = db.store.distribute().await.unwrap_err().to_string();
    for obstacle in [
        "unique index by_trace of traces lacks lane",
        "unique index by_day of calls lacks lane",
        "foreign key dirty_lane_fkey of dirty",
    ] {
        assert!(refused.contains(obstacle), "{refused}");
    }
    assert_eq!(
        count(&db.url, "SELECT count(*) FROM pg_dist_partition").await,
        0
    );
}

/// What lands, settles and elects names the lane of every distributed table it touches.
#[tokio::test]
async fn every_statement_of_the_hot_path_carries_its_lane() {
    let server = counting_statements();
    let url = server.url();
    let store = Store::connect(&url, &Options::default()).await.unwrap();
    execute(&url, COUNTING).await;
    execute(&url, "SELECT pg_stat_statements_reset()").await;
    // Landed, settled, settled again with a late span, and elected across traces.
    let seen = |trace: u8| {
        let mut row = call(trace, 2, 1, 10);
        row.span.call.as_mut().unwrap().response_id = Some("chatcmpl-BxUjD2pQk81tqWvEr7yTz".into());
        row
    };
    let rows = [plain(1, 1, 0), seen(1), plain(2, 1, 0), call(2, 3, 1, 10)];
    for rows in [&rows[..], &[seen(2)], &[call(1, 4, 1, 20)]] {
        store.commit(rows, &[]).await.unwrap();
        settle(&store).await;
    }
    let leases = store.lease_lanes("test", NOW_US, 60_000_000).await.unwrap();
    let lanes: Vec<i16> = leases.iter().map(|lease| lease.lane).collect();
    let page = store.marks_after(&lanes, MarkId::default(), 10).await;
    assert_eq!(Due::of(&page.unwrap().marks), []);

    let mut connection = PgConnection::connect(&url).await.unwrap();
    let statements: Vec<String> =
        sqlx::query_scalar("SELECT query FROM pg_stat_statements ORDER BY query")
            .fetch_all(&mut connection)
            .await
            .unwrap();
    let mut seen = Vec::new();
    for sql in &statements {
        let words: Vec<&str> = sql
            .split(|c: char| !c.is_alphanumeric() && c != '_')
            .collect();
        let after = |keyword: &str| {
            let words = words.windows(2);
            words
                .filter(|pair| pair[0].eq_ignore_ascii_case(keyword))
                .map(|pair| pair[1])
                .collect::<Vec<_>>()
        };
        let is_distributed = |table: &&str| {
            [
                "landing",
                "dirty",
                "calls",
                "traces",
                "sampled_calls",
                "claims",
            ]
            .contains(table)
        };
        let written: Vec<_> = [after("COPY"), after("INTO")].concat();
        let read: Vec<_> = [after("FROM"), after("JOIN"), after("UPDATE")].concat();
        let equals_lane = sql
            .replace("identity_lane", "lane")
            .split("lane = ")
            .count()
            - 1;
        let read: Vec<_> = read.into_iter().filter(is_distributed).collect();
        assert!(equals_lane >= read.len(), "{sql}");
        for table in written.into_iter().filter(is_distributed) {
            assert!(words.iter().any(|word| word.ends_with("lane")), "{sql}");
            seen.push(table);
        }
        seen.extend(read);
    }
    for table in ["landing", "dirty", "calls", "traces", "claims"] {
        assert!(seen.contains(&table), "{table} is not in {statements:#?}");
    }
}
