//! Questions whose answers are found on another way than by adding up calls.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use costflame_profile::{Attribution, PathId, TraceId};
use costflame_store::{
    CallRow, LandingRow, Store,
    query::{self, Clause, Column, Dimension, Filter, OneOf, Sums, Value},
};

use crate::support::{Database, NOON_US, call, count, execute, settle, verify};

crate::on_both!(
    traces_of_a_range_are_counted_wherever_it_cuts,
    traces_of_very_many_calls_are_estimated_from_some_lanes,
    values_of_dimensions_are_answered_from_sums_as_from_calls,
    days_that_an_older_collector_wrote_are_answered_without_the_newer_sums,
    what_an_older_collector_wrote_is_its_own_estimate,
    a_day_with_too_many_values_is_answered_by_calls,
    values_are_ranked_and_spread_over_time_however_many_there_are,
);

const MINUTE: i64 = 60_000_000;

fn range(from_us: i64, to_us: i64) -> Filter {
    Filter {
        project: 1,
        from_us,
        to_us,
        clauses: Vec::new(),
    }
}

async fn traces_of_a_range_are_counted_wherever_it_cuts(db: Database) {
    // Traces of two calls, the second so many minutes after the first.
    let mut rows = Vec::new();
    for (number, minutes) in (1..).zip([0, 1, 30, 59, 60, 61, 180, 1_500]) {
        for (span, after) in [(1, 0), (2, minutes)] {
            let mut row = call(number, span, 0, 5);
            row.span.start_us = NOON_US + (i64::from(number) * 17 + after) * MINUTE;
            row.span.end_us = row.span.start_us + MINUTE / 2;
            rows.push(row);
        }
    }
    // Its only call lost to another trace.
    let twice = rows[2].span.call.as_mut().unwrap();
    twice.response_id = Some("chatcmpl-BxUjD2pQk81tqWvEr7yTz".into());
    let mut lost = rows[2].clone();
    lost.span.trace_id = TraceId([99; 16]);
    rows.push(lost);
    db.store.commit(&rows, &[]).await.unwrap();
    settle(&db.store).await;
    let calls = db.store.all_calls().await.unwrap();
    assert_eq!(calls.iter().filter(|call| call.why().is_some()).count(), 1);

    let mut snapshot = db.store.snapshot().await.unwrap();
    for from in (0..1_800).step_by(37) {
        for length in [1, 20, 61, 400, 3_000] {
            let filter = range(NOON_US + from * MINUTE, NOON_US + (from + length) * MINUTE);
            let inside = calls.iter().filter(|call| {
                call.why().is_none() && (filter.from_us..filter.to_us).contains(&call.start_us)
            });
            let traces: HashSet<TraceId> =
                inside.clone().map(|call| call.key.trace.trace_id).collect();
            let summary = query::summary(&mut snapshot, &filter).await.unwrap();
            assert_eq!(summary.sums.calls, inside.count() as u64, "{from} {length}");
            let counted = (summary.traces.traces, summary.traces.exact);
            assert_eq!(counted, (traces.len() as u64, true), "{from} {length}");
        }
    }
}

async fn traces_of_very_many_calls_are_estimated_from_some_lanes(db: Database) {
    let rows: Vec<_> = (0..3_000_u32)
        .map(|number| {
            let mut row = call(1, 1, 0, 5);
            row.span.trace_id.0[..4].copy_from_slice(&number.to_be_bytes());
            row.span.call.as_mut().unwrap().response_id = None;
            row
        })
        .collect();
    db.store.commit(&rows, &[]).await.unwrap();
    settle(&db.store).await;
    let mut filter = range(NOON_US - MINUTE, NOON_US + MINUTE);
    filter.clauses.push(Clause::Column(
        Column::Provider,
        OneOf {
            any: vec![Some("openai".to_owned())],
            none: Vec::new(),
        },
    ));
    let mut snapshot = db.store.snapshot().await.unwrap();
    let exact = query::count_traces(&mut snapshot, &filter, 3_000)
        .await
        .unwrap();
    assert_eq!((exact.traces, exact.exact), (3_000, true));
    let some = query::count_traces(&mut snapshot, &filter, 1_000_000)
        .await
        .unwrap();
    assert!(!some.exact);
    assert!((2_400..3_600).contains(&some.traces), "{}", some.traces);
}

