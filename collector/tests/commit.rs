//! Group commit against a ledger that works, stops working, or refuses a row.

#![allow(clippy::unwrap_used)] // a test fails by panicking

mod common;

use std::{sync::Arc, time::Duration};

use common::{Ledger, Mode, until};
use costflame_collector::{
    CommitConfig, ReceiverConfig,
    commit::{Committed, Committer, Landing as _},
    metrics::Metrics,
    receive::Refusal,
};
use costflame_profile::{Span, SpanId, TraceId};
use costflame_store::{LandingRow, Sent};
use prometheus_client::registry::Registry;
use tokio::task::JoinHandle;

const DOWN: Refusal = Refusal::Unavailable {
    retry_after: Duration::from_secs(1),
    why: "the database is unavailable",
};

fn start(ledger: &Arc<Ledger>, commit: CommitConfig) -> (Committer, JoinHandle<()>) {
    let config = ReceiverConfig {
        commit,
        ..ReceiverConfig::default()
    };
    let metrics = Arc::new(Metrics::new(&mut Registry::default()));
    Committer::start(ledger.clone(), &config, metrics)
}

fn rows(names: &[&str]) -> Vec<LandingRow> {
    names.iter().map(|name| row(name)).collect()
}

fn row(name: &str) -> LandingRow {
    let span = Span {
        trace_id: TraceId([1; 16]),
        span_id: SpanId([1; 8]),
        parent_span_id: None,
        service: "shop".into(),
        kind: Default::default(),
        label: name.into(),
        span_kind: Default::default(),
        start_us: 0,
        end_us: 1,
        error: false,
        role: Default::default(),
        call: None,
        attribution: Arc::default(),
        above: Vec::new(),
        signal: Default::default(),
        emitter: "".into(),
        instance: None,
        links: Vec::new(),
        attribute_count: 0,
        content_hash: 0,
        weight_milli: 1000,
    };
    LandingRow {
        project: 1,
        received_us: 0,
        span,
        receipt: None,
        sent: Sent::default(),
    }
}

#[tokio::test]
async fn parts_that_wait_share_one_transaction() {
    let ledger = Arc::new(Ledger::default());
    let (committer, _) = start(&ledger, CommitConfig::default());
    let turns = ledger.turns.acquire_many(64).await.unwrap();
    let first = committer.submit(rows(&["a"])).await.unwrap();
    until(|| ledger.attempts.load(std::sync::atomic::Ordering::Relaxed) == 1).await;
    let mut waiting = Vec::new();
    for name in ["b", "c", "d"] {
        waiting.push(committer.submit(rows(&[name])).await.unwrap());
    }
    drop(turns);
    assert_eq!(first.wait().await, Ok(Committed { rejected: 0 }));
    for pending in waiting {
        assert_eq!(pending.wait().await, Ok(Committed { rejected: 0 }));
    }
    assert_eq!(ledger.names(), ["a", "b", "c", "d"]);
    assert_eq!(ledger.sizes(), [1, 3]);
}

#[tokio::test]
async fn a_transaction_is_closed_at_its_row_limit() {
    let ledger = Arc::new(Ledger::default());
    let config = CommitConfig {
        max_rows: 2,
        linger: Duration::from_secs(3600),
        ..CommitConfig::default()
    };
    let (committer, _) = start(&ledger, config);
    let first = committer.submit(rows(&["a"])).await.unwrap();
    let second = committer.submit(rows(&["b", "c"])).await.unwrap();
    first.wait().await.unwrap();
    second.wait().await.unwrap();
    assert_eq!(ledger.sizes(), [3]);
}

