//! Watches the running binary by its own metrics.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result};
use costflame_bench::load::SPANS_PER_TRACE;
use tokio::{task::JoinHandle, time::Instant};

/// Between two looks.
const EVERY: Duration = Duration::from_millis(200);

/// What the metrics said at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    pub(crate) at: Instant,
    /// Spans of settled traces; every trace of the load is settled once.
    pub(crate) settled: f64,
    /// How long the longest overdue trace has been due, in seconds.
    pub(crate) lag: f64,
    /// Since when differences wait to be added to the rollups, in seconds.
    pub(crate) fold_lag: f64,
    /// Traces that wait.
    waiting: f64,
}

impl Look {
    async fn take(client: &reqwest::Client, url: &str) -> Result<Self> {
        let text = client.get(url).send().await?.text().await?;
        let value = |name: &str| -> Result<f64> {
            let line = text
                .lines()
                .find(|line| line.split([' ', '{']).next() == Some(name))
                .with_context(|| format!("no metric {name}"))?;
            Ok(line
                .rsplit(' ')
                .next()
                .context("a metric without value")?
                .parse()?)
        };
        #[expect(clippy::cast_precision_loss, reason = "ten")]
        Ok(Self {
            at: Instant::now(),
            settled: value("costflame_traces_settled_total")? * SPANS_PER_TRACE as f64,
            lag: value("costflame_settle_lag_seconds")?,
            fold_lag: value("costflame_fold_lag_seconds")?,
            waiting: value("costflame_traces_waiting")?,
        })
    }
}

/// Looks again and again until it is dropped.
pub(crate) struct Watch {
    looks: Arc<Mutex<Vec<Look>>>,
    task: JoinHandle<Result<()>>,
}

impl Watch {
    pub(crate) fn start(api: &str) -> Self {
        let looks = Arc::new(Mutex::new(Vec::new()));
        let task = tokio::spawn(watch(format!("{api}/metrics"), Arc::clone(&looks)));
        Self { looks, task }
    }

    /// Everything seen between two moments.
    pub(crate) fn between(&self, from: Instant, to: Instant) -> Vec<Look> {
        let looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
        let within = |look: &&Look| look.at >= from && look.at <= to;
        looks.iter().filter(within).copied().collect()
    }

    /// Waits until so many spans are settled and folded; the moment.
    pub(crate) async fn settled(&self, spans: f64, patience: Duration) -> Result<Instant> {
        let start = Instant::now();
        loop {
            let look = {
                let looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
                looks.last().copied()
            };
            if let Some(look) = look
                && look.settled >= spans
                && look.waiting == 0.0
                && look.fold_lag < 1.0
            {
                return Ok(look.at);
            }
            anyhow::ensure!(
                start.elapsed() < patience && !self.task.is_finished(),
                "not all is settled: {look:?}, {spans} spans"
            );
            tokio::time::sleep(EVERY).await;
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn watch(url: String, looks: Arc<Mutex<Vec<Look>>>) -> Result<()> {
    let client = reqwest::Client::new();
    loop {
        let look = Look::take(&client, &url).await?;
        looks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(look);
        tokio::time::sleep(EVERY).await;
    }
}
