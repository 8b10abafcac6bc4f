//! Calls of several traces that are one call.

use costflame_pricing::{Flag, TokenClass, Usage};
use costflame_profile::Rule;
use costflame_store::{CallRow, Due, LandingRow, MarkId, Store};

use crate::support::{Database, NOW_US, call, settle, span_id, trace_id, verify};

crate::on_both!(
    one_response_counts_once_in_any_order,
    a_new_winner_is_named_to_all_losers,
    a_winner_that_goes_away_frees_the_next,
    an_answer_from_a_cache_counts_once,
    a_response_polled_twice_counts_once,
    calls_without_usage_do_not_win,
    twins_of_a_detaching_pair_are_one_call,
    identical_calls_seen_twice_stay_as_many,
    identical_calls_of_one_emitter_all_count,
    twins_that_come_late_find_each_other_through_others,
    replicas_without_an_instance_are_in_doubt,
    a_call_with_a_response_id_is_left_to_it,
    settlers_at_the_same_time_elect_one,
);

fn response(trace: u8, id: &str) -> LandingRow {
    let mut row = call(trace, 1, 0, 1000 + i64::from(trace));
    row.span.call.as_mut().unwrap().response_id = Some(id.into());
    row
}

/// A call without a response id from an emitter that is listed as detaching.
fn twin(trace: u8, scope: &str, start_s: i64) -> LandingRow {
    let mut row = call(trace, 1, 0, 500);
    let span = &mut row.span;
    span.call.as_mut().unwrap().response_id = None;
    span.emitter = format!("{scope}@1.0").into();
    span.instance = Some("pod-1".into());
    span.start_us += start_s * 1_000_000;
    span.end_us = span.start_us + 800_000;
    row
}

const OUTER: &str = "openinference.instrumentation.langchain";
const INNER: &str = "openinference.instrumentation.openai";
const ID: &str = "chatcmpl-BxUjD2pQk81tqWvEr7yTz";

fn set_usage(row: &mut LandingRow, usage: Usage) {
    row.span.call.as_mut().unwrap().usage = usage;
    row.receipt.as_mut().unwrap().usage = usage;
}

async fn land(store: &Store, rows: &[LandingRow]) {
    store.commit(rows, &[]).await.unwrap();
    settle(store).await;
    verify(store).await;
}

async fn calls(db: &Database) -> Vec<CallRow> {
    db.store.all_calls().await.unwrap()
}

/// Numbers of the traces whose call counts.
async fn counted(db: &Database) -> Vec<u8> {
    let calls = calls(db).await;
    calls
        .iter()
        .filter(|call| call.why().is_none())
        .map(|call| call.key.trace.trace_id.0[0])
        .collect()
}

async fn one_response_counts_once_in_any_order(db: Database) {
    let mut detailed = response(3, ID);
    let mut usage = detailed.receipt.as_ref().unwrap().usage;
    usage.set(TokenClass::CacheRead, 7);
    set_usage(&mut detailed, usage);
    let rows = [response(1, ID), response(2, ID), detailed];
    let mut dumps = Vec::new();
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        let db = db.fresh().await;
        for place in order {
            land(&db.store, &rows[place..=place]).await;
        }
        assert_eq!(counted(&db).await, [3], "the one with most usage classes");
        dumps.push(db.dump().await);
    }
    land(&db.store, &rows).await;
    assert!(dumps.iter().all(|dump| *dump == dumps[0]));
    assert_eq!(db.dump().await, dumps[0]);
    let lost = calls(&db)
        .await
        .into_iter()
        .find(|call| call.key.trace.trace_id == trace_id(1))
        .unwrap();
    assert_eq!(
        lost.why(),
        Some((Rule::SameResponseElsewhere, (trace_id(3), span_id(1))))
    );
}

