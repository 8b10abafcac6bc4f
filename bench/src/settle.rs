//! Settling: how many traces one settler settles in a second, and how long a trace waits for it while others
//! keep arriving.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context, Result, ensure};
use costflame_bench::{load::Body, processor};
use costflame_collector::{
    decode::{Limits, walk_traces},
    dialect::land::Lander,
    settle::{SettleConfig, SettleMetrics, SettleTimes, Settler},
};
use costflame_pricing::Catalog;
use costflame_store::{Due, LandingRow, MarkId, Options, Store};
use prometheus_client::registry::Registry;
use tokio_util::sync::CancellationToken;

use crate::{figures::Figures, target::Database};

/// Traces landed in one transaction.
const TRACES: u64 = 100;
/// Traces settled in one transaction, as the settler does.
const BATCH: usize = 256;

/// Settles `traces` landed traces as fast as it goes, then keeps up with half of that rate for a while.
pub(crate) async fn measure(
    figures: &mut Figures,
    database: &Database,
    traces: u64,
    time: Duration,
) -> Result<()> {
    let store = Arc::new(Store::connect(&database.url(), &Options::default()).await?);
    let subject = format!("{}, settling", database.name());
    let body = Body::new(1, TRACES, 1_795_388_725_000_000_000);
    for round in 0..traces / TRACES {
        store.commit(&landing(&body, round), &[]).await?;
    }
    let rate = at_once(figures, &subject, &store).await?;
    keep_up(figures, &subject, &store, &body, rate / 2.0, time).await?;
    store.close().await;
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
async fn at_once(figures: &mut Figures, subject: &str, store: &Store) -> Result<f64> {
    let leases = store.lease_lanes("bench", now_us(), 3_600_000_000).await?;
    let lanes: Vec<i16> = leases.iter().map(|lease| lease.lane).collect();
    let marks = store
        .marks_after(&lanes, MarkId::default(), 10_000_000)
        .await?;
    let due = Due::of(&marks.marks);
    let (start, cpu) = (Instant::now(), processor::seconds_of(std::process::id())?);
    let mut calls = 0;
    for some in due.chunks(BATCH) {
        calls += store.settle(&leases, some).await?.calls;
        while store.fold(20_000).await? >= 20_000 {}
    }
    while store.fold(20_000).await? > 0 {}
    let (seconds, cpu) = (
        start.elapsed().as_secs_f64(),
        processor::seconds_of(std::process::id())? - cpu,
    );
    store.release_lanes("bench").await?;
    let rate = due.len() as f64 / seconds;
    figures.add(subject, "traces_per_s_by_one_settler", rate);
    figures.add(
        subject,
        "calls_per_s_by_one_settler",
        calls as f64 / seconds,
    );
    figures.add(
        subject,
        "collector_cpu_ms_per_trace",
        cpu * 1e3 / due.len() as f64,
    );
    Ok(rate)
}

/// Lands traces at a steady rate while the settler works; samples how old the oldest unsettled one is.
#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
async fn keep_up(
    figures: &mut Figures,
    subject: &str,
    store: &Arc<Store>,
    body: &Body,
    rate: f64,
    time: Duration,
) -> Result<()> {
    let shutdown = CancellationToken::new();
    let config = SettleConfig {
        times: SettleTimes {
            after_root: Duration::from_secs(2),
            after_quiet: Duration::from_secs(30),
            at_most: Duration::from_secs(60),
        },
        owner: "bench-settler".to_owned(),
    };
    let metrics = SettleMetrics::new(&mut Registry::default());
    let settling = Settler::start(Arc::clone(store), config, metrics, shutdown.clone());
    let (start, mut rounds, mut ages) = (Instant::now(), 0, Vec::new());
    while start.elapsed() < time {
        store
            .commit(&landing(body, 1_000_000 + rounds), &[])
            .await?;
        rounds += 1;
        let oldest = store.status().await?.oldest_pending_us;
        ages.push(oldest.map_or(0.0, |oldest| (now_us() - oldest) as f64 / 1e6));
        let due = Duration::from_secs_f64((rounds * TRACES) as f64 / rate);
        tokio::time::sleep(due.saturating_sub(start.elapsed())).await;
    }
    let landed = (rounds * TRACES) as f64 / start.elapsed().as_secs_f64();
    shutdown.cancel();
    settling.await.context("the settler ended badly")?;
    ensure!(!ages.is_empty(), "the load was too short");
    ages.sort_by(f64::total_cmp);
    figures.add(subject, "half_load_traces_per_s", landed);
    figures.add(
        subject,
        "half_load_oldest_unsettled_p50_s",
        ages[ages.len() / 2],
    );
    figures.add(
        subject,
        "half_load_oldest_unsettled_p99_s",
        ages[(ages.len() - 1) * 99 / 100],
    );
    Ok(())
}

/// A request as the collector lands it.
fn landing(body: &Body, round: u64) -> Vec<LandingRow> {
    let (catalog, limits) = (Catalog::embedded(), Limits::default());
    let mut lander = Lander::new(&catalog);
    let mut rows = Vec::new();
    let received_us = now_us();
    let walked = walk_traces(&body.stamped(round), &limits, |resource, scope, span| {
        rows.push(lander.land(resource, scope, span, 1, received_us));
    });
    assert!(walked.is_ok(), "the benchmark's own body is whole");
    rows
}

fn now_us() -> i64 {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(now.as_micros()).unwrap_or(i64::MAX)
}