const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

fn is(column: Column, value: &str) -> Clause {
    let test = OneOf {
        any: vec![Some(value.to_owned())],
        none: Vec::new(),
    };
    Clause::Column(column, test)
}

/// Calls of some days, each with a user, a prompt, a team and a path of its own kind.
fn calls_of_days() -> Vec<LandingRow> {
    (0..160_u8)
        .map(|number| {
            let mut row = call(number, 1, 0, i64::from(number) + 1);
            row.span.start_us = NOON_US + i64::from(number) * 47 * MINUTE;
            row.span.end_us = row.span.start_us + 1000;
            row.span.label = format!("model {}", number % 3).into();
            row.span.attribution = Arc::new(Attribution {
                user: (number % 5 > 0).then(|| format!("user {}", number % 5).into()),
                session: Some(format!("session {}", number / 4).into()),
                prompt: (number % 2 > 0).then(|| "greet".into()),
                feature: Some(format!("feature {}", number % 2).into()),
                tags: vec![("team".into(), format!("team {}", number % 7).into())],
                ..Attribution::default()
            });
            row.span.weight_milli = [0, 1000, 3333, 20_000][usize::from(number % 4)];
            row
        })
        .collect()
}

/// Calls and cost as observed, then what samplers left out of both.
type Added = (u64, i128, i128, i128);

fn add((calls, cost, unseen_calls, unseen_cost): &mut Added, call: &CallRow) {
    *calls += 1;
    *cost += i128::from(call.call.cost.unwrap().0);
    *unseen_calls += i128::from(call.weight_milli) - 1000;
    *unseen_cost += call.unseen_cost().map_or(0, |cost| i128::from(cost.0));
}

fn added(sums: &Sums) -> Added {
    let unseen = (sums.unseen_calls, sums.unseen_cost.0);
    (sums.calls, sums.cost.0, unseen.0, unseen.1)
}

