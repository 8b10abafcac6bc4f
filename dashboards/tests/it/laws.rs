//! Σ self over the flamegraph = summary = Σ over any breakdown = Σ over any series, to the
//! pico-dollar, for random filters, whatever source answers, on both databases.

use costflame_dashboards::filter::dimension;
use costflame_pricing::{TokenClass, UsdSum};
use costflame_store::query::Filter;
use proptest::{
    prelude::*,
    sample::select,
    test_runner::{Config, TestRunner},
};
use serde_json::Value;

use super::{
    oracle::{Expected, Oracle, filter_of},
    support::{Api, both},
    traffic::{DAY_US, DAYS, HOSTILE, START_US, land_and_settle, traffic},
};

const DIMENSIONS: [&str; 13] = [
    "model",
    "provider",
    "service",
    "environment",
    "feature",
    "agent",
    "operation",
    "tool",
    "path",
    "user",
    "session",
    "prompt",
    "tag.team",
];

/// Traces in every state: folded, settled and not folded, changed after folding.
async fn fill(api: &Api) {
    let rows = traffic(7, 90);
    let (early, late) = rows.split_at(rows.len() * 2 / 3);
    land_and_settle(&api.store, early).await;
    while api.store.fold(100).await.unwrap() > 0 {}
    land_and_settle(&api.store, late).await;
    api.store.fold(50).await.unwrap();
}

fn value_of(key: &str, oracle: &Oracle) -> Vec<String> {
    let mut values: Vec<String> = match key {
        "status" => return vec!["ok".into(), "error".into()],
        "counted" => return vec!["true".into(), "false".into()],
        "flag" => return vec!["estimated".into(), "aggregate".into(), "clamped".into()],
        "unpriced" => return vec!["unknown_model".into(), "no_rate".into()],
        _ => {
            let dimension = dimension(key).unwrap();
            let mut known: Vec<_> = oracle
                .calls
                .iter()
                .filter_map(|call| oracle.value(call, &dimension))
                .collect();
            known.sort();
            known.dedup();
            known
        }
    };
    if key == "path" {
        values.truncate(8);
        return values;
    }
    values.push(String::new());
    values.push("no such value".into());
    values
}

/// `(key, negated, value)`, from keys and values that occur.
fn condition(oracle: &Oracle) -> impl Strategy<Value = (String, String)> + use<> {
    let mut keys: Vec<String> = DIMENSIONS.map(str::to_owned).to_vec();
    keys.extend(["status", "counted", "flag", "unpriced"].map(str::to_owned));
    keys.push(format!("tag.{}", HOSTILE[5]));
    let pairs: Vec<(String, String)> = keys
        .iter()
        .flat_map(|key| {
            value_of(key, oracle)
                .into_iter()
                .map(|value| (key.clone(), value))
        })
        .collect();
    let by_key = select(keys).prop_flat_map(move |key| {
        let values: Vec<String> = pairs
            .iter()
            .filter(|(of, _)| *of == key)
            .map(|(_, value)| value.clone())
            .collect();
        (Just(key), select(values), any::<bool>())
    });
    by_key.prop_map(|(key, value, negated)| (if negated { format!("{key}!") } else { key }, value))
}

/// A range on or off the edges of buckets, RFC 3339.
fn range() -> impl Strategy<Value = (String, String)> {
    let quarter = 900_000_000;
    let moment = prop_oneof![
        -DAY_US..(DAYS + 1) * DAY_US,
        (-4 * 24..(DAYS + 1) * 4 * 24).prop_map(move |n| n * quarter),
        (0..=DAYS).prop_map(|day| day * DAY_US),
    ];
    (moment.clone(), moment).prop_filter_map("empty", |(a, b)| {
        let text = |us: i64| {
            jiff::Timestamp::from_microsecond(START_US + us)
                .unwrap()
                .to_string()
        };
        (a != b).then(|| (text(a.min(b)), text(a.max(b))))
    })
}

fn question(oracle: &Oracle) -> impl Strategy<Value = String> + use<> {
    let filters = prop_oneof![
        1 => Just(Vec::new()),
        4 => prop::collection::vec(condition(oracle), 0..5),
    ];
    (range(), filters).prop_map(|((from, to), filters)| {
        form_urlencoded::Serializer::new(String::new())
            .append_pair("from", &from)
            .append_pair("to", &to)
            .extend_pairs(filters)
            .finish()
    })
}

pub(crate) fn usd(value: &Value) -> i128 {
    let text = value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is no amount"));
    let (sign, digits) = text
        .strip_prefix('-')
        .map_or((1, text), |digits| (-1, digits));
    let (whole, rest) = digits.split_once('.').unwrap_or((digits, ""));
    let pico: i128 = format!("{whole}{rest:0<12}").parse().unwrap();
    assert_eq!(UsdSum(sign * pico).to_string(), text, "exact and canonical");
    sign * pico
}

