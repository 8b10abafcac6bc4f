//! Settling: calls, traces and rollups follow from what has landed.

use costflame_store::{Due, MarkId, StoreError};

use crate::support::{Database, NOW_US, call, everything, key, plain, settle, verify};

crate::on_both!(
    settles_once_and_only_what_changed,
    late_spans_change_what_was_settled,
    a_workflow_of_ten_hours_whose_root_comes_last,
    a_newer_version_of_a_call_replaces_it,
    a_call_that_is_none_any_more_disappears,
    marks_that_came_later_stay,
    a_lost_lane_is_fenced,
    lanes_are_shared_and_taken_over,
    folding_adds_up_in_every_tier,
    sums_do_not_overflow,
    status_shows_what_waits,
);

async fn settles_once_and_only_what_changed(db: Database) {
    let mut model = call(1, 2, 1, 29_002_500_000);
    model.span.attribution = everything();
    db.store
        .commit(&[plain(1, 1, 0), model.clone(), call(2, 1, 0, 7)], &[])
        .await
        .unwrap();

    let report = settle(&db.store).await;
    assert_eq!((report.traces, report.spans, report.calls), (2, 3, 2));
    verify(&db.store).await;

    // The same spans again: nothing to write.
    db.store.commit(&[model], &[]).await.unwrap();
    let report = settle(&db.store).await;
    assert_eq!((report.traces, report.spans, report.calls), (1, 3, 0));
    assert_eq!(settle(&db.store).await.traces, 0);
    verify(&db.store).await;
}

async fn late_spans_change_what_was_settled(db: Database) {
    db.store.commit(&[call(1, 3, 2, 5)], &[]).await.unwrap();
    settle(&db.store).await;
    let alone = db.dump().await;
    assert!(alone.iter().any(|line| line.starts_with("rollup 86400")));

    db.store
        .commit(&[plain(1, 2, 1), plain(1, 1, 0)], &[])
        .await
        .unwrap();
    let report = settle(&db.store).await;
    assert_eq!(report.calls, 1, "the path of the call has changed");
    verify(&db.store).await;

    let other = db.fresh().await;
    other
        .store
        .commit(&[plain(1, 1, 0), plain(1, 2, 1), call(1, 3, 2, 5)], &[])
        .await
        .unwrap();
    settle(&other.store).await;
    assert_eq!(db.dump().await, other.dump().await);
    assert_ne!(alone, other.dump().await);
}

async fn a_workflow_of_ten_hours_whose_root_comes_last(db: Database) {
    let hour = 3_600_000_000;
    let mut rows: Vec<_> = (0..10)
        .map(|n| {
            let mut row = call(1, 10 + n, 1, i64::from(n));
            row.span.start_us += i64::from(n) * hour;
            row.span.end_us += i64::from(n) * hour;
            row.received_us += i64::from(n) * hour;
            row
        })
        .collect();
    let mut root = plain(1, 1, 0);
    root.span.end_us += 10 * hour;
    root.span.attribution = everything();
    root.received_us += 10 * hour;
    rows.push(root);
    for row in &rows {
        db.store
            .commit(std::slice::from_ref(row), &[])
            .await
            .unwrap();
        settle(&db.store).await;
        db.store.fold(3).await.unwrap();
    }
    verify(&db.store).await;
    let at_once = db.fresh().await;
    at_once.store.commit(&rows, &[]).await.unwrap();
    settle(&at_once.store).await;
    assert_eq!(db.dump().await, at_once.dump().await);
    let calls = db.store.all_calls().await.unwrap();
    assert!(
        calls
            .iter()
            .all(|call| call.attribution.user.as_deref() == Some("u1")),
        "inherited from the root"
    );
}

async fn a_newer_version_of_a_call_replaces_it(db: Database) {
    let old = call(1, 1, 0, 5);
    let mut new = call(1, 1, 0, 9);
    new.span.end_us += 1;
    new.span.start_us -= 86_400_000_000; // on another day
    for rows in [[&old, &new], [&new, &old]] {
        let db = db.fresh().await;
        for row in rows {
            db.store
                .commit(std::slice::from_ref(row), &[])
                .await
                .unwrap();
            settle(&db.store).await;
            verify(&db.store).await;
        }
        let calls: Vec<String> = db
            .dump()
            .await
            .into_iter()
            .filter(|line| line.starts_with("call "))
            .collect();
        assert_eq!(calls.len(), 1);
        assert!(calls[0].contains("cost: Some(Usd(9))"), "{}", calls[0]);
    }
}

async fn a_call_that_is_none_any_more_disappears(db: Database) {
    db.store.commit(&[call(1, 1, 0, 5)], &[]).await.unwrap();
    settle(&db.store).await;
    let mut no_call = plain(1, 1, 0);
    no_call.span.end_us += 1;
    db.store.commit(&[no_call], &[]).await.unwrap();
    settle(&db.store).await;
    verify(&db.store).await;
    assert_eq!(db.dump().await, Vec::<String>::new());
}