async fn a_new_winner_is_named_to_all_losers(db: Database) {
    for trace in [9, 8, 7, 6, 5] {
        land(&db.store, &[response(trace, ID)]).await;
        assert_eq!(counted(&db).await, [trace], "the smallest trace id");
        for lost in calls(&db).await.iter().filter_map(CallRow::why) {
            assert_eq!(lost.1, (trace_id(trace), span_id(1)));
        }
    }
}

async fn a_winner_that_goes_away_frees_the_next(db: Database) {
    land(&db.store, &[response(1, ID), response(2, ID)]).await;
    assert_eq!(counted(&db).await, [1]);
    let mut other_id = response(1, "chatcmpl-aP0qDkk1n2M3bV4cX5zL6");
    other_id.span.end_us += 1;
    land(&db.store, &[other_id]).await;
    assert_eq!(counted(&db).await, [1, 2]);
}

async fn an_answer_from_a_cache_counts_once(db: Database) {
    let rows: Vec<LandingRow> = (1..=60).map(|trace| response(trace, ID)).collect();
    for some in rows.chunks(7) {
        land(&db.store, some).await;
    }
    assert_eq!(counted(&db).await, [1]);
}

async fn a_response_polled_twice_counts_once(db: Database) {
    let mut first = response(1, ID);
    set_usage(&mut first, Usage::default());
    first.receipt.as_mut().unwrap().cost = None;
    first.span.call.as_mut().unwrap().cost = None;
    land(&db.store, &[first]).await;
    assert_eq!(counted(&db).await, [1]);
    let mut complete = response(2, ID);
    complete.span.start_us += 3_600_000_000;
    complete.span.end_us += 3_600_000_000;
    land(&db.store, &[complete]).await;
    assert_eq!(counted(&db).await, [2], "the poll that has the usage");
}

async fn calls_without_usage_do_not_win(db: Database) {
    let mut rows = [twin(1, OUTER, 0), twin(2, INNER, 0)];
    for row in &mut rows {
        set_usage(row, Usage::default());
    }
    land(&db.store, &rows).await;
    assert_eq!(counted(&db).await, [1, 2], "no usage is no evidence");
}

async fn twins_of_a_detaching_pair_are_one_call(db: Database) {
    for order in [[1, 2], [2, 1]] {
        let db = db.fresh().await;
        for trace in order {
            land(
                &db.store,
                &[twin(trace, if trace == 1 { OUTER } else { INNER }, 0)],
            )
            .await;
        }
        assert_eq!(counted(&db).await, [2], "the inner one");
        assert_eq!(
            calls(&db).await[0].why(),
            Some((Rule::DetachedTwin, (trace_id(2), span_id(1))))
        );
    }
    let mut elsewhere = twin(2, INNER, 0);
    elsewhere.span.instance = Some("pod-2".into());
    land(&db.store, &[twin(1, OUTER, 0), elsewhere]).await;
    assert_eq!(counted(&db).await, [1, 2], "of two processes");
}

async fn identical_calls_seen_twice_stay_as_many(db: Database) {
    let pairs = |k: u8| {
        let outer = (0..k).map(|n| twin(10 + n, OUTER, i64::from(n) / 2));
        outer
            .chain((0..k).map(|n| twin(30 + n, INNER, i64::from(n) / 2)))
            .collect::<Vec<_>>()
    };
    let rows = pairs(6);
    for row in rows.iter().rev() {
        land(&db.store, std::slice::from_ref(row)).await;
    }
    assert_eq!(counted(&db).await, [30, 31, 32, 33, 34, 35]);
    let at_once = db.fresh().await;
    land(&at_once.store, &rows).await;
    assert_eq!(db.dump().await, at_once.dump().await);
}

async fn identical_calls_of_one_emitter_all_count(db: Database) {
    let rows: Vec<LandingRow> = (1..=8).map(|trace| twin(trace, INNER, 0)).collect();
    land(&db.store, &rows[..5]).await;
    land(&db.store, &rows[5..]).await;
    assert_eq!(counted(&db).await, [1, 2, 3, 4, 5, 6, 7, 8]);
}