fn int(value: &Value) -> i128 {
    match value {
        Value::String(text) => text.parse().unwrap(),
        other => other
            .as_i64()
            .unwrap_or_else(|| panic!("{other} is no number"))
            .into(),
    }
}

fn tokens(value: &Value) -> [i128; TokenClass::ALL.len()] {
    TokenClass::ALL.map(|class| value.get(class.name()).map_or(0, int))
}

/// Calls in thousandths.
fn milli(calls: &Value) -> i128 {
    (calls.as_f64().unwrap() * 1000.0).round() as i128
}

/// Calls in thousandths and cost of an estimate, which is there only where it says more than what was observed.
fn estimate(value: &Value) -> Option<(i128, i128)> {
    let estimate = value.get("estimate")?;
    Some((milli(&estimate["calls"]), usd(&estimate["cost_usd"])))
}

/// The figures that every kind of sums has.
fn sums(value: &Value) -> Expected {
    let (cost, calls) = (usd(&value["cost_usd"]), value["calls"].as_u64().unwrap());
    let observed = i128::from(calls) * 1000;
    let estimate = estimate(value);
    assert!(
        estimate.is_none_or(|(calls, _)| calls != observed),
        "{value}"
    );
    let (estimated_calls, estimated_cost) = estimate.unwrap_or((observed, cost));
    Expected {
        cost,
        calls,
        estimated_calls,
        estimated_cost,
        errors: value["errors"].as_u64().unwrap(),
        tokens: tokens(&value["tokens"]),
        unpriced_calls: value["unpriced"]["calls"].as_u64().unwrap(),
        unpriced_tokens: int(&value["unpriced"]["tokens"]),
        ..Expected::default()
    }
}

/// Without what only the summary says.
fn common(expected: &Expected) -> Expected {
    Expected {
        errors_cost: 0,
        excluded_calls: 0,
        excluded_cost: 0,
        duration_us: 0,
        ..expected.clone()
    }
}

fn plus(a: &Expected, b: &Expected) -> Expected {
    let mut sum = a.clone();
    sum.cost += b.cost;
    sum.calls += b.calls;
    sum.estimated_calls += b.estimated_calls;
    sum.estimated_cost += b.estimated_cost;
    sum.errors += b.errors;
    sum.unpriced_calls += b.unpriced_calls;
    sum.unpriced_tokens += b.unpriced_tokens;
    sum.tokens
        .iter_mut()
        .zip(b.tokens)
        .for_each(|(sum, tokens)| *sum += tokens);
    sum
}

async fn check_summary(api: &Api, query: &str, expected: &Expected) {
    let summary = api.get(&format!("/summary?{query}")).await;
    assert_eq!(sums(&summary), common(expected), "{query}");
    assert_eq!(
        usd(&summary["errors_cost_usd"]),
        expected.errors_cost,
        "{query}"
    );
    assert_eq!(
        int(&summary["excluded"]["calls"]),
        expected.excluded_calls.into(),
        "{query}"
    );
    assert_eq!(
        usd(&summary["excluded"]["cost_usd"]),
        expected.excluded_cost,
        "{query}"
    );
    let amounts: i128 = summary["amounts"]
        .as_object()
        .unwrap()
        .values()
        .map(usd)
        .sum();
    assert_eq!(amounts, expected.cost, "{query}");
}

/// Against the same filters over all time.
async fn check_why(api: &Api, query: &str, filter: &Filter, oracle: &Oracle, expected: &Expected) {
    let always = Filter {
        from_us: 0,
        to_us: START_US * 2,
        ..filter.clone()
    };
    let range = "base_from=0&base_to=3590265600000";
    let why = api.get(&format!("/why?{query}&{range}")).await;
    let base = oracle.sums(&always);
    for (side, expected) in [("now", expected), ("base", &base)] {
        assert_eq!(sums(&why[side]), common(expected), "{side} {query}");
        let models = why["models"].as_array().unwrap();
        let added = models.iter().fold(Expected::default(), |added, model| {
            let amounts = model[side]["amounts"].as_object().unwrap();
            let amounts: i128 = amounts.values().map(usd).sum();
            assert_eq!(amounts, usd(&model[side]["cost_usd"]), "{query}");
            plus(&added, &sums(&model[side]))
        });
        assert_eq!(added, common(expected), "{side} {query}");
    }
    let steps = why["steps"].as_array().unwrap();
    let amounts = steps.iter().map(|step| usd(&step["amount_usd"]));
    let change = expected.cost - base.cost;
    assert_eq!(
        (amounts.sum(), usd(&why["change_usd"])),
        (change, change),
        "{query}"
    );
}