async fn marks_that_came_later_stay(db: Database) {
    db.store.commit(&[call(1, 1, 0, 5)], &[]).await.unwrap();
    let leases = db.store.lease_lanes("me", NOW_US, 1_000_000).await.unwrap();
    let lanes: Vec<i16> = leases.iter().map(|lease| lease.lane).collect();
    let seen = db
        .store
        .marks_after(&lanes, MarkId::default(), 100)
        .await
        .unwrap()
        .marks;
    db.store.commit(&[call(1, 2, 0, 6)], &[]).await.unwrap();

    db.store.settle(&leases, &Due::of(&seen)).await.unwrap();
    let left = db
        .store
        .marks_after(&lanes, MarkId::default(), 100)
        .await
        .unwrap()
        .marks;
    assert_eq!(left.len(), 1);
    assert_eq!(
        (left[0].trace, left[0].spans, left[0].calls),
        (key(1), 1, 1)
    );
    assert!(left[0].root_ended);
    db.store.settle(&leases, &Due::of(&left)).await.unwrap();
    verify(&db.store).await;
}

async fn a_lost_lane_is_fenced(db: Database) {
    db.store.commit(&[call(1, 1, 0, 5)], &[]).await.unwrap();
    let old = db.store.lease_lanes("slow", NOW_US, 1_000).await.unwrap();
    let new = db
        .store
        .lease_lanes("quick", NOW_US + 2_000, 1_000)
        .await
        .unwrap();
    assert_eq!(new.len(), 64);
    let due = [Due {
        trace: key(1),
        marks: Vec::new(),
    }];
    let lane = key(1).lane();
    assert!(
        matches!(db.store.settle(&old, &due).await, Err(StoreError::Fenced(lost)) if lost == lane)
    );
    assert!(
        matches!(db.store.settle(&[], &due).await, Err(StoreError::Fenced(lost)) if lost == lane)
    );
    db.store.settle(&new, &due).await.unwrap();
}

async fn lanes_are_shared_and_taken_over(db: Database) {
    let hour = 3_600_000_000;
    let first = db.store.lease_lanes("a", NOW_US, hour).await.unwrap();
    assert_eq!(first.len(), 64);
    assert_eq!(db.store.lease_lanes("b", NOW_US, hour).await.unwrap(), []);
    let a = db.store.lease_lanes("a", NOW_US + 1, hour).await.unwrap();
    let b = db.store.lease_lanes("b", NOW_US + 2, hour).await.unwrap();
    assert_eq!((a.len(), b.len()), (32, 32));
    assert!(
        a.iter().all(|lease| first.contains(lease)),
        "a lane that is kept keeps its epoch"
    );
    assert!(b.iter().all(|lease| !first.contains(lease)));
    db.store.release_lanes("a").await.unwrap();
    assert_eq!(
        db.store
            .lease_lanes("b", NOW_US + 3, hour)
            .await
            .unwrap()
            .len(),
        64
    );
    assert_eq!(
        db.store.status().await.unwrap().owners,
        [("b".to_owned(), 64)]
    );
}

async fn folding_adds_up_in_every_tier(db: Database) {
    let mut rows: Vec<_> = (1..=20)
        .map(|number| {
            let mut row = call(number, 1, 0, i64::from(number));
            row.span.start_us += i64::from(number) * 1_700_000_000;
            row.span.end_us = row.span.start_us + 5;
            row
        })
        .collect();
    db.store.commit(&rows, &[]).await.unwrap();
    settle(&db.store).await;
    verify(&db.store).await;
    assert_eq!(
        db.store.status().await.unwrap().unfolded,
        0,
        "what only adds goes straight to the rollups"
    );
    assert!(!db.store.has_differences().await.unwrap());
    for row in &mut rows {
        row.span.start_us += 1_000_000_000;
        row.span.end_us += 1_000_000_001;
    }
    db.store.commit(&rows, &[]).await.unwrap();
    settle(&db.store).await;
    verify(&db.store).await;
    assert!(db.store.has_differences().await.unwrap());
    let before = db.dump().await;
    let mut folded = 0;
    while db.store.status().await.unwrap().unfolded > 0 {
        folded += db.store.fold(7).await.unwrap();
        verify(&db.store).await;
    }
    assert!(folded > 0);
    assert!(!db.store.has_differences().await.unwrap());
    assert_eq!(db.dump().await, before);
}

async fn sums_do_not_overflow(db: Database) {
    for number in 1..=9 {
        let mut row = call(number, 1, 0, i64::MAX);
        row.span.start_us = 0;
        row.span.end_us = i64::MAX;
        let receipt = row.receipt.as_mut().unwrap();
        receipt.usage.tokens = [1 << 53; 12];
        row.span.call.as_mut().unwrap().usage = receipt.usage;
        db.store.commit(&[row], &[]).await.unwrap();
        settle(&db.store).await;
        db.store.fold(100).await.unwrap();
    }
    verify(&db.store).await;
    let total = 9 * i128::from(i64::MAX);
    assert!(
        db.dump()
            .await
            .iter()
            .any(|line| line.starts_with("rollup 86400") && line.contains(&total.to_string()))
    );
}

async fn status_shows_what_waits(db: Database) {
    db.store
        .commit(&[call(1, 1, 0, 5), call(1, 2, 1, 6)], &[])
        .await
        .unwrap();
    db.store
        .commit(&[call(1, 3, 1, i64::MAX), call(2, 1, 0, i64::MAX)], &[])
        .await
        .unwrap();
    let status = db.store.status().await.unwrap();
    assert_eq!((status.pending_traces, status.pending_calls), (2, 4));
    assert_eq!(status.pending_cost.0, 2 * i128::from(i64::MAX) + 11);
    assert!(status.bytes > 0);
    settle(&db.store).await;
    let status = db.store.status().await.unwrap();
    assert_eq!((status.pending_traces, status.pending_cost.0), (0, 0));
    assert_eq!(status.oldest_pending_us, None);
}
