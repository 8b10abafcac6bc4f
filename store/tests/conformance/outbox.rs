//! Requests on their way to other backends.

use std::collections::{BTreeSet, HashMap};

use costflame_pricing::Usd;
use costflame_profile::{Role, Rule, TraceId};
use costflame_store::{
    Delivery, Finish, Letter, Level, OutboxRow, Request, Selection, Store, Trimmed, day_of,
    query::{CallId, Verdict},
};

use crate::support::{Database, NOON_US, call, count, plain, settle, span_id, trace_id};

crate::on_both!(
    a_request_waits_for_each_of_its_destinations,
    a_claim_ends_by_itself,
    a_clock_that_is_set_back_delays_no_delivery,
    two_collectors_never_claim_the_same,
    failures_wait_and_refusals_are_dead_letters,
    dead_letters_are_tried_again_or_dropped,
    the_oldest_are_trimmed_first,
    spans_and_their_request_are_all_or_nothing,
    the_last_two_deliveries_leave_no_body,
    requests_are_cut_and_removed_for_all_their_destinations,
    verdicts_are_settled_or_provisional,
);

fn request(number: u8, destinations: &[(&str, i64)]) -> OutboxRow {
    OutboxRow {
        project: 1,
        received_us: i64::from(number) * 100,
        signal: number % 3,
        codec: 1,
        items: u32::from(number),
        raw_bytes: 1000,
        body: vec![number; 10],
        deliveries: destinations
            .iter()
            .map(|(name, next_us)| ((*name).into(), *next_us))
            .collect(),
    }
}

async fn commit(store: &Store, requests: &[OutboxRow]) {
    store.commit(&[], requests).await.unwrap();
}

async fn claim(store: &Store, destination: &str, now_us: i64) -> Vec<Delivery> {
    store
        .outbox_claim(destination, now_us, now_us + 1000, 100)
        .await
        .unwrap()
}

async fn list(store: &Store) -> Vec<Letter> {
    store
        .outbox_list(&Selection::default(), 0, 1000)
        .await
        .unwrap()
}

async fn a_request_waits_for_each_of_its_destinations(db: Database) {
    commit(&db.store, &[request(3, &[("a", 0), ("b", 500)])]).await;

    assert_eq!(claim(&db.store, "b", 499).await, []);
    let [a] = &claim(&db.store, "a", 0).await[..] else {
        panic!("one delivery");
    };
    assert_eq!(
        (
            a.project,
            a.received_us,
            a.signal,
            a.codec,
            a.items,
            a.raw_bytes,
            a.attempts
        ),
        (1, 300, 0, 1, 3, 1000, 0)
    );
    let body = db.store.outbox_body(a.outbox_id).await.unwrap();
    assert_eq!(body, Some(vec![3; 10]));
    let finished = [(a.id, Finish::Delivered)];
    db.store.outbox_finish(&finished).await.unwrap();
    // A report that comes twice changes nothing.
    db.store.outbox_finish(&finished).await.unwrap();

    let [b] = &claim(&db.store, "b", 500).await[..] else {
        panic!("the other destination has not had it");
    };
    assert_eq!(b.outbox_id, a.outbox_id);
    assert!(db.store.outbox_body(b.outbox_id).await.unwrap().is_some());
    db.store
        .outbox_finish(&[(b.id, Finish::Delivered)])
        .await
        .unwrap();
    assert_eq!(db.store.outbox_body(b.outbox_id).await.unwrap(), None);
    assert_eq!(list(&db.store).await, []);
    assert_eq!(db.store.status().await.unwrap().outbox, 0);
}

async fn a_claim_ends_by_itself(db: Database) {
    commit(&db.store, &[request(1, &[("a", 0)])]).await;
    let first = claim(&db.store, "a", 0).await;
    assert_eq!(first.len(), 1);
    assert_eq!(claim(&db.store, "a", 999).await, []);
    // Its collector has died.
    let second = claim(&db.store, "a", 1000).await;
    assert_eq!(second, first);
    // Or has not, and reports late: the delivery took place.
    db.store
        .outbox_finish(&[(first[0].id, Finish::Delivered)])
        .await
        .unwrap();
    let late = Finish::Again {
        next_us: 5000,
        error: "no answer".into(),
    };
    db.store
        .outbox_finish(&[(second[0].id, late)])
        .await
        .unwrap();
    assert_eq!(list(&db.store).await, []);
    commit(&db.store, &[request(2, &[("a", 0)])]).await;
    assert_ne!(claim(&db.store, "a", 0).await[0].id, first[0].id);
}

