//! Scenario: the Grafana boards over a Postgres with settled calls, and over the metrics of the real binary.
//! Guarantee: every query runs as the role that may only read, the sums are the API's, and every metric named exists.

mod support;

use std::{collections::BTreeSet, path::Path, process::Command};

use costflame_bench::load::Body;
use costflame_store::testing::Postgres;
use serde_json::Value;
use sqlx::{Column, Connection, PgConnection, Row};
use support::{Addresses, Server, api::settled_summary};

fn board(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("dashboards/grafana/boards");
    let text = std::fs::read_to_string(path.join(name)).expect("a board");
    serde_json::from_str(&text).expect("JSON")
}

/// Every value of a key, anywhere in a document.
fn values<'a>(document: &'a Value, key: &str, found: &mut Vec<&'a str>) {
    match document {
        Value::Object(members) => {
            found.extend(members.get(key).and_then(Value::as_str));
            members
                .values()
                .for_each(|member| values(member, key, found));
        }
        Value::Array(elements) => elements
            .iter()
            .for_each(|element| values(element, key, found)),
        _ => {}
    }
}

/// A query as Grafana sends it, with every value chosen.
fn filled(sql: &str) -> String {
    let mut sql = sql.replace(
        "$__timeGroupAlias(started_at, $__interval)",
        "date_bin('1 hour', started_at, timestamptz 'epoch') AS \"time\"",
    );
    for column in ["started_at", "day::timestamptz"] {
        sql = sql.replace(
            &format!("$__timeFilter({column})"),
            &format!("{column} BETWEEN timestamptz '2020-01-01' AND timestamptz '2100-01-01'"),
        );
    }
    for name in ["service", "feature", "model"] {
        let all = format!("SELECT coalesce({name}, '') FROM call_costs");
        sql = sql.replace(&format!("${{{name}:sqlstring}}"), &all);
    }
    assert!(!sql.contains("$"), "{sql}");
    sql
}

#[tokio::test(flavor = "multi_thread")]
async fn every_query_runs_and_the_sums_are_the_apis() {
    let folder = tempfile::tempdir().expect("a folder");
    let postgres = Postgres::start();
    let url = postgres.database().await;
    let server = Server::start_with(
        folder.path(),
        &url,
        &Addresses::free(),
        &["--settle-after", "100ms"],
    );
    let body = Body::new(7, 40, 1_795_388_725_000_000_000).stamped(1);
    let sent = reqwest::Client::new()
        .post(format!("{}/v1/traces", server.http))
        .header("content-type", "application/x-protobuf")
        .body(body)
        .send();
    assert_eq!(sent.await.expect("an answer").status(), 200);
    let summary = settled_summary(&server).await;
    let mut reader = Command::new(env!("CARGO_BIN_EXE_costflame"));
    let reader = reader.args(["db", "reader", "grafana", "--database-url", &url]);
    let (code, _, told) = support::output(reader.current_dir(folder.path()));
    assert_eq!(code, Some(0), "{told}");

    let mut database = PgConnection::connect(&url).await.expect("a connection");
    sqlx::query("SET ROLE grafana")
        .execute(&mut database)
        .await
        .expect("the role exists");
    let board = board("costs.json");
    let (mut queries, mut spend) = (Vec::new(), None);
    values(&board, "rawSql", &mut queries);
    values(&board, "query", &mut queries);
    let queries: Vec<&str> = queries
        .into_iter()
        .filter(|sql| sql.contains("SELECT"))
        .collect();
    assert_eq!(queries.len(), 17);
    for sql in &queries {
        let query = sqlx::query(sqlx::AssertSqlSafe(filled(sql)));
        let rows = query.fetch_all(&mut database).await;
        let rows = rows.unwrap_or_else(|error| panic!("{error}\n{}", filled(sql)));
        let names = rows
            .first()
            .map(|row| row.columns().iter().map(Column::name).collect());
        let names: Vec<&str> = names.unwrap_or_default();
        if sql.contains("$__timeGroupAlias") && !rows.is_empty() {
            assert_eq!(names[0], "time", "{sql}");
        }
        if sql.starts_with("SELECT sum(cost_usd) AS value") {
            let exact = format!(
                "SELECT trim_scale(value)::text FROM ({}) AS one",
                filled(sql)
            );
            let row = sqlx::query(sqlx::AssertSqlSafe(exact))
                .fetch_one(&mut database)
                .await;
            spend = Some(row.expect("a sum").get::<String, _>(0));
        }
    }
    assert_eq!(spend.as_deref(), summary["cost_usd"].as_str());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_metric_named_is_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), "sqlite://c.db");
    let answer = reqwest::get(format!("{}/metrics", server.api)).await;
    let metrics = answer.expect("an answer").text().await.expect("text");
    let known: BTreeSet<&str> = metrics
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .filter_map(|line| line.split(' ').next())
        .collect();
    // What has no sample yet is not printed; what costflame itself reads for its health page is named there.
    let read = include_str!("../src/figures.rs");
    let board = board("pipeline.json");
    let mut queries = Vec::new();
    values(&board, "expr", &mut queries);
    assert!(queries.len() > 10);
    let is_name = |char: char| char.is_ascii_alphanumeric() || char == '_';
    for query in queries {
        for word in query.split(|char| !is_name(char)) {
            let name = ["_total", "_bucket"]
                .iter()
                .find_map(|suffix| word.strip_suffix(suffix));
            if word.starts_with("costflame_") {
                let named = known.contains(name.unwrap_or(word)) || read.contains(word);
                assert!(named, "{word} in {metrics}");
            }
        }
    }
}

/// A panel lies on the grid and on no other, and is drawn from the source that is chosen.
#[test]
fn boards_are_well_formed() {
    for name in ["costs.json", "pipeline.json"] {
        let board = board(name);
        let panels = board["panels"].as_array().expect("panels");
        let mut taken = BTreeSet::new();
        for panel in panels {
            let at = |key: &str| panel["gridPos"][key].as_u64().expect("a number");
            assert!(at("x") + at("w") <= 24, "{panel}");
            for x in at("x")..at("x") + at("w") {
                for y in at("y")..at("y") + at("h") {
                    assert!(taken.insert((x, y)), "{} overlaps", panel["title"]);
                }
            }
            assert_eq!(panel["datasource"]["uid"], "${datasource}");
        }
    }
}