async fn twins_that_come_late_find_each_other_through_others(db: Database) {
    // A chain in which every span touches the next: who is matched depends on the far end.
    let mut chain = Vec::new();
    for n in 0..12 {
        chain.push(twin(
            10 + n,
            if n % 2 == 0 { INNER } else { OUTER },
            i64::from(n),
        ));
    }
    let mut dumps = Vec::new();
    for step in [1, 5, 7, 11] {
        let db = db.fresh().await;
        for n in 0..12 {
            land(&db.store, std::slice::from_ref(&chain[n * step % 12])).await;
        }
        dumps.push(db.dump().await);
    }
    land(&db.store, &chain).await;
    dumps.push(db.dump().await);
    assert!(dumps.iter().all(|dump| *dump == dumps[0]));
}

async fn replicas_without_an_instance_are_in_doubt(db: Database) {
    let (mut outer, mut inner) = (twin(1, OUTER, 0), twin(2, INNER, 0));
    outer.span.instance = None;
    inner.span.instance = None;
    land(&db.store, &[outer]).await;
    land(&db.store, &[inner]).await;
    let calls = calls(&db).await;
    assert_eq!(counted(&db).await, [1, 2]);
    assert!(
        calls
            .iter()
            .all(|call| call.flags.contains(Flag::PossibleDuplicate))
    );
}

async fn a_call_with_a_response_id_is_left_to_it(db: Database) {
    let mut outer = twin(5, OUTER, 0);
    outer.span.call.as_mut().unwrap().response_id = Some(ID.into());
    land(&db.store, &[outer, twin(6, INNER, 0)]).await;
    assert_eq!(counted(&db).await, [5, 6]);
}

async fn settlers_at_the_same_time_elect_one(db: Database) {
    let (a, b) = (db.another().await, db.another().await);
    for (store, owner) in [(&a, "a"), (&b, "b"), (&a, "a"), (&b, "b")] {
        store
            .lease_lanes(owner, NOW_US, 1_000_000_000)
            .await
            .unwrap();
    }
    // Every round one brings new winners, while the other settles those of the round before again.
    let mut before: Vec<LandingRow> = Vec::new();
    for round in 0..10_u8 {
        let id = |n: u8| format!("chatcmpl-BxUjD2pQk81tqr7yTz{}", n % 3);
        let rows: Vec<LandingRow> = (0..24)
            .map(|n| response(250 - round * 24 - n, &id(n)))
            .collect();
        for row in &mut before {
            row.span.end_us += 1;
        }
        db.store.commit(&rows, &[]).await.unwrap();
        db.store.commit(&before, &[]).await.unwrap();
        let (left, right) = tokio::join!(
            settle_own(&a, "a", 0),
            settle_own(&b, "b", 251 - round * 24)
        );
        assert_eq!(left + right, 24 + before.len());
        assert!(left > 0 && right > 0);
        verify(&db.store).await;
        assert_eq!(counted(&db).await.len(), 3);
        before = rows;
    }
}

/// Settles what is dirty in the lanes of `owner`, traces from `first` on before the others, and returns how many there were.
async fn settle_own(store: &Store, owner: &str, first: u8) -> usize {
    let leases = store
        .lease_lanes(owner, NOW_US, 1_000_000_000)
        .await
        .unwrap();
    let lanes: Vec<i16> = leases.iter().map(|lease| lease.lane).collect();
    let mut due = Due::of(
        &store
            .marks_after(&lanes, MarkId::default(), 1000)
            .await
            .unwrap()
            .marks,
    );
    due.sort_by_key(|due| (due.trace.trace_id.0[0] < first, due.trace));
    for some in due.chunks(3) {
        let mut result = store.settle(&leases, some).await;
        while matches!(&result, Err(error) if error.is_retryable()) {
            result = store.settle(&leases, some).await;
        }
        result.unwrap();
    }
    due.len()
}