async fn a_clock_that_is_set_back_delays_no_delivery(db: Database) {
    const HOUR_US: i64 = 3_600_000_000;
    let ahead = OutboxRow {
        received_us: HOUR_US,
        ..request(1, &[("a", HOUR_US)])
    };
    commit(&db.store, &[ahead, request(2, &[("a", HOUR_US)])]).await;
    // Of the two that wait until then, the one that cannot have been received yet.
    let claimed = claim(&db.store, "a", 1000).await;
    let received: Vec<i64> = claimed
        .iter()
        .map(|delivery| delivery.received_us)
        .collect();
    assert_eq!(received, [HOUR_US]);
    // Claimed by the clock as it is now.
    assert_eq!(claim(&db.store, "a", 1001).await, []);
    assert_eq!(claim(&db.store, "a", 2000).await.len(), 1);
}

async fn two_collectors_never_claim_the_same(db: Database) {
    let requests: Vec<OutboxRow> = (0..200)
        .map(|number| request(number, &[("a", 0)]))
        .collect();
    commit(&db.store, &requests).await;
    let other = db.another().await;
    let all_of = |store: Store| async move {
        let mut mine = Vec::new();
        loop {
            let some = store.outbox_claim("a", 0, 1_000_000, 7).await.unwrap();
            if some.is_empty() {
                return mine;
            }
            mine.extend(some.into_iter().map(|delivery| delivery.id));
        }
    };
    let (mine, theirs) = tokio::join!(
        tokio::spawn(all_of(db.store.clone())),
        tokio::spawn(all_of(other))
    );
    let (mine, theirs) = (mine.unwrap(), theirs.unwrap());
    let union: BTreeSet<i64> = mine.iter().chain(&theirs).copied().collect();
    assert_eq!((union.len(), mine.len() + theirs.len()), (200, 200));
}

async fn failures_wait_and_refusals_are_dead_letters(db: Database) {
    let requests = [1, 2, 3].map(|number| request(number, &[("a", 0)]));
    commit(&db.store, &requests).await;
    let claimed = claim(&db.store, "a", 0).await;
    let finished = [
        (claimed[0].id, Finish::Later { next_us: 70 }),
        (
            claimed[1].id,
            Finish::Again {
                next_us: 80,
                error: "503\0".into(),
            },
        ),
        (
            claimed[2].id,
            Finish::Dead {
                at_us: 90,
                error: "é".repeat(1000),
            },
        ),
    ];
    db.store.outbox_finish(&finished).await.unwrap();

    let letters = list(&db.store).await;
    let seen: Vec<_> = letters
        .iter()
        .map(|letter| {
            (
                letter.next_us,
                letter.attempts,
                letter.dead_us,
                letter.error.as_deref(),
            )
        })
        .collect();
    assert_eq!(seen[0], (70, 0, None, None));
    assert_eq!(seen[1], (80, 1, None, Some("503\u{fffd}")));
    assert_eq!((seen[2].1, seen[2].2), (1, Some(90)));
    assert_eq!(seen[2].3.map(str::len), Some(1024));
    let again = claim(&db.store, "a", 1_000_000).await;
    let attempts: Vec<_> = again.iter().map(|delivery| delivery.attempts).collect();
    assert_eq!(attempts, [0, 1], "a dead letter is not claimed");
    let level = |dead, deliveries, oldest_us| Level {
        destination: "a".into(),
        dead,
        deliveries,
        bytes: deliveries * 10,
        oldest_us,
    };
    let levels = db.store.outbox_levels().await.unwrap();
    assert_eq!(levels, [level(false, 2, 100), level(true, 1, 300)]);
}

async fn dead_letters_are_tried_again_or_dropped(db: Database) {
    let both = [("a", 0), ("b", 0)];
    commit(&db.store, &[1, 2].map(|number| request(number, &both))).await;
    let dead = |delivery: &Delivery| {
        let error = "400".into();
        (delivery.id, Finish::Dead { at_us: 9, error })
    };
    let finished: Vec<_> = claim(&db.store, "a", 0).await.iter().map(dead).collect();
    db.store.outbox_finish(&finished).await.unwrap();
    let of = |ids: &[i64], destination: Option<&str>, dead| Selection {
        ids: ids.to_vec(),
        destination: destination.map(Into::into),
        dead,
    };

    assert_eq!(
        db.store
            .outbox_retry(&of(&[], Some("b"), None))
            .await
            .unwrap(),
        0
    );
    assert_eq!(
        db.store
            .outbox_retry(&of(&[finished[0].0], None, None))
            .await
            .unwrap(),
        1
    );
    let [again] = &claim(&db.store, "a", 1).await[..] else {
        panic!("one is tried again");
    };
    assert_eq!((again.id, again.attempts), (finished[0].0, 0));
    assert_eq!(
        db.store
            .outbox_drop(&of(&[], None, Some(true)))
            .await
            .unwrap(),
        1
    );
    assert_eq!(list(&db.store).await.len(), 3);
    assert_eq!(
        db.store
            .outbox_drop(&of(&[], Some("b"), None))
            .await
            .unwrap(),
        2
    );
    assert_eq!(list(&db.store).await.len(), 1);
}

