//! Committing spans and reading them back.

use std::time::Duration;

use costflame_pricing::{Line, PriceRow, TokenClass, Unpriced, Usd, receipt::Unit};
use costflame_profile::{FrameKind, Signal, SpanKind, Step};
use costflame_store::{LandingRow, OutboxRow};

use crate::support::{Database, call, everything, key, plain, trace_id};

crate::on_both!(
    keeps_every_field,
    keeps_every_version_of_a_span,
    keeps_extreme_numbers,
    replaces_nul_in_texts,
    separates_projects,
    commits_large_batches,
    dropped_commits_are_all_or_nothing,
    opens_twice_at_once,
);

fn sorted(mut rows: Vec<LandingRow>) -> Vec<LandingRow> {
    rows.sort_by_key(|row| (row.span.span_id, row.span.end_us, row.received_us));
    rows
}

async fn keeps_every_field(db: Database) {
    let mut full = call(1, 2, 1, 29_002_500_000);
    full.span.attribution = everything();
    full.span.above = vec![Step {
        kind: FrameKind::Agent,
        label: "planner".into(),
    }];
    full.span.instance = Some("host/42".into());
    full.span.links = vec![trace_id(8), trace_id(9)];
    full.span.error = true;
    full.span.span_kind = SpanKind::Producer;
    full.span.signal = Signal::Log;
    let receipt = full.receipt.as_mut().unwrap();
    receipt.lines.push(Line {
        unit: Unit::Tokens(TokenClass::Input),
        quantity: 100,
        rate: -5,
        per: 1_000_000,
        amount: Usd(-1),
    });
    receipt.price = Some(PriceRow {
        provider: "openai".into(),
        model: "gpt-4o".into(),
        condition: "x".into(),
        since: None,
    });
    receipt.reported = Some(Usd(3));
    let mut unpriced = call(1, 3, 1, 0);
    unpriced.receipt.as_mut().unwrap().cost = None;
    unpriced.receipt.as_mut().unwrap().unpriced = Some(Unpriced::UnknownModel);
    unpriced.span.call.as_mut().unwrap().cost = None;
    let rows = vec![plain(1, 1, 0), full, unpriced];

    db.store.commit(&rows, &[]).await.unwrap();

    assert_eq!(sorted(db.store.landed(key(1)).await.unwrap()), rows);
    assert_eq!(db.store.landed(key(2)).await.unwrap(), []);
}

async fn keeps_every_version_of_a_span(db: Database) {
    let first = plain(1, 1, 0);
    let mut second = first.clone();
    second.span.end_us += 1;
    db.store
        .commit(&[second.clone(), first.clone()], &[])
        .await
        .unwrap();
    db.store
        .commit(std::slice::from_ref(&first), &[])
        .await
        .unwrap();

    assert_eq!(
        sorted(db.store.landed(key(1)).await.unwrap()),
        [first.clone(), first, second]
    );
}

async fn keeps_extreme_numbers(db: Database) {
    let mut row = call(1, 1, 0, i64::MAX);
    row.span.start_us = 0;
    row.span.end_us = i64::MAX;
    row.span.attribute_count = u32::MAX;
    row.span.weight_milli = u32::MAX;
    row.span.content_hash = u64::MAX;
    row.project = i32::MAX;
    let rows = vec![row; 3];
    db.store.commit(&rows, &[]).await.unwrap();

    let mut there = key(1);
    there.project = i32::MAX;
    assert_eq!(db.store.landed(there).await.unwrap(), rows);
}

async fn replaces_nul_in_texts(db: Database) {
    let mut row = plain(1, 1, 0);
    row.span.label = "a\0b".into();
    db.store.commit(&[row], &[]).await.unwrap();

    assert_eq!(
        &*db.store.landed(key(1)).await.unwrap()[0].span.label,
        "a\u{fffd}b"
    );
}

async fn separates_projects(db: Database) {
    let mut other = plain(1, 1, 0);
    other.project = 2;
    db.store
        .commit(&[other, plain(1, 2, 0)], &[])
        .await
        .unwrap();

    let mine = db.store.landed(key(1)).await.unwrap();
    assert_eq!(mine, [plain(1, 2, 0)]);
}

async fn commits_large_batches(db: Database) {
    let rows: Vec<LandingRow> = (0..5000_u32)
        .map(|number| {
            let mut row = call((number % 250) as u8 + 1, 1, 0, 1);
            row.span.start_us += i64::from(number);
            row
        })
        .collect();
    let outbox = OutboxRow {
        project: 1,
        received_us: 5,
        signal: 0,
        codec: 1,
        items: 5000,
        raw_bytes: 1_000_000,
        body: vec![0; 100_000],
        deliveries: vec![("elsewhere".into(), 0)],
    };
    db.store
        .commit(&rows, &[outbox.clone(), outbox])
        .await
        .unwrap();

    for number in 1..=250 {
        assert_eq!(db.store.landed(key(number)).await.unwrap().len(), 20);
    }
}

async fn dropped_commits_are_all_or_nothing(db: Database) {
    let rows: Vec<LandingRow> = (0..200).map(|_| call(1, 1, 0, 1)).collect();
    let mut done = 0;
    for polls in 0..40 {
        let mut commit = Box::pin(db.store.commit(&rows, &[]));
        for _ in 0..polls {
            if futures::poll!(&mut commit).is_ready() {
                done += 1;
                break;
            }
            tokio::task::yield_now().await;
        }
    }
    db.store.commit(&[plain(2, 1, 0)], &[]).await.unwrap();

    let landed = db.store.landed(key(1)).await.unwrap().len();
    assert_eq!(landed % rows.len(), 0);
    assert!(landed >= done * rows.len());
    assert_eq!(db.store.landed(key(2)).await.unwrap().len(), 1);
}

async fn opens_twice_at_once(db: Database) {
    let (one, two) = tokio::join!(db.another(), db.another());
    one.ping().await.unwrap();
    two.commit(&[plain(1, 1, 0)], &[]).await.unwrap();
    assert_eq!(one.landed(key(1)).await.unwrap().len(), 1);
}

#[tokio::test]
async fn the_log_of_sqlite_is_copied_into_the_file_beside_the_writer() {
    let db = Database::sqlite().await;
    let file = db.url.trim_start_matches("sqlite://");
    let bytes = || std::fs::metadata(file).unwrap().len();
    let before = bytes();
    // Far less than the writer copies by itself.
    let rows: Vec<_> = (1..=200).map(|number| plain(number, 1, 0)).collect();
    db.store.commit(&rows, &[]).await.unwrap();
    let copied = async {
        while bytes() == before {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let copied = tokio::time::timeout(Duration::from_secs(60), copied).await;
    assert!(copied.is_ok(), "the file still has {before} bytes");
}