/// What is asked about values of dimensions equals what the calls themselves say.
async fn check_values(store: &Store, when: &str) {
    let calls = store.all_calls().await.unwrap();
    let team = || Column::Tag("team".into());
    let clauses = [
        vec![is(Column::User, "user 1")],
        vec![is(team(), "team 3")],
        vec![is(team(), "team 3"), is(Column::Feature, "feature 1")],
        vec![is(Column::Prompt, "greet")],
        vec![is(Column::Session, "session 7")],
    ];
    let passes = |call: &CallRow, clauses: &[Clause]| {
        let found = &call.attribution;
        clauses.iter().all(|clause| match clause {
            Clause::Column(column, test) => test.passes(&match column {
                Column::User => found.user.as_deref().map(str::to_owned),
                Column::Session => found.session.as_deref().map(str::to_owned),
                Column::Prompt => found.prompt.as_deref().map(str::to_owned),
                Column::Feature => found.feature.as_deref().map(str::to_owned),
                _ => found.tags.first().map(|(_, team)| team.to_string()),
            }),
            _ => false,
        })
    };
    let mut snapshot = store.snapshot().await.unwrap();
    let ranges = [
        (-DAY, 9 * DAY),
        (HOUR / 2, 2 * DAY + 5 * HOUR),
        (10 * HOUR, 4 * DAY + 11 * HOUR),
        (13 * HOUR, 14 * HOUR + 9 * MINUTE),
        (2 * DAY + 3 * HOUR, 3 * DAY),
        // Until just after the last call, and until just before it.
        (3 * HOUR, 159 * 47 * MINUTE + 1),
        (3 * HOUR, 159 * 47 * MINUTE),
    ];
    for (from, to) in ranges {
        let whole = range(NOON_US + from, NOON_US + to);
        let within = |call: &&CallRow| (whole.from_us..whole.to_us).contains(&call.start_us);
        for clauses in &clauses {
            let filter = Filter {
                clauses: clauses.clone(),
                ..whole.clone()
            };
            let mut expected: BTreeMap<PathId, Added> = BTreeMap::new();
            for call in calls
                .iter()
                .filter(within)
                .filter(|call| passes(call, clauses))
            {
                add(expected.entry(call.path).or_default(), call);
            }
            let answer = query::path_sums(&mut snapshot, &filter).await.unwrap();
            let found: BTreeMap<PathId, Added> = answer
                .paths
                .iter()
                .filter(|(_, sums)| sums.calls > 0)
                .map(|(path, sums)| (path.id, added(sums)))
                .collect();
            assert_eq!(found, expected, "{when} {clauses:?} {from} {to}");
            let traces = expected.values().map(|sums| sums.0).sum();
            assert_eq!(
                answer.traces.traces, traces,
                "{when} {clauses:?} {from} {to}"
            );
            assert_eq!(
                answer.traces.exact,
                traces > 0,
                "{when} {clauses:?} {from} {to}"
            );
            let total = query::summary(&mut snapshot, &filter).await.unwrap().sums;
            let sum = |of: fn(&Added) -> i128| expected.values().map(of).sum::<i128>();
            let whole = (traces, sum(|all| all.1), sum(|all| all.2), sum(|all| all.3));
            assert_eq!(added(&total), whole, "{when} {clauses:?} {from} {to}");
        }
        for column in [Column::User, team(), Column::Session] {
            let mut expected: BTreeMap<Option<String>, Added> = BTreeMap::new();
            for call in calls.iter().filter(within) {
                let found = &call.attribution;
                let value = match column {
                    Column::User => found.user.as_deref().map(str::to_owned),
                    Column::Session => found.session.as_deref().map(str::to_owned),
                    _ => found.tags.first().map(|(_, team)| team.to_string()),
                };
                add(expected.entry(value).or_default(), call);
            }
            let dimension = Dimension::Column(column);
            let rows = query::breakdown(&mut snapshot, &whole, &dimension, 1000)
                .await
                .unwrap()
                .rows;
            let found: BTreeMap<Option<String>, Added> = rows
                .iter()
                .map(|(value, sums)| match value {
                    Value::Text(text) => (Some(text.clone()), added(sums)),
                    _ => (None, added(sums)),
                })
                .collect();
            assert_eq!(found, expected, "{when} {dimension:?} {from} {to}");
        }
        let traces = query::summary(&mut snapshot, &whole).await.unwrap().traces;
        assert_eq!(
            traces.traces,
            calls.iter().filter(within).count() as u64,
            "{when} {from} {to}"
        );
    }
}

async fn values_of_dimensions_are_answered_from_sums_as_from_calls(db: Database) {
    let rows = calls_of_days();
    db.store.commit(&rows[..100], &[]).await.unwrap();
    settle(&db.store).await;
    check_values(&db.store, "waiting").await;
    while db.store.fold(10_000).await.unwrap() > 0 {}
    verify(&db.store).await;
    check_values(&db.store, "folded").await;
    db.store.commit(&rows[100..], &[]).await.unwrap();
    settle(&db.store).await;
    check_values(&db.store, "both").await;
    verify(&db.store).await;
}

async fn days_that_an_older_collector_wrote_are_answered_without_the_newer_sums(db: Database) {
    let rows = calls_of_days();
    db.store.commit(&rows, &[]).await.unwrap();
    settle(&db.store).await;
    while db.store.fold(10_000).await.unwrap() > 0 {}
    let day = (NOON_US + 2 * DAY) / DAY;
    for sql in [
        format!("DELETE FROM dim_paths WHERE day < {day}"),
        format!("DELETE FROM dim_totals WHERE bucket_us < {day} * 86400000000"),
        format!(
            "DELETE FROM trace_rollups WHERE tier < 691200 AND bucket_us < {day} * 86400000000"
        ),
        format!("DELETE FROM sampled_calls WHERE start_day < {day}"),
        // It leased until shortly before that day, and did not say what it writes.
        "DELETE FROM settlers".to_owned(),
        format!("INSERT INTO settlers (owner, until_us) VALUES ('older', {day} * 86400000000 - 1)"),
    ] {
        execute(&db.url, &sql).await;
    }
    assert_ne!(
        db.store.verify().await.unwrap().count,
        0,
        "nobody knows yet"
    );
    settle(&db.store).await;
    verify(&db.store).await;
    check_values(&db.store, "since").await;
}