async fn the_oldest_are_trimmed_first(db: Database) {
    let requests: Vec<_> = (1..=9).map(|number| request(number, &[("a", 0)])).collect();
    commit(&db.store, &requests).await;
    commit(&db.store, &[request(1, &[("b", 0)])]).await;

    let none = db.store.outbox_trim("a", false, 0, 0).await.unwrap();
    assert_eq!(none, Trimmed::default());
    // Two by age, of 10 bytes each, and a third to be rid of 21 bytes.
    let trimmed = db.store.outbox_trim("a", false, 300, 21).await.unwrap();
    assert_eq!(
        (trimmed.deliveries, trimmed.items, trimmed.bytes),
        (3, 1 + 2 + 3, 30)
    );
    let left: Vec<_> = list(&db.store)
        .await
        .iter()
        .map(|letter| letter.received_us)
        .collect();
    assert_eq!(left, [400, 500, 600, 700, 800, 900, 100]);
    let dead = db
        .store
        .outbox_trim("a", true, i64::MAX, u64::MAX)
        .await
        .unwrap();
    assert_eq!(dead, Trimmed::default());
}

async fn spans_and_their_request_are_all_or_nothing(db: Database) {
    let rows: Vec<_> = (0..200).map(|_| call(1, 1, 0, 1)).collect();
    let mut done = 0;
    for polls in 0..60 {
        let outbox = [request(1, &[("a", 0)])];
        let mut commit = Box::pin(db.store.commit(&rows, &outbox));
        for _ in 0..polls {
            if futures::poll!(&mut commit).is_ready() {
                done += 1;
                break;
            }
            tokio::task::yield_now().await;
        }
    }
    commit(&db.store, &[request(2, &[("a", 0)])]).await;
    let landed = db.store.landed(crate::support::key(1)).await.unwrap().len();
    assert_eq!(landed, (list(&db.store).await.len() - 1) * rows.len());
    assert!(landed >= done * rows.len());
}

async fn the_last_two_deliveries_leave_no_body(db: Database) {
    let requests: Vec<_> = (0..50)
        .map(|number| request(number, &[("a", 0), ("b", 0)]))
        .collect();
    commit(&db.store, &requests).await;
    let other = db.another().await;
    let (a, b) = (
        claim(&db.store, "a", 0).await,
        claim(&db.store, "b", 0).await,
    );
    for (a, b) in a.iter().zip(&b) {
        let (one, two) = ([(a.id, Finish::Delivered)], [(b.id, Finish::Delivered)]);
        let (one, two) = tokio::join!(db.store.outbox_finish(&one), other.outbox_finish(&two));
        one.unwrap();
        two.unwrap();
        assert_eq!(db.store.outbox_body(a.outbox_id).await.unwrap(), None);
    }
}

