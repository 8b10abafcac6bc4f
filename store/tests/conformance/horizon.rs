//! What happens past the horizon: sealed traces, dropped spans and claims.

use costflame_store::LandingRow;

use crate::support::{Database, NOW_US, call, count, plain, settle, verify};

crate::on_both!(
    a_late_span_is_kept_and_changes_no_other,
    late_spans_find_a_trace_whose_spans_were_dropped,
    nothing_is_dropped_before_it_is_settled,
    sealed_spans_and_old_claims_are_dropped,
);

const HOUR: i64 = 3_600_000_000;

fn received(mut row: LandingRow, hours: i64) -> LandingRow {
    row.received_us = NOW_US + hours * HOUR;
    row
}

async fn paths_and_costs(db: &Database) -> Vec<(u8, String, bool)> {
    let calls = db.store.all_calls().await.unwrap();
    calls
        .iter()
        .map(|call| (call.key.span_id.0[0], call.path.to_string(), call.late))
        .collect()
}

async fn a_late_span_is_kept_and_changes_no_other(db: Database) {
    let rows = [received(plain(1, 1, 0), 0), received(call(1, 3, 2, 5), 1)];
    db.store.commit(&rows, &[]).await.unwrap();
    settle(&db.store).await;
    let before = paths_and_costs(&db).await;

    // The missing parent and another call below it, both after 72 hours.
    let late = [received(plain(1, 2, 1), 72), received(call(1, 4, 2, 7), 73)];
    db.store.commit(&late, &[]).await.unwrap();
    assert_eq!(settle(&db.store).await.calls, 1);
    verify(&db.store).await;
    let after = paths_and_costs(&db).await;
    assert_eq!(after[0], before[0]);
    assert_eq!((after[1].0, after[1].2), (4, true));
    assert_ne!(
        after[1].1, after[0].1,
        "the late call is below the parent that came late, too"
    );

    // Settled again, and joined by one more.
    db.store
        .commit(&[received(call(1, 5, 1, 9), 80)], &[])
        .await
        .unwrap();
    assert_eq!(settle(&db.store).await.calls, 1);
    verify(&db.store).await;
    assert_eq!(paths_and_costs(&db).await[..2], after);
}

async fn late_spans_find_a_trace_whose_spans_were_dropped(db: Database) {
    db.store
        .commit(
            &[received(plain(1, 1, 0), 0), received(call(1, 2, 1, 5), 0)],
            &[],
        )
        .await
        .unwrap();
    settle(&db.store).await;
    let before = paths_and_costs(&db).await;
    assert!(
        db.store
            .drop_sealed(NOW_US + 100 * HOUR)
            .await
            .unwrap()
            .landing
            > 0
    );
    verify(&db.store).await;

    db.store
        .commit(&[received(call(1, 3, 1, 7), 101)], &[])
        .await
        .unwrap();
    assert_eq!(settle(&db.store).await.calls, 1);
    verify(&db.store).await;
    let after = paths_and_costs(&db).await;
    assert_eq!(after[0], before[0]);
    assert_eq!((after[1].0, after[1].2), (3, true));
    assert!(
        db.dump()
            .await
            .iter()
            .any(|line| line.starts_with("trace") && line.contains("calls: 2"))
    );
}

async fn nothing_is_dropped_before_it_is_settled(db: Database) {
    db.store
        .commit(&[received(call(1, 1, 0, 5), 0)], &[])
        .await
        .unwrap();
    settle(&db.store).await;
    db.store
        .commit(&[received(call(1, 2, 0, 5), 10)], &[])
        .await
        .unwrap();
    assert_eq!(
        db.store
            .drop_sealed(NOW_US + 500 * HOUR)
            .await
            .unwrap()
            .landing,
        0
    );
    settle(&db.store).await;
    verify(&db.store).await;
    assert!(
        db.store
            .drop_sealed(NOW_US + 500 * HOUR)
            .await
            .unwrap()
            .landing
            > 0
    );
    assert_eq!(paths_and_costs(&db).await.len(), 2);
}

async fn sealed_spans_and_old_claims_are_dropped(db: Database) {
    let mut later = call(2, 1, 0, 5);
    later.span.call.as_mut().unwrap().response_id = Some("chatcmpl-BxUjD2pQk81tqWvEr7yTz".into());
    let mut first = later.clone();
    first.span.trace_id = crate::support::trace_id(1);
    db.store.commit(&[received(first, 0)], &[]).await.unwrap();
    settle(&db.store).await;
    db.store.prepare(NOW_US + 50 * HOUR).await.unwrap();
    assert_eq!(
        db.store.drop_sealed(NOW_US + 70 * HOUR).await.unwrap(),
        Default::default()
    );

    let dropped = db.store.drop_sealed(NOW_US + 24 * 20 * HOUR).await.unwrap();
    assert!(dropped.landing > 0 && dropped.claims > 0);
    assert_eq!(db.store.landed(crate::support::key(1)).await.unwrap(), []);
    verify(&db.store).await;

    // The same response id past the horizon is another call.
    db.store
        .commit(&[received(later, 24 * 20)], &[])
        .await
        .unwrap();
    settle(&db.store).await;
    verify(&db.store).await;
    assert!(
        db.store
            .all_calls()
            .await
            .unwrap()
            .iter()
            .all(|call| call.why().is_none())
    );

    // And its claim goes in turn.
    let now_us = NOW_US + 24 * 40 * HOUR;
    db.store.prepare(now_us).await.unwrap();
    assert!(db.store.drop_sealed(now_us).await.unwrap().claims > 0);
    assert_eq!(count(&db.url, "SELECT COUNT(*) FROM claims").await, 0);
    verify(&db.store).await;
}
