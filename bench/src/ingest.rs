//! The real binary under load: what it acknowledges, and what it settles and rolls up in the long run.
//!
//! First as fast as requests are acknowledged, then, once all of it is settled, at the rate that was settled on the whole:
//! there nothing may pile up. At shares of that rate acknowledgements and settling have to be prompt.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use costflame_bench::send::{Outcome, quantile};
use tokio::{process::Command, time::Instant};

use crate::{
    figures::Figures,
    target::{Database, Server, beside},
    watch::{Look, Watch},
};

/// A trace is settled so long after its root has landed, by default.
const AFTER_ROOT: Duration = Duration::from_secs(2);
/// A burst is settled within so many times its length.
pub(crate) const PATIENCE: u32 = 40;

/// How the load looks.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    pub(crate) grpc: bool,
    pub(crate) connections: usize,
    pub(crate) spans_per_request: usize,
}

/// How long each part takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    pub(crate) burst: Duration,
    pub(crate) sustained: Duration,
    pub(crate) share: Duration,
}

/// Measures everything about receiving and settling; rows of the load stay in the database.
#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
pub(crate) async fn measure(
    figures: &mut Figures,
    database: &Database,
    shape: &Shape,
    times: Times,
) -> Result<()> {
    let name = database.name();
    let server = Server::start(database)?;
    let watch = Watch::start(&server.api);
    tokio::time::sleep(AFTER_ROOT).await;
    figures.add(name, "collector_idle_rss_mib", server.memory_mib()?.0);
    let url = if shape.grpc {
        &server.grpc
    } else {
        &server.http
    };
    let empty = database.bytes().await?;
    let (cpu, database_cpu) = (server.cpu_seconds()?, database.cpu_seconds()?);

    let start = Instant::now();
    let burst = drive(shape, url, None, times.burst, 1).await?;
    figures.add(
        name,
        "acknowledged_spans_per_s",
        burst.spans as f64 / burst.seconds,
    );
    figures.add(name, "ack_p50_ms", burst.ack_p50_ms);
    figures.add(name, "ack_p99_ms", burst.ack_p99_ms);
    figures.add(name, "requests_asked_to_retry", burst.retried as f64);
    let mut spans = burst.spans as f64;
    let settled = watch.settled(spans, times.burst * PATIENCE).await?;
    let possible = spans / (settled - start).as_secs_f64();
    figures.add(name, "burst_settled_spans_per_s", possible);
    figures.add(
        name,
        "collector_cpu_s_per_million_spans",
        (server.cpu_seconds()? - cpu) / spans * 1e6,
    );
    if let (Some(now), Some(before)) = (database.cpu_seconds()?, database_cpu) {
        figures.add(
            name,
            "database_cpu_s_per_million_spans",
            (now - before) / spans * 1e6,
        );
    }
    figures.add(
        name,
        "generator_cpu_s_per_million_spans",
        burst.cpu_seconds / spans * 1e6,
    );

    let sustained = Part::drive(shape, url, &watch, possible, times.sustained, 2).await?;
    figures.add(name, "settled_spans_per_s", sustained.settled_per_s());
    figures.add(
        name,
        "sustained_acknowledged_spans_per_s",
        sustained.outcome.spans as f64 / sustained.outcome.seconds,
    );
    figures.add(name, "sustained_ack_p99_ms", sustained.outcome.ack_p99_ms);
    figures.add(name, "sustained_overdue_max_s", sustained.lags(100));
    figures.add(name, "sustained_fold_lag_max_s", sustained.fold_lag());
    spans += sustained.outcome.spans as f64;
    let settled = watch.settled(spans, times.sustained * PATIENCE).await?;
    figures.add(
        name,
        "sustained_all_settled_after_s",
        (settled - sustained.end).as_secs_f64(),
    );

    let rate = sustained.settled_per_s();
    let most = Part::drive(shape, url, &watch, rate * 0.8, times.share, 3).await?;
    figures.add(name, "ack_p99_ms_at_80_percent", most.outcome.ack_p99_ms);
    spans += most.outcome.spans as f64;
    watch.settled(spans, times.share * PATIENCE).await?;
    let half = Part::drive(shape, url, &watch, rate * 0.5, times.share, 4).await?;
    spans += half.outcome.spans as f64;
    figures.add(name, "ack_p99_ms_at_half_load", half.outcome.ack_p99_ms);
    let after_root = AFTER_ROOT.as_secs_f64();
    figures.add(
        name,
        "settled_after_root_p50_s_at_half_load",
        after_root + half.lags(50),
    );
    figures.add(
        name,
        "settled_after_root_p99_s_at_half_load",
        after_root + half.lags(99),
    );
    watch.settled(spans, times.share * PATIENCE).await?;
    figures.add(name, "collector_peak_rss_mib", server.memory_mib()?.1);
    let grown = database.bytes().await?.saturating_sub(empty);
    figures.add(name, "database_bytes_per_span", grown as f64 / spans);
    Ok(())
}