async fn verdicts_are_settled_or_provisional(db: Database) {
    let mut agent = call(1, 1, 0, 70);
    agent.span.role = Role::Aggregate;
    let rows = [agent, call(1, 2, 1, 70), plain(1, 3, 2)];
    db.store.commit(&rows, &[]).await.unwrap();
    let trace = trace_id(1);
    let days = (day_of(NOON_US), day_of(NOON_US));
    let ask = |settled: bool| {
        let (yes, no) = if settled {
            (vec![trace], vec![])
        } else {
            (vec![], vec![trace])
        };
        let store = db.store.clone();
        async move { store.verdicts(1, &yes, &no, days).await.unwrap() }
    };
    let shown = |verdicts: &HashMap<CallId, Verdict>, span| {
        let verdict = &verdicts[&(trace, span_id(span))];
        let rule = verdict.excluded.map(|(rule, _)| rule);
        (verdict.receipt.cost, rule, verdict.provisional)
    };

    assert_eq!(
        db.store.pending_traces(10).await.unwrap(),
        [(1, trace)].into()
    );
    assert_eq!(ask(true).await, HashMap::new());
    let early = ask(false).await;
    assert_eq!(early.len(), 2);
    assert_eq!(
        shown(&early, 1),
        (Some(Usd(70)), Some(Rule::Aggregate), true)
    );
    assert_eq!(shown(&early, 2), (Some(Usd(70)), None, true));

    settle(&db.store).await;
    assert_eq!(db.store.pending_traces(10).await.unwrap(), [].into());
    let settled = ask(true).await;
    assert_eq!(settled.len(), 2);
    assert_eq!(
        shown(&settled, 1),
        (Some(Usd(70)), Some(Rule::Aggregate), false)
    );
    assert_eq!(shown(&settled, 2), (Some(Usd(70)), None, false));
    assert_eq!(
        db.store
            .verdicts(2, &[trace], &[trace], days)
            .await
            .unwrap(),
        HashMap::new()
    );
    let before = (days.0 - 9, days.0 - 1);
    assert_eq!(
        db.store.verdicts(1, &[trace], &[], before).await.unwrap(),
        HashMap::new()
    );
}

/// Also before Postgres has gathered statistics of the day's partition.
#[tokio::test]
async fn verdicts_of_some_traces_read_no_other_calls_of_the_day() {
    let db = Database::postgres().await;
    let numbered = |trace: u16| TraceId(u128::from(trace).to_be_bytes());
    let of_trace = |trace: u16| {
        let mut row = call(1, 1, 0, 70);
        row.span.trace_id = numbered(trace);
        row
    };
    let rows: Vec<_> = (1..=2000).map(of_trace).collect();
    db.store.commit(&rows, &[]).await.unwrap();
    settle(&db.store).await;
    let reads = "SELECT coalesce(sum(seq_tup_read + idx_tup_fetch), 0)::bigint FROM pg_stat_user_tables \
                 WHERE relname LIKE 'calls%'";
    db.store.close().await;
    let before = count(&db.url, reads).await;

    let other = db.another().await;
    let days = (day_of(NOON_US) - 1, day_of(NOON_US) + 1);
    let traces = [7, 70, 1700].map(numbered);
    let verdicts = other.verdicts(1, &traces, &[], days).await.unwrap();
    assert_eq!(verdicts.len(), 3);
    // What a connection has read is told at its end.
    other.close().await;
    let mut read = 0;
    while read == 0 {
        read = count(&db.url, reads).await - before;
    }
    assert_eq!(read, 3);
}

async fn requests_are_cut_and_removed_for_all_their_destinations(db: Database) {
    let of_other = OutboxRow {
        project: 2,
        ..request(5, &[("a", 0)])
    };
    let requests = [
        request(3, &[("a", 0), ("b", 0)]),
        request(4, &[("a", 0)]),
        of_other,
    ];
    commit(&db.store, &requests).await;
    // Dead letters are found like all others.
    let [first, ..] = &claim(&db.store, "a", 0).await[..] else {
        panic!("three of them");
    };
    let dead = Finish::Dead {
        at_us: 1,
        error: "no".into(),
    };
    let finished = [(first.id, dead)];
    db.store.outbox_finish(&finished).await.unwrap();

    let all = db.store.outbox_requests(1, 0, 10).await.unwrap();
    let [three, four] = &all[..] else {
        panic!("of this project: {all:?}");
    };
    assert_eq!((three.items, &three.body), (3, &vec![3; 10]));
    let behind = db.store.outbox_requests(1, three.outbox_id, 10).await;
    assert_eq!(&behind.unwrap(), std::slice::from_ref(four));

    let cut = Request {
        items: 1,
        raw_bytes: 50,
        body: vec![9; 4],
        ..three.clone()
    };
    db.store.outbox_rewrite(&cut).await.unwrap();
    db.store.outbox_remove(four.outbox_id).await.unwrap();
    db.store.note_cut("trace", 6, 7).await.unwrap();
    let left: Vec<_> = list(&db.store)
        .await
        .into_iter()
        .map(|letter| (letter.items, letter.bytes))
        .collect();
    assert_eq!(left, [(1, 4), (1, 4), (5, 10)]);
    assert_eq!(db.store.outbox_requests(1, 0, 10).await.unwrap(), [cut]);
    let bodies = count(&db.url, "SELECT count(*) FROM outbox").await;
    let noted = "SELECT CAST(sum(forwarded) AS bigint) FROM deletions";
    assert_eq!((bodies, count(&db.url, noted).await), (2, 6));
}
