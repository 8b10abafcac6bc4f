//! Cursors are stable while data arrives; traces and receipts hold what they promise.

use std::collections::HashSet;

use serde_json::Value;

use super::{
    support::{Api, both},
    traffic::{HOSTILE, land_and_settle, traffic},
};

const ALL: &str = "from=2026-11-01T00:00:00Z&to=2026-12-30T00:00:00Z";

fn ids(page: &Value, list: &str) -> Vec<String> {
    let id = |row: &Value| format!("{} {}", row["trace_id"], row["span_id"]);
    page[list].as_array().unwrap().iter().map(id).collect()
}

/// All pages; between them `arrive` is called.
async fn pages(
    api: &Api,
    list: &str,
    query: &str,
    mut arrive: impl AsyncFnMut(u64),
) -> Vec<String> {
    let mut all = Vec::new();
    let mut cursor = String::new();
    for number in 1.. {
        let page = api.get(&format!("/{list}?limit=20&{query}{cursor}")).await;
        all.extend(ids(&page, list));
        let Some(next) = page["next"].as_str() else {
            break;
        };
        cursor = format!("&cursor={next}");
        arrive(number).await;
    }
    all
}

#[tokio::test]
async fn pages_neither_repeat_nor_skip_while_data_arrives() {
    for api in both().await {
        land_and_settle(&api.store, &traffic(1, 40)).await;
        for list in ["calls", "traces"] {
            let before = pages(&api, list, ALL, async |_| ()).await;
            assert!(before.len() > 30);
            let during = pages(&api, list, ALL, async |page| {
                let seed = page + if list == "calls" { 100 } else { 200 };
                land_and_settle(&api.store, &traffic(seed, 3)).await;
            })
            .await;
            let distinct: HashSet<_> = during.iter().collect();
            assert_eq!(distinct.len(), during.len(), "no row twice");
            let kept: Vec<_> = during
                .iter()
                .filter(|id| before.contains(id))
                .cloned()
                .collect();
            assert_eq!(kept, before, "every row that was there, in its order");
            assert!(during.len() > before.len(), "something did arrive");
        }
    }
}

#[tokio::test]
async fn cursors_of_other_questions_are_refused() {
    for api in both().await {
        land_and_settle(&api.store, &traffic(1, 10)).await;
        let page = api.get(&format!("/calls?limit=1&{ALL}")).await;
        let cursor = page["next"].as_str().unwrap();
        for other in [
            format!("/calls?{ALL}&model=gpt-4o&cursor={cursor}"),
            format!("/calls?from=0&to=9999999999999&cursor={cursor}"),
            format!("/traces?{ALL}&cursor={cursor}"),
            format!("/calls?{ALL}&cursor=00"),
            format!("/calls?{ALL}&cursor=zz"),
        ] {
            let (status, body) = api.ask(&other).await;
            assert_eq!(
                (status.as_u16(), &body["error"]["field"]),
                (400, &"cursor".into()),
                "{other}"
            );
        }
    }
}

/// Exact pico-dollars of a decimal text.
fn usd(value: &Value) -> i128 {
    let text = value.as_str().unwrap();
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}{rest:0<12}").parse().unwrap()
}

#[tokio::test]
async fn every_trace_adds_up_and_every_receipt_shows_its_arithmetic() {
    for api in both().await {
        land_and_settle(&api.store, &traffic(3, 30)).await;
        let list = api.get(&format!("/traces?limit=500&{ALL}")).await;
        for row in list["traces"].as_array().unwrap() {
            let trace = api
                .get(&format!("/traces/{}", row["trace_id"].as_str().unwrap()))
                .await;
            check_trace(&trace, row);
        }
        let list = api.get(&format!("/calls?limit=1000&{ALL}")).await;
        for row in list["calls"].as_array().unwrap() {
            let id = |name: &str| row[name].as_str().unwrap().to_owned();
            let receipt = api
                .get(&format!("/calls/{}/{}", id("trace_id"), id("span_id")))
                .await;
            check_receipt(&receipt, row);
        }
    }
}

fn check_trace(trace: &Value, row: &Value) {
    for (name, value) in row.as_object().unwrap() {
        assert_eq!(&trace[name], value, "{name}");
    }
    assert_eq!(
        (&trace["settled"], &trace["truncated"]),
        (&true.into(), &0.into())
    );
    let spans = trace["tree"].as_array().unwrap();
    let own: i128 = spans.iter().map(|span| usd(&span["self_cost_usd"])).sum();
    assert_eq!(own, usd(&trace["cost_usd"]));
    let mut seen: HashSet<&str> = HashSet::new();
    for span in spans {
        let id = span["span_id"].as_str().unwrap();
        let below = spans
            .iter()
            .filter(|child| child["parent_span_id"].as_str() == Some(id));
        let total = usd(&span["self_cost_usd"])
            + below
                .map(|child| usd(&child["total_cost_usd"]))
                .sum::<i128>();
        assert_eq!(total, usd(&span["total_cost_usd"]));
        assert!(
            span["parent_span_id"]
                .as_str()
                .is_none_or(|parent| seen.contains(parent)),
            "parents first"
        );
        assert_eq!(span["call"].is_null(), span["role"] == "plain");
        assert!(seen.insert(id), "each once");
    }
    let counted = spans
        .iter()
        .filter(|span| span["call"]["counted"] == true)
        .count();
    assert_eq!(trace["calls"], counted);
}