#[tokio::test]
async fn several_transactions_are_in_flight_when_allowed() {
    let ledger = Arc::new(Ledger::default());
    let config = CommitConfig {
        committers: 3,
        max_rows: 1,
        ..CommitConfig::default()
    };
    let (committer, _) = start(&ledger, config);
    let turns = ledger.turns.acquire_many(64).await.unwrap();
    let mut waiting = Vec::new();
    for name in ["a", "b", "c", "d"] {
        waiting.push(committer.submit(rows(&[name])).await.unwrap());
    }
    let attempts = || ledger.attempts.load(std::sync::atomic::Ordering::Relaxed);
    until(|| attempts() == 3).await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(attempts(), 3);
    drop(turns);
    for pending in waiting {
        pending.wait().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn an_outage_answers_everyone_and_takes_nothing_until_it_ends() {
    let ledger = Arc::new(Ledger::default());
    let (committer, _) = start(&ledger, CommitConfig::default());
    ledger.set(Mode::Down);
    let first = committer.submit(rows(&["a"])).await.unwrap();
    let second = committer.submit(rows(&["b"])).await.unwrap();
    assert_eq!(first.wait().await, Err(DOWN));
    assert_eq!(second.wait().await, Err(DOWN));
    assert_eq!(committer.submit(rows(&["c"])).await.err(), Some(DOWN));
    assert_eq!(committer.admit(), Err(DOWN));
    ledger.set(Mode::Works);
    until(|| committer.admit().is_ok()).await;
    committer
        .submit(rows(&["d"]))
        .await
        .unwrap()
        .wait()
        .await
        .unwrap();
    assert_eq!(ledger.names(), ["d"]);
}

#[tokio::test(start_paused = true)]
async fn a_transaction_that_hangs_counts_as_an_outage() {
    let ledger = Arc::new(Ledger::default());
    let (committer, _) = start(&ledger, CommitConfig::default());
    let _turns = ledger.turns.acquire_many(64).await.unwrap();
    let pending = committer.submit(rows(&["a"])).await.unwrap();
    let why = "the database did not answer in time";
    let retry_after = Duration::from_secs(1);
    let slow = Refusal::Unavailable { retry_after, why };
    assert_eq!(pending.wait().await, Err(slow));
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_is_over_when_what_failed_can_be_committed() {
    let ledger = Arc::new(Ledger::default());
    let (committer, _) = start(&ledger, CommitConfig::default());
    ledger.set(Mode::Full);
    let pending = committer.submit(rows(&["a"])).await.unwrap();
    let refusal = pending.wait().await.unwrap_err();
    assert_eq!(refusal.to_string(), "the disk of the database is full");
    // It answers pings all the time.
    ledger.ping().await.unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(committer.admit(), Err(refusal));
    ledger.set(Mode::Works);
    until(|| committer.admit().is_ok()).await;
    assert_eq!(ledger.names(), ["a"], "its sender will send it again");
}

#[tokio::test]
async fn a_poison_row_is_refused_alone() {
    let ledger = Arc::new(Ledger::default());
    let config = CommitConfig {
        linger: Duration::from_secs(3600),
        max_rows: 9,
        ..CommitConfig::default()
    };
    let (committer, _) = start(&ledger, config);
    ledger.set(Mode::Poison("bad"));
    let good = committer.submit(rows(&["a", "b"])).await.unwrap();
    let mixed = committer
        .submit(rows(&["c", "d", "bad", "e", "f", "bad", "g"]))
        .await
        .unwrap();
    assert_eq!(good.wait().await, Ok(Committed { rejected: 0 }));
    assert_eq!(mixed.wait().await, Ok(Committed { rejected: 2 }));
    assert_eq!(ledger.names(), ["a", "b", "c", "d", "e", "f", "g"]);
}

#[tokio::test]
async fn poison_everywhere_ends_within_a_bounded_number_of_transactions() {
    let ledger = Arc::new(Ledger::default());
    let (committer, _) = start(&ledger, CommitConfig::default());
    ledger.set(Mode::Poison("bad"));
    let pending = committer.submit(rows(&["bad"; 2000])).await.unwrap();
    assert_eq!(pending.wait().await, Ok(Committed { rejected: 2000 }));
    assert!(ledger.attempts.load(std::sync::atomic::Ordering::Relaxed) < 300);
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_refuses_with_a_delay() {
    let ledger = Arc::new(Ledger::default());
    let config = CommitConfig {
        queue_bytes: 1 << 20,
        timeout: Duration::from_secs(3600),
        ..CommitConfig::default()
    };
    let (committer, _) = start(&ledger, config);
    let turns = ledger.turns.acquire_many(64).await.unwrap();
    let held = committer.submit(vec![row("a"); 5000]).await.unwrap();
    let refused = committer.submit(rows(&["b"])).await.err().unwrap();
    assert!(
        matches!(
            refused,
            Refusal::Busy {
                reason: "queue_full",
                ..
            }
        ),
        "{refused:?}"
    );
    drop(turns);
    held.wait().await.unwrap();
    committer
        .submit(rows(&["b"]))
        .await
        .unwrap()
        .wait()
        .await
        .unwrap();
}

#[tokio::test]
async fn what_nobody_waits_for_is_not_committed() {
    let ledger = Arc::new(Ledger::default());
    let (committer, _) = start(&ledger, CommitConfig::default());
    let turns = ledger.turns.acquire_many(64).await.unwrap();
    let first = committer.submit(rows(&["a"])).await.unwrap();
    until(|| ledger.attempts.load(std::sync::atomic::Ordering::Relaxed) == 1).await;
    drop(committer.submit(rows(&["gone"])).await.unwrap());
    let last = committer.submit(rows(&["b"])).await.unwrap();
    drop(turns);
    first.wait().await.unwrap();
    last.wait().await.unwrap();
    assert_eq!(ledger.names(), ["a", "b"]);
}

#[tokio::test]
async fn the_owner_ends_when_everything_taken_is_answered() {
    let ledger = Arc::new(Ledger::default());
    let (committer, owner) = start(&ledger, CommitConfig::default());
    let turns = ledger.turns.acquire_many(64).await.unwrap();
    let pending = committer.submit(rows(&["a"])).await.unwrap();
    drop(committer);
    tokio::task::yield_now().await;
    assert!(!owner.is_finished());
    drop(turns);
    owner.await.unwrap();
    assert_eq!(pending.wait().await, Ok(Committed { rejected: 0 }));
}