async fn check_flamegraph(
    api: &Api,
    query: &str,
    oracle: &Oracle,
    filter: &Filter,
    expected: &Expected,
) {
    for (metric, total) in [
        ("cost", expected.cost),
        ("tokens", expected.tokens.iter().sum()),
        ("calls", expected.calls.into()),
        ("duration", expected.duration_us),
    ] {
        for max_nodes in [50_000, 7] {
            let graph = api
                .get(&format!(
                    "/flamegraph?metric={metric}&max_nodes={max_nodes}&{query}"
                ))
                .await;
            let frames = graph["frames"].as_array().unwrap();
            let own: i128 = frames.iter().map(|frame| int(&frame["self"])).sum();
            let tops = frames.iter().filter(|frame| frame["parent"].is_null());
            let top_totals: i128 = tops.clone().map(|frame| int(&frame["total"])).sum();
            assert_eq!(
                (own, top_totals, int(&graph["total"])),
                (total, total, total),
                "{metric} {query}"
            );
            let calls: i128 = tops.map(|frame| int(&frame["calls"])).sum();
            assert_eq!(
                (calls, int(&graph["calls"])),
                (expected.calls.into(), expected.calls.into()),
                "{query}"
            );
            let sampled = (expected.estimated_calls, expected.estimated_cost);
            let sampled = (sampled.0 != i128::from(expected.calls) * 1000).then_some(sampled);
            assert_eq!(estimate(&graph), sampled, "{query}");
            assert!(frames.len() <= max_nodes);
        }
    }
    let by_path = oracle.by(filter, &dimension("path").unwrap());
    let graph = api.get(&format!("/flamegraph?{query}")).await;
    for frame in graph["frames"].as_array().unwrap() {
        let own = by_path
            .get(&frame["id"].as_str().map(str::to_owned))
            .map_or(0, |sums| sums.cost);
        assert_eq!(int(&frame["self"]), own, "{query}");
        let empty = serde_json::Map::new();
        let amounts = frame
            .get("amounts")
            .and_then(Value::as_object)
            .unwrap_or(&empty);
        assert_eq!(
            amounts.values().map(int).sum::<i128>(),
            int(&frame["total"]),
            "{query}"
        );
    }
}

async fn check_breakdown(
    api: &Api,
    query: &str,
    by: &str,
    oracle: &Oracle,
    filter: &Filter,
    expected: &Expected,
) {
    let groups = oracle.by(filter, &dimension(by).unwrap());
    for limit in [2, 1000] {
        let answer = api
            .get(&format!("/breakdown?by={by}&limit={limit}&{query}"))
            .await;
        assert_eq!(sums(&answer["total"]), common(expected), "{by} {query}");
        let rows = answer["rows"].as_array().unwrap();
        let mut added = Expected::default();
        let mut last = None;
        for row in rows {
            let group = &groups[&row["value"].as_str().map(str::to_owned)];
            assert_eq!(sums(row), common(group), "{by} {query}");
            let rank = std::cmp::Reverse((group.cost, group.calls));
            assert!(last.is_none_or(|last| last <= rank), "{by} {query}");
            last = Some(rank);
            added = plus(&added, &sums(row));
        }
        match &answer["rest"] {
            Value::Null => assert_eq!(rows.len(), groups.len(), "{by} {query}"),
            rest => {
                assert_eq!(rows.len(), limit, "{by} {query}");
                assert_eq!(
                    int(&rest["values"]),
                    (groups.len() - limit) as i128,
                    "{by} {query}"
                );
                added = plus(&added, &sums(rest));
            }
        }
        assert_eq!(added, common(expected), "{by} {query}");
    }
}

async fn check_series(api: &Api, query: &str, by: &str, expected: &Expected) {
    for options in [
        "interval=hour&tz=Asia/Kolkata",
        "interval=day",
        "interval=15min&limit=1",
        "interval=month&tz=Europe/Berlin",
    ] {
        let answer = api
            .get(&format!("/timeseries?by={by}&{options}&{query}"))
            .await;
        let buckets = answer["buckets"].as_array().unwrap().len();
        let mut series: Vec<&Value> = answer["series"].as_array().unwrap().iter().collect();
        series.extend(answer.get("rest").filter(|rest| !rest.is_null()));
        let mut added = Expected::default();
        for columns in series {
            let column = |name: &str| columns[name].as_array().unwrap();
            assert!(
                ["cost_usd", "calls", "tokens", "errors"]
                    .iter()
                    .all(|name| column(name).len() == buckets)
            );
            let whole = columns.get("estimate").unwrap_or(columns);
            let estimated = |name: &str| whole[name].as_array().unwrap().iter();
            added.estimated_cost += estimated("cost_usd").map(usd).sum::<i128>();
            added.estimated_calls += estimated("calls").map(milli).sum::<i128>();
            added.cost += column("cost_usd").iter().map(usd).sum::<i128>();
            added.calls += column("calls")
                .iter()
                .map(|calls| calls.as_u64().unwrap())
                .sum::<u64>();
            added.errors += column("errors")
                .iter()
                .map(|calls| calls.as_u64().unwrap())
                .sum::<u64>();
            added.tokens[0] += column("tokens").iter().map(int).sum::<i128>();
        }
        let all: i128 = expected.tokens.iter().sum();
        assert_eq!(
            (added.cost, added.calls, added.errors, added.tokens[0]),
            (expected.cost, expected.calls, expected.errors, all),
            "{by} {options} {query}",
        );
        assert_eq!(
            (added.estimated_calls, added.estimated_cost),
            (expected.estimated_calls, expected.estimated_cost),
            "{by} {options} {query}",
        );
    }
}

