//! The load: pre-serialised requests over several connections, acknowledged by the real binary.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use costflame_bench::load::{Body, SPANS_PER_TRACE};

use crate::{
    figures::Figures,
    target::{Database, Server},
};

/// How the load looks.
pub(crate) struct Ingest {
    pub(crate) connections: usize,
    pub(crate) spans_per_request: usize,
    pub(crate) time: Duration,
}

/// Latencies of acknowledged requests, in milliseconds, and how many were asked to retry.
#[derive(Default)]
struct Seen {
    latencies: Vec<f64>,
    retried: u64,
}

/// Sends for the load's time and notes what was acknowledged.
#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
pub(crate) async fn measure(
    figures: &mut Figures,
    database: &Database,
    load: &Ingest,
) -> Result<()> {
    let server = Server::start(database)?;
    let traces = load.spans_per_request / SPANS_PER_TRACE;
    let body = Arc::new(Body::new(1, traces as u64, 1_795_388_725_000_000_000));
    let round = Arc::new(AtomicU64::new(1));
    let start = Instant::now();
    let senders: Vec<_> = (0..load.connections)
        .map(|_| {
            tokio::spawn(send(
                server.http.clone(),
                Arc::clone(&body),
                Arc::clone(&round),
                load.time,
            ))
        })
        .collect();
    let mut seen = Seen::default();
    for sender in senders {
        let part = sender.await.context("a sender failed")??;
        seen.latencies.extend(part.latencies);
        seen.retried += part.retried;
    }
    let seconds = start.elapsed().as_secs_f64();
    ensure!(!seen.latencies.is_empty(), "nothing was acknowledged");
    seen.latencies.sort_by(f64::total_cmp);
    let spans = (seen.latencies.len() * body.spans()) as f64;
    let name = database.name();
    figures.add(name, "acknowledged_spans_per_s", spans / seconds);
    figures.add(name, "ack_p50_ms", quantile(&seen.latencies, 50));
    figures.add(name, "ack_p99_ms", quantile(&seen.latencies, 99));
    figures.add(name, "requests_asked_to_retry", seen.retried as f64);
    figures.add(
        name,
        "collector_cpu_s_per_million_spans",
        server.cpu_seconds()? / spans * 1e6,
    );
    figures.add(name, "collector_peak_rss_mib", server.peak_mib()?);
    Ok(())
}

async fn send(url: String, body: Arc<Body>, round: Arc<AtomicU64>, time: Duration) -> Result<Seen> {
    // A client each, or they would share one connection.
    let client = reqwest::Client::builder()
        .timeout(Duration::from_secs(60))
        .build()?;
    let url = format!("{url}/v1/traces");
    let mut seen = Seen::default();
    let start = Instant::now();
    while start.elapsed() < time {
        let bytes = body.stamped(round.fetch_add(1, Ordering::Relaxed));
        let sent = Instant::now();
        let request = client
            .post(&url)
            .header("content-type", "application/x-protobuf")
            .body(bytes);
        let status = request.send().await?.status().as_u16();
        match status {
            200 => seen.latencies.push(sent.elapsed().as_secs_f64() * 1e3),
            429 | 503 => seen.retried += 1,
            other => anyhow::bail!("the load was refused: {other}"),
        }
    }
    Ok(seen)
}

fn quantile(sorted: &[f64], percent: usize) -> f64 {
    sorted[(sorted.len() - 1) * percent / 100]
}
