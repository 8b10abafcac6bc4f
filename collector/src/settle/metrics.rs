//! What the settler counts.

use std::{
    sync::atomic::{AtomicI64, AtomicU64},
    time::Duration,
};

use costflame_store::{Measures, SeriesRow, SettleReport};
use prometheus_client::{
    metrics::{
        counter::Counter,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};

use super::spend::Spend;

/// Counters of settling; cloning shares them.
#[derive(Clone, Debug)]
pub struct SettleMetrics {
    traces: Counter,
    failed: Counter,
    calls: Counter,
    elections: Counter,
    waiting: Gauge<i64, AtomicI64>,
    lag: Gauge<f64, AtomicU64>,
    fold_lag: Gauge<f64, AtomicU64>,
    seconds: Histogram,
    spend: Spend,
}

impl SettleMetrics {
    /// Registers them.
    #[must_use]
    pub fn new(registry: &mut Registry) -> Self {
        let metrics = Self {
            traces: Counter::default(),
            failed: Counter::default(),
            calls: Counter::default(),
            elections: Counter::default(),
            waiting: Gauge::default(),
            lag: Gauge::default(),
            fold_lag: Gauge::default(),
            seconds: Histogram::new(exponential_buckets(0.001, 2.0, 14)),
            spend: Spend::default(),
        };
        registry.register(
            "traces_settled",
            "Traces settled, again or for the first time.",
            metrics.traces.clone(),
        );
        let help =
            "Attempts to settle a trace that failed for what the trace holds; the log names it.";
        registry.register("traces_failed", help, metrics.failed.clone());
        registry.register(
            "calls_settled",
            "Calls written by settling.",
            metrics.calls.clone(),
        );
        let help = "Calls of other traces that won or lost an election.";
        registry.register("elections", help, metrics.elections.clone());
        registry.register(
            "traces_waiting",
            "Traces with spans that are not settled.",
            metrics.waiting.clone(),
        );
        registry.register_with_unit(
            "settle_lag",
            "How long the longest overdue trace has been due.",
            Unit::Seconds,
            metrics.lag.clone(),
        );
        registry.register_with_unit(
            "fold_lag",
            "Since when differences are waiting to be added to the rollups.",
            Unit::Seconds,
            metrics.fold_lag.clone(),
        );
        registry.register(
            "settle_seconds",
            "Time of one settle transaction.",
            metrics.seconds.clone(),
        );
        registry.register_collector(Box::new(metrics.spend.clone()));
        metrics
    }

    /// Cost, tokens and calls as they are counted.
    #[must_use]
    pub fn spend(&self) -> Spend {
        self.spend.clone()
    }

    pub(super) fn settled(&self, report: &SettleReport, time: Duration) {
        self.traces.inc_by(report.traces as u64);
        self.calls.inc_by(report.calls as u64);
        self.elections.inc_by(report.elections as u64);
        self.seconds.observe(time.as_secs_f64());
        self.spend.count(&report.changes);
    }

    pub(super) fn failed(&self) {
        self.failed.inc();
    }

    /// Counts what other programs changed.
    pub(super) fn corrected(&self, changes: &[(SeriesRow, Measures)]) {
        self.spend.count(changes);
    }

    pub(super) fn waiting(&self, traces: usize, overdue: Duration, unfolded: Duration) {
        self.waiting.set(i64::try_from(traces).unwrap_or(i64::MAX));
        self.lag.set(overdue.as_secs_f64());
        self.fold_lag.set(unfolded.as_secs_f64());
    }
}