fn check_receipt(receipt: &Value, row: &Value) {
    for (name, value) in row.as_object().unwrap() {
        assert_eq!(&receipt[name], value, "{name}");
    }
    let lines = receipt["lines"].as_array().unwrap();
    match &row["cost_usd"] {
        Value::Null => assert!(lines.is_empty() && row["unpriced"].is_string()),
        cost => assert_eq!(
            lines
                .iter()
                .map(|line| usd(&line["amount_usd"]))
                .sum::<i128>(),
            usd(cost)
        ),
    }
    for line in lines {
        let quantity = i128::from(line["quantity"].as_u64().unwrap());
        let exact = quantity * usd(&line["rate_usd"]);
        let per = i128::from(line["per"].as_u64().unwrap());
        assert!(
            (usd(&line["amount_usd"]) * per - exact).abs() * 2 <= per,
            "{line}"
        );
    }
    assert_eq!(row["why"].is_null(), row["counted"] == true);
    assert!(
        row["why"].is_null() || row["why"]["calls"].as_u64() >= Some(1),
        "{row}"
    );
    let last = receipt["path"].as_array().unwrap().last().unwrap();
    assert_eq!(last["kind"], "model");
}

#[tokio::test]
async fn what_has_not_settled_is_pending_and_can_be_looked_at() {
    for api in both().await {
        let rows = traffic(5, 1);
        let calls = rows.iter().filter(|row| row.span.call.is_some()).count();
        assert!(calls > 0);
        api.store.commit(&rows, &[]).await.unwrap();
        let summary = api.get(&format!("/summary?{ALL}")).await;
        assert_eq!(
            (&summary["calls"], &summary["pending"]["traces"]),
            (&0.into(), &1.into())
        );
        assert_eq!(summary["pending"]["calls"], calls);
        let path = format!("/traces/{}", rows[0].span.trace_id);
        let trace = api.get(&path).await;
        assert_eq!(trace["settled"], false);
        land_and_settle(&api.store, &[]).await;
        let mut settled = api.get(&path).await;
        assert_eq!(settled["settled"], true);
        settled["settled"] = false.into();
        assert_eq!(settled, trace, "it settles as what had arrived");
        let after = api.get(&format!("/summary?{ALL}")).await;
        assert!(usd(&after["cost_usd"]) <= usd(&summary["pending"]["cost_usd_at_most"]));
        assert_eq!(after["pending"]["traces"], 0);
    }
}

#[tokio::test]
async fn keys_of_tags_are_those_of_the_days_asked_about() {
    for api in both().await {
        let none = serde_json::json!({ "keys": [] });
        assert_eq!(api.get("/tags?from=0&to=99999999999999").await, none);
        land_and_settle(&api.store, &traffic(9, 60)).await;
        let both = serde_json::json!({ "keys": [HOSTILE[5], "team"] });
        for range in [ALL, "from=0&to=99999999999999"] {
            assert_eq!(api.get(&format!("/tags?{range}")).await, both);
            api.store.fold(100_000).await.unwrap();
        }
        let before = "from=2026-11-01T00:00:00Z&to=2026-11-18T00:00:00Z";
        assert_eq!(api.get(&format!("/tags?{before}")).await, none);
    }
}

#[tokio::test]
async fn hostile_names_come_back_as_they_were() {
    let long = "🔥".repeat(2_500);
    for api in both().await {
        let mut rows = traffic(9, 60);
        for row in rows.iter_mut().take(3) {
            let mut attribution = (*row.span.attribution).clone();
            attribution.feature = Some(long.as_str().into());
            row.span.attribution = attribution.into();
        }
        land_and_settle(&api.store, &rows).await;
        let mut met = HashSet::new();
        for key in [
            "user",
            "feature",
            "service",
            "tool",
            "prompt",
            "tag.team",
            &format!("tag.{}", HOSTILE[5]),
        ] {
            let encoded = |pairs: &[(&str, &str)]| {
                form_urlencoded::Serializer::new(String::new())
                    .extend_pairs(pairs)
                    .finish()
            };
            let values = api
                .get(&format!(
                    "/values?limit=200&{ALL}&{}",
                    encoded(&[("key", key)])
                ))
                .await;
            for value in values["values"].as_array().unwrap() {
                let name = value["value"].as_str().unwrap();
                if HOSTILE.contains(&name) || name == long {
                    met.insert(name.to_owned());
                }
                let summary = api
                    .get(&format!("/summary?{ALL}&{}", encoded(&[(key, name)])))
                    .await;
                // An empty filter asks for what has no value at all.
                assert!(
                    name.is_empty() || summary["calls"] == value["calls"],
                    "{key} {name}"
                );
            }
        }
        assert_eq!(
            met.len(),
            HOSTILE.len() + 1,
            "all of them were met: {met:?}"
        );
    }
}
