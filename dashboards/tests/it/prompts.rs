//! What is said of prompts adds up to the summary, and repeats are never more than the calls.

use costflame_pricing::{Usd, UsdSum};
use serde_json::Value;

use super::{
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
