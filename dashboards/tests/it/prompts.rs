//! What is said of prompts adds up to the summary, and repeats are never more than the calls.

use costflame_dashboards::{filter::selection, params::Params};
use costflame_pricing::{Usd, UsdSum};
use costflame_profile::TraceId;
use costflame_store::{LandingRow, Sent, query};
use serde_json::Value;

use super::{
    golden::rows,
    support::both,
    traffic::{land_and_settle, traffic},
};

const ALL: &str = "from=2026-11-19T00:00:00Z&to=2026-11-27T00:00:00Z";

fn usd(text: &Value) -> UsdSum {
    Usd::parse_decimal(text.as_str().unwrap()).unwrap().into()
}

/// Cost and calls of rows together.
fn sum<'a>(rows: impl IntoIterator<Item = &'a Value>) -> (UsdSum, u64) {
    let (mut cost, mut calls) = (UsdSum(0), 0);
    for row in rows {
        cost += usd(&row["cost_usd"]);
        calls += row["calls"].as_u64().unwrap();
    }
    (cost, calls)
}

#[tokio::test]
async fn prompts_add_up() {
    for api in both().await {
        land_and_settle(&api.store, &traffic(5, 60)).await;
        for filter in ["", "&model=gpt-4o", "&prompt="] {
            let summary = api.get(&format!("/summary?{ALL}{filter}")).await;
            for limit in [3, 1_000] {
                let query = format!("/prompts?{ALL}{filter}&limit={limit}&parts=7");
                let list = api.get(&query).await;
                let rows = list["prompts"].as_array().unwrap();
                assert_eq!(list["parts"].as_array().unwrap().len(), 7);
                let all = rows
                    .iter()
                    .chain(list["rest"].as_object().map(|_| &list["rest"]));
                assert_eq!(sum(all), sum([&summary]), "{query}");
                for row in rows {
                    for parts in ["trend", "models"] {
                        assert_eq!(sum(row[parts].as_array().unwrap()), sum([row]), "{parts}");
                    }
                    let repeats = sum([&row["repeats"]]);
                    assert!(repeats.1 < row["calls"].as_u64().unwrap());
                    assert!(repeats.0 <= sum([row]).0);
                    assert_eq!(row["prompt"].is_null(), row["path"].is_array());
                }
            }
        }
    }
}

#[tokio::test]
async fn prompts_are_the_same_grouped_in_memory_and_by_the_database() {
    let start = jiff::Timestamp::from_second(1_763_000_000).unwrap();
    for api in both().await {
        land_and_settle(&api.store, &traffic(5, 200)).await;
        let sent: Vec<_> = (0..40).map(|n| (n % 7, n % 3)).collect();
        land_and_settle(&api.store, &asked(&sent)).await;
        for more in ["", "&model=gpt-4o", "&prompt=", "&status=error"] {
            let mut params = Params::parse(&format!("{ALL}{more}"), 1).unwrap();
            let filter = selection(&mut params, start).unwrap().filter;
            let mut snapshot = api.store.snapshot().await.unwrap();
            let mut ways = Vec::new();
            for few in [true, false] {
                let prompts = query::prompts_grouped(&mut snapshot, &filter, 7, few).await;
                let repeated = query::repeated_grouped(&mut snapshot, &filter, few).await;
                ways.push((prompts.unwrap(), repeated.unwrap()));
            }
            assert!(!ways[0].0.prompts.is_empty());
            assert_eq!(ways[0], ways[1], "{more}");
        }
    }
}

/// Calls of one place, equally long, each in a trace of its own: what they sent, by request and system prompt.
fn asked(sent: &[(i64, i64)]) -> Vec<LandingRow> {
    let call = rows().remove(2);
    let calls = sent.iter().zip(1..).map(|((request, system), number)| {
        let mut row = call.clone();
        row.span.trace_id = TraceId([number; 16]);
        row.span.parent_span_id = None;
        row.span.call.as_mut().unwrap().response_id = None;
        let known = |hash: i64| (hash != 0).then_some(hash);
        row.sent = Sent {
            request: known(*request),
            system: known(*system),
        };
        row
    });
    calls.collect()
}

