//! What the receiver counts, for Prometheus.

use std::{fmt, time::Duration};

use costflame_profile::Role;
use costflame_store::LandingRow;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric as _},
    metrics::{
        MetricType,
        counter::Counter,
        family::Family,
        gauge::ConstGauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};

use crate::{
    decode::Outcome,
    receive::{Budget, Export, Refusal},
};

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Request {
    transport: &'static str,
    signal: &'static str,
    code: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Transport {
    transport: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct SignalLabel {
    signal: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct CommitResult {
    result: &'static str,
}

/// Counters of the receiver and of group commit.
#[derive(Debug)]
pub struct Metrics {
    requests: Family<Request, Counter>,
    refused: Family<Reason, Counter>,
    body_bytes: Family<Transport, Counter>,
    inflated_bytes: Counter,
    spans: Counter,
    calls: Counter,
    rejected: Family<Reason, Counter>,
    adjusted: Family<Reason, Counter>,
    unused: Family<SignalLabel, Counter>,
    commits: Family<CommitResult, Counter>,
    commit_seconds: Histogram,
    commit_rows: Histogram,
    committed: Counter,
}

impl Metrics {
    /// Creates the counters and registers them.
    #[must_use]
    pub fn new(registry: &mut Registry) -> Self {
        let metrics = Self {
            requests: Family::default(),
            refused: Family::default(),
            body_bytes: Family::default(),
            inflated_bytes: Counter::default(),
            spans: Counter::default(),
            calls: Counter::default(),
            rejected: Family::default(),
            adjusted: Family::default(),
            unused: Family::default(),
            commits: Family::default(),
            commit_seconds: Histogram::new(exponential_buckets(0.001, 2.0, 14)),
            commit_rows: Histogram::new(exponential_buckets(1.0, 4.0, 9)),
            committed: Counter::default(),
        };
        metrics.register(registry);
        metrics
    }

    fn register(&self, to: &mut Registry) {
        to.register("requests", "OTLP requests answered", self.requests.clone());
        to.register(
            "requests_refused",
            "OTLP requests refused as a whole",
            self.refused.clone(),
        );
        to.register_with_unit(
            "request_body",
            "Request bodies as sent",
            Unit::Bytes,
            self.body_bytes.clone(),
        );
        to.register_with_unit(
            "request_inflated",
            "Request bodies decompressed",
            Unit::Bytes,
            self.inflated_bytes.clone(),
        );
        to.register(
            "spans_received",
            "Spans in requests that were read",
            self.spans.clone(),
        );
        to.register(
            "calls_received",
            "Model calls recognised among the spans, before any is counted once",
            self.calls.clone(),
        );
        to.register(
            "spans_rejected",
            "Spans refused by partial success",
            self.rejected.clone(),
        );
        to.register(
            "spans_committed",
            "Spans, and log records of calls, made durable, repetitions included",
            self.committed.clone(),
        );
        to.register(
            "adjustments",
            "Parts of accepted spans that were changed or left unread",
            self.adjusted.clone(),
        );
        to.register(
            "records_unused",
            "Log records that report no model call, and metric points",
            self.unused.clone(),
        );
        to.register("commits", "Transactions tried", self.commits.clone());
        to.register_with_unit(
            "commit_duration",
            "Time of a transaction",
            Unit::Seconds,
            self.commit_seconds.clone(),
        );
        to.register(
            "commit_rows",
            "Rows of a transaction",
            self.commit_rows.clone(),
        );
    }

    /// A request was answered.
    pub(crate) fn answered(
        &self,
        transport: &'static str,
        kind: Export,
        code: String,
        refusal: Option<&Refusal>,
    ) {
        let signal = kind.name;
        self.requests
            .get_or_create(&Request {
                transport,
                signal,
                code,
            })
            .inc();
        if let Some(refusal) = refusal {
            self.refused
                .get_or_create(&Reason {
                    reason: refusal.reason(),
                })
                .inc();
        }
    }

    /// A body arrived.
    pub(crate) fn read_body(&self, transport: &'static str, bytes: usize) {
        self.body_bytes
            .get_or_create(&Transport { transport })
            .inc_by(bytes as u64);
    }

    /// A body was decompressed.
    pub(crate) fn inflated(&self, bytes: usize) {
        self.inflated_bytes.inc_by(bytes as u64);
    }

    /// The spans of a request were walked.
    pub(crate) fn walked(&self, outcome: &Outcome) {
        self.spans.inc_by(outcome.spans);
        for (reason, count) in outcome.rejected() {
            self.rejected
                .get_or_create(&Reason {
                    reason: reason.label(),
                })
                .inc_by(count);
        }
        for (what, count) in outcome.adjusted() {
            self.adjusted
                .get_or_create(&Reason {
                    reason: what.label(),
                })
                .inc_by(count);
        }
    }

    /// Adjusted counts of samplers could not be, and were left unread.
    pub(crate) fn ignored_weights(&self, count: u64) {
        if count > 0 {
            let reason = "sampling";
            self.adjusted
                .get_or_create(&Reason { reason })
                .inc_by(count);
        }
    }

    /// Spans were recognised.
    pub(crate) fn recognised(&self, rows: &[LandingRow]) {
        let calls = rows.iter().filter(|row| row.span.role == Role::Call);
        self.calls.inc_by(calls.count() as u64);
    }

    /// The database refused rows for good.
    pub(crate) fn poison(&self, rows: u64) {
        self.rejected
            .get_or_create(&Reason { reason: "database" })
            .inc_by(rows);
    }

    /// Logs or metrics were received.
    pub(crate) fn unused(&self, signal: &'static str, records: u64) {
        self.unused
            .get_or_create(&SignalLabel { signal })
            .inc_by(records);
    }

    /// A transaction ended.
    pub(crate) fn commit_tried(&self, took: Duration, rows: usize, committed: bool) {
        let result = if committed { "committed" } else { "failed" };
        self.commits.get_or_create(&CommitResult { result }).inc();
        self.commit_seconds.observe(took.as_secs_f64());
        self.commit_rows.observe(rows as f64);
        if committed {
            self.committed.inc_by(rows as u64);
        }
    }
}

/// How full the bounded places are, read when asked.
#[derive(Debug)]
pub(crate) struct Levels {
    pub(crate) bodies: Budget,
    pub(crate) queue: Budget,
    pub(crate) gate: std::sync::Arc<crate::commit::Gate>,
}

impl Collector for Levels {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let levels = [
            (
                "inflight_bytes",
                "Bytes of request bodies in memory",
                self.bodies.used(),
            ),
            (
                "inflight_limit_bytes",
                "Bound of inflight_bytes",
                self.bodies.total(),
            ),
            (
                "queue_bytes",
                "Estimated bytes of spans waiting for the database",
                self.queue.used(),
            ),
            (
                "queue_limit_bytes",
                "Bound of queue_bytes",
                self.queue.total(),
            ),
            (
                "database_up",
                "1 while commits are believed to work",
                usize::from(self.gate.is_open()),
            ),
        ];
        for (name, help, value) in levels {
            let value = i64::try_from(value).unwrap_or(i64::MAX);
            let gauge = ConstGauge::new(value);
            gauge.encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)?;
        }
        Ok(())
    }
}