/// Sends as fast as any OTLP endpoint acknowledges it.
#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
pub(crate) async fn compare(
    figures: &mut Figures,
    url: &str,
    shape: &Shape,
    time: Duration,
) -> Result<()> {
    let outcome = drive(shape, url, None, time, 1).await?;
    figures.add(
        url,
        "acknowledged_spans_per_s",
        outcome.spans as f64 / outcome.seconds,
    );
    figures.add(url, "ack_p50_ms", outcome.ack_p50_ms);
    figures.add(url, "ack_p99_ms", outcome.ack_p99_ms);
    figures.add(url, "requests_asked_to_retry", outcome.retried as f64);
    figures.add(
        url,
        "generator_cpu_s_per_million_spans",
        outcome.cpu_seconds / outcome.spans as f64 * 1e6,
    );
    Ok(())
}

/// The load generator in a process of its own.
pub(crate) async fn drive(
    shape: &Shape,
    url: &str,
    rate: Option<f64>,
    time: Duration,
    seed: u64,
) -> Result<Outcome> {
    let mut command = Command::new(beside("costflame-load")?);
    command.arg(url).args([
        "--connections",
        &shape.connections.to_string(),
        "--spans-per-request",
        &shape.spans_per_request.to_string(),
        "--seconds",
        &time.as_secs_f64().to_string(),
        "--seed",
        &seed.to_string(),
    ]);
    if shape.grpc {
        command.arg("--grpc");
    }
    if let Some(rate) = rate {
        command.args(["--rate", &rate.to_string()]);
    }
    command.stderr(std::process::Stdio::inherit());
    let output = command
        .output()
        .await
        .context("the load generator does not start")?;
    ensure!(output.status.success(), "the load generator failed");
    serde_json::from_slice(&output.stdout).context("the load generator said something else")
}

/// A load at a steady rate, and what was seen of settling meanwhile.
struct Part {
    outcome: Outcome,
    looks: Vec<Look>,
    end: Instant,
}

impl Part {
    async fn drive(
        shape: &Shape,
        url: &str,
        watch: &Watch,
        rate: f64,
        time: Duration,
        seed: u64,
    ) -> Result<Self> {
        let start = Instant::now();
        let outcome = drive(shape, url, Some(rate), time, seed).await?;
        let end = Instant::now();
        // Settling begins when the first roots have waited, and a bit.
        let looks = watch.between(start + AFTER_ROOT.mul_f64(1.25), end);
        ensure!(looks.len() > 1, "the load was too short");
        Ok(Self {
            outcome,
            looks,
            end,
        })
    }

    fn settled_per_s(&self) -> f64 {
        let (first, last) = (&self.looks[0], &self.looks[self.looks.len() - 1]);
        (last.settled - first.settled) / (last.at - first.at).as_secs_f64()
    }

    /// How long the longest overdue trace had been due, by hundredths of the looks.
    fn lags(&self, percent: usize) -> f64 {
        let mut lags: Vec<f64> = self.looks.iter().map(|look| look.lag).collect();
        lags.sort_by(f64::total_cmp);
        quantile(&lags, percent)
    }

    fn fold_lag(&self) -> f64 {
        self.looks
            .iter()
            .map(|look| look.fold_lag)
            .fold(0.0, f64::max)
    }
}