async fn what_an_older_collector_wrote_is_its_own_estimate(db: Database) {
    let mut rows = calls_of_days();
    rows.truncate(40);
    db.store.commit(&rows, &[]).await.unwrap();
    settle(&db.store).await;
    while db.store.fold(10_000).await.unwrap() > 0 {}
    let all = range(NOON_US, NOON_US + 9 * DAY);
    let estimate = async || {
        let mut snapshot = db.store.snapshot().await.unwrap();
        let summary = query::summary(&mut snapshot, &all).await.unwrap();
        summary.sums.estimate()
    };
    assert_ne!(estimate().await, None);
    // What it settled and folded has no estimate; it leased until then.
    execute(&db.url, "UPDATE calls SET unseen_cost = NULL").await;
    let columns: &[&str] = match db.url.starts_with("sqlite") {
        true => &[
            "unseen_calls_hi",
            "unseen_calls_lo",
            "unseen_cost_hi",
            "unseen_cost_lo",
        ],
        false => &["unseen_calls", "unseen_cost"],
    };
    for table in ["rollups", "dim_rollups", "dim_paths", "dim_totals"] {
        for column in columns {
            execute(&db.url, &format!("UPDATE {table} SET {column} = 0")).await;
        }
    }
    assert_eq!(estimate().await, None);
    assert_ne!(
        db.store.verify().await.unwrap().count,
        0,
        "the spans say more"
    );
    let until_us = NOON_US + 5 * DAY;
    execute(&db.url, "DELETE FROM settlers").await;
    let older =
        format!("INSERT INTO settlers (owner, until_us, writes) VALUES ('older', {until_us}, 1)");
    execute(&db.url, &older).await;
    settle(&db.store).await;
    verify(&db.store).await;
    execute(&db.url, "DELETE FROM settlers").await;
    // A span that is sent again settles its trace anew, now with an estimate.
    db.store.commit(&rows[3..4], &[]).await.unwrap();
    settle(&db.store).await;
    verify(&db.store).await;
    assert_eq!(estimate().await.unwrap().0, 40_000 + 19_000);
    check_values(&db.store, "in part").await;
}

async fn a_day_with_too_many_values_is_answered_by_calls(db: Database) {
    let rows = calls_of_days();
    db.store.commit(&rows, &[]).await.unwrap();
    settle(&db.store).await;
    // More values than are kept, on the day of some of the calls.
    let many: Vec<LandingRow> = (0..10_001_u32)
        .map(|number| {
            let mut row = call(200, 1, 0, 1);
            row.span.trace_id.0[..4].copy_from_slice(&number.to_be_bytes());
            row.span.start_us = NOON_US + DAY;
            row.span.end_us = row.span.start_us + 1;
            row.span.call.as_mut().unwrap().response_id = None;
            row.span.attribution = Arc::new(Attribution {
                user: Some(format!("one of many {number}").into()),
                ..Attribution::default()
            });
            row
        })
        .collect();
    db.store.commit(&many, &[]).await.unwrap();
    settle(&db.store).await;
    while db.store.fold(100_000).await.unwrap() > 0 {}
    verify(&db.store).await;
    let kept = |day: i64| {
        format!("SELECT COUNT(*) FROM dim_paths WHERE dimension = 'user' AND day = {day}")
    };
    let day = (NOON_US + DAY) / DAY;
    assert_eq!(count(&db.url, &kept(day)).await, 0);
    assert_ne!(count(&db.url, &kept(day + 1)).await, 0);
    let filter = Filter {
        clauses: vec![is(Column::User, "user 1")],
        ..range(NOON_US, NOON_US + 3 * DAY)
    };
    let calls = db.store.all_calls().await.unwrap();
    let matching = calls.iter().filter(|call| {
        call.attribution.user.as_deref() == Some("user 1") && call.start_us < NOON_US + 3 * DAY
    });
    let mut snapshot = db.store.snapshot().await.unwrap();
    let answer = query::path_sums(&mut snapshot, &filter).await.unwrap();
    let found: u64 = answer.paths.iter().map(|(_, sums)| sums.calls).sum();
    assert_eq!(found, matching.count() as u64);
}