async fn check_calls(api: &Api, query: &str, oracle: &Oracle, filter: &Filter) {
    let expected: Vec<_> = oracle
        .list(filter)
        .iter()
        .map(|call| (call.trace_id.to_string(), call.span_id.to_string()))
        .collect();
    let mut listed = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = api.get(&format!("/calls?limit=37&{query}{cursor}")).await;
        for call in page["calls"].as_array().unwrap() {
            let text = |name: &str| call[name].as_str().unwrap().to_owned();
            listed.push((text("trace_id"), text("span_id")));
        }
        let Some(next) = page["next"].as_str() else {
            break;
        };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(listed, expected, "{query}");
}

async fn check_traces(
    api: &Api,
    query: &str,
    oracle: &Oracle,
    filter: &Filter,
    (sort, order): (&str, &str),
) {
    let mut expected: Vec<_> = oracle
        .list(filter)
        .iter()
        .map(|call| call.trace_id.to_string())
        .collect();
    expected.sort();
    expected.dedup();
    let mut listed = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = api
            .get(&format!(
                "/traces?sort={sort}&order={order}&limit=11&{query}{cursor}"
            ))
            .await;
        listed.extend(page["traces"].as_array().unwrap().clone());
        let Some(next) = page["next"].as_str() else {
            break;
        };
        cursor = format!("&cursor={next}");
    }
    let key = |trace: &Value| match sort {
        "cost" => usd(&trace["cost_usd"]),
        "calls" => int(&trace["calls"]),
        "duration" => int(&trace["duration_us"]),
        _ => trace["start"]
            .as_str()
            .unwrap()
            .parse::<jiff::Timestamp>()
            .unwrap()
            .as_microsecond()
            .into(),
    };
    let keys: Vec<i128> = listed.iter().map(key).collect();
    let sorted = if order == "asc" {
        keys.is_sorted()
    } else {
        keys.iter().rev().is_sorted()
    };
    assert!(sorted, "{sort} {order} {query}");
    let mut ids: Vec<_> = listed
        .iter()
        .map(|trace| trace["trace_id"].as_str().unwrap().to_owned())
        .collect();
    ids.sort();
    assert_eq!(ids, expected, "{sort} {order} {query}");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_figures_are_the_same_money() {
    for api in both().await {
        fill(&api).await;
        let oracle = Oracle::read(&api.store).await;
        assert!(oracle.calls.len() > 200, "there is something to add up");
        assert!(
            oracle.calls.iter().any(|call| call.why.is_some()),
            "something is left out"
        );
        let mut runner = TestRunner::new(Config {
            cases: 24,
            failure_persistence: None,
            ..Config::default()
        });
        let order = (
            select(vec!["start", "cost", "duration", "calls"]),
            select(vec!["asc", "desc"]),
        );
        let strategy = (question(&oracle), select(DIMENSIONS.to_vec()), order);
        let handle = tokio::runtime::Handle::current();
        let run = tokio::task::block_in_place(|| {
            runner.run(&strategy, |(query, by, order)| {
                handle.block_on(async {
                    let filter = filter_of(&query);
                    let expected = oracle.sums(&filter);
                    check_summary(&api, &query, &expected).await;
                    check_why(&api, &query, &filter, &oracle, &expected).await;
                    check_flamegraph(&api, &query, &oracle, &filter, &expected).await;
                    check_breakdown(&api, &query, by, &oracle, &filter, &expected).await;
                    check_series(&api, &query, by, &expected).await;
                    check_calls(&api, &query, &oracle, &filter).await;
                    check_traces(&api, &query, &oracle, &filter, order).await;
                });
                Ok(())
            })
        });
        run.unwrap();
        for by in DIMENSIONS {
            let filter = filter_of("from=0&to=9999999999999");
            let expected = oracle.sums(&filter);
            check_breakdown(
                &api,
                "from=0&to=9999999999999",
                by,
                &oracle,
                &filter,
                &expected,
            )
            .await;
        }
    }
}
