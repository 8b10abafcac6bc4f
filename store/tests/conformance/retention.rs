//! What leaves, what stays, and what may be taken along.

use costflame_store::{Options, Store, StoreError, query};
use sqlx::{Connection, PgConnection};

use crate::support::{Database, NOW_US, call, everything, key, plain, settle, verify};

crate::on_both!(
    calls_past_their_retention_leave_their_rollups,
    calls_are_kept_for_ever_unless_asked,
    what_is_forgotten_was_never_there,
);

const DAY: i64 = 86_400_000_000;

/// Three traces: one long ago, one that began long ago and ended now, one of now.
async fn land(store: &Store) {
    let mut old = call(1, 1, 0, 5);
    old.span.start_us -= 20 * DAY;
    old.span.end_us -= 20 * DAY;
    old.span.attribution = everything();
    let mut across = [call(2, 1, 0, 70), call(2, 2, 0, 600)];
    across[0].span.start_us -= 15 * DAY;
    let rows = [&[old], &across[..], &[call(3, 1, 0, 8_000)]].concat();
    store.commit(&rows, &[]).await.unwrap();
    settle(store).await;
}

async fn rollups(db: &Database) -> Vec<String> {
    let mut lines = db.dump().await;
    lines.retain(|line| line.starts_with("rollup ") || line.starts_with("dim "));
    lines
}

async fn calls_past_their_retention_leave_their_rollups(db: Database) {
    let options = Options {
        keep_call_days: Some(14),
        ..Options::default()
    };
    let store = Store::connect(&db.url, &options).await.unwrap();
    store.prepare(NOW_US - 15 * DAY).await.unwrap();
    land(&store).await;
    let before = rollups(&db).await;

    let dropped = store.drop_sealed(NOW_US).await.unwrap();
    assert!(dropped.calls > 0);
    let calls = store.all_calls().await.unwrap();
    let left: Vec<_> = calls.iter().map(|call| call.call.cost.unwrap().0).collect();
    assert_eq!(left, [600, 8_000]);
    assert_eq!(rollups(&db).await, before);
    verify(&store).await;

    // A late span settles the old traces again: nothing comes twice, nothing goes away.
    let late = [plain(1, 9, 0), plain(2, 9, 1)];
    store.commit(&late, &[]).await.unwrap();
    settle(&store).await;
    assert_eq!(store.all_calls().await.unwrap().len(), 2);
    while store.fold(100).await.unwrap() > 0 {}
    assert_eq!(rollups(&db).await, before);
    verify(&store).await;
    assert_eq!(store.drop_sealed(NOW_US).await.unwrap().calls, 0);
}

async fn calls_are_kept_for_ever_unless_asked(db: Database) {
    land(&db.store).await;
    let dropped = db.store.drop_sealed(NOW_US + 400 * DAY).await.unwrap();
    assert_eq!(dropped.calls, 0);
    assert_eq!(db.store.all_calls().await.unwrap().len(), 4);
}

#[tokio::test]
async fn a_copy_of_sqlite_is_whole_and_independent() {
    let db = Database::sqlite().await;
    land(&db.store).await;
    let file = format!("{}.copy", db.url.trim_start_matches("sqlite://"));
    db.store.backup(&file).await.unwrap();
    let again = db.store.backup(&file).await;
    assert!(matches!(again, Err(StoreError::Refused(_))), "{again:?}");
    let before = db.dump().await;
    db.store.commit(&[call(4, 1, 0, 9)], &[]).await.unwrap();
    settle(&db.store).await;

    let url = format!("sqlite://{file}");
    let copy = Store::connect(&url, &Options::default()).await.unwrap();
    verify(&copy).await;
    assert_eq!(copy.dump().await.unwrap(), before);
    assert!(db.dump().await.len() > before.len());
    let trace = copy.landed(key(4)).await.unwrap();
    assert!(trace.is_empty());
}