async fn values_are_ranked_and_spread_over_time_however_many_there_are(db: Database) {
    let rows: Vec<LandingRow> = (0..160_u8)
        .map(|number| {
            let mut row = call(number, 1, 0, i64::from(number % 70) + 1);
            row.span.start_us = NOON_US + i64::from(number) * 47 * MINUTE;
            row.span.end_us = row.span.start_us + 1000;
            row.span.service = format!("service {}", number % 70).into();
            row.span.attribution = Arc::new(Attribution {
                feature: (number % 4 > 0).then(|| format!("feature {}", number % 4).into()),
                ..Attribution::default()
            });
            row
        })
        .collect();
    db.store.commit(&rows, &[]).await.unwrap();
    settle(&db.store).await;
    let calls = db.store.all_calls().await.unwrap();
    let all = range(NOON_US + HOUR, NOON_US + 5 * DAY + HOUR);
    let starts: Vec<i64> = (0..6).map(|day| NOON_US + day * DAY - DAY / 2).collect();

    for (column, values) in [(Column::Service, 70), (Column::Feature, 4)] {
        let mut expected: BTreeMap<Option<&str>, Vec<(u64, i128)>> = BTreeMap::new();
        let inside = |call: &&CallRow| (all.from_us..all.to_us).contains(&call.start_us);
        for call in calls.iter().filter(inside) {
            let value = match column {
                Column::Service => Some(&*call.service),
                _ => call.attribution.feature.as_deref(),
            };
            let day = starts.partition_point(|start| *start <= call.start_us) - 1;
            let (calls, cost) = &mut expected.entry(value).or_insert(vec![(0, 0); 6])[day];
            *calls += 1;
            *cost += i128::from(call.call.cost.unwrap().0);
        }
        let mut expected: Vec<_> = expected.into_iter().collect();
        assert_eq!(expected.len(), values);
        let cost = |buckets: &[(u64, i128)]| buckets.iter().map(|sums| sums.1).sum::<i128>();
        let calls = |buckets: &[(u64, i128)]| buckets.iter().map(|sums| sums.0).sum::<u64>();
        expected.sort_by(|(a, a_sums), (b, b_sums)| {
            let size = |sums| std::cmp::Reverse((cost(sums), calls(sums)));
            let order = size(a_sums).cmp(&size(b_sums));
            order.then_with(|| (a.is_none(), a).cmp(&(b.is_none(), b)))
        });
        let dimension = Dimension::Column(column);
        let mut snapshot = db.store.snapshot().await.unwrap();
        for limit in [1, 3, 100] {
            let found = query::timeseries(
                &mut snapshot,
                &all,
                Some(&dimension),
                limit,
                &starts,
                86_400,
            );
            let found = found.await.unwrap();
            let plain = |buckets: &[Sums]| -> Vec<(u64, i128)> {
                let each = buckets.iter().map(|sums| (sums.calls, sums.cost.0));
                each.collect()
            };
            let series: Vec<_> = found
                .series
                .iter()
                .map(|series| match &series.value {
                    Value::Text(text) => (Some(text.as_str()), plain(&series.buckets)),
                    _ => (None, plain(&series.buckets)),
                })
                .collect();
            let shown = limit.min(values);
            assert_eq!(series, expected[..shown], "{dimension:?} {limit}");
            let mut rest = vec![(0, 0); 6];
            for (sum, sums) in expected[shown..]
                .iter()
                .flat_map(|(_, buckets)| (0..).zip(buckets))
            {
                rest[sum] = (rest[sum].0 + sums.0, rest[sum].1 + sums.1);
            }
            let rest = (values > shown).then(|| ((values - shown) as u64, rest));
            let found = found.rest.map(|(count, sums)| (count, plain(&sums)));
            assert_eq!(found, rest, "{dimension:?} {limit}");
        }
    }
}
