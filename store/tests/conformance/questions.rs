//! Questions whose answers are found on another way than by adding up calls.

use std::collections::HashSet;

use costflame_profile::TraceId;
use costflame_store::query::{self, Clause, Column, Filter, OneOf};

use crate::support::{Database, NOON_US, call, settle};

crate::on_both!(
    traces_of_a_range_are_counted_wherever_it_cuts,
    traces_of_very_many_calls_are_estimated_from_some_lanes,
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
            let traces: HashSet<TraceId> = inside.map(|call| call.key.trace.trace_id).collect();
            let summary = query::summary(&mut snapshot, &filter).await.unwrap();
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