#[tokio::test]
async fn a_reader_of_postgres_sees_the_views_alone() {
    let db = Database::postgres().await;
    land(&db.store).await;
    db.store.fold(10).await.unwrap();
    db.store.add_reader("bi \"tool\"").await.unwrap();
    db.store.add_reader("bi \"tool\"").await.unwrap();
    let url = db.url.replace("costflame@", "bi%20%22tool%22@");
    let mut reader = PgConnection::connect(&url).await.unwrap();
    for (sql, expected) in [
        (
            "SELECT round(sum(cost_usd), 12)::text FROM call_costs",
            "0.000000008675",
        ),
        (
            "SELECT round(sum(cost_usd), 12)::text FROM daily_costs",
            "0.000000008675",
        ),
        (
            "SELECT round(sum(cost_usd), 12)::text FROM trace_costs",
            "0.000000008675",
        ),
        (
            "SELECT min(started_at AT TIME ZONE 'UTC')::text FROM call_costs",
            "2025-11-02 12:00:00.001",
        ),
    ] {
        let answer: String = sqlx::query_scalar(sql)
            .fetch_one(&mut reader)
            .await
            .unwrap();
        assert_eq!(answer, expected, "{sql}");
    }
    for sql in ["SELECT 1 FROM calls", "DELETE FROM call_costs"] {
        let refused = sqlx::query(sql).execute(&mut reader).await;
        assert!(refused.is_err(), "{sql}");
    }
}

async fn what_is_forgotten_was_never_there(db: Database) {
    let twice = |trace| {
        let mut row = call(trace, 1, 0, i64::from(trace));
        let call = row.span.call.as_mut().unwrap();
        call.response_id = Some("chatcmpl-BxUjD2pQk81tqWvEr7yTz".into());
        row
    };
    let mut users = [call(3, 1, 0, 30), call(4, 1, 0, 40)];
    users[1].span.attribution = everything();
    let rows = [&[plain(1, 9, 0), twice(1), twice(2)], &users[..]].concat();
    db.store.commit(&rows, &[]).await.unwrap();
    settle(&db.store).await;
    while db.store.fold(100).await.unwrap() > 0 {}
    let counted = |calls: Vec<costflame_store::CallRow>| {
        let counted = calls.into_iter().filter(|call| call.why().is_none());
        counted.map(|call| call.key.trace).collect::<Vec<_>>()
    };
    let before = counted(db.store.all_calls().await.unwrap());
    assert_eq!(
        before,
        [key(1), key(3), key(4)],
        "the second lost to the first"
    );
    // Marks of spans not settled yet go too.
    db.store.commit(&[plain(1, 8, 0)], &[]).await.unwrap();

    let mut snapshot = db.store.snapshot().await.unwrap();
    let asked = query::traces_of_user(&mut snapshot, 1, "u1", 10)
        .await
        .unwrap();
    assert_eq!(asked, [key(4).trace_id]);
    drop(snapshot);
    let traces = [asked[0], key(1).trace_id, key(77).trace_id];
    let forgotten = db.store.forget(1, &traces, "user", NOW_US).await.unwrap();
    assert_eq!((forgotten.traces, forgotten.calls), (2, 2));
    // Of three counted calls two are gone, and one that had lost to them counts.
    let corrected = db.store.take_corrections().await.unwrap();
    let sum = |of: fn(&costflame_store::Measures) -> i128| {
        corrected.iter().map(|(_, change)| of(change)).sum::<i128>()
    };
    assert_eq!(
        (
            sum(|change| change.calls().into()),
            sum(|change| change.cost())
        ),
        (-1, 2 - 1 - 40)
    );
    verify(&db.store).await;
    while db.store.fold(100).await.unwrap() > 0 {}
    verify(&db.store).await;
    assert!(db.store.landed(key(1)).await.unwrap().is_empty());
    assert_eq!(db.store.status().await.unwrap().pending_traces, 0);

    let other = db.fresh().await;
    let rest = [rows[2].clone(), rows[3].clone()];
    other.store.commit(&rest, &[]).await.unwrap();
    settle(&other.store).await;
    assert_eq!(db.dump().await, other.dump().await);
}