/// Fingerprint, calls, calls with content, identical ones, and at most so many of the others.
fn figures(row: &Value) -> (Option<&str>, [u64; 4], bool) {
    let numbers = [
        &row["calls"],
        &row["fingerprinted"],
        &row["identical"]["calls"],
        &row["repeats"]["calls"],
    ];
    (
        row["fingerprint"].as_str(),
        numbers.map(|number| number.as_u64().unwrap()),
        row["varies"].as_bool().unwrap(),
    )
}

#[tokio::test]
async fn what_was_sent_tells_identical_requests_and_prompts_without_a_name() {
    let few = [
        (1, 7),
        (1, 7),
        (1, 7),
        (2, 7),
        (2, 7),
        (3, -8),
        (0, 0),
        (0, 0),
        (4, 0),
    ];
    for api in both().await {
        land_and_settle(&api.store, &asked(&few)).await;
        let list = api.get(&format!("/prompts?{ALL}")).await;
        let rows = list["prompts"].as_array().unwrap();
        let mut found: Vec<_> = rows.iter().map(figures).collect();
        found.sort_unstable();
        assert_eq!(
            found,
            [
                (None, [3, 1, 0, 1], false),
                (Some("0000000000000007"), [5, 5, 3, 0], false),
                (Some("fffffffffffffff8"), [1, 1, 0, 0], false),
            ]
        );
        for (filter, calls) in [
            ("=0000000000000007", 5),
            ("!=fffffffffffffff8", 8),
            ("=", 3),
        ] {
            let summary = api
                .get(&format!("/summary?{ALL}&fingerprint{filter}"))
                .await;
            assert_eq!(
                (&summary["calls"], &summary["traces"]),
                (&calls.into(), &calls.into())
            );
        }
        let waste = api.get(&format!("/waste?{ALL}")).await;
        assert_eq!(waste["repeated"]["calls"], 0);
    }
    let many: Vec<(i64, i64)> = (0..30).map(|n| (n / 2 + 1, n / 2 + 1)).collect();
    for api in both().await {
        land_and_settle(&api.store, &asked(&many)).await;
        let list = api.get(&format!("/prompts?{ALL}")).await;
        assert_eq!(list["prompts"].as_array().unwrap().len(), 15);
        let more: Vec<(i64, i64)> = (0..60).map(|n| (n / 2 + 1, n / 2 + 1)).collect();
        land_and_settle(&api.store, &asked(&more)[30..]).await;
        let list = api.get(&format!("/prompts?{ALL}")).await;
        let rows = list["prompts"].as_array().unwrap();
        assert_eq!(
            rows.iter().map(figures).collect::<Vec<_>>(),
            [(None, [60, 60, 30, 0], true)]
        );
    }
}

#[tokio::test]
async fn waste_is_what_failed_and_what_was_asked_twice() {
    for api in both().await {
        land_and_settle(&api.store, &traffic(5, 60)).await;
        let waste = api.get(&format!("/waste?{ALL}")).await;
        let failed = api.get(&format!("/summary?{ALL}&status=error")).await;
        assert!(failed["calls"].as_u64().unwrap() > 0);
        assert_eq!(sum([&waste["failed"]]), sum([&failed]));
        let fine = api.get(&format!("/summary?{ALL}&status=ok")).await;
        assert!(sum([&waste["repeated"]]).1 < fine["calls"].as_u64().unwrap());
    }
}

#[tokio::test]
async fn a_class_alone_is_its_part_of_the_flamegraph() {
    for api in both().await {
        land_and_settle(&api.store, &traffic(5, 60)).await;
        let summary = api.get(&format!("/summary?{ALL}")).await;
        let path = format!("/flamegraph?{ALL}&class=output&metric=");
        let tokens = api.get(&format!("{path}tokens")).await;
        assert_eq!(
            tokens["total"].as_str().unwrap(),
            summary["tokens"]["output"].to_string()
        );
        let cost = api.get(&format!("{path}cost")).await;
        let output = usd(&summary["amounts"]["output"]);
        assert_eq!(cost["total"].as_str().unwrap(), output.0.to_string());
        assert_eq!(cost["class"], "output");
        let (status, body) = api.ask(&format!("{path}calls")).await;
        assert_eq!(
            (status.as_u16(), &body["error"]["field"]),
            (400, &"class".into())
        );
    }
}
